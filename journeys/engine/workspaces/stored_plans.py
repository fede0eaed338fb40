"""Reads plans and definitions from the store: what this process does not understand sets aside its canvas alone.

A row may have been published by a process of another version, or with step types of other packages, or before a rule
became stricter. Whoever meets such a plan gets `NotUnderstood`, and waits or leaves it to a process that knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from journeys.canvas.canvas import Canvas, Conversion
from journeys.canvas.definition_kinds import WorkspaceSettings
from journeys.canvas.plan import Plan, compile
from journeys.engine.logs import logger

Name = tuple[str, str]
"""A kind of definition and a name: `("segment", "buyers")`."""

MOST_SAID = 10_000

CONVERSION: TypeAdapter[Conversion] = TypeAdapter(Conversion)

log = logger(__name__)


class NotUnderstood(LookupError):
    """This process cannot read a plan of a canvas, or something that the plan names; the text is for people."""

    def __init__(self, canvas: str, reason: str) -> None:
        super().__init__(f"this process does not understand the canvas “{canvas}”: {reason}")
        self.canvas, self.reason = canvas, reason


def plan_of(canvas: str, identity: str, body: Any) -> Plan | NotUnderstood:
    """A stored plan of a canvas, under the id that it is stored with, or why this process cannot read it.

    A version whose language has more keys would compile the same canvas to another id.
    """
    try:
        return replace(compile(Canvas.model_validate(body)), id=identity)
    except Exception as error:  # noqa: BLE001 - whatever a step of another package raises: the canvas is set aside
        return NotUnderstood(canvas, reason_of(error))


def reason_of(error: Exception) -> str:
    """Why something cannot be read, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(each) for each in first["loc"])
        return f"{place}: {first['msg']}"[:300] if place else str(first["msg"])[:300]
    return f"{type(error).__name__}: {error}"[:300]


def conversions_of(body: Any) -> dict[str, Conversion]:
    """The conversions of a plan that this process cannot read as a whole, as far as it can read them."""
    found = {}
    given = body.get("conversions") if isinstance(body, Mapping) else None
    for each in given or ():
        try:
            conversion = CONVERSION.validate_python(each)
        except ValidationError:
            continue
        found[conversion.name] = conversion
    return found


def settings_of(body: Any) -> WorkspaceSettings | None:
    """The settings of a workspace: those that this process knows, where there are others."""
    try:
        return WorkspaceSettings.model_validate(body)
    except ValidationError:
        known = {key: body[key] for key in WorkspaceSettings.model_fields if key in body}
        try:
            return WorkspaceSettings.model_validate(known)
        except ValidationError:
            return None


def names_in(body: Any) -> Iterator[Name]:
    """The segments and templates that a definition names."""
    if isinstance(body, Mapping):
        for key, value in body.items():
            if key in ("segment", "template") and isinstance(value, str):
                yield key, value
            else:
                yield from names_in(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from names_in(value)


def unread_through(unread: dict[Name, str], named: Mapping[Name, Iterable[Name]]) -> dict[Name, str]:
    """What cannot be read, and what names it: a segment may name another one."""
    found = dict(unread)
    while True:
        more = {
            name: found[other]
            for name, others in named.items()
            if name not in found
            for other in others
            if other in found
        }
        if not more:
            return found
        found |= more


class Said:
    """What this process has logged that it does not understand: each plan and definition once."""

    def __init__(self) -> None:
        self._said: set[tuple[object, ...]] = set()

    def once(self, workspace: int, kind: str, name: str, reason: str) -> None:
        """Log it, unless that was done."""
        place = workspace, kind, name, reason
        if place not in self._said and len(self._said) < MOST_SAID:
            self._said.add(place)
            log.error("not_understood", workspace=workspace, kind=kind, name=name, reason=reason)
