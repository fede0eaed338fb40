"""Entries as the store has them: the rows of open entries with what they have not heard, and the machine's values of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journeys.canvas.events_and_commands import (
    Answered,
    Delivered,
    Entered,
    Entry,
    Event,
    Happened,
    Occurrence,
    ZonesAnswer,
)
from journeys.canvas.plan import Plan
from journeys.engine.core.life import Change, Present, current
from journeys.engine.people.profiles import SELECT, Profile

ENTRY = """e.workspace, e.person, e.id as entry, e.alarm, e.canvas, e.plan, e.turn, e.answered, e.priority, e.hops, e.entered, e.at, e.variant,
    e.step, e.begun, e.wake_at, e.phase, e.leaving, e.context, e.properties, e.heard, e.change, e.entry_key,
    array(select row(l.no, l.kind, l.at, l.stored, l.data->>'timers') from canvas_changes l
          where (l.workspace, l.canvas) = (e.workspace, e.canvas) and l.no > e.change order by l.no) as changes"""

READ = f"""
select {ENTRY}, {SELECT}, i.inbox_rows,
    exists (select from entries o where (o.workspace, o.person, o.canvas) = (held.workspace, held.person, e.canvas)
        and o.ended is null and o.id <> e.id) as beside
from entries e
left join unnest($2::int[], $3::uuid[]) as held(workspace, person) on (held.workspace, held.person) = (e.workspace, e.person)
left join people p on (p.workspace, p.id) = (held.workspace, held.person)
left join lateral (
    select array_agg(row(i.no, i.step, i.what, i.label, i.kind, i.name, i.at, i.properties) order by i.no) as inbox_rows
    from inbox i where (i.workspace, i.person, i.entry) = (held.workspace, held.person, e.id)
) i on true
where e.alarm = any($1::uuid[]) and e.ended is null and ($4::uuid is null or e.id = $4)
    and exists (select from people o where (o.workspace, o.id) = (e.workspace, e.person))
order by e.workspace, e.person, e.entered, e.id
"""  # noqa: S608 - constants
"""What these alarms' entries have to hear; of people who are not locked (the second and third parameter) nothing is read."""


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The machine's entry from a row of the store."""
    return Entry(
        id=str(row["entry"]),
        canvas=row["canvas"],
        person=str(row["person"]),
        moved=row["at"],
        entered=row["entered"],
        variant=row["variant"],
        step=row["step"],
        begun=row["begun"],
        wake_at=row["wake_at"],
        phase=row["phase"],
        leaving=row["leaving"],
        context=row["context"],
        properties=row["properties"],
        heard=row["heard"],
        key=row["entry_key"],
    )


def changes_of(row: Mapping[str, Any]) -> list[Change]:
    """The changes of its canvas that an entry of a row that was read with ENTRY has before it."""
    return [Change(*each) for each in row["changes"]]


def present_of(row: Mapping[str, Any], plan: Plan, profile: Profile, company: str) -> Present:
    """The entry of a row that was read with ENTRY, brought to the present of its canvas.

    `company`: the company's zone; the person's own is that of this moment.
    """
    if not row["changes"]:
        return Present(entry_of(row), row["change"])
    return current(plan, entry_of(row), row["change"], changes_of(row), zones_of(profile, company))


def zones_of(profile: Profile, company: str) -> ZonesAnswer:
    """The clocks of a person, as of this moment."""
    return ZonesAnswer(company, profile.as_person(company).zone)


def unheard_of(row: Mapping[str, Any]) -> Sequence[Event]:
    """What the entry should hear, in order: its beginning, or the rows in its inbox that are for its step."""
    if row["variant"] is None:
        return [Entered()]
    heard: list[Event] = []
    for no, step, what, label, kind, name, at, properties in row["inbox_rows"] or ():
        if step != row["step"]:
            continue
        if what == "delivered":
            heard.append(Delivered(step=step, outcome=label, at=at))
        elif what == "answered":
            heard.append(Answered(properties if label == "found" else None, at))
        else:
            occurrence = Occurrence(no=no, kind=kind, name=name, at=at, properties=properties)
            heard.append(Happened(label=label, occurrence=occurrence))
    return heard
