"""Values of queries that several operations read: instants, truths, pages, cursors."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from journeys.api.operations import said
from journeys.canvas.written_instants import instant

MOST_PAGES = 10**6

_PLUS_LOST = re.compile(r"(T[\d:.]+) (\d\d:?\d\d)$")
"""The plus of an offset that a query did not encode arrives as a space."""


def _instant(given: Any) -> Any:
    found = instant(_PLUS_LOST.sub(r"\1+\2", given)) if isinstance(given, str) else given
    if not isinstance(found, datetime):
        raise said("a time of the query is no ISO 8601 datetime")
    return found


def _truth(given: Any) -> Any:
    words = {"true": True, "1": True, "false": False, "0": False}
    return words.get(str(given).lower(), given)


Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Truth = Annotated[bool, BeforeValidator(_truth)]
"""`true` and `True` alike, as clients write them."""

PageNo = Annotated[int, Field(ge=0, le=MOST_PAGES)]
"""A page, counted from 0. One past the end is empty."""


def cursor_of(name: str) -> str:
    """The cursor of the page after a name: signs that need no encoding, since some clients encode a cursor once more."""
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def name_of(cursor: str) -> str:
    """The name after which the page of a cursor begins. Raises what the API answers for one that is none."""
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise said("'cursor' is not valid") from None
