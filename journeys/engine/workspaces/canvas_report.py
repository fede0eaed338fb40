"""The report of a canvas: counted from the facts, the entries, the windows and the refusals, when it is asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeys.canvas.plan import Plan
from journeys.engine.core.intervals import Interval, Sum, difference, difference_of_means, rate
from journeys.engine.store.database import Database

FACTS = """
select fact, step, case fact
    when 'took' then data ->> 'path' when 'entered' then data ->> 'variant'
    when 'ended' then data ->> 'reason' when 'refused' then data ->> 'reason'
    when 'aborted' then data ->> 'reason' when 'unreachable' then data ->> 'reason' when 'invalid' then data ->> 'reason'
    when 'withdrawn' then data ->> 'reason' when 'capped' then data ->> 'reason' end as detail, count(*) as count
from facts where workspace = $1 and canvas = $2 group by 1, 2, 3
"""
WAITING = """
select case when begun is null then null else step end as step, count(*) as count from entries
where workspace = $1 and canvas = $2 and ended is null group by 1
"""
ENGAGED = """
select name, step, count(*) as messages from (
    select name, properties ->> 'step' as step from events
    where workspace = $1 and kind = 'message' and name = any($3) and properties ->> 'canvas' = $2
    group by 1, 2, person, properties ->> 'dispatch') as each_once
group by 1, 2
"""
WINDOWS = r"""
select name, variant, count(*) as of, count(at) as converted, coalesce(sum(r), 0)::float8 as total,
    coalesce(sum(r * r), 0)::float8 as squares
from (
    select *, case when at is not null and length(revenue) < 40 and revenue ~ '^-?\d+(\.\d+)?([eE][-+]?\d\d?)?$'
        then revenue::numeric end as r
    from conversions where workspace = $1 and canvas = $2) as c
group by 1, 2 order by 1, 2
"""
REFUSED = "select gate, count(*) as people, sum(times)::bigint as times from refusals where workspace = $1 and canvas = $2 group by 1"
EARLIER = """
select data ->> 'reason' as gate, count(distinct person) as people from facts f
where workspace = $1 and canvas = $2 and fact = 'refused' and not exists (
    select from refusals r where (r.workspace, r.person, r.canvas) = (f.workspace, f.person, f.canvas)
        and r.gate = f.data ->> 'reason') group by 1
"""
"""The people whom an earlier version refused, in facts, and who are in no row for the same gate."""
ENGAGEMENTS = ("opened", "clicked", "unsubscribed")
NOT_SENT = ("aborted", "unreachable", "invalid", "withdrawn", "capped", "failed")
"""What becomes of a message that did not leave."""


@dataclass(slots=True)
class StepCounts:
    """What happened at one step. `type`: None for a step that the canvas no longer has.

    Of opens, clicks and unsubscriptions the messages are counted, each once.
    """

    step: str
    type: str | None
    reached: int = 0
    waiting: int = 0
    took: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    not_sent: dict[str, int] = field(default_factory=dict)
    """By outcome and reason: `aborted: liquid`."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A conversion of one variant: of so many entries so many, the revenue of these, and both against the control.

    `per_entry` is the revenue of an entry, whether it converted or not.
    """

    name: str
    variant: str | None
    entries: int
    converted: int
    rate: Interval | None
    difference: Interval | None
    revenue: float
    per_entry: float
    per_entry_difference: Interval | None


@dataclass(frozen=True, slots=True)
class Report:
    """All counts of a canvas at one moment. `control`: the variant that the others are compared with, if there is one."""

    canvas: str
    control: str | None
    entered: Mapping[str, int]
    """By variant."""
    not_started: int
    """Let in, and not begun yet: they are in no variant so far."""
    waiting: int
    left: Mapping[str, int]
    """By reason."""
    steps: Sequence[StepCounts]
    conversions: Sequence[Converted]
    refused: Mapping[str, tuple[int, int]]
    """By gate: how many people, and how often in all."""


async def report_of(db: Database, workspace: int, canvas: str, plan: Plan | None) -> Report:
    """Count it all, as it stands at one moment. `plan`: the present one, which gives the order of the steps."""
    of = workspace, canvas
    async with (
        db.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        facts = await connection.fetch(FACTS, *of)
        waiting = {row["step"]: row["count"] for row in await connection.fetch(WAITING, *of)}
        engaged = await connection.fetch(ENGAGED, *of, list(ENGAGEMENTS))
        windows = await connection.fetch(WINDOWS, *of)
        refused = await connection.fetch(REFUSED, *of)
        earlier: Sequence[Any] = []
        if any(row["fact"] == "refused" for row in facts):
            earlier = await connection.fetch(EARLIER, *of)
    control = next((arm.name for arm in plan.canvas.arms if arm.control), None) if plan else None
    return Report(
        canvas,
        control,
        _counted(facts, "entered"),
        waiting.pop(None, 0),
        sum(waiting.values()),
        _counted(facts, "ended"),
        _steps(plan, facts, waiting, engaged),
        _conversions(windows, control),
        _refused(facts, refused, earlier),
    )


def _counted(facts: Iterable[Any], fact: str) -> dict[str, int]:
    """How often a fact says what, the most frequent first."""
    found: Counter[str] = Counter()
    for row in facts:
        if row["fact"] == fact:
            found[row["detail"] or ""] += row["count"]
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _steps(
    plan: Plan | None, facts: Iterable[Any], waiting: Mapping[str, int], engaged: Iterable[Any]
) -> list[StepCounts]:
    found = {} if plan is None else {name: StepCounts(name, step.type) for name, step in plan.steps.items()}

    def at(step: str) -> StepCounts:
        return found.setdefault(step, StepCounts(step, None))

    for row in facts:
        if row["step"] is None:
            continue
        here, fact, count, detail = at(row["step"]), row["fact"], row["count"], row["detail"]
        if fact in ("reached", "sent"):
            setattr(here, fact, getattr(here, fact) + count)
        elif fact in ("took", "ended"):
            _add(getattr(here, fact), detail, count)
        elif fact in NOT_SENT:
            _add(here.not_sent, f"{fact}: {detail}" if detail else fact, count)
    for step, count in waiting.items():
        at(step).waiting = count
    for row in engaged:
        if row["step"] is not None:
            setattr(at(row["step"]), row["name"], row["messages"])
    return list(found.values())


def _add(counts: dict[str, int], name: str | None, count: int) -> None:
    counts[name or ""] = counts.get(name or "", 0) + count


def _conversions(windows: Iterable[Any], control: str | None) -> list[Converted]:
    by_name: dict[str, list[Any]] = defaultdict(list)
    for row in windows:
        by_name[row["name"]].append(row)
    found = []
    for name, rows in by_name.items():
        base = next((row for row in rows if row["variant"] == control and control is not None), None)
        for row in rows:
            mine, sums = rate(row["converted"], row["of"]), _sum(row)
            other = base if base is not row else None
            found.append(
                Converted(
                    name,
                    row["variant"],
                    row["of"],
                    row["converted"],
                    mine,
                    None if other is None else difference(mine, rate(other["converted"], other["of"])),
                    sums.total,
                    sums.mean,
                    None if other is None else difference_of_means(sums, _sum(other)),
                )
            )
    return found


def _sum(row: Any) -> Sum:
    return Sum(row["of"], row["total"], row["squares"])


def _refused(facts: Iterable[Any], rows: Iterable[Any], earlier: Iterable[Any]) -> dict[str, tuple[int, int]]:
    """Those of the rows, and those of facts that versions before wrote."""
    people, times = Counter[str](), Counter(_counted(facts, "refused"))
    for row in rows:
        people[row["gate"]] += row["people"]
        times[row["gate"]] += row["times"]
    for row in earlier:
        people[row["gate"] or ""] += row["people"]
    return {gate: (people[gate], count) for gate, count in times.most_common()}
