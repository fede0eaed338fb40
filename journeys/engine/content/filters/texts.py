"""Filters on texts: escaping, hashing, encoding."""

from __future__ import annotations

import hashlib
import html
import json
from typing import Any
from urllib.parse import quote

from journeys.engine.content.stringify import compact, stringify


def md5(value: Any) -> str:
    """MD5 in hex."""
    return hashlib.md5(stringify(value).encode(), usedforsecurity=False).hexdigest()


def sha1(value: Any) -> str:
    """SHA-1 in hex."""
    return hashlib.sha1(stringify(value).encode(), usedforsecurity=False).hexdigest()


def sha2(value: Any) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(stringify(value).encode()).hexdigest()


def json_escape(value: Any) -> str:
    """As it stands within the quotes of a JSON string."""
    return json.dumps(stringify(value), ensure_ascii=False)[1:-1]


def as_json_string(value: Any) -> str:
    """Compact JSON."""
    return compact(value)


def url_escape(value: Any) -> str:
    """Percent-encode what may not stand in an address; `& = ? / :` stay."""
    return quote(stringify(value), safe="&=?/:#[]@!$'()*+,;~-._")


def url_param_escape(value: Any) -> str:
    """Percent-encode all but unreserved characters."""
    return quote(stringify(value), safe="-._~")


def escape(value: Any) -> str:
    """HTML-escaped (F4)."""
    return html.escape(stringify(value), quote=True).replace("&#x27;", "&#39;")


def append(value: Any, more: Any) -> str:
    """One text after the other; nil is nothing (F3)."""
    return stringify(value) + stringify(more)


def prepend(value: Any, more: Any) -> str:
    """One text before the other; nil is nothing (F3)."""
    return stringify(more) + stringify(value)


def join(value: Any, glue: Any = " ") -> str:
    """The elements as texts, with glue between them (F3)."""
    parts = value if isinstance(value, list | tuple | range) else [value]
    return stringify(glue).join(stringify(part) for part in parts)


def split(value: Any, by: Any) -> list[str]:
    """The pieces, without empty ones at the end; by nothing: the characters; by a space: the words (F2)."""
    text, separator = stringify(value), stringify(by)
    if not text:
        return []
    if separator == " ":
        return text.split()
    pieces = list(text) if not separator else text.split(separator)
    while pieces and not pieces[-1]:
        pieces.pop()
    return pieces
