"""`date` and `time_zone`, with the render clock instead of the machine's (DT1 to DT5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from liquid import RenderContext
from liquid.filter import with_context
from liquid.undefined import is_undefined

from journeys.engine.content.stringify import stringify

_ISO = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?)?\s*(UTC|Z|[+-]\d{2}:?\d{2})?$"
)
_NAMED = re.compile(r"^([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})$")
_DAY_FIRST = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})$")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DIRECTIVE = re.compile(r"%([-_0^#]?)(:?)(\d?)([a-zA-Z%])")


def read(value: Any, now: datetime) -> datetime | None:
    """An instant from what a template may call a date; None where it is none."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    text = stringify(value).strip()
    if text in ("now", "today"):
        return now
    if re.fullmatch(r"\d{1,12}", text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return _parse(text, now)
    except ValueError:
        return None


def _parse(text: str, now: datetime) -> datetime | None:
    if found := _ISO.match(text):
        year, month, day, hour, minute, second, _, zone = found.groups()
        base = datetime(int(year), int(month), int(day), tzinfo=_offset(zone))
        return base + timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
    if found := _NAMED.match(text):
        names = [name for name in _MONTHS if name.startswith(found[1].lower())]
        return (
            datetime(int(found[3]), _MONTHS.index(names[0]) + 1, int(found[2]), tzinfo=UTC) if names else None
        )
    if found := _DAY_FIRST.match(text):
        return datetime(int(found[3]), int(found[2]), int(found[1]), tzinfo=UTC)
    if found := _CLOCK.match(text):
        return now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    return None


def _offset(zone: str | None) -> timezone:
    if zone in (None, "UTC", "Z"):
        return UTC
    digits = str(zone).replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return timezone(timedelta(minutes=-minutes if digits[0] == "-" else minutes))


_PARTS: Mapping[str, Callable[[datetime], str]] = {
    "a": lambda at: at.strftime("%a"), "A": lambda at: at.strftime("%A"), "b": lambda at: at.strftime("%b"),
    "B": lambda at: at.strftime("%B"), "h": lambda at: at.strftime("%b"), "C": lambda at: f"{at.year // 100:02d}",
    "c": lambda at: f"{at:%a %b} {at.day:2d} {at:%H:%M:%S} {at.year}", "d": lambda at: f"{at.day:02d}",
    "D": lambda at: at.strftime("%m/%d/%y"), "e": lambda at: f"{at.day:2d}", "F": lambda at: at.strftime("%Y-%m-%d"),
    "H": lambda at: f"{at.hour:02d}", "I": lambda at: f"{at.hour % 12 or 12:02d}", "k": lambda at: f"{at.hour:2d}",
    "l": lambda at: f"{at.hour % 12 or 12:2d}", "j": lambda at: at.strftime("%j"),
    "L": lambda at: f"{at.microsecond // 1000:03d}", "m": lambda at: f"{at.month:02d}", "M": lambda at: f"{at.minute:02d}",
    "n": lambda _: "\n", "N": lambda at: f"{at.microsecond * 1000:09d}", "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm", "r": lambda at: f"{at.hour % 12 or 12:02d}:{at:%M:%S %p}",
    "R": lambda at: at.strftime("%H:%M"), "s": lambda at: str(int(at.timestamp())), "S": lambda at: f"{at.second:02d}",
    "t": lambda _: "\t", "T": lambda at: at.strftime("%H:%M:%S"), "u": lambda at: str(at.isoweekday()),
    "U": lambda at: at.strftime("%U"), "V": lambda at: f"{at.isocalendar()[1]:02d}",
    "w": lambda at: str(at.isoweekday() % 7), "W": lambda at: at.strftime("%W"), "x": lambda at: at.strftime("%m/%d/%y"),
    "X": lambda at: at.strftime("%H:%M:%S"), "y": lambda at: f"{at.year % 100:02d}", "Y": lambda at: str(at.year),
    "z": lambda at: at.strftime("%z"), "Z": lambda at: at.tzname() or "", "%": lambda _: "%",
}  # fmt: skip


def strftime(at: datetime, form: str) -> str:
    """Ruby's strftime, with English names; an unknown directive prints as typed (DT3)."""

    def part(match: re.Match[str]) -> str:
        flag, colon, width, name = match.groups()
        if name not in _PARTS or (colon and name != "z"):
            return match[0]
        text = _PARTS[name](at)
        if colon:
            text = text[:3] + ":" + text[3:5]
        if name == "N" and width:
            text = text[: int(width)]
        if flag == "-":
            text = text.lstrip("0 ") or "0"
        elif flag == "_":
            text = text.lstrip("0").rjust(len(text))
        elif flag == "0":
            text = text.replace(" ", "0")
        elif flag in ("^", "#"):
            text = text.upper()
        return text

    return _DIRECTIVE.sub(part, form)


@with_context
def date(value: Any, form: Any = None, *, context: RenderContext) -> Any:
    """Print a time by a format. nil stays nil, text that is no date is printed unchanged (DT1)."""
    if value is None or is_undefined(value):
        return None
    at = read(value, context.globals[NOW])  # type: ignore[arg-type]
    text = stringify(form)
    return value if at is None or not text else strftime(at, text)


@with_context
def time_zone(value: Any, name: Any = None, *, context: RenderContext) -> Any:
    """The same instant in a zone; unset or unknown zones leave the value alone (DT4)."""
    at = None if value is None or is_undefined(value) else read(value, context.globals[NOW])  # type: ignore[arg-type]
    try:
        return value if at is None else at.astimezone(ZoneInfo(stringify(name)))
    except (KeyError, ValueError, OSError):
        return value


NOW = "@now"
"""Under this name, which no template can write, the render clock lies among the values."""
