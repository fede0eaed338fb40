"""Where the links in messages lead."""

from __future__ import annotations

from pydantic import Field

from journeys.engine.settings import Environment


class PublicSettings(Environment):
    """`JOURNEYS_PUBLIC_URL`: the address at which the API is reached from outside; links in messages lead there."""

    public_url: str = Field(
        default="http://localhost:8000",
        pattern=r"^https?://[^\s/]+",
        description="Where the API is reached from outside",
    )
