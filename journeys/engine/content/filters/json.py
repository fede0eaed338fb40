"""JSON in and out."""

from __future__ import annotations

import json
from typing import Any

from journeys.engine.content.filters.argument_limits import text
from journeys.engine.content.json_text import data_of
from journeys.engine.content.lookup import step
from journeys.engine.content.stringify import as_text, compact, stringify


def json_escape(value: Any) -> str:
    """As it stands within the quotes of a JSON string."""
    return text(json.dumps(as_text(value), ensure_ascii=False)[1:-1])


def as_json_string(value: Any) -> str:
    """Compact JSON."""
    return text(compact(value))


def json_parse(value: Any) -> Any:
    """The value that a JSON text says; nil where it is none, and for a number too large for any float."""
    try:
        return data_of(stringify(value))
    except (ValueError, RecursionError):
        return None


def property_accessor(value: Any, key: Any) -> Any:
    """What an object has under a key; nil where it has nothing."""
    return step(value, key)
