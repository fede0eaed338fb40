"""`validate`, `draw`, `simulate`, `schema`: commands on definitions, without any server."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from journeys.canvas.diagram import mermaid
from journeys.canvas.plan import Plan, compile
from journeys.canvas.schema import text as schema_text
from journeys.canvas.yaml_definitions import Definitions
from journeys.channels.base import kinds
from journeys.cli.console import Stop, bar, out, print_json, show_problems
from journeys.engine.core.simulate import Report
from journeys.engine.core.simulate import simulate as run_simulation
from journeys.engine.workspaces.validate import validate as run_checks


def _checked(paths: list[Path]) -> Definitions:
    found = run_checks(paths, kinds())
    wrong = [problem for problem in found.problems if not problem.warning]
    if wrong:
        show_problems(wrong)
        raise Stop(f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}")
    return found


def _plan(path: Path, canvas: str | None) -> tuple[Plan, Definitions]:
    """The plan of a canvas in a file. Only the file itself is looked at: its templates may lie elsewhere."""
    from journeys.canvas.loading import load

    found = load([path])
    wrong = [problem for problem in found.problems if not problem.warning and problem.code != "J304"]
    if wrong:
        show_problems(wrong)
        raise Stop(f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}")
    if not found.canvases:
        raise Stop(f"{path} has no canvas", 2)
    if canvas is None and len(found.canvases) > 1:
        raise Stop(f"{path} has several canvases: choose one with --canvas: {', '.join(found.canvases)}", 2)
    name = canvas or next(iter(found.canvases))
    if name not in found.canvases:
        raise Stop(f"{path} has no canvas “{name}”: it has {', '.join(found.canvases)}", 2)
    return compile(found.canvases[name].value), found


def validate(*paths: Path, as_json: Annotated[bool, Parameter("--json")] = False) -> int:
    """Check definitions: shapes, graphs, names, templates. All problems are shown, each with its file, line and column.

    Parameters
    ----------
    paths
        Files and folders; `definitions` if none is given.
    as_json
        Print the problems as JSON.
    """
    found = run_checks(list(paths) or [Path("definitions")], kinds())
    wrong = [problem for problem in found.problems if not problem.warning]
    if as_json:
        print_json({"problems": [problem.as_json() for problem in found.problems], "valid": not wrong})
        return 1 if wrong else 0
    show_problems(found.problems)
    if wrong:
        raise Stop(f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}")
    out.print(f"no problems: {_counted(found)}", style="green")
    return 0


def _counted(found: Definitions) -> str:
    """How many there are of each kind, those of which there are none left out."""
    kinds_ = (
        ("canvas", "canvases", found.canvases), ("segment", "segments", found.segments),
        ("template", "templates", found.templates), ("catalog", "catalogs", found.catalogs),
        ("content block", "content blocks", found.content_blocks),
    )  # fmt: skip
    counts = [f"{len(there)} {one if len(there) == 1 else many}" for one, many, there in kinds_ if there]
    return ", ".join(counts) or "there are no definitions"


def draw(path: Path, *, canvas: str | None = None) -> int:
    """Print a canvas as a Mermaid diagram.

    Parameters
    ----------
    path
        The file of the canvas.
    canvas
        Its name, if the file has several.
    """
    print(mermaid(_plan(path, canvas)[0]), end="")
    return 0


def simulate(
    path: Path,
    *,
    canvas: str | None = None,
    people: Annotated[int, Parameter(validator=Number(gte=1))] = 1000,
    seed: int = 0,
    starts: datetime | None = None,
    as_json: Annotated[bool, Parameter("--json")] = False,
) -> int:
    """Take simulated people through a canvas in virtual time, and show which paths they take and what is sent when.

    The same seed gives the same result. A filter matches one person in two; an awaited event happens to three in ten,
    at a random instant of its window.

    Parameters
    ----------
    path
        The file of the canvas.
    canvas
        Its name, if the file has several.
    people
        How many people.
    seed
        The seed of the random numbers.
    starts
        When they enter, in UTC; Monday 7 December 2026, 09:00, by default.
    as_json
        Print the report as JSON.
    """
    plan, found = _plan(path, canvas)
    begins = (starts or datetime(2026, 12, 7, 9)).replace(tzinfo=UTC)  # noqa: DTZ001 - read as UTC
    segments = {name: one.value.when for name, one in found.segments.items()}
    with bar("simulating", people) as progress:
        report = run_simulation(plan, people, starts=begins, seed=seed, segments=segments, progress=progress)
    if as_json:
        print_json(_as_json(report))
    else:
        _show(plan, report)
    return 0


def _days(report: Report) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for (step, day), count in sorted(report.days.items()):
        found[step][day] = count
    return found


def _as_json(report: Report) -> dict[str, Any]:
    took: dict[str, dict[str, int]] = defaultdict(dict)
    for (step, way), count in report.took.items():
        took[step][way] = count
    return {
        "people": report.people,
        "entered": report.entered,
        "reached": report.reached,
        "took": took,
        "sent": report.sent,
        "sent_by_day": {
            step: {str(day): count for day, count in days.items()} for step, days in _days(report).items()
        },
        "ended": report.ended,
        "longest_seconds": report.longest.total_seconds(),
    }


def _show(plan: Plan, report: Report) -> None:
    table = Table(title=f"{plan.canvas.name}: {report.people:,} people", title_justify="left")
    for column in ("step", "reached", "went", "sent", "on day"):
        table.add_column(column, justify="left" if column in ("step", "went", "on day") else "right")
    days = _days(report)
    for step in plan.steps:
        went = ", ".join(f"{way} {count:,}" for (at, way), count in sorted(report.took.items()) if at == step)
        when = ", ".join(f"{day}: {count:,}" for day, count in days.get(step, {}).items())
        sent = f"{report.sent[step]:,}" if step in report.sent else ""
        table.add_row(step, f"{report.reached[step]:,}", went, sent, when)
    out.print(table)
    out.print("ended: " + ", ".join(f"{reason} {count:,}" for reason, count in report.ended.most_common()))
    out.print(f"the longest entry takes {report.longest}; {report.commands:,} commands")


def schema() -> int:
    """Print the JSON schema with which editors complete and check definitions."""
    print(schema_text(), end="")
    return 0
