"""Encoding for addresses and in base 64."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import quote, quote_plus

from journeys.canvas.storable_characters import storable
from journeys.engine.content.filters.argument_limits import WrongArgument, text
from journeys.engine.content.stringify import as_text


def base64_encode(value: Any) -> str:
    """In base 64, on one line."""
    return text(base64.b64encode(as_text(value).encode()).decode())


def base64_decode(value: Any) -> str:
    """From base 64, without U+0000; what is none, or no text, is an error (E3)."""
    try:
        decoded = base64.b64decode(as_text(value).encode(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongArgument("base64_decode takes text that is encoded in base 64") from error
    return storable(decoded)


def url_encode(value: Any) -> str | None:
    """Percent-encoded as a form does it: a space is `+`."""
    return None if value is None else text(quote_plus(as_text(value), safe="~"))


def url_escape(value: Any) -> str | None:
    """Percent-encode what may not stand in an address; `& = ? / :` stay."""
    return None if value is None else text(quote(as_text(value), safe="&=?/:#[]@!$'()*+,;~-._"))


def url_param_escape(value: Any) -> str | None:
    """Percent-encode all but unreserved characters."""
    return None if value is None else text(quote(as_text(value), safe="-._~"))
