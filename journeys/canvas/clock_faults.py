"""What goes wrong in canvases that let people in by the clock: a context that nothing fills, a re-entry that shuts them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from journeys.canvas.canvas import Canvas, Reentry
from journeys.canvas.conditions import Condition, FromContext
from journeys.canvas.filters import AllOf, AnyOf, ContextFilter, NoneOf
from journeys.canvas.never_matching import no_such_value, operands
from journeys.canvas.occurrences import Timetable
from journeys.canvas.problems import meant
from journeys.canvas.steps import Context, Step
from journeys.canvas.times import WEEKDAYS

Path = tuple[str | int, ...]
Fault = tuple[str, Path, str, str]
"""The code of a problem, where it is, what it says, and what to write instead."""

OURS = "journeys.canvas.steps."
"""Where the step types are whose effect on the context is known here."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHORTEST_MONTH, LONGEST_MONTH = timedelta(days=28), timedelta(days=31)


def context_faults(
    canvas: Canvas, steps: Sequence[Step], written: Iterable[tuple[Path, Any]]
) -> Iterator[Fault]:
    """J111: filters and triggers on a context variable that is never there, or of another type.

    People who come by the clock bring nothing along: what their entries carry is what context steps set. `written`: the
    filters and triggers, each with its path.
    """
    types: dict[str, set[str]] = {}
    for each in (each for step in steps if isinstance(step, Context) for each in step.set):
        types.setdefault(each.name, set()).add(each.type)
    filled = not canvas.schedule.by_clock or any(not type(step).__module__.startswith(OURS) for step in steps)
    if canvas.key is not None and canvas.schedule.by_clock:
        message = "who comes by the clock brings no context along, so nobody has a key and nobody enters"
        yield "J111", ("key",), message, "remove it"
    for path, what in written:
        if path[0] in ("audience", "schedule"):
            continue
        for where, name, condition in _on_context(what, path):
            head = name.partition(".")[0].partition("[")[0]
            if head not in types and not filled:
                message = (
                    f"nothing fills the context variable “{head}”: who comes by the clock brings none along"
                )
                yield "J111", where, message, meant(head, types) if types else "set it in a context step"
            elif condition is not None and not filled and name == head and len(types[head]) == 1:
                [kind] = types[head]
                for fault in no_such_value(condition, kind, f"the context variable “{head}”", where[:-1]):
                    yield fault.code, fault.path, fault.message, fault.hint


def _on_context(what: Any, path: Path) -> Iterator[tuple[Path, str, Condition | None]]:
    """Where a filter or trigger reads the context, and which variable: as its subject, with the condition, or to compare."""
    match what:
        case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
            for place, each in enumerate(several):
                yield from _on_context(each, (*path, next(iter(type(what).model_fields)), place))
        case Condition():
            if isinstance(what, ContextFilter):
                yield (*path, "context"), what.context, what
            for where, part in operands(what.operator, what.operand, path):
                if isinstance(part, FromContext):
                    yield where, part.context, None
        case _:
            for place, condition in enumerate(getattr(what, "where", ())):
                yield from _on_context(condition, (*path, "where", place))


def reentry_faults(canvas: Canvas) -> Iterator[Fault]:
    """J920: a schedule that repeats, where each person enters once, or where a window is as long as the time in between."""
    schedule = canvas.schedule
    if schedule.every is None or schedule.times == 1:
        return
    if "reentry" not in canvas.model_fields_set:
        message = (
            f"who has entered once never enters again, though the schedule repeats every {schedule.every}"
        )
        yield "J920", ("schedule", "every"), message, "write reentry: {after: 0 days}, or reentry: never"
    elif isinstance(canvas.reentry, Reentry):
        shortest, longest = _between(schedule)
        if shortest - HOUR < canvas.reentry.after <= longest:  # CTL-3
            when = "after a short month" if schedule.every == "month" else "when the clock goes forward"
            message = f"who enters at one occurrence is kept out of the next {when}, which comes sooner then"
            less = "20 hours" if shortest == DAY else f"{(shortest - DAY).days} days"
            yield "J920", ("reentry", "after"), message, f"write {{after: {less}}}"


def _between(schedule: Timetable) -> tuple[timedelta, timedelta]:
    """How long it is by the clock on the wall from one occurrence to the next, at the least and at the most.

    Of weekdays that lie differently far apart it is the least alone.
    """
    if schedule.every == "month":
        return (SHORTEST_MONTH, LONGEST_MONTH) if len(schedule.days or ()) == 1 else (DAY, timedelta(0))
    places = sorted({WEEKDAYS.index(each) for each in schedule.weekdays or WEEKDAYS})
    apart = [(later - day) % 7 or 7 for day, later in zip(places, [*places[1:], places[0]], strict=True)]
    return timedelta(days=min(apart)), timedelta(days=min(apart))
