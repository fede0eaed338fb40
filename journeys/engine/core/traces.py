"""Traces of a canvas: every path through it as lines of text, for golden files and pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from journeys.canvas.events_and_commands import Note, Send
from journeys.canvas.plan import Plan
from journeys.engine.core.simulate import Scenario, run
from journeys.engine.core.simulation_report import Line


def written(line: Line, starts: datetime) -> str:
    """A line of a trace: `+3d 00:00:00  send  hello`."""
    at, _, command = line
    after = at - starts
    hours, rest = divmod(after.seconds, 3600)
    when = f"+{after.days}d {hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    match command:
        case Send(step=step):
            return f"{when}  send     {step}"
        case Note(fact=fact, step=step, data=data):
            said = " ".join(str(value) for name, value in data.items() if name != "until")
            return f"{when}  {fact:<8} {' '.join(part for part in (step, said) if part)}"
        case _:
            return f"{when}  {type(command).__name__.lower():<8} {getattr(command, 'step', '')}"


def traces(plan: Plan, starts: datetime, *, seed: int = 0) -> dict[str, list[str]]:
    """A trace for every way out of every branching step, and for every variant: by name, its lines."""
    found: dict[str, list[str]] = {}
    wanted = [("variant", variant.name) for variant in plan.canvas.arms]
    wanted += [(step.id, way) for step in plan.steps.values() for way in step.branches()]
    for step, way in wanted:
        choices = {**_way_to(plan, step), step: way}
        tries = (
            list(run(plan, f"person-{number}", starts, Scenario(seed + number, choices=choices)))
            for number in range(400)
        )
        lines = next(one for one in tries if _takes(one, step, way))
        found[f"{step}: {way}"] = [written(line, starts) for line in lines]
    return found


def _takes(lines: Sequence[Line], step: str, way: str) -> bool:
    for _, entry, command in lines:
        if isinstance(command, Note):
            if step == "variant" and command.fact == "entered" and command.data["variant"] == way:
                return True
            if (command.fact, command.step) == ("took", step) and command.data["path"] == way:
                return True
            if command.fact == "ended" and entry.step == step and command.data["reason"] == "exit_path":
                return True
    return False


def _way_to(plan: Plan, goal: str) -> dict[str, str]:
    """The ways to take at the steps before, so that an entry comes to this one."""
    before: dict[str, tuple[str, str]] = {}
    for step, exits in plan.exits.items():
        branching = bool(plan.steps[step].branches())
        for way, target in exits.items():
            if target is not None and target not in before and not (branching and way == "next"):
                before[target] = (step, way)
    choices: dict[str, str] = {}
    at = goal
    while at in before:
        at, way = before[at]
        if way != "next":
            choices[at] = way
    return choices
