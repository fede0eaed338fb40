"""Filters on lists (V5, F2, F4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any

from journeys.engine.content.compare import equal, order, truthy
from journeys.engine.content.filters.argument_limits import (
    WrongArgument,
    chosen,
    elements,
    indexable,
    integer,
    many,
    room,
)
from journeys.engine.content.lookup import first_of, last_of, size_of
from journeys.engine.content.stringify import as_text, stringify


def join(value: Any, glue: Any = " ") -> str:
    """The elements as texts, with glue between them; nil is nothing (F3)."""
    parts, between = [stringify(part) for part in elements(value)], as_text(glue)
    room(sum(map(len, parts)) + len(between) * max(0, len(parts) - 1))
    return between.join(parts)


def first(value: Any) -> Any:
    """The first element, pair or character; nil where there is none."""
    return first_of(value)


def last(value: Any) -> Any:
    """The last element or character; nil where there is none."""
    return last_of(value)


def size(value: Any) -> int:
    """The number of elements, pairs or characters; 0 for what has none."""
    return size_of(value) or 0


def compact(value: Any, key: Any = None) -> list[Any] | None:
    """Without nil; with a key: without elements that have nothing under it."""
    found = elements(value)
    if key is None:
        return [each for each in found if each is not None]
    return _selected(found, key, lambda item: item is not None)


def concat(value: Any, more: Any) -> list[Any]:
    """One list after the other."""
    if not isinstance(more, list | tuple):
        raise WrongArgument("concat takes a list")
    found = elements(value)
    many(len(found) + len(more))
    return [*found, *more]


def map_(value: Any, key: Any) -> list[Any]:
    """What each element has under a key."""
    return [chosen(each, key) for each in elements(value)]


def reverse(value: Any) -> list[Any]:
    """The other way round."""
    return elements(value)[::-1]


def slice_(value: Any, start: Any, length: Any = None) -> Any:
    """A piece of a text or list: from `start`, counted from the end where negative, `length` long (F4)."""
    begin = integer(start)
    count = 1 if length is None or length is False else integer(length)
    whole = value if isinstance(value, list | tuple) else as_text(value)
    nothing: Any = [] if isinstance(whole, list | tuple) else ""
    if begin < 0:
        begin += len(whole)  # F4
    if begin < 0 or begin > len(whole) or count < 0:
        return nothing
    piece = whole[begin : begin + count]
    return list(piece) if isinstance(piece, tuple) else piece


def sort(value: Any, key: Any = None) -> list[Any] | None:
    """In order, nil last; values that do not compare are an error (E3)."""
    return _sorted(value, key, _compare)


def sort_natural(value: Any, key: Any = None) -> list[Any] | None:
    """In alphabetical order whatever the case, nil last."""
    return _sorted(value, key, _compare_texts)


def _sorted(value: Any, key: Any, by: Callable[[Any, Any], int]) -> list[Any] | None:
    found = elements(value)
    if key is None:
        return sorted(found, key=cmp_to_key(by))
    if not all(indexable(each) for each in found):
        return None
    if len(found) < 2:
        return found
    placed = [(chosen(each, key), each) for each in found]

    def test(left: tuple[Any, Any], right: tuple[Any, Any]) -> int:
        return by(left[0], right[0])

    return [each for _, each in sorted(placed, key=cmp_to_key(test))]


def _compare(left: Any, right: Any) -> int:
    found = order(left, right)
    if found is not None:
        return found
    if left is None or right is None:
        return 1 if left is None else -1
    raise WrongArgument("values of different types cannot be sorted")


def _compare_texts(left: Any, right: Any) -> int:
    if left is None or right is None:
        return 1 if left is None else -1
    one, other = _folded(left), _folded(right)
    return (one > other) - (one < other)


def _folded(value: Any) -> bytes:
    """Lower case of ASCII letters only, by bytes: the order that Ruby's `casecmp` has."""
    return stringify(value).encode("utf-8", "surrogatepass").lower()


def uniq(value: Any, key: Any = None) -> list[Any] | None:
    """Each value once, at its first place; 1 and 1.0 are two values here."""
    found = elements(value)
    if len(found) < 2:
        return found
    seen: set[Any] = set()
    kept: list[Any] = []
    for each in found:
        if key is not None and not indexable(each):
            return None
        mark = _mark(each if key is None else chosen(each, key))
        if mark not in seen:
            seen.add(mark)
            kept.append(each)
    return kept


def _mark(value: Any) -> Any:
    """Something hashable that is the same for the same value."""
    if isinstance(value, Mapping):
        return "object", frozenset((name, _mark(each)) for name, each in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(_mark(each) for each in value)
    return type(value), value


def where(value: Any, key: Any, wanted: Any = None) -> list[Any] | None:
    """The elements that have this under a key, or anything but nil and false where nothing is said."""
    if wanted is None:
        return _selected(elements(value), key, truthy)
    return _selected(elements(value), key, lambda item: equal(item, wanted))


def _selected(found: list[Any], key: Any, test: Callable[[Any], bool]) -> list[Any] | None:
    """The elements whose value under a key passes; nil where an element can have no keys, as in Ruby."""
    kept = []
    for each in found:
        if not indexable(each):
            return None
        if test(chosen(each, key)):
            kept.append(each)
    return kept


def split(value: Any, by: Any) -> list[str]:
    """The pieces, without empty ones at the end; by nothing: the characters; by a space: the words (F2)."""
    whole, separator = as_text(value), as_text(by)
    if separator == " ":
        pieces = whole.split() if whole.isascii() else _words(whole)
    else:
        pieces = list(whole) if not separator else whole.split(separator)  # F2
    many(len(pieces))
    while pieces and not pieces[-1]:  # F2
        pieces.pop()
    return pieces


def _words(whole: str) -> list[str]:
    """The words between ASCII white space alone."""
    for space in "\t\n\v\f\r":
        whole = whole.replace(space, " ")
    return [word for word in whole.split(" ") if word]
