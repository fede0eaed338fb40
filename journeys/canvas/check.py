"""Checks the graph of a canvas, the names that it uses within itself, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from journeys.canvas.canvas import Canvas
from journeys.canvas.clock_faults import context_faults, reentry_faults
from journeys.canvas.conditions import FromContext
from journeys.canvas.entry_keys import key_faults
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    ContextFilter,
    Filter,
    MessageFilter,
    MessageTrigger,
    NoneOf,
    SegmentFilter,
)
from journeys.canvas.incomplete_canvas import Unread
from journeys.canvas.never_matching import never_matching
from journeys.canvas.occurrences import never_within
from journeys.canvas.plan import END, links
from journeys.canvas.problems import Problem, meant, nearest
from journeys.canvas.source_positions import Path, Places
from journeys.canvas.steps import ActionPaths, ExperimentPaths, Message, Step

MOST_STEPS = 200


@dataclass(frozen=True)
class Site:
    """A canvas with the places of its steps, for the checks to look at."""

    canvas: Canvas
    places: Places
    steps: Sequence[tuple[Path, Step]]

    def problem(self, code: str, path: Path, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A problem at a path of the canvas."""
        return Problem(code, self.places.where(path, key=key), message, hint)

    @property
    def ids(self) -> list[str]:
        """The ids of all steps, in the order in which they are written; of those that cannot be read maybe empty."""
        return [step.id for _, step in self.steps]


def site(canvas: Canvas, places: Places) -> Site:
    """The canvas, with all its steps and where they are written."""
    found: list[tuple[Path, Step]] = []
    if canvas.variants:
        for place, variant in enumerate(canvas.variants):
            found.extend(_placed(variant.steps, ("variants", place, "steps")))
    else:
        found.extend(_placed(canvas.steps, ("steps",)))
    return Site(canvas, places, found)


def _placed(steps: Sequence[Step], path: Path) -> Iterator[tuple[Path, Step]]:
    for place, step in enumerate(steps):
        here = (*path, place)
        yield here, step
        for branch in step.branches().values():
            below = branch.where if branch.where in (("steps",), ("otherwise",)) else (*branch.where, "steps")
            yield from _placed(branch.steps, (*here, *below))


def check(canvas: Canvas, places: Places, segments: Mapping[str, Filter] | None = None) -> list[Problem]:
    """All that is wrong with the graph of a canvas, or of an incomplete one. `segments`: those that are known."""
    here = site(canvas, places)
    problems = [problem for one in CHECKS for problem in one(here)]
    if segments is not None:
        problems += _segments(here, segments)
    return sorted(problems, key=lambda problem: problem.where)


def too_many_steps(here: Site) -> Iterator[Problem]:
    """J401"""
    if len(here.steps) > MOST_STEPS:
        path = here.steps[MOST_STEPS][0]
        yield here.problem(
            "J401", path, f"a canvas has at most {MOST_STEPS} steps; this has {len(here.steps)}"
        )


def no_steps(here: Site) -> Iterator[Problem]:
    """J210"""
    if not here.steps:
        at = "variants" if here.canvas.variants else "steps"
        hint = "write steps: [{type: …, id: …}], or - before each"
        yield here.problem("J210", (at,), "the canvas has no steps", hint, key=True)


def same_names(here: Site) -> Iterator[Problem]:
    """J204 and J206"""
    seen: dict[str, Path] = {}
    for path, step in here.steps:
        if step.id and step.id in seen:
            line = here.places.where((*seen[step.id], "id")).line
            yield here.problem(
                "J204", (*path, "id"), f"the step “{step.id}” is already defined in line {line}"
            )
        seen.setdefault(step.id, path)
        if step.id == END:
            yield here.problem("J110", (*path, "id"), "“end” ends the entry, so a step cannot have this id")
        names = [str(name) for name in _path_names(step)]
        yield from _twice(here, (*path, "paths"), names, "path", reserved=("next", "otherwise", "yes"))
    yield from _twice(here, ("variants",), [variant.name for variant in here.canvas.variants], "variant")
    yield from _twice(here, ("conversions",), [one.name for one in here.canvas.conversions], "conversion")


def _path_names(step: Step) -> list[str]:
    return [path.name for path in getattr(step, "paths", ())]


def _twice(
    here: Site, path: Path, names: Sequence[str], what: str, reserved: Sequence[str] = ()
) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield here.problem("J206", (*path, place, "name"), f"the {what} “{name}” is defined twice")
        if name in reserved:
            yield here.problem(
                "J110",
                (*path, place, "name"),
                f"“{name}” is a reserved word, so a {what} cannot have this name",
            )
        seen.add(name)


def thens(here: Site) -> Iterator[Problem]:
    """J201 and J203: every `then` names a step further down."""
    ids = here.ids
    order = {name: place for place, name in enumerate(ids)}
    for number, (path, step) in enumerate(here.steps):
        jumps = [((*path, "then"), step.then)]
        jumps += [((*path, *branch.where, "then"), branch.then) for branch in step.branches().values()]
        for where, then in jumps:
            if then is None or then == END:
                continue
            if then not in order:
                yield here.problem(
                    "J201",
                    where,
                    f"`then` names the step “{then}”, which does not exist",
                    meant(then, [*filter(None, ids), END]),
                )
            elif order[then] <= number:  # GEN-1
                yield here.problem(
                    "J203",
                    where,
                    f"`then: {then}` goes back to an earlier step, which makes a loop",
                    "steps go forwards only (GEN-1)",
                )


def reachable(here: Site) -> Iterator[Problem]:
    """J202: every step can be reached. A `then` without such a step is read as the one that is spelt most like it."""
    ids = here.ids
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(["@", *ids])
    branching = {
        step.id for _, step in here.steps if step.branches() and not isinstance(step, Unread)
    }  # one that cannot be read may lead on as well
    for variant in here.canvas.arms:
        if variant.steps:
            graph.add_edge("@", variant.steps[0].id)
        for step, exits in links(
            variant.steps, None, lambda then: then if then in graph else nearest(then, ids)
        ):
            ways = [target for name, target in exits.items() if name != "next" or step not in branching]
            graph.add_edges_from((step, target) for target in ways if target is not None)
    reached = {"@", *nx.descendants(graph, "@")}
    for path, each in here.steps:
        if each.id and each.id not in reached:
            yield here.problem(
                "J202",
                (*path, "id"),
                f"the step “{each.id}” cannot be reached",
                "does every path before it lead elsewhere?",
            )


def message_steps(here: Site) -> Iterator[Problem]:
    """J207: what is asked of a message names a step of this canvas that sends one, and comes earlier."""
    order = {step.id: place for place, (_, step) in reversed(list(enumerate(here.steps)))}
    sends = [step.id for _, step in here.steps if step.sends and step.id]
    for number, (path, step) in enumerate(here.steps):
        for where, name in _message_references(step):
            if name not in sends:
                kind = "sends no message" if name in order else "does not exist"
                yield here.problem("J207", (*path, *where), f"the step “{name}” {kind}", meant(name, sends))
            elif order[name] >= number:
                yield here.problem(
                    "J207",
                    (*path, *where),
                    f"the step “{name}” comes later: its message cannot have been sent yet",
                )
    for place, leaving in enumerate(here.canvas.exits):
        if leaving.message and leaving.step and not leaving.canvas and leaving.step not in sends:
            yield here.problem(
                "J207",
                ("exits", place, "step"),
                f"no step “{leaving.step}” sends a message",
                meant(leaving.step, sends),
            )


def _message_references(step: Step) -> Iterator[tuple[Path, str]]:
    for where, each in step.filters():
        for path, found in inside(each, where):
            if isinstance(found, MessageFilter) and found.step and not found.canvas:
                yield (*path, "step"), found.step
    for where, trigger in _step_triggers(step):
        if isinstance(trigger, MessageTrigger) and trigger.step and not trigger.canvas:
            yield (*where, "step"), trigger.step


def inside(each: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """A filter and all filters within it, with their paths."""
    yield path, each
    for kind, name in ((AllOf, "all"), (AnyOf, "any"), (NoneOf, "none")):
        if isinstance(each, kind):
            for place, inner in enumerate(getattr(each, name)):
                yield from inside(inner, (*path, name, place))


def experiments(here: Site) -> Iterator[Problem]:
    """J208: an experiment compares by the canvas' conversions (EXP-1)."""
    for path, step in here.steps:
        if isinstance(step, ExperimentPaths) and not here.canvas.conversions:  # EXP-1
            yield here.problem(
                "J208", path, "an experiment needs a conversion event on the canvas", "add conversions:"
            )


def context_too_early(here: Site) -> Iterator[Problem]:
    """J209: where there is no entry yet, there is no context (CTX-14)."""
    if here.canvas.audience is not None:
        yield from _without_context(
            here, ("audience",), here.canvas.audience, "the audience is judged before the entry"
        )
    for place, condition in enumerate(here.canvas.schedule.where):
        if isinstance(condition.operand, FromContext):  # CTX-14
            yield here.problem(
                "J209", ("schedule", "where", place), "the schedule is judged before there is an entry"
            )


def _without_context(here: Site, path: Path, each: Any, why: str) -> Iterator[Problem]:
    for where, found in inside(each, path):
        # CTX-14
        if isinstance(found, ContextFilter) or isinstance(getattr(found, "operand", None), FromContext):
            yield here.problem("J209", where, f"a context variable cannot be used here: {why}")


def schedule_by_clock(here: Site) -> Iterator[Problem]:
    """J112: a schedule without an occurrence."""
    schedule = here.canvas.schedule
    if never_within(schedule):
        message = "no occurrence of this schedule lies between its start and its end"
        yield here.problem("J112", ("schedule", "ends"), message, "write a later end, or other days")


def by_clock(here: Site) -> Iterator[Problem]:
    """J111 and J920: what never holds, and who never comes again, in canvases that let people in by the clock."""
    steps = [step for _, step in here.steps]
    for faults in (
        context_faults(here.canvas, steps, [*_filters(here), *_triggers(here)]),
        reentry_faults(here.canvas),
    ):
        for code, path, message, hint in faults:
            yield here.problem(code, path, message, hint)


def keys(here: Site) -> Iterator[Problem]:
    """J209 and J211: only entries of a canvas with a key have one to compare with."""
    for code, path, message, hint in key_faults(here.canvas, [*_filters(here), *_triggers(here)]):
        yield here.problem(code, path, message, hint)


def filters_that_never_match(here: Site) -> Iterator[Problem]:
    """J111, and J108 for what nothing reports yet: in every filter and every trigger."""
    for path, each in (*_filters(here), *_triggers(here)):
        for fault in never_matching(each, path):
            yield here.problem(fault.code, fault.path, fault.message, fault.hint)


def _filters(here: Site) -> Iterator[tuple[Path, Any]]:
    """All filters of a canvas, each with its path."""
    if here.canvas.audience is not None:
        yield ("audience",), here.canvas.audience
    for place, leaving in enumerate(here.canvas.exits):
        if leaving.audience is not None:
            yield ("exits", place, "audience"), leaving.audience
    for path, step in here.steps:
        for where, each in step.filters():
            yield (*path, *where), each


def _triggers(here: Site) -> Iterator[tuple[Path, Any]]:
    """All triggers of a canvas, each with its path."""
    yield ("schedule",), here.canvas.schedule.trigger
    for place, leaving in enumerate(here.canvas.exits):
        yield ("exits", place), leaving.trigger
    for place, conversion in enumerate(here.canvas.conversions):
        yield ("conversions", place), conversion.trigger
    for path, step in here.steps:
        for where, each in _step_triggers(step):
            yield (*path, *where), each


def _step_triggers(step: Step) -> Iterator[tuple[Path, Any]]:
    if isinstance(step, ActionPaths):
        for place, one in enumerate(step.paths):
            for number, trigger in enumerate(one.triggers):
                yield ("paths", place, "triggers", number), trigger


CHECKS: Sequence[Callable[[Site], Iterator[Problem]]] = (
    too_many_steps,
    no_steps,
    same_names,
    thens,
    reachable,
    message_steps,
    experiments,
    context_too_early,
    schedule_by_clock,
    by_clock,
    keys,
    filters_that_never_match,
)
"""The checks, one small function each. To add one, add it here."""


# Segments -------------------------------------------------------------------------------------------------------


def _segments(here: Site, segments: Mapping[str, Filter]) -> list[Problem]:
    problems = []
    for path, each in _filters(here):
        for where, found in inside(each, path):
            if isinstance(found, SegmentFilter) and found.segment not in segments:
                message = f"there is no segment “{found.segment}”"
                hint = f"did you mean “{near}”?" if (near := nearest(found.segment, segments)) else ""
                problems.append(here.problem("J304", (*where, "segment"), message, hint))
    return problems


def filters_of(canvas: Canvas, places: Places) -> list[tuple[Path, Any]]:
    """All filters of a canvas, each with its path."""
    return list(_filters(site(canvas, places)))


def messages(canvas: Canvas, places: Places) -> list[tuple[Path, Message]]:
    """The message steps of a canvas, each with its path."""
    return [(path, step) for path, step in site(canvas, places).steps if isinstance(step, Message)]
