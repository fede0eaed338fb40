"""One step along a path: a key of an object, an index of a list, and the words `size`, `first`, `last`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class Indexed(str):
    """A name in `${}` that ends in an index: an attribute so called wins, else the index is one (L6)."""

    __slots__ = ("indices", "name")

    name: str
    indices: tuple[int, ...]

    @classmethod
    def of(cls, called: str, name: str, indices: tuple[int, ...]) -> Indexed:
        """The name as it was written, and what it is made of."""
        made = cls(called)
        made.name, made.indices = name, indices
        return made


class Asked(Mapping[str, str]):
    """Texts that others may have to be asked for: a rendering that makes calls awaits them."""

    @abstractmethod
    async def __getitem_async__(self, name: str) -> str:
        """The text of this name, with calls."""


def step(value: Any, key: Any) -> Any:
    """What a value has under a key; nil where it has nothing (V2). Index 0 of an object is the object (L7)."""
    if isinstance(value, Mapping):
        if isinstance(key, str | int) and (type(key) is not Indexed or key in value):  # L6
            with suppress(KeyError):
                return value[key]
        if type(key) is int:
            return value if key == 0 else None  # L7
    elif isinstance(value, list | tuple) and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else None  # V2
    if type(key) is Indexed:
        found = step(value, key.name)
        for index in key.indices:
            found = step(found, index)  # L6
        return found
    word = WORDS.get(key) if isinstance(key, str) else None
    return None if word is None else word(value)  # V2, E2


def size_of(value: Any) -> int | None:
    """The number of elements, pairs or characters; of a whole number its bytes, as in Ruby."""
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    if isinstance(value, range):
        return max(0, value.stop - value.start)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(8, (value.bit_length() + 63) // 64 * 8)
    return None


def first_of(value: Any) -> Any:
    """The first element, character, or pair of name and value."""
    if isinstance(value, Mapping):
        return next(([name, each] for name, each in value.items()), None)
    if isinstance(value, range):
        return value.start
    return value[0] if isinstance(value, list | tuple | str) and value else None


def last_of(value: Any) -> Any:
    """The last element or character; objects have no last pair."""
    if isinstance(value, range):
        return value.stop - 1
    return value[-1] if isinstance(value, list | tuple | str) and value else None


WORDS = {"size": size_of, "first": first_of, "last": last_of}
"""What a path may ask of a value that has no such key."""
