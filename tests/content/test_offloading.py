"""A rendering that takes long does not delay others: it moves to a thread and gives the same text."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from random import Random

import pytest

from bench.hostile import EATERS, VALUES, World
from journeys.engine.content import (
    Aborted,
    Call,
    RenderError,
    Reply,
    Retry,
    Services,
    Template,
    compile,
    rendering,
    thread_offloading,
)
from journeys.engine.content.limits import Limits
from journeys.engine.content.thread_offloading import PORTION, REMEMBERED, SLICE, THREADS
from journeys.engine.fair_shares import Allowance
from journeys.engine.fair_threads import working_for

LOOPS = "{% for x in (1..300) %}{% endfor %}"
"""Longer than a slice, where each look at the clock is as long as half of one."""


class Clock:
    """Processor time that goes on by half a slice each time somebody looks."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * SLICE / 2


WORKSPACES = count(1_000_000)


@pytest.fixture(autouse=True)
def _workspace() -> Iterator[None]:
    """A workspace of its own: what others have used up of the event loop, and which templates took long, does not count."""
    before = working_for.set(next(WORKSPACES))
    yield
    working_for.reset(before)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(rendering, "thread_time", made)
    return made


class Answers(World):
    """Counts what it is asked, and on which thread."""

    def __init__(self, status: int = 200) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.threads: set[str] = set()
        self.status = status

    async def connected(self, call: Call) -> Reply:
        self.threads.add(threading.current_thread().name)
        self.asked.append(call.url)
        await asyncio.sleep(0)
        return Reply(self.status, f'{{"n": {len(self.asked)}}}')


class Lots:
    """Lots by a seed; remembers on which threads they were drawn."""

    def __init__(self) -> None:
        self.draw = Random(7).random
        self.threads: list[str] = []

    def __call__(self) -> float:
        self.threads.append(threading.current_thread().name)
        return self.draw()


SILENT = "{% random 999 %} {% message_extras :key k :value {{ 'v' }} %}" + LOOPS + "{% random 999 %}"
ASKING = (
    "{% random 999 %} {% connected_content https://a.example/1 :save a %}{{ a.n }}"
    "{% message_extras :key k :value v{{ a.n }} %}" + LOOPS + "{% connected_content https://a.example/2 :save b %}"
    "{{ b.n }} {% random 999 %}"
)  # fmt: skip


def at_once(source: str) -> tuple[str, dict[str, str]]:
    """What a template comes to where all of it is done on the event loop."""
    services = Answers()
    values = replace(VALUES, draw=Lots())
    text = asyncio.run(compile(source).render_async(values, services, limits=Limits(seconds=1000)))
    return text, services.extras


@pytest.mark.parametrize("source", [SILENT, ASKING])
def test_a_long_rendering_goes_on_in_a_thread_and_comes_to_the_same(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = at_once(source)
    monkeypatch.setattr(rendering, "thread_time", Clock())
    services, lots = Answers(), Lots()
    text = asyncio.run(compile(source).render_async(replace(VALUES, draw=lots), services))

    assert (text, services.extras) == wanted
    assert len(lots.threads) == 2, "what was drawn the first time is not drawn again"
    assert lots.threads[0] == "MainThread"
    assert lots.threads[1].startswith("rendering")


@pytest.mark.parametrize("source", [SILENT, ASKING])
def test_a_template_that_took_long_begins_in_a_thread_for_a_while(
    source: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next messages do not use up a slice of the event loop each: that of others has it."""
    template, now = compile(source), [100.0]
    monkeypatch.setattr(thread_offloading, "time", Times(now))

    def threads() -> list[str]:
        lots = Lots()
        asyncio.run(template.render_async(replace(VALUES, draw=lots), Answers()))
        return [each.split("_")[0] for each in lots.threads]

    assert threads() == ["MainThread", "rendering"]
    assert threads() == ["rendering"] * 2
    now[0] += REMEMBERED
    assert threads() == ["MainThread", "rendering"]


def test_a_workspace_that_has_used_up_its_slices_renders_in_threads_and_no_other_does(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many templates it has that take long: what they use up of the event loop is bounded for each workspace."""
    monkeypatch.setattr(thread_offloading, "SLICES", Allowance(2.5 * SLICE, 1e-6))

    def threads(template: Template, workspace: int) -> list[str]:
        lots = Lots()

        async def render() -> None:
            working_for.set(workspace)
            await template.render_async(replace(VALUES, draw=lots), Answers())

        asyncio.run(render())
        return [each.split("_")[0] for each in lots.threads]

    several = [compile(ASKING + f"<!-- {number} -->") for number in range(5)]
    begun = [threads(template, 1)[0] for template in several]
    assert begun == ["MainThread"] * 3 + ["rendering"] * 2
    assert threads(compile("{% random %}"), 1) == ["rendering"]
    assert threads(compile("{% random %}"), 2) == ["MainThread"]


class Times:
    """The module `time` with a clock that is put."""

    def __init__(self, now: list[float]) -> None:
        self._now = now

    def monotonic(self) -> float:
        return self._now[0]

    def thread_time(self) -> float:
        return 0.0


@pytest.mark.parametrize("source", [
    "{{ custom_attribute.${many} | sort | size }}{% random %}", "{{ custom_attribute.${long} | strip_html | size }}{% random %}",
])  # fmt: skip
def test_a_filter_is_given_much_in_a_thread_only(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing interrupts a filter, so the event loop would stand still until it is done."""
    monkeypatch.setattr(thread_offloading, "SLICE", 0.9)  # its size alone decides, on the slowest machine too
    for size, thread in ((PORTION, "MainThread"), (PORTION + 1, "rendering")):
        given, lots = {"many": ["a"] * size, "long": "<" * size}, Lots()
        asyncio.run(
            compile(source).render_async(replace(VALUES, custom_attributes=given, draw=lots), Services())
        )
        assert [each.split("_")[0] for each in lots.threads] == [thread]


def test_nobody_is_asked_twice_and_all_on_the_event_loop(clock: Clock) -> None:
    services = Answers()
    asyncio.run(compile(ASKING).render_async(VALUES, services))

    assert services.asked == ["https://a.example/1", "https://a.example/2"]
    assert services.threads == {"MainThread"}


def test_what_an_answer_raised_is_raised_again_in_the_second_try(clock: Clock) -> None:
    """C3: the message waits for the web service that failed, wherever its template is rendered."""
    source = "{% connected_content https://a.example :retry :save a %}{{ a.n | default: 'none' }}" + LOOPS
    services = Answers(503)
    with pytest.raises(Retry):
        asyncio.run(compile(source).render_async(VALUES, services))
    assert len(services.asked) == 1

    class Refusing(Answers):
        async def connected(self, call: Call) -> Reply:
            await super().connected(call)
            raise Aborted("no such credential")

    refusing = Refusing()
    with pytest.raises(Aborted, match="no such credential"):
        asyncio.run(compile(LOOPS + source).render_async(VALUES, refusing))
    assert len(refusing.asked) == 1


def test_errors_in_a_thread_have_their_place(clock: Clock) -> None:
    for source in (LOOPS + "\n {{ 1 | divided_by: 0 }}", ASKING + "\n {{ 1 | divided_by: 0 }}"):
        with pytest.raises(RenderError, match="division by zero") as failed:
            asyncio.run(compile(source).render_async(VALUES, Answers()))
        assert failed.value.line == 2


def test_the_whole_time_is_given_once_and_no_more(clock: Clock) -> None:
    """E4: a second in the thread; what is allowed less than a slice has that and no second try."""
    endless = "{% for a in (1..9000) %}{{ a }}{% endfor %}"
    for source in (endless, "{% connected_content https://a.example %}" + endless):
        for seconds, looks in ((SLICE * 20, 40), (SLICE, 2)):
            clock.looks = 0
            with pytest.raises(RenderError, match="Liquid rendering timeout"):
                asyncio.run(compile(source).render_async(VALUES, Answers(), limits=Limits(seconds=seconds)))
            assert looks <= clock.looks <= looks + 12


@pytest.mark.parametrize("source", [
    "Hello {{${first_name}}}", "{% for a in (1..9) %}{{ a | plus: 1 }}{% endfor %}{% random %}",
    "{% promotion('spring') %}{% message_extras :key a :value b %}", "{{content_blocks.${greeting}}}",
])  # fmt: skip
def test_a_template_that_asks_nobody_is_rendered_without_a_switch_of_tasks(source: str) -> None:
    """The first step of the coroutine is its last: there is no event loop here at all."""

    class Here(Services):
        def promotion(self, snippet: str) -> str | None:
            return snippet.upper()

        def block(self, name: str) -> str | None:
            return "Hello {{ 1 | plus: 1 }}"

    template = compile(source)
    with pytest.raises(StopIteration) as ended:
        template.render_async(VALUES, Here()).send(None)
    assert isinstance(ended.value.value, str)
    assert ended.value.value


def test_one_that_asks_somebody_waits_for_the_answer_alone() -> None:
    rendering = compile(ASKING).render_async(VALUES, Answers())
    assert rendering.send(None) is None, "the answer that is waited for"
    assert rendering.send(None) is None
    with pytest.raises(StopIteration):
        rendering.send(None)


@pytest.mark.parametrize("name", EATERS)
def test_others_are_served_while_a_template_eats_its_second(name: str) -> None:
    """E4: twenty messages are rendered, on the same event loop, before the one that means harm is cut off."""
    good = compile("{% for a in (1..20) %}{{ ${first_name} | append: a }},{% endfor %}")
    wanted = "".join(f"Mel{n}," for n in range(1, 21))
    harmful = compile(EATERS[name])

    async def serve() -> None:
        eating = asyncio.create_task(harmful.render_async(VALUES, World(), limits=Limits(passes=10**6)))
        await asyncio.sleep(0)
        for _ in range(20):
            assert await good.render_async(VALUES, World()) == wanted
            await asyncio.sleep(0)
        assert not eating.done()
        with pytest.raises(RenderError, match="Liquid rendering timeout"):
            await eating

    asyncio.run(serve())


def test_who_gives_up_a_long_rendering_leaves_nothing_running() -> None:
    services = Answers()

    async def give_up() -> None:
        template = compile(EATERS["calls between"])
        eating = asyncio.create_task(template.render_async(VALUES, services))
        while len(services.asked) < 20:
            await asyncio.sleep(0.001)
        eating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await eating

    asyncio.run(give_up())
    asked = len(services.asked)
    for each in [THREADS.pool.submit(lambda: None) for _ in range(8)]:
        each.result(timeout=60)
    assert len(services.asked) == asked


def test_work_on_much_is_followed_by_a_look_at_the_clock(clock: Clock) -> None:
    """E4: filters on lists and long texts take so long that nobody may wait for thirty-two of them."""
    long = "{% assign s = 'aaaaaaaaaa' %}" + "{% assign s = s | append: s %}" * 8
    for source in (
        long + "{{ s | upcase | size }}" * 60,
        "{{ (1..9) | sort | first }}" * 60,
        "{{ 'a,b' | split: ',' " + "| sort | reverse " * 60 + "| size }}",
        "{{ 1 | append: s }}" + long + "{{ 1 | append: s | size }}" * 60,
        long + "{% assign t = s %}" * 60,
    ):
        template = compile(source)
        for render in (template.render, template.render_by_tree):
            clock.looks = 0
            with pytest.raises(RenderError, match="Liquid rendering timeout"):
                render(VALUES, limits=Limits(seconds=SLICE * 20))
            assert clock.looks <= 50
