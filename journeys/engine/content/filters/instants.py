"""Reads an instant from what templates accept as a date (DT1, DT2)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

from journeys.engine.content.stringify import stringify

_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_MONTH_ALONE = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:r?uary|ch|il|e|y|ust|t|(?:t?em|o)ber)?\b\.?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7,
}  # fmt: skip
_TIME = re.compile(
    r"(?:\bt|(?<=\d)t|\bat\s+|(?<!\d))(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,12}))?)?"
    r"\s*(?P<half>[ap]\.?m\b\.?)?\s*(?P<zone>(?:utc|gmt)?[+-]\d{2}(?::?\d{2})?|\b[a-z]{1,3}\b|(?<=\d)z)?"
)
_HOUR = re.compile(r"\b(?P<hour>\d{1,2})\s*(?P<half>[ap]\.?m\b\.?)")
_COMPACT = re.compile(
    r"^(?P<year>\d{4})(?P<number>\d{2})(?P<day>\d{2})t(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
    r"\s*(?P<zone>[+-]\d{2}:?\d{2}|z)?$"
)
_WEEKDAY = re.compile(r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b[.,]?")
_DATES = tuple(
    re.compile(rule)
    for rule in (
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b[\s-]*(?:of\s+)?{_MONTH}[\s,-]*(?P<year>\d{{2,4}})?\b",
        rf"\b{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:[\s,]+(?P<year>\d{{2,4}}))?\b",
        rf"\b{_MONTH}[\s,]+(?P<year>\d{{4}})\b",
        r"\b(?P<year>\d{4})-(?P<number>\d{1,2})-(?P<day>\d{1,2})(?!\d)",  # DT2
        r"\b(?P<year>\d{4})/(?P<number>\d{1,2})/(?P<day>\d{1,2})\b",
        r"\b(?P<day>\d{1,2})/(?P<number>\d{1,2})/(?P<year>\d{4})\b",  # DT2
        r"\b(?P<year>\d{4})\.(?P<number>\d{1,2})\.(?P<day>\d{1,2})\b",
        r"\b(?P<day>\d{1,2})\.(?P<number>\d{1,2})\.(?P<year>\d{4})\b",
        r"\b(?P<day>\d{1,2})-(?P<number>\d{1,2})-(?P<year>\d{4})(?!\d)",
        r"\b(?P<year>\d{1,2})(?P<sign>[-/.])(?P<number>\d{1,2})(?P=sign)(?P<day>\d{1,2})(?!\d)",
        r"\b(?P<year>\d{4})-(?P<of_year>\d{3})(?!\d)",
        r"\b(?P<year>\d{4})/(?P<number>\d{1,2})\b",
        r"\b(?P<number>\d{1,2})/(?P<day>\d{1,2})\b",
        rf"\b{_MONTH_ALONE}",
    )
)
_UNREAD = re.compile(rf"(?:t\d{{0,6}})?\s*(?:[+-]\d{{4}}|{'|'.join(_ZONES)})?")
"""What Ruby passes over after a date: a zone without a time, and a time that it cannot read."""
_LONGEST = 100
"""Characters of a text that may still be a date."""


def read(value: Any, now: datetime) -> datetime | None:
    """An instant, with its zone; None where it is none. `now` is the render clock."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)  # DT1
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int) and not isinstance(value, bool):
        return _since_1970(value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    written = value.strip().lower()
    if written in ("now", "today"):
        return now  # DT1
    if re.fullmatch(r"[0-9]+", value):
        return _since_1970(int(value))  # DT1
    try:
        return _parse(written, now)
    except (ValueError, OverflowError):
        return None


def _since_1970(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _parse(written: str, now: datetime) -> datetime | None:
    time = _COMPACT.match(written)
    if time is not None:
        return _instant(_day(time.groupdict(), now), time.groupdict())
    time = _TIME.search(written) or _HOUR.search(written)
    rest = written if time is None else f"{written[: time.start()]} {written[time.end() :]}"
    rest = _WEEKDAY.sub(" ", rest).strip(" ,")
    day = None
    for rule in _DATES:
        if found := rule.search(rest):
            day = _day(found.groupdict(), now)
            rest = (rest[: found.start()] + rest[found.end() :]).strip(" ,")
            break
    if time is None and day is not None and _UNREAD.fullmatch(rest):
        return day
    if rest or (day is None and time is None):
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)  # DT2
    return _instant(day or midnight, time.groupdict() if time else {})


def _day(parts: dict[str, str | None], now: datetime) -> datetime:
    """Midnight; a day that the month has not rolls over, as Ruby has it."""
    name = parts.get("month")
    month = _MONTHS.index(name) + 1 if name else int(parts.get("number") or 1)  # DT2
    written, day = parts.get("year"), int(parts.get("day") or 1)
    year = now.year if written is None else int(written)
    if of_year := parts.get("of_year"):
        found = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(of_year) - 1)
        if found.year != year:
            raise ValueError("no such day")
        return found
    if written is not None and len(written) <= 2:
        year += 2000 if year < 69 else 1900
    if not 1 <= day <= 31:
        raise ValueError("no such day")
    return datetime(year, month, 1, tzinfo=UTC) + timedelta(days=day - 1)


def _instant(day: datetime, parts: dict[str, str | None]) -> datetime:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError("no such time")
    fraction = (parts.get("fraction") or "0")[:6].ljust(6, "0")
    since = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=int(fraction))
    return day.replace(tzinfo=_zone(parts.get("zone"))) + since


def _zone(written: str | None) -> tzinfo:
    """The zone at the end of a text; without one it is UTC."""
    if not written:
        return UTC
    if written in _ZONES:
        return timezone(timedelta(hours=_ZONES[written])) if _ZONES[written] else UTC
    digits = written.removeprefix("utc").removeprefix("gmt").replace(":", "")
    if digits[0] not in "+-":
        raise ValueError("no such zone")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5] or 0)  # DT2
    return timezone(timedelta(minutes=-minutes if digits[0] == "-" else minutes)) if minutes else UTC


def named(value: Any) -> str:
    """The name of a zone as a template gives it."""
    return stringify(value).strip()
