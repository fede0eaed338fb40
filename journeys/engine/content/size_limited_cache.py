"""A cache of recently used values with a limit on their total size."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from journeys.engine.metrics import SIZED

T = TypeVar("T")


class Cache(Generic[T]):
    """What was asked for least lately goes first. Safe across threads. `name`: what the metrics call it."""

    def __init__(self, room: int, name: str) -> None:
        self.name, self.hits, self.misses = name, 0, 0
        SIZED.caches.add(self)
        self._room = room
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._used = 0
        self._lock = Lock()

    def get(self, key: str) -> T | None:
        """What is kept under a key. None: nothing is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._kept.move_to_end(key)
            return found[0]

    def keep(self, key: str, value: T, size: int) -> None:
        """Keep a value of so many bytes. One that is larger than all the room is not kept."""
        with self._lock:
            before = self._kept.pop(key, None)
            if before is not None:
                self._used -= before[1]
            if size > self._room:
                return
            self._kept[key] = value, size
            self._used += size
            while self._used > self._room:
                self._used -= self._kept.popitem(last=False)[1][1]

    @property
    def used(self) -> int:
        """Bytes of all that is kept."""
        return self._used

    def __len__(self) -> int:
        return len(self._kept)


def weight(source: str) -> int:
    """About how many bytes of memory a compiled template and its function take."""
    return 8_000 + 40 * len(source) + 700 * source.count("{")
