"""The cache of replies: an optimisation, never a guarantee (C5)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from journeys.engine.content.services import Reply
from journeys.engine.metrics import SIZED

LEAST, MOST = 300, 14_400
"""Seconds for which a reply may serve (C5)."""

SIZE = 32 * 1024 * 1024
"""Bytes that all replies held in a process may take."""

OVERHEAD = 512
"""Bytes that are counted for each reply beside its text and its key."""

Key = tuple[object, ...]


class Cache:
    """Holds the replies that were used last, of at most `size` bytes in all. `clock` gives seconds."""

    def __init__(self, size: int = SIZE, clock: Callable[[], float] = monotonic) -> None:
        self._size = size
        self._clock = clock
        self.name, self.hits, self.misses = "connected_content", 0, 0
        SIZED.caches.add(self)
        self._held: OrderedDict[Key, tuple[float, int, Reply]] = OrderedDict()
        self.used = 0
        """The size of all cached replies."""

    def get(self, key: Key) -> Reply | None:
        """The reply, while it may serve."""
        found = self._held.get(key)
        if found is None or found[0] <= self._clock():  # C5
            self._drop(key)
            self.misses += 1
            return None
        self.hits += 1
        self._held.move_to_end(key)
        return found[2]

    def put(self, key: Key, reply: Reply, max_age: int) -> None:
        """Keep a reply for so many seconds, within the bounds."""
        self._drop(key)
        size = OVERHEAD + 4 * len(reply.text) + sum(len(str(part)) for part in key)
        if size > self._size:
            return
        age = min(max(max_age, LEAST), MOST)  # C5
        self._held[key] = (self._clock() + age, size, reply)
        self.used += size
        while self.used > self._size:
            self._drop(next(iter(self._held)))

    def _drop(self, key: Key) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self.used -= found[1]

    def __len__(self) -> int:
        return len(self._held)
