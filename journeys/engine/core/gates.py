"""The gates of a canvas: who may enter, and the reason why not. Pure; the store and the simulator use the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from journeys.canvas.canvas import Canvas
from journeys.canvas.entry_rules import EntryLimit
from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan
from journeys.canvas.wall_clock import at_time, on_day, plus, utc, wall_of
from journeys.engine.audience.kept_out import kept_out, shortened
from journeys.engine.audience.match import Person, matches
from journeys.engine.audience.operators import lookup, number

SAME_MOMENT = timedelta(seconds=1)
"""At most one entry per person and canvas within this time, even with re-entry (ENT-18)."""

LONGEST_KEY = 255
"""Characters of a key."""

HOUR, MIDNIGHT = timedelta(hours=1), time(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What decides, of a canvas, who may enter it: by `plan`, within [`starts`, `ends`) (ENT-12), once it is published.

    `active`: whether its status lets people in. `since`: the instant of its first publication; None: whatever happened
    counts. `segments`: the filters of the named segments that its audience may speak of. `held_out`: the buckets of the
    global control group, where the canvas does not let its people in.
    """

    plan: Plan
    active: bool = True
    starts: datetime | None = None
    ends: datetime | None = None
    since: datetime | None = None
    segments: Mapping[str, Filter] = field(default_factory=dict)
    held_out: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Period:
    """The time over which an entry limit counts, under a name of its own: [`since`, `until`); None: without that end."""

    name: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person who would enter, at the instant of what brings them there.

    `event`: the number of the event that brings them, where it is one; the audience does not count it (ENT-16).
    `last`: the instant of their latest entry into this canvas; `inside`: of the latest that has not ended, read where
    the canvas lets nobody in who is still inside. Where it has a key, both are of entries with the same one: what
    `context`, which they would bring along, has under its name. `judged`: they
    are in the audience, as is known already.
    """

    person: Person
    at: datetime
    event: int | None = None
    last: datetime | None = None
    inside: datetime | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = False


def opening(
    plan: Plan,
    company: tzinfo,
    *,
    active: bool = True,
    since: datetime | None = None,
    segments: Mapping[str, Filter] = NOTHING,
    held_out: frozenset[int] = frozenset(),
) -> Opening:
    """The opening of a canvas. Its window is company time where it is written without an offset (ENT-12)."""
    schedule = plan.canvas.schedule
    starts, ends = _instant(schedule.starts, company), _instant(schedule.ends, company)
    if schedule.by_clock:  # the occurrences lie within these
        starts = ends = None
    return Opening(
        plan=plan,
        active=active,
        starts=starts,
        ends=ends,
        since=since,
        segments=segments,
        held_out=held_out,
    )


def refusal(opening: Opening, candidate: Candidate) -> str | None:
    """The reason of the first gate that keeps the candidate out; None: they enter.

    In this order: `not_active`, `entry_window` (ENT-12), `before_launch` (ENT-17), `no_key`, `already_entered` (CTL-1),
    `reentry_window` (CTL-3, ENT-18), `still_inside` (CTL-5), `audience` (ENT-16),
    `global_control` (AUD-2, GCG-2): so those whom the last one refuses are those who would have entered but for it. The
    gate after all of these counts the others: `places`, of the entry limit (CTL-7).
    """
    if not opening.active:
        return "not_active"
    at = candidate.at
    if (opening.starts and at < opening.starts) or (opening.ends and at >= opening.ends):  # ENT-12
        return "entry_window"
    if candidate.event is not None and opening.since is not None and at < opening.since:  # ENT-17
        return "before_launch"
    if opening.plan.canvas.key is not None and key_of(opening.plan.canvas, candidate.context) is None:
        return "no_key"
    return _again(opening.plan, candidate) or _outside(opening, candidate) or _held_out(opening, candidate)


def seen(opening: Opening, candidate: Candidate, gate: str) -> dict[str, Any]:
    """What the gate that keeps the candidate out saw: instants, the key, or the filter of the audience and what it met."""
    match gate:
        case "entry_window":
            said = {"came": candidate.at, "starts": opening.starts, "ends": opening.ends}
        case "before_launch":
            said = {"came": candidate.at, "launched": opening.since}
        case "no_key":
            return {
                "key": opening.plan.canvas.key,
                "saw": shortened(_raw_key(opening.plan.canvas, candidate.context)),
            }
        case "already_entered" | "reentry_window":
            said = {
                **_keyed(opening, candidate),
                "entered": candidate.last,
                "again_from": _from(opening.plan, candidate),
            }
        case "global_control":
            return {"bucket": candidate.person.bucket}
        case "still_inside":
            said = {**_keyed(opening, candidate), "inside_since": candidate.inside}
        case "audience" if (audience := opening.plan.canvas.audience) is not None:
            person = _without_what_brings(candidate)
            canvas = opening.plan.canvas.name
            return kept_out(audience, person, now=candidate.at, segments=opening.segments, canvas=canvas)
        case _:
            return {}
    return {name: at for name, at in said.items() if at is not None}


def key_of(canvas: Canvas, context: Mapping[str, Any]) -> Any:
    """The key of an entry that begins with this context: a text or a number; None where there is none, or no such."""
    found = _raw_key(canvas, context)
    fits = number(found) or (isinstance(found, str) and 0 < len(found) <= LONGEST_KEY)
    return found if fits else None


def _raw_key(canvas: Canvas, context: Mapping[str, Any]) -> Any:
    return None if canvas.key_path is None else next(iter(lookup(context, canvas.key_path)), None)


def _keyed(opening: Opening, candidate: Candidate) -> dict[str, Any]:
    return {"key": key_of(opening.plan.canvas, candidate.context)}


def period_of(limit: EntryLimit, now: datetime, company: str, run: UUID | None = None) -> Period:
    """The period into which an admission at this instant falls (CTL-7): of UTC's hours, or the company's days.

    `run`: the one that lets people in; a limit for each run is there for canvases that have some.
    """
    match limit.per:
        case "hour":
            since = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return Period(f"hour {since:%Y-%m-%dT%H}Z", since, since + HOUR)  # X12
        case "day":
            day = wall_of(now, company).date()
            return Period(f"day {day}", on_day(day, MIDNIGHT, company), at_time(now, 1, None, company))
        case "run":
            return Period(f"run {run}")
    return Period("lifetime")


def places(limit: EntryLimit, taken: int, wanted: int) -> int:
    """How many of those who passed all other gates enter, the first of them, where so many places are taken (CTL-7)."""
    return max(0, min(wanted, limit.entries - taken))


def full(limit: EntryLimit, period: Period) -> dict[str, Any]:
    """What the gate `entry_limit` saw of those for whom there was no place."""
    until = {} if period.until is None else {"until": period.until}
    return {"limit": limit.entries, "per": limit.per, **until}


def _from(plan: Plan, candidate: Candidate) -> datetime | None:
    """From when on a person who was in may enter once more; None: never."""
    assert candidate.last is not None, "a gate of re-entry is for those who were in"
    after = plan.canvas.reentry_after(plan.longest_from(candidate.last))
    return None if after is None else plus(candidate.last, max(after, SAME_MOMENT))


def _again(plan: Plan, candidate: Candidate) -> str | None:
    """What the rules of re-entry say (CTL-1 to CTL-6)."""
    if candidate.last is None:
        return None
    again = _from(plan, candidate)
    if again is None:  # CTL-1
        return "already_entered"
    if candidate.at < again:  # CTL-2, CTL-3, CTL-4, ENT-18
        return "reentry_window"
    return "still_inside" if candidate.inside is not None and not plan.canvas.overlaps else None  # CTL-5


def _outside(opening: Opening, candidate: Candidate) -> str | None:
    canvas = opening.plan.canvas
    if canvas.audience is None or candidate.judged:
        return None
    person = _without_what_brings(candidate)
    inside = matches(canvas.audience, person, now=candidate.at, segments=opening.segments, canvas=canvas.name)
    return None if inside else "audience"


def _held_out(opening: Opening, candidate: Candidate) -> str | None:
    return "global_control" if candidate.person.bucket in opening.held_out else None  # AUD-2, GCG-2, GCG-3


def _without_what_brings(candidate: Candidate) -> Person:
    """The person without the event that brings them."""
    person = candidate.person
    if candidate.event is None:
        return person
    past = {
        name: [each for each in many if each.no != candidate.event]  # ENT-16
        for name, many in person.history.items()
    }
    return replace(person, history=past)


def _instant(written: datetime | None, company: tzinfo) -> datetime | None:
    if written is None:
        return None
    return utc(written if written.tzinfo else written.replace(tzinfo=company))  # ENT-12
