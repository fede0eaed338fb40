"""`date` and `time_zone`, with the render clock instead of the machine's (DT1 to DT5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from liquid import RenderContext
from liquid.filter import with_context

from journeys.engine.content.filters.argument_limits import text
from journeys.engine.content.filters.instants import named, read
from journeys.engine.content.stringify import stringify


class Hidden(str):
    """A place among the values of a rendering that no template can name: it is equal to nothing but itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


NOW = Hidden("@now")
"""Under this name, which no template can write, the render clock lies among the values."""

_DIRECTIVE = re.compile(r"%([-_0^#]*)([0-9]{0,4})(:{0,3})([EO]?)([a-zA-Z%])")
_ALTERNATIVE = {"E": "cCxXyY", "O": "deHkIlmMSuUVwWy"}
"""What may follow the signs for other writings of dates, which English has not."""
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

_NUMBERS: Mapping[str, tuple[int, str, Callable[[datetime], int]]] = {
    "C": (2, "0", lambda at: at.year // 100), "d": (2, "0", lambda at: at.day), "e": (2, " ", lambda at: at.day),
    "G": (4, "0", lambda at: at.isocalendar()[0]), "g": (2, "0", lambda at: at.isocalendar()[0] % 100),
    "H": (2, "0", lambda at: at.hour), "I": (2, "0", lambda at: at.hour % 12 or 12),
    "j": (3, "0", lambda at: at.timetuple().tm_yday), "k": (2, " ", lambda at: at.hour),
    "l": (2, " ", lambda at: at.hour % 12 or 12), "m": (2, "0", lambda at: at.month),
    "M": (2, "0", lambda at: at.minute), "s": (1, "0", lambda at: int(at.timestamp() // 1)),
    "S": (2, "0", lambda at: at.second), "u": (1, "0", lambda at: at.isoweekday()),
    "U": (2, "0", lambda at: int(at.strftime("%U"))), "V": (2, "0", lambda at: at.isocalendar()[1]),
    "w": (1, "0", lambda at: at.isoweekday() % 7), "W": (2, "0", lambda at: int(at.strftime("%W"))),
    "y": (2, "0", lambda at: at.year % 100), "Y": (4, "0", lambda at: at.year),
}  # fmt: skip
"""Directive: digits, what stands before too few of them, the number."""

_NAMES: Mapping[str, Callable[[datetime], str]] = {
    "a": lambda at: _DAYS[at.weekday()][:3], "A": lambda at: _DAYS[at.weekday()],  # DT3
    "b": lambda at: _MONTHS[at.month - 1][:3], "B": lambda at: _MONTHS[at.month - 1],
    "h": lambda at: _MONTHS[at.month - 1][:3], "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm", "Z": lambda at: zone_name(at),
    "n": lambda _: "\n", "t": lambda _: "\t", "%": lambda _: "%",
}  # fmt: skip

_COMPOSED: Mapping[str, str] = {
    "c": "%a %b %e %H:%M:%S %Y", "D": "%m/%d/%y", "x": "%m/%d/%y", "F": "%Y-%m-%d", "r": "%I:%M:%S %p",
    "R": "%H:%M", "T": "%H:%M:%S", "X": "%H:%M:%S", "v": "%e-%^b-%Y",
}  # fmt: skip


def zone_name(at: datetime) -> str:
    """`UTC`, `EST`; nothing where only the offset is known."""
    if at.tzinfo is UTC:
        return "UTC"
    return "" if isinstance(at.tzinfo, timezone) else at.tzname() or ""


def strftime(at: datetime, form: str) -> str:
    """Ruby's strftime, with English names; an unknown directive prints as typed (DT3)."""
    return _DIRECTIVE.sub(lambda match: _part(at, match), form)


def _part(at: datetime, match: re.Match[str]) -> str:
    flags, width, colons, other, name = match.groups()
    if (colons and name != "z") or (other and name not in _ALTERNATIVE[other]):
        return match[0]
    if name in _NUMBERS:
        digits, padding, number = _NUMBERS[name]
        return _padded(str(number(at)), flags, int(width or digits), padding)
    if name == "L" or name == "N":
        wanted = int(width or (3 if name == "L" else 9))
        return f"{at.microsecond:06d}".ljust(wanted, "0")[:wanted]
    if name == "z":
        return _padded_offset(at, flags, width, len(colons))
    if name in _COMPOSED:
        written = strftime(at, _COMPOSED[name])
    elif name in _NAMES:
        written = _NAMES[name](at)
    else:
        return match[0]  # DT3
    if "^" in flags:
        written = written.upper()
    elif "#" in flags:
        written = written.lower() if name in ("p", "Z") else written.upper()
    return _padded(written, flags, int(width or 0), " ")


def _padded(written: str, flags: str, width: int, padding: str) -> str:
    for flag in flags:
        padding = {"-": "", "_": " ", "0": "0"}.get(flag, padding)
    if not padding:
        return written
    if padding == "0" and written.startswith("-"):
        return "-" + written[1:].rjust(width - 1, "0")
    return written.rjust(width, padding)


def _padded_offset(at: datetime, flags: str, width: str, colons: int) -> str:
    """The offset from UTC: `+0100`, `+01:00`, `+01:00:00`, or as short as it goes."""
    offset = at.utcoffset()
    seconds = 0 if offset is None else int(offset.total_seconds())
    sign, seconds = ("-" if seconds < 0 else "+"), abs(seconds)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    forms = (
        f"{hours:02d}{minutes:02d}",
        f"{hours:02d}:{minutes:02d}",
        f"{hours:02d}:{minutes:02d}:{rest:02d}",
        f"{hours:02d}" + (f":{minutes:02d}" if minutes or rest else "") + (f":{rest:02d}" if rest else ""),
    )
    written = forms[colons]
    if "_" in flags:
        short = written.removeprefix("0")
        return (sign + short).rjust(max(int(width or 0), len(written) + 1))
    return sign + written.rjust(int(width or 0) - 1, "0")


@with_context
def date(value: Any, form: Any, *, context: RenderContext) -> Any:
    """Print a time by a format. nil stays nil, text that is no date is printed unchanged (DT1)."""
    return dated(value, form, clock(context))


@with_context
def time_zone(value: Any, name: Any, *, context: RenderContext) -> Any:
    """The same instant in a zone; unset or unknown zones leave the value alone (DT4)."""
    return zoned(value, name, clock(context))


def clock(context: RenderContext) -> datetime:
    """The render clock (DT1)."""
    found = context.globals[NOW]
    assert isinstance(found, datetime)
    return found


def dated(value: Any, form: Any, now: datetime) -> Any:
    """See `date`."""
    wanted = stringify(form)
    at = read(value, now) if wanted else None
    return value if at is None else text(strftime(at, wanted))  # DT1


def zoned(value: Any, name: Any, now: datetime) -> Any:
    """See `time_zone`."""
    zone = _zone(named(name))
    at = None if zone is None else read(value, now)
    return value if at is None else at.astimezone(zone)  # DT4


@lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
