"""Events for entries whose canvas the process that took them did not understand: kept, and judged by one that does.

Such a process knows neither what the step hears nor which exits there are. It puts the event into the entry's inbox as
it is, and wakes the entry; the burst of a process that understands the plan judges it before anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from journeys.canvas.events_and_commands import Happened, Note, Occurrence
from journeys.canvas.plan import Plan
from journeys.engine.audience.match import Person
from journeys.engine.core.life import Present
from journeys.engine.core.routing import Hears, Leaves, OpenEntry, decide

UNJUDGED = "unjudged"
"""What such a row of the inbox is; it is for no step."""

WITHDRAW = """
with withdrawn as (
    delete from dispatches d using unnest($1::int[], $2::uuid[], $3::uuid[], $4::timestamptz[]) as s(workspace, person, entry, at)
    where (d.workspace, d.person, d.entry) = (s.workspace, s.person, s.entry) and d.state = 'queued'
    returning d.*, s.at as left_at)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, dispatch, data)
select workspace, person, shard, 'withdrawn', left_at, canvas, entry, step, key, '{}' from withdrawn
"""
"""What an entry that leaves at once has not sent, as where its exit is judged when the event comes."""


def unjudged(row: Mapping[str, Any]) -> list[Occurrence]:
    """The events in an entry's inbox that nobody has judged, in order."""
    return [
        Occurrence(no=no, kind=kind, name=name, at=at, properties=properties)
        for no, _, what, _, kind, name, at, properties in row["inbox_rows"] or ()
        if what == UNJUDGED
    ]


def judged(
    plan: Plan, present: Present, events: Sequence[Occurrence], person: Person
) -> tuple[Present, list[Happened]]:
    """Let an entry hear events that nobody has judged: the entry after its exits, and what its step hears."""
    one, heard, commands = OpenEntry(plan, present.entry), [], list(present.commands)
    for event in events:
        [one], decided = decide([one], event, person)
        for each in decided:
            match each:
                case Hears(label=label):
                    heard.append(Happened(label=label, occurrence=event))
                case Leaves(notes=notes):
                    commands += [
                        Note(
                            fact=note.fact,
                            at=note.at,
                            step=note.step,
                            data={**note.data, "event": event.name},
                        )
                        for note in notes
                    ]
    return replace(present, entry=one.entry, commands=tuple(commands)), heard
