"""`/canvas/list`, `details`, `data_series`, `data_summary`: the canvases of a workspace and their numbers (XPT-11 to XPT-14)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from journeys.api.canvas_shapes import (
    MOST_DAYS,
    AskedCanvas,
    AskedCanvases,
    AskedNumbers,
    CanvasDetails,
    Canvases,
    ListedCanvas,
    NextPath,
    NumbersThen,
    OfStep,
    OfVariant,
    Series,
    SeriesData,
    StepDetails,
    Summary,
    SummaryData,
    Totals,
    VariantDetails,
)
from journeys.api.operations import Operation
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.canvas.canvas import Schedule
from journeys.canvas.definition_kinds import EmailTemplate
from journeys.canvas.plan import Plan
from journeys.canvas.problems import meant
from journeys.canvas.steps import Message
from journeys.engine.people.profile_export import instant
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.canvas_series import (
    Entered,
    StepThen,
    Then,
    dates_of,
    list_canvases,
    series_of,
)
from journeys.engine.workspaces.published import Publication, Running
from journeys.engine.workspaces.series import Buckets

A_PAGE = 100
COUNTERS = {
    "email": (
        "sent", "opens", "unique_opens", "clicks", "unique_clicks", "unsubscribes", "bounces", "delivered", "reported_spam",
    ),
    "webhook": ("sent", "errors"),
}  # fmt: skip
"""The counters of a channel; of a channel of another package what was sent."""


def _running(publication: Publication, given: str) -> Running:
    """The canvas that a call names. Raises Refusal, and `NotUnderstood` for one that this process cannot read."""
    if given in publication.aside:
        raise publication.aside[given]
    running = publication.canvas(given)
    if running is None:
        hint = meant(given[:100], publication.running)
        raise Refusal(400, "Invalid Canvas ID" + (f": {hint}" if hint else ""))
    return running


async def list_all(services: Services, key: Key, asked: AskedCanvases) -> Canvases:
    """The canvases, 100 on a page (XPT-11)."""
    publication = await services.published.of(key.workspace)
    rows = await list_canvases(
        services.db.pool,
        key.workspace,
        archived=asked.include_archived,
        edited_after=asked.edited_after,
        newest_first=asked.sort_direction == "desc",
        most=A_PAGE,
        offset=asked.page * A_PAGE,
    )
    found = []
    for row in rows:
        running = publication.running.get(row["name"])
        tags = list(running.plan.canvas.tags) if running else []
        found.append(
            ListedCanvas(id=str(row["id"]), last_edited=instant(row["edited"]), name=row["name"], tags=tags)
        )
    return Canvases(canvases=found)


async def details(services: Services, key: Key, asked: AskedCanvas) -> CanvasDetails:
    """What a canvas is (XPT-12)."""
    publication = await services.published.of(key.workspace)
    running = _running(publication, asked.canvas_id)
    plan, canvas = running.plan, running.plan.canvas
    dates = await dates_of(services.db.pool, key.workspace, running.name)
    return CanvasDetails(
        created_at=instant(running.since),
        updated_at=instant(dates.edited or running.since),
        name=running.name,
        description=canvas.description,
        archived=running.status == "archived",
        draft=running.status == "draft",
        enabled=running.status == "active",
        schedule_type=_schedule_type(canvas.schedule),
        first_entry=_or_none(dates.first_entry),
        last_entry=_or_none(dates.last_entry),
        channels=sorted({step.channel for step in plan.steps.values() if isinstance(step, Message)}),
        variants=[_variant(name, plan.starts[name]) for name in (arm.name for arm in canvas.arms)],
        tags=list(canvas.tags),
        steps=[_step(name, plan, publication) for name in plan.steps],
    )


def _or_none(at: datetime | None) -> str | None:
    return None if at is None else instant(at)


def _schedule_type(schedule: Schedule) -> Literal["time_based", "action_based", "api_triggered"]:
    if schedule.api is not None:
        return "api_triggered"
    return "time_based" if schedule.by_clock else "action_based"


def _variant(name: str, start: str | None) -> VariantDetails:
    return VariantDetails(name=name, id=name, first_step_ids=[start] if start else [], first_step_id=start)


def _step(name: str, plan: Plan, publication: Publication) -> StepDetails:
    step = plan.steps[name]
    ways = {way: target for way, target in plan.exits[name].items() if target is not None}
    if step.branches():
        ways.pop("next", None)
    channel = step.channel if isinstance(step, Message) else None
    return StepDetails(
        name=name,
        type=step.type,
        id=name,
        next_step_ids=list(dict.fromkeys(ways.values())),
        next_paths=[NextPath(name=way, next_step_id=target) for way, target in ways.items()],
        channels=[channel] if channel else [],
        messages={name: _message(step, publication)} if isinstance(step, Message) else {},
    )


def _message(step: Message, publication: Publication) -> dict[str, Any]:
    said: dict[str, Any] = {"channel": step.channel, "name": step.id, "template": step.template}
    template = publication.templates.get(step.template)
    if isinstance(template, EmailTemplate):
        said |= {"subject": template.subject, "preheader": template.preheader, "body": template.html}
    return said


async def _asked(
    services: Services, key: Key, asked: AskedNumbers, *, whole: bool
) -> tuple[Running, Buckets, list[Then]]:
    publication = await services.published.of(key.workspace)
    running = _running(publication, asked.canvas_id)
    ending = asked.ending_at or services.clock.now()
    length = asked.length
    if length is None:
        if asked.starting_at is None:
            raise Refusal(400, "'length' or 'starting_at' is required")
        zone = publication.company
        length = (ending.astimezone(zone).date() - asked.starting_at.astimezone(zone).date()) // timedelta(
            days=1
        ) + 1
        if not 1 <= length <= MOST_DAYS:
            raise Refusal(400, f"'starting_at' must be at most {MOST_DAYS} days before 'ending_at'")
    buckets = Buckets.of("day", length, ending, publication.company)
    buckets = buckets.whole() if whole else buckets
    return running, buckets, await series_of(services.db, key.workspace, running.name, running.plan, buckets)


async def data_series(services: Services, key: Key, asked: AskedNumbers) -> Series:
    """The numbers of a canvas, day by day (XPT-13)."""
    running, buckets, found = await _asked(services, key, asked, whole=False)
    stats = [
        NumbersThen(time=time, **_numbers(then, running.plan, asked))
        for time, then in zip(buckets.labels, found, strict=True)
    ]
    return Series(data=SeriesData(name=running.name, stats=stats))


async def data_summary(services: Services, key: Key, asked: AskedNumbers) -> Summary:
    """The numbers of a canvas in all of these days (XPT-14)."""
    running, _, [then] = await _asked(services, key, asked, whole=True)
    return Summary(data=SummaryData(name=running.name, **_numbers(then, running.plan, asked)))


def _numbers(then: Then, plan: Plan, asked: AskedNumbers) -> dict[str, Any]:
    """The parts of a span that are asked for. The steps are those of the canvas as it is, or of its former versions too."""
    said: dict[str, Any] = {"total_stats": Totals(**_totals(then.total))}
    if asked.include_variant_breakdown:
        names = dict.fromkeys([arm.name for arm in plan.canvas.arms] + sorted(then.variants))
        said["variant_stats"] = {
            name: OfVariant(name=name, **_totals(then.variants.get(name, Entered()))) for name in names
        }
    if asked.include_step_breakdown:
        names = dict.fromkeys(plan.steps)
        if asked.include_deleted_step_data:
            names |= dict.fromkeys(sorted(then.steps))
        said["step_stats"] = {name: _of_step(name, then.steps.get(name, StepThen()), plan) for name in names}
    return said


def _totals(one: Entered) -> dict[str, Any]:
    return {
        "revenue": one.revenue,
        "conversions": one.conversions,
        "conversions_by_entry_time": one.conversions_by_entry_time,
        "entries": one.entries,
    }


def _of_step(name: str, one: StepThen, plan: Plan) -> OfStep:
    step = plan.steps.get(name)
    messages: dict[str, list[dict[str, Any]]] = {}
    if isinstance(step, Message):
        counts: Mapping[str, int] = one.messages
        counters = COUNTERS.get(step.channel, ("sent",))
        told = {counter: counts.get(counter, 0) for counter in counters}
        if step.channel == "email":
            told["delivered"] = told["sent"] - told["bounces"]
        messages[step.channel] = [{"variation_api_id": name, "variation_name": name, **told}]
    return OfStep(
        name=name,
        revenue=one.revenue,
        conversions=one.conversions,
        conversions_by_entry_time=one.conversions_by_entry_time,
        messages=messages,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/canvas/list",
        summary="Canvases",
        permission="canvas.list",
        asks=AskedCanvases,
        answers=Canvases,
        work=list_all,
    ),
    Operation(
        method="GET",
        path="/canvas/details",
        summary="What a canvas is, and how it stands",
        permission="canvas.details",
        asks=AskedCanvas,
        answers=CanvasDetails,
        work=details,
    ),
    Operation(
        method="GET",
        path="/canvas/data_series",
        summary="The numbers of a canvas, day by day",
        permission="canvas.data_series",
        asks=AskedNumbers,
        answers=Series,
        work=data_series,
    ),
    Operation(
        method="GET",
        path="/canvas/data_summary",
        summary="The numbers of a canvas in all",
        permission="canvas.data_summary",
        asks=AskedNumbers,
        answers=Summary,
        work=data_summary,
    ),
)
