"""Instants as people and clients write them: ISO 8601, and the few other forms that attributes and events come in (ATT-6)."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

from journeys.canvas.times import LAST_VALUE_YEAR

SHORTEST, LONGEST = len("1/1/2026"), 100
"""Characters that a text has which may mean an instant."""
_COLON_BEFORE_FRACTION = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}):(\d{1,6})(.*)$")
_OTHER_FORMS = (
    (re.compile(r"\d{1,2}/\d{1,2}/\d{4}$"), ("%m/%d/%Y",)),
    (re.compile(r"[A-Za-z]{3} \d"), ("%a %m %d %H:%M:%S.%z %Y", "%a %m %d %H:%M:%S %Y")),
)
"""How a text looks that may be of these forms, so that texts of all kinds are not tried in vain."""


def read(text: str) -> datetime | None:
    """The time that this text means, with a zone where it names one; None where it means none."""
    text = text.strip()
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    with suppress(ValueError):
        return datetime.fromisoformat(_COLON_BEFORE_FRACTION.sub(r"\1.\2\3", text))
    forms = (form for look, several in _OTHER_FORMS if look.match(text) for form in several)
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - without a zone it is UTC
        except ValueError:
            continue
    return None


def instant(written: object) -> datetime | None:
    """The instant that this text means, in UTC; None where it means none. Without a zone it is UTC (ATT-6).

    Example:
        >>> instant("2026-12-01 09:00:00")
        datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.timezone.utc)
        >>> instant("12/01/2026").isoformat()
        '2026-12-01T00:00:00+00:00'
        >>> instant("soon") is None
        True
    """
    if not isinstance(written, str) or not SHORTEST <= len(written) <= LONGEST:
        return None
    found = read(written)
    if found is None or not 0 < found.year <= LAST_VALUE_YEAR:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None
