"""Works out the values of a step that asks others: pure but for the calls, which the caller's services make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from journeys.canvas.frozen_model import is_liquid
from journeys.canvas.steps import Context, Step, UserUpdate
from journeys.canvas.storable_characters import storable
from journeys.engine.content import Aborted, RenderError, TemplateError, Values, compile
from journeys.engine.content.services import Call, Reply, Retry
from journeys.engine.sources.connected.caller import NO_ANSWER, host_of
from journeys.engine.workspaces.liquid_values import Found
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.template_services import Calls, TemplateServices

TRIES = 13
"""How often a step is tried again (C3)."""

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 1800.0
"""Seconds before a try: doubled each time, so that all of them take somewhat over three hours."""


NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry wants to know, as it was claimed, and under which claim."""

    workspace: int
    person: UUID
    entry: UUID
    step: str
    tries: int
    claim: UUID = NOBODY

    def of(self, person: UUID) -> Wanted:
        """The same, of the person whose it is now."""
        return replace(self, person=person)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. `label` is found, or failed where others could not be reached; `again`: seconds to the next try."""

    wanted: Wanted
    label: str
    values: Mapping[str, Any] = field(default_factory=dict)
    facts: Sequence[tuple[str, Mapping[str, Any]]] = ()
    again: float | None = None
    counts: int = 1
    """Whether that counts as a try."""

    def of(self, person: UUID) -> Answer:
        """The same, for the person whose the question is now."""
        return replace(self, wanted=self.wanted.of(person))


class Watched:
    """Makes calls, and takes notice of those that fail: that is the step's affair, whatever its Liquid does with it."""

    def __init__(self, calls: Calls | None) -> None:
        self._calls = calls
        self.failed = ""

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Make a call. Raises `Retry` if it may succeed later: 429, 5xx, no answer in time (X5)."""
        reply = Reply(NO_ANSWER) if self._calls is None else await self._calls(workspace, call)
        if may_recover(reply.status):  # X5
            raise Retry(call.url, reply.status)
        if not reply.ok:
            self.failed = f"{host_of(call.url)} answered {reply.status}"  # X5
        return reply


def may_recover(status: int) -> bool:
    """Whether one tries again: 429, 5xx, and time-outs (X5)."""
    return status in (408, 429) or status >= 500  # X5


def pause(tries: int) -> float | None:
    """Seconds to the next try, or None where it was tried often enough."""
    return None if tries >= TRIES else min(FIRST_PAUSE * 2.0**tries, LONGEST_PAUSE)  # C3, X5


class CallFailed(Exception):
    """A call within a text failed permanently: the text is not used, whatever its Liquid made of the failure (CXS-4)."""


class Writer:
    """Renders the texts of one step for one entry. `send` is what promotion codes are charged for."""

    def __init__(
        self, template_services: TemplateServices, publication: Publication, person: UUID, send: str
    ) -> None:
        self._watched = Watched(template_services.calls)
        self._services = replace(template_services, calls=self._watched).services(publication, person)
        self._send = send

    async def text(self, source: str, given: Values) -> str:
        """The text of one template.

        Raises `CallFailed`, and as rendering does; `Retry` where the step is to be tried again: `:retry` in its Liquid
        has no say in that (C3).
        """
        self._watched.failed, self._services.retry = "", None
        try:
            values = await self._services.get_ready([source], given, self._send, given.now)  # P2
            text = await compile(source).render_async(values, self._services)
        except Retry as retry:
            if may_recover(retry.status):
                raise
            text = ""
        except RenderError as error:
            if self._watched.failed:  # it may have wanted the reply that did not come
                raise CallFailed(self._watched.failed) from error
            raise
        if self._watched.failed:
            raise CallFailed(self._watched.failed)  # CXS-4
        return storable(text)


async def fetched(step: Context, given: Values, writer: Writer) -> Found:
    """The values of variables, top to bottom; one whose call failed is not set (CXS-4). Raises `Retry`."""
    found = Found()
    for each in step.set:
        if found.full:
            break
        try:
            text = await writer.text(each.value, found.seen(given))
        except (CallFailed, Aborted, RenderError, TemplateError) as error:
            found.missing[each.name] = str(error)
        else:
            found.take(each.name, each.type, text)
    return found


async def written(
    step: UserUpdate, given: Values, writer: Writer
) -> tuple[Mapping[str, str | None], Mapping[str, str]]:
    """The texts of an update by their source, None where a call failed; and what is not written, and why.

    Raises as rendering does where one cannot be made: nothing is written then (UPD-8). Raises `Retry`.
    """
    texts: dict[str, str | None] = {}
    failed: dict[str, str] = {}
    missing: dict[str, str] = {}
    for place, source in step.sources().items():
        if source not in texts and is_liquid(source):
            try:
                texts[source] = await writer.text(source, given)
            except CallFailed as error:
                texts[source], failed[source] = None, str(error)  # UPD-3, CXS-4, X5
        if source in failed:
            missing.setdefault(_named(step, place), failed[source])
    return texts, missing


def _named(step: UserUpdate, place: tuple[str | int, ...]) -> str:
    """An attribute by its name, a property by those of its event and its own."""
    match place:
        case ("events", int(number), _, name, *_):
            return f"{step.events[number].name}.{name}"
        case _:
            return str(place[1])


async def answered(one: Wanted, step: Step, values: Values, writer: Writer) -> Answer:
    """The answer to a step that asks. Raises `Retry` where it is to be asked again."""
    answer: Mapping[str, Any]
    missing: Mapping[str, str]
    if isinstance(step, UserUpdate):
        try:
            answer, missing = await written(step, values, writer)
        except (Aborted, RenderError, TemplateError) as error:
            return Answer(one, "found", facts=[("update_failed", {"reason": str(error)})])  # UPD-8
    else:
        assert isinstance(step, Context), "no other step fetches"
        found = await fetched(step, values, writer)
        answer, missing = found.values, found.missing
    facts = [("not_updated", {"name": name, "reason": why}) for name, why in missing.items()]
    return Answer(one, "found", answer, facts)


def unanswered(one: Wanted, retry: Retry) -> Answer:
    """What a step hears where others could not be reached, unless it is to be tried again."""
    told = {"reason": "exhausted_cc_retries", "text": f"{host_of(retry.url)} answered {retry.status}"}
    return Answer(one, "failed", facts=[("unanswered", told)], again=pause(one.tries))
