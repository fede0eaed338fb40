"""Answers the calls of templates from what a test gives: web services, catalogs, promotion codes, carts."""

from __future__ import annotations

import json as json_
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from journeys.engine.content import Values
from journeys.engine.content.services import Call, Reply
from journeys.engine.sources.promotions import NoCode
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.template_services import (
    RECOMMENDED,
    MessageServices,
    TemplateServices,
    templates_of,
)

Stub = Reply | Callable[[Call], Reply]


class Unstubbed(AssertionError):
    """A template calls an address that the test has no answer for."""


@dataclass(slots=True)
class Answers:
    """What others answer, as the test says. `calls` are the calls that were made, in order."""

    replies: list[tuple[str, str | None, list[Stub]]] = field(default_factory=list)
    catalogs: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    selections: dict[tuple[str, str], Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    promotions: dict[str, list[str]] = field(default_factory=dict)
    charged: dict[tuple[str, str], str] = field(default_factory=dict)
    carts: dict[tuple[UUID, str], tuple[dict[str, Any], bool, datetime]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Answer a call to a web service. Raises `Unstubbed`."""
        del workspace
        self.calls.append(call)
        for pattern, method, stubs in reversed(self.replies):
            if fnmatchcase(call.url, pattern) and method in (None, call.method):
                stub = stubs.pop(0) if len(stubs) > 1 else stubs[0]
                return stub if isinstance(stub, Reply) else stub(call)
        raise Unstubbed(
            f"{call.method} {call.url} is called, and the test has no answer for it: trial.answers({call.url!r}, …)"
        )

    def charge(self, snippet: str, send: str) -> str:
        """The code of a list for a message: the one that it has, else the next. Raises `NoCode` (P3)."""
        if (send, snippet) not in self.charged:
            codes = self.promotions.get(snippet)
            if codes is None:
                raise NoCode("promo_codes_unknown", f"there is no promotion list “{snippet}”")
            if not codes:
                raise NoCode("promo_codes_exhausted", f"the promotion list “{snippet}” has no code left")
            self.charged[send, snippet] = codes.pop(0)
        return self.charged[send, snippet]


def reply(status: int, json: Any, text: str | None) -> Reply:
    """What a web service sends back."""
    if text is not None:
        return Reply(status, text, "text")
    return Reply(status, "" if json is None else json_.dumps(json), "json")


@dataclass(frozen=True, slots=True)
class StubbedServices(TemplateServices):
    """The parts that answer templates, without a database."""

    answers: Answers = field(default_factory=Answers)

    def services(self, publication: Publication, person: UUID) -> MessageServices:
        """See base class."""
        return _StubbedMessage(self, publication, person)


class _StubbedMessage(MessageServices):
    """The answers for one message."""

    def __init__(self, services: StubbedServices, publication: Publication, person: UUID) -> None:
        super().__init__(services, publication, person)
        self._answers = services.answers

    async def get_ready(self, sources: Iterable[str], values: Values, send: str, now: datetime) -> Values:
        """See base class."""
        templates = templates_of(sources, self)
        snippets = sorted({snippet for each in templates for snippet in each.promotions})
        self._codes = {snippet: self._answers.charge(snippet, send) for snippet in snippets}
        named = {name for each in templates for name in each.needs if name.startswith(RECOMMENDED + ".")}
        if not named:
            return values
        found = {name.partition(".")[2]: self._selected(None, name.partition(".")[2]) for name in named}
        return replace(values, namespaces={**values.namespaces, RECOMMENDED: found})

    async def items(self, catalog: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """See base class."""
        found = self._answers.catalogs.get(catalog, {})
        return [dict(found[one]) for one in ids if one in found]

    async def selection(self, catalog: str, selection: str) -> list[dict[str, Any]]:
        """See base class."""
        return self._selected(catalog, selection)

    def _selected(self, catalog: str | None, selection: str) -> list[dict[str, Any]]:
        given = self._answers.selections
        return [
            dict(item)
            for (of, name), items in given.items()
            if name == selection and catalog in (None, of)
            for item in items
        ][:50]

    async def cart(self, cart: str) -> dict[str, Any] | None:
        """See base class."""
        found = self._answers.carts.get((self._person, cart))
        return None if found is None else {**found[0], "ordered": found[1]}
