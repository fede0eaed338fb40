"""Which pages of other sites may call the API from a browser: none, or those whose origins the operator names (API-6)."""

from __future__ import annotations

import re

from pydantic import Field, field_validator
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from journeys.engine.settings import Environment

_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?")

SENT = ("authorization", "content-type", "content-encoding", "idempotency-key", "x-request-id")
"""Headers that a page may send."""

READ = (
    "link",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
)
"""Headers that a page may read."""


class CrossOriginSettings(Environment):
    """`JOURNEYS_CORS_ORIGINS`: the origins, with commas."""

    cors_origins: str = Field(
        default="",
        description="Origins of web pages that may call the API from a browser, with commas: https://desk.example.com; "
        "their users can read the key",
    )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for one in split(text):
            if not _ORIGIN.fullmatch(one):
                raise ValueError(f"“{one[:100]}” is not an origin: write https://desk.example.com")
        return text


def split(text: str) -> list[str]:
    """The origins that a text names."""
    return [one.strip() for one in text.split(",") if one.strip()]


def let_in(made: Starlette) -> None:
    """Let in the pages of the origins that the environment names; where it names none, nothing is said of any."""
    origins = split(CrossOriginSettings().cors_origins)
    if origins:
        made.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=SENT,
            expose_headers=READ,
        )
