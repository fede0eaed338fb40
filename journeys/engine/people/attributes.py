"""Changes of an attribute by a request: types, counters, arrays, objects, arrays of objects.

Pure: values in, values out. A change that cannot be made leaves its attribute unchanged, with a reason, and does not affect others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import msgspec

from journeys.canvas.storable_characters import storable
from journeys.canvas.written_instants import instant

LONGEST_TEXT = 255
LONGEST_NAME = 255
MOST_ELEMENTS = 500
SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""Of integers."""
MOST_BYTES = 100 * 1024
MOST_SELECTED = 20_000
"""Pairs of an `$update` and an element that one change may compare."""
DEEPEST = 50
"""How deep objects may lie within one another."""

OPERATIONS = frozenset({"add", "remove", "$add", "$remove", "$update"})
ON_OBJECTS = frozenset({"$add", "$remove", "$update"})

REMOVED: Final = object()
"""The result of a change that removes the attribute."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Refused(ValueError):
    """A change that cannot be made; its text is for the sender."""


def changed(name: str, before: Any, change: Any, *, merge: bool = False) -> Any:
    """The value of the attribute `name` after `change`; `before` is None where it has none.

    `merge` is `_merge_objects`. Returns REMOVED where the attribute goes. Raises `Refused` (ATT-1, ATT-3, NST-4).

    Example:
        >>> changed("visits", 2, {"inc": 3})
        5
        >>> changed("colours", ["red", "blue"], {"add": ["red"], "remove": ["green"]})
        ['blue', 'red']
        >>> changed("pet", {"name": "Rex", "age": 3}, {"age": 4}, merge=True)
        {'name': 'Rex', 'age': 4}
    """
    if len(name) > LONGEST_NAME or not name or "\0" in name:
        reason = unstorable_name(name, "attribute names")
        raise Refused(f"{reason}; '{storable(name[:40])}…' was not written")
    match change:
        case None:
            return REMOVED  # ATT-7
        case bool() | int() | float():  # ATT-1
            return _number(name, change)
        case str():
            return _text(name, change)
        case list():
            return _fitting(name, _array(name, change))
        case {"inc": amount, **rest} if not rest:
            return _increment(name, before, amount)
        case dict() if change and set(change) <= OPERATIONS:
            return _fitting(name, _operate(name, before, change, merge=merge))
        case dict():
            value = _nested(name, change)
            over = merge and isinstance(before, Mapping)
            return _fitting(name, merged(before, value) if over else stripped(value))  # NST-2
    raise Refused(f"'{name}' has a value of an unknown type")


def unstorable_name(name: str, what: str) -> str:
    """Why a name cannot be kept that is empty, too long, or has a U+0000."""
    if 0 < len(name) <= LONGEST_NAME:
        return f"{what} must not contain the character U+0000"
    return f"{what} must have 1 to {LONGEST_NAME} characters"


def countable(value: float) -> bool:
    """Whether a number can be kept: an integer of 64 bits, or a float that is not beyond all numbers."""
    return SMALLEST <= value <= LARGEST if isinstance(value, int) else isfinite(value)


def _number(name: str, value: float) -> float:
    if not countable(value):
        raise Refused(f"'{name}' must be a number of at most 64 bits")
    return value


def _text(name: str, text: str) -> str:
    if len(text) > LONGEST_TEXT:  # ATT-1
        raise Refused(f"'{name}' must not be longer than {LONGEST_TEXT} characters")
    if "\0" in text:
        raise Refused(f"'{name}' must not contain the character U+0000")
    return text


def _increment(name: str, before: Any, amount: Any) -> Any:
    """ATT-3: a missing attribute counts from 0."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise Refused(f"'inc' must be an integer; '{name}' was not changed")
    _number(name, amount)
    if before is None:
        return amount
    if isinstance(before, bool) or not isinstance(before, int | float):
        raise Refused(f"'{name}' is not a number and cannot be incremented")
    return _number(name, before + amount)


def _array(name: str, items: Sequence[Any]) -> list[Any]:
    if any(isinstance(item, dict | list) for item in items):
        return [stripped(_nested(name, item)) for item in items if item is not None]
    return _ordered_set([_scalar(name, item) for item in items if item is not None])


def _scalar(name: str, item: Any) -> Any:
    if isinstance(item, str):
        return _text(name, item)
    return _number(name, item) if isinstance(item, int | float) else item


def _ordered_set(items: Iterable[Any]) -> list[Any]:
    """Each element once, at its last place; of too many, the oldest go (ATT-4, ATT-5)."""
    last: dict[bytes, Any] = {}
    for item in items:
        key = _encode(item)
        last.pop(key, None)  # ATT-4
        last[key] = item
    return list(last.values())[-MOST_ELEMENTS:]  # ATT-5, D6


def _operate(name: str, before: Any, change: Mapping[str, Any], *, merge: bool) -> list[Any]:
    """Add, then remove, then update (NST-7), on an array or on an array of objects."""
    for operation, operand in change.items():
        if not isinstance(operand, list) and not (operation in ("add", "remove") and _is_scalar(operand)):
            raise Refused(f"'{operation}' must be an array; '{name}' was not changed")
    present = before if isinstance(before, list) else []
    if before is not None and not isinstance(before, list):
        raise Refused(f"'{name}' is not an array; '{operation}' cannot be applied")
    adding = [item for key in ("add", "$add") for item in _listed(change.get(key))]
    if ON_OBJECTS & set(change) or any(isinstance(item, dict) for item in adding):
        return _operate_on_objects(name, present, adding, change, merge=merge)
    gone = {_encode(item) for item in _listed(change.get("remove"))}
    items = _ordered_set([*present, *(_scalar(name, item) for item in adding if item is not None)])  # ATT-4
    return [item for item in items if _encode(item) not in gone]  # ATT-4


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _operate_on_objects(
    name: str, present: Sequence[Any], adding: Sequence[Any], change: Mapping[str, Any], *, merge: bool
) -> list[Any]:
    items = [*present, *(stripped(_nested(name, item)) for item in adding)]  # NST-6, NST-7
    items = _without(
        items, [_selector(name, each) for each in _listed(change.get("$remove"))]
    )  # NST-6, NST-7
    updates = _listed(change.get("$update"))
    if len(updates) * len(items) > MOST_SELECTED:
        raise Refused(f"'$update' would compare too many elements; '{name}' was not changed")
    for selector in updates:
        key, value = _selector(name, selector)
        new = selector.get("$new_object")
        if not isinstance(new, dict):
            raise Refused(f"'$update' needs an object '$new_object'; '{name}' was not changed")
        new = _nested(name, new)
        items = [
            (merged(item, new) if merge else stripped(new)) if _selected(item, key, value) else item  # NST-6
            for item in items
        ]
    gone = {_encode(item) for item in _listed(change.get("remove"))}
    return [item for item in items if _encode(item) not in gone] if gone else items


def _selector(name: str, selector: Any) -> tuple[str, Any]:
    match selector:
        case {"$identifier_key": str() as key, "$identifier_value": value}:
            return key, value
    raise Refused(f"'{name}' must be selected by '$identifier_key' and '$identifier_value'")


def _without(items: Sequence[Any], selectors: Sequence[tuple[str, Any]]) -> list[Any]:
    """The items that no selector means, in time in proportion to both."""
    gone: dict[str, set[bytes]] = {}
    for key, value in selectors:
        gone.setdefault(key, set()).add(_encode(value))
    return [
        item
        for item in items
        if not (
            isinstance(item, dict)
            and any(_encode(item[key]) in gone[key] for key in item.keys() & gone.keys())
        )
    ]


def _selected(item: Any, key: str, value: Any) -> bool:
    return isinstance(item, dict) and key in item and _encode(item[key]) == _encode(value)


def merged(before: Any, change: Any) -> Any:
    """`change` laid over `before` at every level; null takes a key away (NST-2)."""
    if not (isinstance(before, Mapping) and isinstance(change, Mapping)):
        return stripped(change)
    after = dict(before)
    for key, value in change.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(before.get(key), value)
    return after


def stripped(value: Any) -> Any:
    """The value without the keys that are null."""
    if isinstance(value, Mapping):
        return {key: stripped(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [stripped(each) for each in value]
    return value


def _nested(name: str, value: Any, depth: int = 0) -> Any:
    """The value with its dates resolved. One wrong value anywhere drops the whole update (NST-1, NST-3, NST-4)."""
    match value:
        case None:
            return value
        case bool() | int() | float() if countable(value):
            return value
        case str() if len(value) <= LONGEST_TEXT and "\0" not in value:
            return value
        case list() if depth < DEEPEST:
            return [_nested(name, each, depth + 1) for each in value]
        case {"$time": written, **rest} if not rest:
            return _time(name, written)  # NST-3
        case dict() if depth < DEEPEST and all(map(_is_key, value)):
            return {key: _nested(name, each, depth + 1) for key, each in value.items()}
    raise Refused(_nested_refusal(name))  # NST-4


def _nested_refusal(name: str) -> str:
    return f"nested attribute '{name}' contains an invalid value; its update was dropped"


def _is_key(key: str) -> bool:
    return 0 < len(key) <= LONGEST_NAME and not any(sign in key for sign in ".$ \0")  # NST-1


def _time(name: str, written: Any) -> str:
    if instant(written) is None:  # NST-3
        raise Refused(_nested_refusal(name))
    return str(written)


def _fitting(name: str, value: Any) -> Any:
    if len(_encode(value)) > MOST_BYTES:  # NST-1
        raise Refused(f"'{name}' must not be larger than {MOST_BYTES // 1024} KB")
    return value


RESERVED = ("time", "event_name")
MOST_PROPERTIES = 256


def kept_properties(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The properties of an event that are kept, and what is said of those that are not (EVT-2).

    The structure of objects is kept (D3). Null means absent (EVT-6). `$insert_id` is the event's id, not a property.
    Raises `Refused` where the event as a whole is refused.
    """
    kept: dict[str, Any] = {}
    remarks: list[str] = []
    for name, value in given.items():
        if name == "$insert_id" or value is None:  # EVT-6
            continue
        if name in RESERVED:  # EVT-2
            raise Refused(f"'properties' must not contain reserved key '{name}'")
        if name.startswith("$"):  # EVT-2
            raise Refused("property names must not start with '$'")
        if not 0 < len(name) <= LONGEST_NAME or "\0" in name:
            raise Refused(unstorable_name(name, "property names"))
        if len(kept) == MOST_PROPERTIES:  # EVT-2
            remarks.append(f"only the first {MOST_PROPERTIES} properties were kept")
            break
        if _is_property(value, 0):
            kept[name] = value
        else:
            remarks.append(f"property '{name}' has an invalid value and was dropped")
    _fitting("properties", kept)
    return kept, remarks


def _is_property(value: Any, depth: int) -> bool:
    match value:
        case None:
            return True
        case bool() | int() | float():
            return countable(value)
        case str():
            return len(value) <= LONGEST_TEXT and "\0" not in value  # EVT-2
        case list() if depth < DEEPEST:
            return all(_is_property(each, depth + 1) for each in value)
        case dict() if depth < DEEPEST:
            keys = all(len(key) <= LONGEST_NAME and "\0" not in key for key in value)
            return keys and all(_is_property(each, depth + 1) for each in value.values())  # D3
    return False


def fits(value: Any, depth: int = 0) -> bool:
    """Whether a JSON value can be stored at all: not too deep, no number too large, no character that cannot be kept."""
    match value:
        case int() | float():
            return countable(value)
        case str():
            return "\0" not in value
        case list():
            return depth < DEEPEST and all(fits(each, depth + 1) for each in value)
        case dict():
            return depth < DEEPEST and all(fits(key) and fits(each, depth + 1) for key, each in value.items())
    return True
