"""Renders on the event loop, and moves a rendering that takes long to a thread, so that it does not delay others.

Nearly all renderings take less than a thousandth of a second, and a thread would cost more than that. Calls are
made on the event loop, in whichever thread the template is rendered. Answers and random numbers of the first try are used
again in the second: no call is made twice, and the text is the same as without the second try.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from journeys.engine.content.limits import Limits, TimedOut
from journeys.engine.fair_shares import Allowance
from journeys.engine.fair_threads import FairThreads, working_for

if TYPE_CHECKING:
    from journeys.engine.content.services import Services

SLICE = 0.02
"""Seconds of processor time that a rendering has on the event loop."""
PORTION = 5_000
"""Characters or elements that a filter takes on the event loop: nothing interrupts it."""
THREADS = FairThreads(4, "rendering")
"""Where long renderings go on, one of each workspace at a time."""
REMEMBERED = 60.0
"""Seconds for which a template that has used up a slice is rendered in a thread from the beginning."""
SLICES = Allowance(0.5, 0.1)
"""Seconds of the event loop that slices may use up in vain for a workspace, at once and in each second."""


class Pace:
    """For which workspaces a template counts as one that takes long, and until when on the clock of `time.monotonic`.

    Workspaces share the template of one source; what it is given is theirs.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def begins_here(self) -> bool:
        """Whether a rendering may begin on the event loop."""
        now, workspace = time.monotonic(), working_for.get()
        return self._until.get(workspace, 0.0) <= now and SLICES.left(workspace, now) > 0

    def in_vain(self, seconds: float) -> None:
        """A rendering has used so much of the event loop, and begins anew in a thread."""
        now, workspace = time.monotonic(), working_for.get()
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[workspace] = now + REMEMBERED
        SLICES.spend(workspace, seconds, now)


T = TypeVar("T")
Steps = Coroutine[Callable[[], Awaitable[Any]], Any, str]
"""A rendering that yields what it asks, is sent the answers, and ends with its text."""


class Offload:
    """The tries of one rendering: what was drawn and answered in the first is remembered for the second."""

    __slots__ = ("_answers", "_drawn", "_extras", "_pace", "_place", "_services", "_source")

    def __init__(self, source: Callable[[], float], services: Services, pace: Pace) -> None:
        self._pace = pace
        self._source = source
        self._services = services
        self._extras = dict(services.extras)
        self._drawn: list[float] = []
        self._place = 0
        self._answers: list[tuple[bool, Any]] = []

    def draw(self) -> float:
        """A random number: that of the first try, if there was one."""
        if self._place == len(self._drawn):
            self._drawn.append(self._source())
        self._place += 1
        return self._drawn[self._place - 1]

    async def text(self, render: Callable[[Limits], str], limits: Limits) -> str:
        """The text of a template without calls. Raises as `render`."""
        if limits.seconds <= SLICE:
            return render(limits)
        if self._pace.begins_here():
            began = time.thread_time()
            try:
                return render(replace(limits, seconds=SLICE, portion=PORTION))
            except TimedOut:
                self._again(time.thread_time() - began)
        return await _apart(render, limits)

    async def text_of_steps(self, begin: Callable[[Limits], Steps], limits: Limits) -> str:
        """The text of a template with calls. Raises as its steps do."""
        retry = self._services.retry
        if limits.seconds > SLICE and self._pace.begins_here():
            try:
                return await self._driven(begin(replace(limits, seconds=SLICE, portion=PORTION)), _here)
            except TimedOut:
                self._again(SLICE)  # at most: its steps are not timed one by one
                self._services.retry = retry
        return await self._driven(begin(limits), _here if limits.seconds <= SLICE else _apart)

    def _again(self, seconds: float) -> None:
        """All of it anew, in a thread: the event loop has computed so long for nothing."""
        self._pace.in_vain(seconds)
        self._place = 0
        self._services.extras.clear()
        self._services.extras.update(self._extras)

    async def _driven(self, steps: Steps, run: Callable[..., Awaitable[tuple[bool, Any]]]) -> str:
        known = iter(tuple(self._answers))
        resume: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            ended, found = await run(_step, resume, value)
            if ended:
                text: str = found
                return text
            answer = next(known, None)
            if answer is None:
                answer = await self._answered(found)
            well, value = answer
            resume = steps.send if well else steps.throw

    async def _answered(self, ask: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
        try:
            answer = True, await ask()
        except Exception as error:  # noqa: BLE001 - it is raised where the template asked
            answer = False, error
        self._answers.append(answer)
        return answer


def _step(resume: Callable[[Any], Any], value: Any) -> tuple[bool, Any]:
    """The rendering up to what it asks next, or its text."""
    try:
        return False, resume(value)
    except StopIteration as stop:
        return True, stop.value


async def _here(work: Callable[..., T], *given: Any) -> T:
    return work(*given)


async def _apart(work: Callable[..., T], *given: Any) -> T:
    return await THREADS.run(partial(work, *given))
