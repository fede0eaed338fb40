"""Instants as people write them: ISO 8601, and the few other forms that clients send (ATT-6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

OTHER_FORMS = ("%m/%d/%Y", "%a %m %d %H:%M:%S.%z %Y", "%a %m %d %H:%M:%S %Y")
COLON_BEFORE_FRACTION = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}):(\d{1,6})(.*)$")
LATEST_YEAR = 3000


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
    if not isinstance(written, str) or len(written) < len("1/1/2026"):
        return None
    found = _read(written.strip())
    if found is None or not 0 < found.year <= LATEST_YEAR:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None


def _read(text: str) -> datetime | None:
    dotted = COLON_BEFORE_FRACTION.sub(r"\1.\2\3", text)
    try:
        return datetime.fromisoformat(dotted)
    except ValueError:
        pass
    for form in OTHER_FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - without a zone it is UTC
        except ValueError:
            continue
    return None
