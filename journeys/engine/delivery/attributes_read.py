"""Which custom attributes the delivery of a message reads: those that its templates name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from journeys.canvas.definition_kinds import Template
from journeys.canvas.steps import Message
from journeys.engine.content import TemplateError, compile
from journeys.engine.content.bound_template import Bound
from journeys.engine.content.tags.catalogs import ItemsNode, SelectionNode
from journeys.engine.content.tags.connected import ConnectedNode
from journeys.engine.workspaces.published import Publication

ATTRIBUTE, RECOMMENDED = "custom_attribute", "product_recommendation"
MOST = 40
"""With more names than these, all attributes are as quickly read."""


class _Unknown(Exception):
    """What a template will name is not known before it is rendered."""


def attributes(publication: Publication, steps: Iterable[Message]) -> frozenset[str] | None:
    """The names of the custom attributes that these messages may show; None where it may be any.

    Any: where a filter is judged at the send, where a name is itself a value, or where texts are rendered that come from
    elsewhere (`:rerender`, the filters of selections and recommendations).
    """
    found: set[str] = set()
    try:
        for step in steps:
            if step.only_when is not None:
                return None
            template = publication.templates.get(step.template)
            if template is not None:
                found.update(_named(template, publication))
    except _Unknown:
        return None
    return frozenset(found) if len(found) <= MOST else None


def _named(template: Template, publication: Publication) -> Iterator[str]:
    for source in template.sources().values():
        try:
            parts = compile(source).within(publication.blocks.get)
        except TemplateError:
            continue  # the message will not leave
        for part in parts:
            yield from _of(part.bound)


def _of(bound: Bound) -> Iterator[str]:
    if RECOMMENDED in bound.analysis.globals or any(map(_from_elsewhere, bound.walk())):
        raise _Unknown
    for variable in bound.analysis.globals.get(ATTRIBUTE, ()):
        name = variable.segments[1] if len(variable.segments) > 1 else None
        if not isinstance(name, str) or name in ("size", "first", "last"):
            raise _Unknown
        yield str(name)
        yield str(getattr(name, "name", name))  # an index may stand within the braces (L6)


def _from_elsewhere(node: object) -> bool:
    match node:
        case SelectionNode():
            return True
        case ItemsNode(rerender=again) | ConnectedNode(again=again):
            return bool(again)
    return False
