"""`validate`, `draw`, `simulate`, `schema`: commands on definitions, without any server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from journeys.canvas.definition_kinds import WorkspaceSettings
from journeys.canvas.diagram import mermaid
from journeys.canvas.diagram_page import page
from journeys.canvas.plan import Plan, compile
from journeys.canvas.problems import meant
from journeys.canvas.schema import text as schema_text
from journeys.canvas.wall_clock import utc, zone_of
from journeys.canvas.yaml_definitions import Definitions, read_file
from journeys.channels.base import kinds
from journeys.cli.console import bar, out, print_json, show_problems
from journeys.cli.options import AsJson
from journeys.cli.stop import Stop
from journeys.engine.core.global_control import held_out
from journeys.engine.core.simulate import Probabilities
from journeys.engine.core.simulate import simulate as run_simulation
from journeys.engine.core.simulation_report import Report
from journeys.engine.workspaces.validate import validate as run_checks

RATED = (
    "segment",
    "attribute",
    "context",
    "event",
    "message",
    "consent",
    "subscription",
    "purchase",
    "identifier",
    "person",
)
"""The subjects by whose names rates are said."""


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
    wrong = [
        problem for problem in found.problems if not problem.warning and problem.code not in ("J304", "J314")
    ]
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


def validate(*paths: Path, as_json: AsJson = False) -> int:
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
        ("subscription group", "subscription groups", found.subscription_groups), ("workspace", "workspaces", found.workspaces),
    )  # fmt: skip
    counts = [f"{len(there)} {one if len(there) == 1 else many}" for one, many, there in kinds_ if there]
    return ", ".join(counts) or "there are no definitions"


def draw(path: Path, *, canvas: str | None = None, html: Path | None = None) -> int:
    """Print a canvas as a Mermaid diagram, or write it as a page.

    Parameters
    ----------
    path
        The file of the canvas.
    canvas
        Its name, if the file has several.
    html
        Write one HTML page to this file. It stands alone: it has no scripts and loads nothing.
    """
    plan, _ = _plan(path, canvas)
    if html is None:
        print(mermaid(plan), end="")
        return 0
    try:
        html.write_text(page(plan), encoding="utf-8")
    except OSError as error:
        raise Stop(f"{html} cannot be written: {error.strerror}", 2) from error
    out.print(f"{html} shows {plan.canvas.name}", markup=False)
    return 0


def simulate(
    path: Path,
    *,
    canvas: str | None = None,
    people: Annotated[int, Parameter(validator=Number(gte=1))] = 1000,
    seed: int = 0,
    starts: datetime | None = None,
    rate: list[str] | None = None,
    zone: str | None = None,
    occurrences: Annotated[int, Parameter(validator=Number(gte=1))] = 4,
    as_json: AsJson = False,
) -> int:
    """Take simulated people through a canvas in virtual time, and show which paths they take and what is sent when.

    The same seed gives the same result. A filter, and the audience, matches one person in two; what steps, exits and
    conversions listen to happens to three in ten, at a random instant of the time in which the canvas listens. What a
    user update has set is known.

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
        When they enter, or when a canvas that goes by the clock is launched, in the company's zone; Monday 7 December 2026,
        09:00, by default.
    rate
        How likely something is, by the name of an event, product, engagement, segment or attribute: order_completed=0.1,
        opened=0.4, runners=0.8; "purchase" is any purchase. It can be given several times.
    zone
        The company's zone; that of the workspace's settings in the same folder by default, else UTC.
    occurrences
        How often a schedule by the clock lets them in: each occurrence by the same gates as in production.
    as_json
        Print the report as JSON.
    """
    plan, found = _plan(path, canvas)
    settings = _settings(path, found)
    company = zone or (settings.zone if settings else "UTC")
    chances = Probabilities(rates=_rates(rate or []))
    segments = {name: one.value.when for name, one in found.segments.items()}
    there = {"purchase", *_named([plan.canvas, *segments.values()])}
    for name in chances.rates.keys() - there:
        hint = meant(name, there)
        raise Stop(f"nothing in the canvas is named “{name}”{f': {hint}' if hint else ''}", 2)
    try:
        begins = utc((starts or datetime(2026, 12, 7, 9)).replace(tzinfo=zone_of(company)))  # noqa: DTZ001 - company time
    except (ValueError, KeyError) as error:
        raise Stop(f"there is no time zone “{company}”", 2) from error
    with bar("simulating", people) as progress:
        report = run_simulation(
            plan,
            people,
            starts=begins,
            seed=seed,
            probabilities=chances,
            company=company,
            segments=segments,
            held_out=held_out(settings.global_control if settings else None, 1, plan.canvas.tags),
            occurrences=occurrences,
            progress=progress,
        )
    if as_json:
        print_json(_as_json(report))
    else:
        _show(plan, report)
    return 0


def _settings(path: Path, found: Definitions) -> WorkspaceSettings | None:
    """The workspace's settings, in the file itself or beside it."""
    settings = list(found.workspaces.values())
    for other in sorted((*path.parent.glob("*.yaml"), *path.parent.glob("*.yml"))):
        if not settings and "kind: workspace" in other.read_text(encoding="utf-8", errors="replace"):
            settings = [one for one in read_file(other)[0] if one.kind == "workspace" and one.whole]
    return settings[0].value if settings else None


def _rates(said: list[str]) -> dict[str, float]:
    rates = {}
    for each in said:
        name, _, number = each.rpartition("=")
        try:
            rates[name] = float(number)
        except ValueError:
            rates[name] = -1
        if not name or not 0 <= rates[name] <= 1:
            raise Stop(
                f"“{each}” is not a rate: write a name and a number from 0 to 1, such as opened=0.4", 2
            )
    return rates


def _named(values: Iterable[Any]) -> Iterator[str]:
    """The names by which filters and triggers may have a rate: of events, products, engagements, segments, attributes."""
    for each in values:
        value = each.model_dump(mode="json") if hasattr(each, "model_dump") else each
        if isinstance(value, Mapping):
            yield from (str(value[kind]) for kind in RATED if isinstance(value.get(kind), str))
            yield from _named(value.values())
        elif isinstance(value, list):
            yield from _named(value)


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
        "not_admitted": report.refused,
        "entered": report.entered,
        "reached": report.reached,
        "took": took,
        "sent": report.sent,
        "sent_by_day": {
            step: {str(day): count for day, count in days.items()} for step, days in _days(report).items()
        },
        "ended": report.ended,
        "converted": report.converted,
        "messages": report.messages,
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
    for what, counts in (("not admitted", report.refused), ("converted", report.converted)):
        if counts:
            out.print(f"{what}: " + ", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    for (step, reason), count in sorted(report.unsent.items()):
        out.print(f"{step}: {count:,} messages not sent: {reason}")
    out.print(f"the longest entry takes {report.longest}; {report.messages:,} messages")


def schema() -> int:
    """Print the JSON schema with which editors complete and check definitions."""
    print(schema_text(), end="")
    return 0
