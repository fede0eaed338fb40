"""Finds and replaces characters that can be neither stored nor sent: U+0000, and halves of surrogate pairs.

Values that templates read from outside are made storable when they are read. Other values with such a character are refused
if the sender gets an answer, and made storable if they only inform.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, overload

_HALF = re.compile("[\ud800-\udfff]")
_STRANGE = re.compile("[\0\ud800-\udfff]")
_STRANGE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|(u0000)|.)",
    re.DOTALL,
)
"""An escape in JSON: a whole pair, the first group half of one, the second U+0000; any other, so that none is cut."""


@overload
def storable(value: str) -> str: ...
@overload
def storable(value: Any) -> Any: ...
def storable(value: Any) -> Any:
    """The value without them, however deep they lie: U+0000 is left out, half a pair becomes U+FFFD.

    Example:
        >>> storable({"name": ["Zo\\0e", "cut \\ud83d"]})
        {'name': ['Zoe', 'cut �']}
    """
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value.replace("\0", ""))
    if isinstance(value, Mapping):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def storable_json(text: str) -> str:
    """A JSON text that holds none when it is read: their escapes are storable as `storable` does."""
    if _STRANGE_ESCAPE.search(text) is None:
        return text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else "" if found[2] else found[0], text)


def foreign(text: str) -> str:
    """The first character beyond ASCII; nothing where there is none."""
    return next((sign for sign in text if not sign.isascii()), "")


def header_fault(name: str, text: str) -> str:
    """Why a header cannot hold this text; nothing where it can."""
    found = foreign(text)
    said = f"the header {name} contains “{found}”: headers take ASCII only; encode it, for example with url_encode"
    return said if found else ""


def strange(value: Any) -> str:
    """The name of the first of them in a value, `U+D83D`; nothing where it has none."""
    if isinstance(value, str):
        found = None if value.isascii() and "\0" not in value else _STRANGE.search(value)
        return f"U+{ord(found[0]):04X}" if found else ""
    if isinstance(value, Mapping):
        return next((name for pair in value.items() for part in pair if (name := strange(part))), "")
    if isinstance(value, list | tuple):
        return next((name for each in value if (name := strange(each))), "")
    return ""
