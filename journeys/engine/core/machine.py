"""The machine that moves one entry through one canvas.

Rule 1: everything that changes the position of an entry is in this file.
Rule 2: this file never waits, never reads a clock, never uses random numbers.
Rule 3: `now` never runs backwards: it is the instant of the event, and never earlier than the entry's last.

An event comes in, a new entry and the commands come out. What a step must know it asks (`Ask`, always
the last command of its group) and hears as `Answered`. A boundary between two steps is the place where exits by
audience, and exits that wait for the end of a step, take effect (EXT-5, EXT-6, X1).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from journeys.canvas.events_and_commands import (
    NOTHING,
    Answered,
    Ask,
    Command,
    Delivered,
    End,
    Entered,
    Entry,
    Event,
    Go,
    Happened,
    Left,
    Matches,
    Note,
    OthersWait,
    Outcome,
    Query,
    Send,
    Wait,
    Woke,
)
from journeys.canvas.plan import Plan
from journeys.canvas.steps.base import Here

HELD = "held"
"""The phase of an entry whose message has left it, and holds it."""

MEETING = "@meeting "
"""What the phase begins with of an entry that is to wait, and has asked whether another waits for the same message."""

BOUNDARY = "@boundary"
"""The phase of an entry that stands before a step and has asked whether an audience exit holds."""


def advance(plan: Plan, entry: Entry, event: Event, now: datetime) -> tuple[Entry, tuple[Command, ...]]:
    """Move the entry as far as this event takes it.

    Pure: the same arguments give the same answer. An event that no longer counts, or does not count yet, changes
    nothing and says nothing.
    """
    now = max(now, entry.moved)
    if entry.ended:
        return entry, ()
    match event:
        case Entered():
            return _enter(plan, entry, now)
        case Left(reason=reason, at_once=True):
            return _end(replace(entry, moved=now), reason, now, [])  # EXT-5
        case Left(reason=reason):
            return replace(entry, moved=now, leaving=entry.leaving or reason), ()  # X1
        case Woke() if entry.wake_at is None or now < entry.wake_at:
            return entry, ()
        case Answered(answer=answer) if entry.phase == BOUNDARY:
            return _cross(plan, replace(entry, moved=now), answer, now)
        case Answered(answer=answer) if entry.phase.startswith(MEETING):
            return _meet(replace(entry, moved=now), now, others=bool(answer))
        case _:
            return _hear(plan, entry, event, now)


def _enter(plan: Plan, entry: Entry, now: datetime) -> tuple[Entry, tuple[Command, ...]]:
    """Draw the variant by a hash of person and canvas (VAR-2); control goes no step (CNV-9, VAR-4)."""
    if entry.variant is not None:
        return entry, ()
    variant = plan.variant_of(entry.person)
    entry = replace(entry, moved=now, variant=variant.name)
    said: list[Command] = [Note(fact="entered", at=now, data={"variant": variant.name})]
    if variant.control:  # CNV-9, VAR-4
        return _end(entry, "control", now, said)
    return _follow(plan, entry, Go(variant.name), now, said)


def _hear(plan: Plan, entry: Entry, event: Event, now: datetime) -> tuple[Entry, tuple[Command, ...]]:
    if entry.step is None:
        return entry, ()
    if isinstance(event, Delivered) and event.step != entry.step:
        return entry, ()
    here = Here(entry, now, plan.is_last(entry.step))
    outcome = plan.steps[entry.step].hear(here, event)
    if outcome is None:
        return entry, ()
    entry = replace(entry, moved=now)
    if isinstance(event, Happened):
        entry = replace(entry, heard=event.occurrence.no)
    return _follow(plan, entry, outcome, now, [])


def _follow(
    plan: Plan, entry: Entry, outcome: Outcome, now: datetime, said: list[Command]
) -> tuple[Entry, tuple[Command, ...]]:
    """Do what a step said, and go on through the steps as long as they say `Go`."""
    while True:
        said.extend(outcome.doing)
        if any(isinstance(command, Send) for command in outcome.doing):
            entry = replace(entry, properties=NOTHING)  # one use: the first message after the path (CTX-21)
        match outcome:
            case Wait(until=until, phase=phase) if phase != HELD and (steps := _same_message(plan, entry)):
                said.append(Ask(OthersWait(steps)))
                return replace(entry, wake_at=until, phase=MEETING + phase), tuple(said)
            case Wait(until=until, phase=phase):
                said.append(Note(fact="waits", at=now, step=entry.step, data={"until": until.isoformat()}))
                return replace(entry, wake_at=until, phase=phase), tuple(said)
            case Query(question=question, phase=phase):
                said.append(Ask(question))
                return replace(entry, wake_at=None, phase=phase), tuple(said)
            case End(reason=reason):
                return _end(entry, reason, now, said)
            case _:
                entry, target = _leave(plan, entry, outcome, now, said)
        if entry.leaving:  # X1
            return _end(entry, entry.leaving, now, said)
        if target is None:  # GEN-3
            return _end(entry, "completed", now, said)
        entry = replace(entry, step=target, begun=now, wake_at=None, phase="")
        if plan.audience_exits:  # EXT-6
            said.append(Ask(Matches(plan.audience_exits)))
            return replace(entry, phase=BOUNDARY), tuple(said)
        outcome = _arrive(plan, entry, now, said)


def _leave(
    plan: Plan, entry: Entry, going: Go, now: datetime, said: list[Command]
) -> tuple[Entry, str | None]:
    """The entry on its way out of a step, and the step that it goes to (None: nothing follows)."""
    step = entry.step
    if step is None:
        return entry, plan.starts[going.exit]
    if going.context:
        entry = replace(entry, context={**entry.context, **going.context})
    if going.properties is not None:
        entry = replace(entry, properties=going.properties)  # CTX-20
    if going.exit != "next":
        said.append(Note(fact="took", at=now, step=step, data={"path": going.exit}))
    return entry, plan.exits[step][going.exit]


def _cross(plan: Plan, entry: Entry, answer: int | None, now: datetime) -> tuple[Entry, tuple[Command, ...]]:
    if answer is not None:  # EXT-6
        return _end(entry, "exit_audience", now, [])
    said: list[Command] = []
    entry = replace(entry, phase="")
    return _follow(plan, entry, _arrive(plan, entry, now, said), now, said)


def _same_message(plan: Plan, entry: Entry) -> frozenset[str]:
    """The steps in which another entry would wait for the message for which this one is about to wait (CTL-9)."""
    return plan.same_message.get(entry.step or "", frozenset())


def _meet(entry: Entry, now: datetime, *, others: bool) -> tuple[Entry, tuple[Command, ...]]:
    """An entry that is about to wait for a message; where another one waits for it, it is dropped (CTL-9)."""
    if others:
        return _end(entry, "already_waiting", now, [])  # CTL-9
    assert entry.wake_at is not None, "it has a deadline"
    note = Note(fact="waits", at=now, step=entry.step, data={"until": entry.wake_at.isoformat()})
    return replace(entry, phase=entry.phase.removeprefix(MEETING)), (note,)


def _arrive(plan: Plan, entry: Entry, now: datetime, said: list[Command]) -> Outcome:
    assert entry.step is not None, "an arrival names a step"
    said.append(Note(fact="reached", at=now, step=entry.step))
    return plan.steps[entry.step].arrive(Here(entry, now, plan.is_last(entry.step)))


def _end(entry: Entry, reason: str, now: datetime, said: list[Command]) -> tuple[Entry, tuple[Command, ...]]:
    said.append(Note(fact="ended", at=now, step=entry.step, data={"reason": reason}))
    ended = replace(  # CTX-3
        entry, ended=reason, wake_at=None, phase="", leaving=None, context=NOTHING, properties=NOTHING
    )
    return ended, tuple(said)
