"""Finds mistakes in templates that parse, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import available_timezones

from liquid import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, StringLiteral
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.primitive import IntegerLiteral
from liquid.expression import Expression

from journeys.canvas.problems import meant, nearest
from journeys.engine.content.bound_template import Bound
from journeys.engine.content.error_recovery import Recovered, recovered
from journeys.engine.content.expression_tokens import ROOT
from journeys.engine.content.idle_tags import endings, idle
from journeys.engine.content.known_names import (
    BLOCKS,
    EMAIL,
    EMPTY,
    EMPTY_NAMES,
    EMPTY_SPACES,
    KEPT,
    MEANT,
    NAMESPACES,
    STANDARD,
)
from journeys.engine.content.odd_names import odd_names
from journeys.engine.content.render import DIALECTS, Template, TemplateError, compile, position, unread
from journeys.engine.content.tags.abort import AbortNode
from journeys.engine.content.tags.catalogs import ItemsNode, SelectionNode
from journeys.engine.content.tags.connected import ConnectedNode
from journeys.engine.content.tags.message_extras import ExtrasNode
from journeys.engine.content.tags.promotion import PromotionNode

ANY = "any"
"""The channel of a content block: messages of all kinds may show it."""


LONG = 100_000
"""For a template with more characters only the first error is reported."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a template stands: its channel (None: in a step that sends nothing), and what there is to name.

    `blocks`, `catalogs`, `promotions`, `groups`: None where they are not known. `selections`: by their catalogs, as far as they
    are known.
    """

    channel: str | None = None
    blocks: Collection[str] | None = None
    catalogs: Collection[str] | None = None
    selections: Mapping[str, Collection[str]] = field(default_factory=dict)
    promotions: Collection[str] | None = None
    groups: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: a problem's code, line and column within the source, and what to write instead."""

    code: str
    line: int
    column: int
    message: str
    hint: str = ""


def lint(source: str, setting: Setting, compiler: Callable[[str], Template] = compile) -> list[Finding]:
    """All that is wrong with a template, in its order: what cannot be read (E1), and what looks wrong beside that."""
    try:
        placed = {*_looked(compiler(source).bound, source, setting), *_idle(source, compiler)}
    except TemplateError as error:
        placed = set(_unread(source, setting, error, compiler))
    return sorted(placed, key=lambda one: (one.line, one.column, one.code))


def _unread(
    source: str, setting: Setting, first: TemplateError, compiler: Callable[[str], Template]
) -> Iterator[Finding]:
    """What keeps a template from being read, and what else is wrong beside that."""
    read = recovered(source, DIALECTS[compiler]) if len(source) <= LONG else Recovered()
    errors = [unread(error, source) for error in read.errors] or [first]
    for error in errors:
        yield Finding("J302", error.line, error.column, error.message, error.hint)
    if len(source) <= LONG:
        yield from _idle(source, compiler)
    if read.bound is not None:
        yield from _looked(read.bound, source, setting, read.words)


def _idle(source: str, compiler: Callable[[str], Template]) -> Iterator[Finding]:
    """What does nothing, tag by tag."""
    read = DIALECTS[compiler].tokenizer()
    for index, message, hint in (*idle(read(source)), *endings(source, read(source))):
        yield Finding("J912", *position(source, index), message, hint)


def _looked(bound: Bound, source: str, setting: Setting, unknown: Collection[str] = ()) -> Iterator[Finding]:
    """What looks wrong in what was read. `unknown`: words that stand where nothing could be read."""
    found = [*_names(bound, source, setting, unknown), *_assigned(bound)]
    told = {index for index, code, _, _ in found if code != "J909"}
    found += [one for one in odd_names(bound) if one[0] not in told]
    for node in bound.walk():
        found += _node(node, source, setting)
    for index, code, message, hint in found:
        yield Finding(code, *position(source, index), message, hint)


_Found = tuple[int, str, str, str]
"""Index, code, message, hint."""


def _names(bound: Bound, source: str, setting: Setting, unknown: Collection[str]) -> Iterator[_Found]:
    """Values that are asked for and are not there."""
    for head, variables in bound.analysis.globals.items():
        for variable in variables:
            index = variable.span.index
            name = _name(variable.segments)
            if head == ROOT:
                yield from _standard(name, index, setting)
            elif head == BLOCKS:
                if name and setting.blocks is not None and name not in setting.blocks:
                    hint = meant(name, setting.blocks)
                    yield index, "J311", f"there is no content block “{name}”", hint
            elif head == "event_properties" and setting.channel is None:
                hint = f"write context.${{{name}}} for what came with the entry"
                yield index, "J910", "there are no event properties here", hint
            elif head in NAMESPACES:
                known = NAMESPACES[head]
                if head in EMPTY_SPACES:
                    yield index, "J310", f"“{head}” is always empty here", EMPTY_SPACES[head]
                elif head == "subscribed_state" and setting.channel is None:
                    yield index, "J310", f"“{head}” is available in messages only", ""
                elif head == "subscribed_state" and name not in (known or ()):
                    if name and setting.groups is not None and name not in setting.groups:
                        hint = meant(name, {*(known or ()), *setting.groups})
                        yield index, "J314", f"there is no subscription group “{name}”", hint
                elif name and known is not None and name not in known:
                    yield index, "J310", f"“{head}” has no “{name}”", meant(name, known)
                elif name in EMPTY_NAMES.get(head, ()):
                    yield index, "J310", f"“{head}.${{{name}}}” is always empty here", ""
            elif re.compile(r"[\w-]+\s*\.\s*\$\{").match(source, index):
                yield index, "J310", f"there is no namespace “{head}”", meant(head, NAMESPACES)
            elif (
                not head.startswith("@")
                and not bound.blocks
                and setting.channel != ANY
                and head not in unknown
            ):
                near = nearest(head, STANDARD)
                hint = f"did you mean “${{{near}}}”?" if near else "assign it first"
                yield index, "J909", f"nothing sets the variable “{head}”: it is always empty", hint


def _name(segments: Sequence[object]) -> str:
    """What stands in `${}`, without an index within."""
    return str(getattr(segments[1], "name", segments[1])) if len(segments) > 1 else ""


def _standard(name: str, index: int, setting: Setting) -> Iterator[_Found]:
    if name in EMPTY:
        yield index, "J310", f"“${{{name}}}” is always empty here", EMPTY[name]
        return
    if name in STANDARD or name in KEPT:
        return
    if name in EMAIL:
        if setting.channel not in ("email", ANY):
            yield index, "J310", f"“${{{name}}}” is available in emails only", ""
        return
    hint = f"did you mean “{MEANT[name]}”?" if name in MEANT else meant(name, STANDARD)
    yield index, "J310", f"there is no standard attribute “${{{name}}}”", hint


def _assigned(bound: Bound) -> Iterator[_Found]:
    for name, places in bound.analysis.locals.items():
        if name in STANDARD:
            for place in places:
                message = f"this does not change the standard attribute “${{{name}}}”"
                yield place.span.index, "J903", message, "choose another name"


def _node(node: Node, source: str, setting: Setting) -> Iterator[_Found]:
    index = node.token.start_index
    match node:
        case ContentNode():
            yield from _bare(node.text, source, index)
        case AbortNode(reason=reason) if "{{" in reason or ("{%" in reason and "abort_message" not in reason):
            yield index, "J905", "Liquid in the reason of abort_message is not run", "write plain text"
        case ExtrasNode(key=None):
            hint = "write {% message_extras :key K :value V %}"
            yield index, "J907", "this pair is dropped: it cannot be read", hint
        case ExtrasNode():
            yield from _quoted(node)
        case ConnectedNode():
            for word in node.strays:
                message = f"“{word.text[:40]}” belongs to no option, and is ignored"
                yield word.start, "J906", message, "white space separates options"
            if node.request.retry and setting.channel in (None, "in_app"):
                yield index, "J908", ":retry has no effect here", ""
        case ItemsNode() | SelectionNode():
            yield from _catalog(node, setting)
        case PromotionNode() if setting.channel == "banner":
            yield index, "J312", "a banner has no promotion codes", ""
        case PromotionNode(snippet=name) if setting.promotions is not None and name not in setting.promotions:
            hint = meant(name, setting.promotions) or f"run journeys promotions import {name} FILE"
            yield index, "J311", f"there is no promotion list “{name}”", hint
    for expression in node.expressions():
        for each in _filters(expression):
            yield from _zone(each)


def _bare(text: str, source: str, index: int) -> Iterator[_Found]:
    for match in re.finditer(r"(?:(\w+)\.)?\$\{([^{}]*)\}", text):
        space, name = match[1], match[2].strip()
        if space in NAMESPACES or (space is None and name in STANDARD | EMAIL):
            at = max(index, source.find(match[0], index))
            yield at, "J902", f"“{match[0]}” is printed as it is", f"write {{{{{match[0]}}}}}"  # L11


def _quoted(node: ExtrasNode) -> Iterator[_Found]:
    for part in (node.key, node.value):
        if part is None:
            continue
        written = part.token.value
        if len(written) > 1 and written[0] in "\"'" and written[-1] == written[0]:  # M4
            yield part.token.start_index, "J907", "the quotes are sent with the text", "write it without"


def _catalog(node: ItemsNode | SelectionNode, setting: Setting) -> Iterator[_Found]:
    index = node.token.start_index
    if node.rerender and setting.channel == "banner":
        yield index, "J312", "a banner cannot use :rerender with catalogs", ""
    first = node.named[0]
    constant = all(isinstance(part, ContentNode) for part in first.nodes)
    name = first.token.value
    if constant and setting.catalogs is not None and name not in setting.catalogs:
        hint = meant(name, setting.catalogs)
        yield first.token.start_index, "J311", f"there is no catalog “{name}”", hint
    for word in node.named[1:]:
        if word.token.value.startswith(":"):
            hint = meant(word.token.value, (":rerender",))
            yield word.token.start_index, "J906", f"“{word.token.value[:40]}” is not an option", hint
    known = setting.selections.get(name, ()) if isinstance(node, SelectionNode) else ()
    second = node.named[1]
    named = second.token.value
    if known and named not in known and all(isinstance(part, ContentNode) for part in second.nodes):
        message = f"the file of the catalog “{name}” has no selection “{named}”"
        yield second.token.start_index, "J911", message, meant(named, known)


def _filters(expression: Expression) -> Iterator[Filter]:
    if isinstance(expression, FilteredExpression):
        yield from expression.filters or ()
    for child in expression.children():
        yield from _filters(child)


def _zone(each: Filter) -> Iterator[_Found]:
    if each.name != "time_zone" or not each.args:
        return
    given = each.args[0].value
    index = each.token.start_index
    if isinstance(given, IntegerLiteral):
        # DT4
        yield index, "J904", "a number is not a time zone: the value is not changed", "write 'Europe/Paris'"
    if isinstance(given, StringLiteral) and given.value not in _zones():
        hint = meant(given.value, _zones()) if nearest(given.value, _zones()) else "write 'Europe/Paris'"
        yield index, "J904", f"there is no time zone “{given.value}”: the value is not changed", hint  # DT4


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
