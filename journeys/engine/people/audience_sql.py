"""Finds people in SQL: a filter as one condition on the row `p` of `people`, with parameters and no text of an author."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from journeys.canvas.conditions import Condition, FromAttribute, FromContext
from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    BucketFilter,
    ConsentFilter,
    ContextFilter,
    EventFilter,
    Filter,
    MessageFilter,
    NoneOf,
    PurchaseFilter,
    SegmentFilter,
    SubscriptionFilter,
    Times,
)
from journeys.canvas.wall_clock import plus
from journeys.engine.audience.match import named
from journeys.engine.audience.operators import holds, parts
from journeys.engine.audience.tallies import counts_all
from journeys.engine.people.sql_values import (
    ALWAYS,
    NEVER,
    UNKNOWN,
    Bounds,
    Operators,
    Parameters,
    Read,
    Some,
    all_of,
    any_of,
    exactly,
    none_of,
    nothing,
    sayable,
)
from journeys.engine.people.standard_attributes import COLUMNS, STANDARD, STATES, UNFORMATTED

TEXTS: Mapping[str, str] = {**COLUMNS, "external_id": "external_id"}
"""Standard attributes that are columns: a text each, or nothing."""

MOST_PARTS = 1000
"""Of an audience with more filters and conditions than this, segments and all, SQL judges as many."""

MOST_COUNTED = 2**40

GROUP_STATES = ("subscribed", "unsubscribed", "unknown")


@dataclass(frozen=True, slots=True)
class PeopleCondition:
    """A condition on the row `p` of `people`, with the values of its parameters in order.

    It holds for everybody who matches; where it is not `exact`, for others as well: they are left to `matches`.
    """

    text: str
    parameters: tuple[Any, ...]
    exact: bool
    parts: int
    """How many filters and conditions it is made of."""


def to_sql(
    what: Filter,
    *,
    now: datetime,
    segments: Mapping[str, Filter] = NOTHING,
    canvas: str | None = None,
    first: int = 1,
) -> PeopleCondition:
    """The people who match a filter at an instant, who have no entry yet: as `matches` judges them.

    `first`: the number of the first parameter, as `$1`.
    """
    compiler = _Compiler(now, segments, canvas)
    bounds = compiler.filter(what)
    text, parameters = compiler.parameters.numbered(bounds.upper, first)
    return PeopleCondition(text, parameters, bounds.upper == bounds.lower, max(compiler.parts, 1))


@dataclass(slots=True)
class _Compiler:
    now: datetime
    segments: Mapping[str, Filter]
    canvas: str | None
    parameters: Parameters = field(default_factory=Parameters)
    parts: int = 0

    def filter(self, what: Filter, inside: frozenset[str] = frozenset()) -> Bounds:
        if self.parts > MOST_PARTS:
            return UNKNOWN
        match what:
            case AllOf(all=several):
                return all_of([self.filter(each, inside) for each in several])
            case AnyOf(any=several):
                return any_of([self.filter(each, inside) for each in several])
            case NoneOf(none=several):
                return none_of(any_of([self.filter(each, inside) for each in several]))
            case SegmentFilter(segment=name):
                if name not in self.segments:
                    return NEVER
                return UNKNOWN if name in inside else self.filter(self.segments[name], inside | {name})
        self.parts += 1 + len(getattr(what, "where", ()))
        return self._leaf(what)

    def _leaf(self, what: Any) -> Bounds:
        match what:
            case AttributeFilter(attribute=path):
                return self._on_column(what, path) or self._condition(what, self._attribute(path))
            case ContextFilter():
                return self._condition(what, nothing)
            case EventFilter() | PurchaseFilter():
                return self._done(what)
            case MessageFilter():
                return self._engaged(what)
            case ConsentFilter():
                return self._consented(what)
            case SubscriptionFilter():
                return self._subscribed(what)
            case BucketFilter(bucket=(low, high)):
                low_, high_ = (self.parameters.add(each, "int") for each in (low, high))
                return exactly(f"p.bucket between {low_} and {high_}")
        raise AssertionError(f"unknown filter: {what!r}")

    # Values -----------------------------------------------------------------------------------------------------

    def _condition(self, what: Condition, some: Some) -> Bounds:
        operand = self._operand(what.operand)
        if operand is _MISSING:
            return NEVER
        return Operators(self.parameters, self.now).holds(what.operator, some, operand)

    def _operand(self, operand: Any) -> Any:
        """A literal, or what is read from the profile; an entry there is none yet."""
        match operand:
            case FromContext():
                return _MISSING
            case FromAttribute(attribute=path):
                return Read(self._single(path))
            case tuple():
                read = tuple(self._operand(each) for each in operand)
                return _MISSING if any(each is _MISSING for each in read) else read
        return operand

    def _on_column(self, what: AttributeFilter, path: str) -> Bounds | None:
        """What an index can find: a column is this text, or one of these."""
        column, operand = TEXTS.get(path), what.operand
        if column is None or what.operator not in ("equals", "one_of"):
            return None
        several = operand if isinstance(operand, tuple) else (operand,)
        if not all(isinstance(each, str) for each in several):
            return None
        said = [each for each in several if sayable(each)]
        if not said:
            return NEVER
        if len(said) == 1:
            return exactly(f"p.{column} = {self.parameters.add(said[0], 'text')}")
        return exactly(f"p.{column} = any({self.parameters.add(said, 'text[]')})")

    def _single(self, path: str) -> str | None:
        """The one value that a path leads to; None where it may lead to several."""
        names = parts(path)
        if any(spread for _, spread in names):
            return None
        docs = [self._below(doc, [name for name, _ in rest]) for doc, rest in self._documents(names)]
        return docs[0] if len(docs) == 1 else f"coalesce({', '.join(docs)})"

    def _documents(self, names: Sequence[tuple[str, bool]]) -> list[tuple[str, Sequence[tuple[str, bool]]]]:
        """Where the values of a path are looked for, in order, with what remains of the path there."""
        name = names[0][0] if names else ""
        if name in TEXTS and len(names) == 1:
            return [(f"to_jsonb(p.{TEXTS[name]})", [])]
        custom: tuple[str, Sequence[tuple[str, bool]]] = ("p.attributes", names)
        return [("p.standard", names), custom] if name in STANDARD or name == UNFORMATTED else [custom]

    def _attribute(self, path: str) -> Some:
        """The values of an attribute; standard attributes come before custom ones of their name."""
        single = self._single(path)
        if single is not None:
            return lambda test: test(single)
        several = [self._spread(doc, rest) for doc, rest in self._documents(parts(path))]
        if len(several) == 1:
            return several[0]
        standard, custom = several
        found = standard(lambda value: f"{value} is not null")
        return lambda test: f"case when {found} then {standard(test)} else {custom(test)} end"

    def _property(self, path: str) -> Some:
        return self._spread("e.properties", parts(path))

    def _below(self, doc: str, names: Sequence[str]) -> str:
        for name in names:
            doc = f"({doc} -> {self.parameters.add(name, 'text')})" if sayable(name) else "null::jsonb"
        return doc

    def _spread(self, doc: str, names: Sequence[tuple[str, bool]]) -> Some:
        """All values that a path leads to in a document: `[]` stands for any element (NST-8)."""
        tables: list[str] = []
        for name, spread in names:
            doc = self._below(doc, [name])
            if spread:
                tables.append(f"jsonb_array_elements({_elements(doc)}) as v{len(tables)}(value)")
                doc = f"v{len(tables) - 1}.value"
        if not tables:
            return lambda test: test(doc)
        joined = " cross join lateral ".join(tables)
        return lambda test: f"exists (select from {joined} where {test(doc)})"

    # What was done ----------------------------------------------------------------------------------------------

    def _done(self, what: EventFilter | PurchaseFilter) -> Bounds:
        where = all_of([self._condition(each, self._property(each.property)) for each in what.where])
        return self._past(what, where, what.within_last, what.times)

    def _engaged(self, what: MessageFilter) -> Bounds:
        canvas = what.canvas or (self.canvas if what.step else None)
        said = {"step": what.step, "canvas": canvas, "campaign": what.campaign}
        wanted = {name: value for name, value in said.items() if value is not None}
        if not all(map(sayable, wanted.values())):
            return NEVER
        where = exactly(f"e.properties @> {self.parameters.add(wanted, 'jsonb')}") if wanted else ALWAYS
        return self._past(what, where, what.within_last, None)

    def _past(self, what: Any, where: Bounds, within: timedelta | None, times: Times | None) -> Bounds:
        """What happened up to now, of which `where` holds, as often as `times` says."""
        kind, name = named(what)
        if counts_all(what) and (name is None or sayable(name)):
            return _counted(
                cast("Times", times), lambda _: self._in_all(kind, name), lambda _: self._in_all(kind, name)
            )
        if name is not None and not sayable(name):
            where = NEVER
        happened = f"from events e where e.workspace = p.workspace and e.person = p.id and e.kind = '{kind}'"
        if name is not None and sayable(name):
            happened += f" and e.name = {self.parameters.add(name, 'text')}"
        happened += f" and e.at <= {self.parameters.add(self.now, 'timestamptz')}"
        if within is not None:
            happened += f" and e.at >= {self.parameters.add(plus(self.now, -within), 'timestamptz')}"
        if times is None:
            return Bounds(_exists(f"{happened} and {where.upper}"), _exists(f"{happened} and {where.lower}"))
        return _counted(
            times,
            lambda how: _rows(happened, where.upper, how),
            lambda how: _rows(happened, where.lower, how),
        )

    def _in_all(self, kind: str, name: str | None) -> str:
        """How often it happened up to now, as it is counted on arrival; what is of a later instant is taken off (EVT-3)."""
        now = self.parameters.add(self.now, "timestamptz")
        of = f"c.workspace = p.workspace and c.person = p.id and c.kind = '{kind}'"
        if name is not None:
            of += f" and c.name = {self.parameters.add(name, 'text')}"
        later = (
            "(select coalesce(sum(times_of(e.kind, e.properties)), 0) from events e where e.workspace = c.workspace"  # noqa: S608 - parameters
            f" and e.person = c.person and e.kind = c.kind and e.name = c.name and e.at > {now})"
        )
        count = f"case when c.last <= {now} then c.count else c.count - {later} end"
        return f"(select coalesce(sum({count}), 0) from event_counts c where {of})"  # noqa: S608 - parameters

    def _consented(self, what: ConsentFilter) -> Bounds:
        """Who said nothing is subscribed (SUB-1)."""
        wanted = [state for state in STATES if holds(what.operator, [state], what.operand, self.now)]
        silent = "subscribed" in wanted  # SUB-1
        states = [state for state in STATES if (state in wanted) is not silent]
        said = (
            "from consents c where c.workspace = p.workspace and c.person = p.id"
            f" and c.channel = {self.parameters.add(what.consent, 'text')}"
            f" and c.state = any({self.parameters.add(states, 'text[]')})"
        )
        found = exactly(_exists(said)) if states else NEVER
        return none_of(found) if silent else found

    def _subscribed(self, what: SubscriptionFilter) -> Bounds:
        """Who said nothing is unknown, and who left the channel is subscribed to no group of it (CNS-1, CNS-2)."""
        wanted = [state for state in GROUP_STATES if holds(what.operator, [state], what.operand, self.now)]
        silent = "unknown" in wanted  # CNS-1
        states = [state for state in GROUP_STATES[:2] if (state in wanted) is not silent]
        if not sayable(what.subscription):
            return ALWAYS if silent else NEVER
        left = (
            "exists (select from consents c where (c.workspace, c.person, c.channel, c.state)"
            " = (s.workspace, s.person, s.channel, 'unsubscribed'))"
        )
        said = (
            "from subscriptions s where s.workspace = p.workspace and s.person = p.id"
            f" and s.name = {self.parameters.add(what.subscription, 'text')}"
            f" and case when s.state = 'subscribed' and {left} then 'unsubscribed' else s.state end"
            f" = any({self.parameters.add(states, 'text[]')})"
        )
        found = exactly(_exists(said)) if states else NEVER
        return none_of(found) if silent else found


_MISSING = object()


def _exists(rows: str) -> str:
    """Whether a person has such rows. With `offset` each person's are looked up by the index: no table is read whole."""
    return f"exists (select {rows} offset 0)"


def _elements(doc: str) -> str:
    return (
        f"case when {doc} is null then '[]' when jsonb_typeof({doc}) = 'array' then {doc}"
        f" else jsonb_build_array({doc}) end"
    )


def _rows(happened: str, where: str, enough: int) -> str:
    """How many there are; none is counted beyond what decides."""
    few = f"select times_of(e.kind, e.properties) as times {happened} and {where} limit {enough}"
    return f"(select coalesce(sum(few.times), 0) from ({few}) few)"  # noqa: S608 - parameters


def _counted(times: Times, most: Callable[[int], str], fewest: Callable[[int], str]) -> Bounds:
    """How often, where SQL knows the highest and the lowest number."""
    operator, count = next(iter(times.model_dump(exclude_none=True).items()))
    count = min(max(int(count), -1), MOST_COUNTED)
    enough = count + 2
    sign = {"equals": "=", "more_than": ">", "less_than": "<", "at_least": ">=", "at_most": "<="}[operator]
    if operator == "equals":
        high, low = f"{most(enough)} >= {count}", f"{fewest(enough)} <= {count}"
        if most(enough) == fewest(enough):
            return exactly(f"{most(enough)} = {count}")
        return Bounds(f"({high} and {low})", f"({fewest(enough)} >= {count} and {most(enough)} <= {count})")
    rising = sign in (">", ">=")
    upper, lower = (most, fewest) if rising else (fewest, most)
    return Bounds(f"{upper(enough)} {sign} {count}", f"{lower(enough)} {sign} {count}")
