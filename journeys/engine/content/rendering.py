"""The state of one rendering: its scope, its services, and what it has used of its limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import _GeneratorContextManager
from functools import partial
from io import StringIO
from time import thread_time
from types import coroutine
from typing import Any, TextIO, TypeVar

from liquid import BoundTemplate, RenderContext, Token
from liquid.builtin.tags.for_tag import ForLoop
from liquid.undefined import UNDEFINED
from liquid.utils import ReadOnlyChainMap

from journeys.engine.content import limits
from journeys.engine.content.known_names import BLOCKS
from journeys.engine.content.limits import Exceeded, Limits, TimedOut
from journeys.engine.content.lookup import Asked, step
from journeys.engine.content.output import Captured, Parts
from journeys.engine.content.services import Services

T = TypeVar("T")

BARE = 3
"""Namespaces of a rendering that is in no loop: variables, values, counters."""


class Rendering(RenderContext):
    """One rendering: the scope of its variables, the services that answer its calls, and what it has used so far."""

    __slots__ = ("_fuel", "_passes", "_sizes", "_until", "held", "limits", "services")

    def __init__(
        self, template: BoundTemplate, values: Mapping[str, object], services: Services, allowed: Limits
    ) -> None:
        self.template = template
        self.env = template.env
        self.services = services
        self.locals = {}
        self.globals = values
        self.counters = {}
        self.scope = ReadOnlyChainMap(self.locals, self.counters, values)
        self.tag_namespace = {"cycles": {}, "ifchanged": "", "stopindex": {}}
        self.loops = []
        self.disabled_tags = []
        self.autoescape = False
        self.parent_context = None
        self._copy_depth = 0
        self.loop_iteration_carry = 1
        self.local_namespace_size_carry = 0
        self.limits = allowed
        self.held = 0
        self._sizes: dict[object, int] = {}
        self._passes = 0
        self._fuel = limits.STRIDE
        self._until = thread_time() + allowed.seconds

    def spend(self, work: int, parts: Parts | None = None) -> None:
        """Count nodes or filters that are to be processed. Raises TimedOut once the processor time is used up.

        `parts`: texts that were put out since, to be measured now and then.
        """
        self._fuel -= work
        if self._fuel <= 0:
            self._fuel = limits.STRIDE
            self.watch()
            if parts is not None:
                parts.measure()

    def watch(self) -> None:
        """Look at the clock. Raises TimedOut once the processor time is used up."""
        if thread_time() > self._until:  # E4
            raise TimedOut

    def turn(self, work: int = 1, parts: Parts | None = None) -> None:
        """A loop begins a pass with so much work. Raises Exceeded where all loops together have made too many."""
        self._passes += 1
        if self._passes > self.limits.passes:  # E4
            raise Exceeded(f"the loops make more than {self.limits.passes:,} passes")
        self.spend(work, parts)

    @coroutine
    def ask(self, asked: Callable[..., Awaitable[T]], *given: Any) -> Generator[Any, T, T]:
        """The answer to a call, which the caller of the rendering makes. The clock stops meanwhile."""
        left = self._until - thread_time()
        try:
            return (yield partial(asked, *given))
        finally:
            self._until = thread_time() + left  # of whichever thread goes on

    def assign(self, key: str, val: Any) -> None:
        """See base class. Raises Exceeded where all variables together hold too much."""
        self._hold(key, val)
        self.locals[key] = val

    def get(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """What a path leads to; nil where it leads nowhere (V2)."""
        del token
        try:
            value = self.scope[path[0]]  # type: ignore[index]  # what is no name is not found
        except (KeyError, TypeError):  # V2, E2
            return None if default is UNDEFINED else default
        for key in path[1:]:
            if value is None:
                return None
            value = step(value, key)
        return value

    async def get_async(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """See `get`. A content block may make calls."""
        if path[0] != BLOCKS or len(path) < 2:
            return self.get(path, token=token, default=default)
        value = self.scope[BLOCKS]
        value = (
            await value.__getitem_async__(str(path[1])) if isinstance(value, Asked) else step(value, path[1])
        )
        for key in path[2:]:
            value = step(value, key)
        return value

    def increment(self, name: str) -> int:
        """The counter of this name, which begins at the value of this name, or at 0; it is one more thereafter."""
        value = self.counters.get(name, self._given(name))
        self.counters[name] = value + 1
        return value

    def decrement(self, name: str) -> int:
        """The counter of this name, which is one less from now on."""
        value = self.counters.get(name, self._given(name)) - 1
        self.counters[name] = value
        return value

    def _given(self, name: str) -> int:
        value = self.globals.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def cycle(self, key: object, length: int) -> int:
        """Whose turn it is. A cycle's name is remembered, and so it is counted like a variable."""
        turns: dict[object, int] = self.tag_namespace["cycles"]
        if key not in turns:
            self._hold(("cycle", key), key)
        turn = turns.get(key, 0)
        turns[key] = turn + 1 if turn + 1 < length else 0
        return turn

    def _hold(self, place: object, value: Any) -> None:
        size = limits.weigh(value, limits.HELD)
        self.held += size - self._sizes.get(place, 0)
        self._sizes[place] = size
        if self.held > limits.HELD:  # E4
            raise Exceeded(f"the variables hold more than {limits.HELD:,} bytes")
        if size > limits.BULK:
            self.watch()

    def reader(self) -> Callable[[str], object]:
        """Reads variables by their names, from the scope as it is now."""
        return self._read if self.scope.size() == BARE else self.scope.get

    def _read(self, name: str) -> object:
        if name in self.locals:
            return self.locals[name]
        return self.counters[name] if name in self.counters else self.globals.get(name)

    def enter(self, namespace: Mapping[str, object], forloop: ForLoop) -> None:
        """A loop begins that shows its variables. Its passes are counted by who makes them."""
        self.loops.append(forloop)
        self.scope.push(namespace)

    def leave(self) -> None:
        """The loop that was entered last ends."""
        self.scope.pop()
        self.loops.pop()

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """See base class."""
        self.spend(1)
        return super().filter(name, token)

    def loop(self, namespace: Mapping[str, object], forloop: Any) -> _GeneratorContextManager[RenderContext]:
        """See base class. Each pass is counted."""
        forloop.it = self._counted(forloop.it)
        return super().loop(namespace, forloop)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """See base class. Not needed: the passes themselves are counted."""

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.turn()
            yield item

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        """See base class: what a text within the output may hold."""
        del buf
        return Captured()
