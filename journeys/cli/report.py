"""`report`: what became of the people of a canvas, counted from what is stored."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from journeys.canvas.problems import meant
from journeys.cli.addresses import database, workspace
from journeys.cli.console import err, out, print_json, run
from journeys.cli.entries import clock
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.core.intervals import Interval
from journeys.engine.workspaces.canvas_report import Report, StepCounts, report_of
from journeys.engine.workspaces.global_control import NoGroup, compared

COLUMNS = ("measure", "step", "variant", "detail", "value")


def report(
    canvas: str | None = None,
    *,
    global_control: Annotated[str | None, Parameter(name="--global-control")] = None,
    since: datetime | None = None,
    name: Workspace = "default",
    as_json: AsJson = False,
    as_csv: Annotated[bool, Parameter("--csv")] = False,
) -> int:
    """Count what became of a canvas: who entered and left, each step and path, messages, conversions, refusals.

    A rate has Wilson's interval of 95 per cent, a difference to the control group Newcombe's; that of the revenue of an entry
    is the normal one. Opens and clicks are messages that were opened and clicked, each once.

    Parameters
    ----------
    canvas
        The canvas, by name or id.
    global_control
        Instead of a canvas: compare the global control group with as large a sample of all others, by who had this event.
    since
        From when on such events count, in the time zone of the workspace; by default since the group was drawn.
    name
        The workspace.
    as_json
        Print it as JSON.
    as_csv
        Print it as CSV: a line a number, with measure, step, variant and detail.
    """
    if as_json and as_csv:
        raise Stop("--json or --csv, not both", 2)
    if (canvas is None) == (global_control is None):
        raise Stop("name a canvas, or an event with --global-control", 2)
    if since is not None and global_control is None:
        raise Stop("--since goes with --global-control: a canvas is counted as a whole", 2)
    if global_control is not None:
        return _compare(global_control, since, name, as_json=as_json, as_csv=as_csv)
    assert canvas is not None, "one of the two"
    return _of_canvas(canvas, name, as_json=as_json, as_csv=as_csv)


def _compare(event: str, since: datetime | None, name: str, *, as_json: bool, as_csv: bool) -> int:
    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            if since is not None and since.tzinfo is None:
                begun: datetime | None = since.replace(tzinfo=ZoneInfo(publication.zone))
            else:
                begun = since
            try:
                found = await compared(db, publication.workspace, event, since=begun)
            except NoGroup as error:
                raise Stop(str(error), 1) from error
        sides = {"group": found.group, "sample": found.sample}
        if as_json:
            data = asdict(found)
            data["difference"] = None if found.difference is None else found.difference._asdict()
            for side, one in sides.items():
                data[side]["rate"] = None if one.rate is None else one.rate._asdict()
            print_json(data)
        elif as_csv:
            lines = csv.writer(sys.stdout, lineterminator="\n")
            lines.writerow(("side", "people", "did", "rate"))
            lines.writerows((s, x.people, x.did, x.rate.value if x.rate else "") for s, x in sides.items())
        else:
            out.print(f"“{event}” since {clock(found.since, publication.zone)}", markup=False)
            for words, one in (("global control group", found.group), ("as many others", found.sample)):
                said = f"{words}: {one.did:,} of {one.people:,} people"
                out.print(said + (f", {_percent(one.rate)}" if one.rate else ""), markup=False)
            if found.difference is not None:
                out.print(f"difference: {_percent(found.difference, '+')}", markup=False)
        return 0

    return run(work)


def _of_canvas(canvas: str, name: str, *, as_json: bool, as_csv: bool) -> int:
    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            running = publication.canvas(canvas)
            aside = publication.aside.get(canvas)
            if running is None and aside is None:
                known = [*publication.running, *publication.aside]
                raise Stop(f"{name} has no canvas “{canvas}”: {meant(canvas, known)}", 1)
            plan = running.plan if running else None
            found = await report_of(db, publication.workspace, running.name if running else canvas, plan)
        if aside is not None:
            err.print(str(aside), markup=False, soft_wrap=True)
        if as_json:
            print_json(_as_data(found))
        elif as_csv:
            lines = csv.writer(sys.stdout, lineterminator="\n")
            lines.writerow(COLUMNS)
            lines.writerows(rows(found))
        else:
            _show(found)
        return 0

    return run(work)


def _as_data(found: Report) -> dict[str, Any]:
    data = asdict(found)
    for one in data["conversions"]:
        for key in ("rate", "difference", "per_entry_difference"):
            one[key] = None if one[key] is None else one[key]._asdict()
    data["refused"] = {
        gate: {"people": people, "times": times} for gate, (people, times) in found.refused.items()
    }
    return data


def rows(found: Report) -> Iterator[tuple[str, str, str, str, float | int]]:
    """The report as lines: measure, step, variant, detail, value."""
    for variant, count in found.entered.items():
        yield "entered", "", variant, "", count
    yield "not_started", "", "", "", found.not_started
    yield "waiting", "", "", "", found.waiting
    for reason, count in found.left.items():
        yield "left", "", "", reason, count
    for step in found.steps:
        for measure in ("reached", "waiting", "sent", "opened", "clicked", "unsubscribed"):
            yield measure, step.step, "", "", getattr(step, measure)
        for measure in ("took", "ended", "not_sent"):
            for detail, count in getattr(step, measure).items():
                yield measure, step.step, "", detail, count
    for one in found.conversions:
        variant = one.variant or ""
        for measure in ("entries", "converted", "revenue", "per_entry"):
            yield measure, "", variant, one.name, getattr(one, measure)
        for measure in ("rate", "difference", "per_entry_difference"):
            interval: Interval | None = getattr(one, measure)
            if interval is not None:
                for bound, value in zip(("", "_low", "_high"), interval, strict=True):
                    yield f"{measure}{bound}", "", variant, one.name, value
    for gate, (people, times) in found.refused.items():
        yield "refused_people", "", "", gate, people
        yield "refused_times", "", "", gate, times


def _show(found: Report) -> None:
    entered = sum(found.entered.values())
    by_variant = f" ({_listed(found.entered)})" if len(found.entered) > 1 else ""
    more = f", not started yet: {found.not_started:,}" if found.not_started else ""
    out.print(
        f"{found.canvas}: entered {entered:,}{by_variant}, waiting now {found.waiting:,}{more}", markup=False
    )
    out.print(f"left: {_listed(found.left) or 'no one'}", markup=False)
    if found.steps:
        out.print(_steps(found.steps))
    if found.conversions:
        out.print(_conversions(found))
    for gate, (people, times) in found.refused.items():
        often = "" if times == people else f", {times:,} times"
        out.print(
            f"refused by {gate}: {people:,} {'person' if people == 1 else 'people'}{often}", markup=False
        )


def _steps(steps: Any) -> Table:
    table = Table()
    left = ("step", "took", "not sent", "left here")
    for column in (
        "step",
        "reached",
        "waiting",
        "took",
        "sent",
        "opened",
        "clicked",
        "unsub.",
        "not sent",
        "left here",
    ):
        table.add_column(column, justify="left" if column in left else "right")
    for one in steps:
        table.add_row(*(escape(cell) for cell in _cells(one)))
    return table


def _cells(one: StepCounts) -> Iterator[str]:
    yield f"{one.step} ({one.type or 'of an earlier version'})"
    yield f"{one.reached:,}"
    yield _number(one.waiting)
    yield _listed(one.took)
    for count in (one.sent, one.opened, one.clicked, one.unsubscribed):
        yield f"{count:,}" if one.sent else _number(count)
    yield _listed(one.not_sent)
    yield _listed(one.ended)


def _conversions(found: Report) -> Table:
    compared = f" to {found.control}" if found.control else ""
    title = "conversions, with the intervals of 95 per cent"
    table = Table(title=title, title_justify="left")
    for column in ("conversion", "variant", "entries", "converted", "rate", "revenue", "an entry"):
        table.add_column(column, justify="left" if column in ("conversion", "variant", "rate") else "right")
    if found.control:
        table.add_column(f"difference{compared}")
        table.add_column(f"of revenue{compared}")
    for one in found.conversions:
        cells = [one.name, one.variant or "", f"{one.entries:,}", f"{one.converted:,}", _percent(one.rate)]
        cells += [f"{one.revenue:,.2f}", f"{one.per_entry:,.2f}"]
        if found.control:
            cells += [_percent(one.difference, sign="+"), _amount(one.per_entry_difference)]
        table.add_row(*map(escape, cells))
    return table


def _percent(interval: Interval | None, sign: str = "") -> str:
    if interval is None:
        return ""
    value, low, high = (f"{100 * each:{sign}.1f}" for each in interval)
    return f"{value} % ({low} to {high})"


def _amount(interval: Interval | None) -> str:
    if interval is None:
        return ""
    value, low, high = (f"{each:+,.2f}" for each in interval)
    return f"{value} ({low} to {high})"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _number(count: int) -> str:
    return f"{count:,}" if count else ""
