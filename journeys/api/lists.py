"""Lists of what a workspace has: events, custom attributes, products, segments; and purchases by day or hour (XPT-15 to XPT-18)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from journeys.api.operations import Answered, Asked, Operation
from journeys.api.query_values import Instant, PageNo, cursor_of, name_of
from journeys.api.rate_limits import LISTS
from journeys.api.requests import Refusal, answer
from journeys.api.services import Services
from journeys.canvas.in_words import in_words
from journeys.canvas.problems import meant
from journeys.canvas.steps import UserUpdate
from journeys.engine.people.known_names import Kind, known
from journeys.engine.people.profile_export import instant
from journeys.engine.people.standard_attributes import COLUMNS, STANDARD
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.series import Buckets, Unit, purchases

EVENTS_A_PAGE = 250
BY_CURSOR = 50
SEGMENTS_A_PAGE = 100

TYPES = {
    "string": "String", "number": "Number", "boolean": "Boolean", "array": "Array", "object": "Object",
    "object_array": "Object Array", "time": "Time",
}  # fmt: skip
"""The types of attributes in the words that clients read."""


class AskedPage(Asked):
    """Which page is asked for."""

    page: PageNo = 0


class AskedByCursor(Asked):
    """Which page is asked for, as `Link` of the page before gives it."""

    cursor: Annotated[str, AfterValidator(name_of)] = ""


class EventNames(Answered):
    """A page of names of events."""

    events: list[str]


class Described(BaseModel):
    """What is said of an event or an attribute. Nobody can describe, tag or block them yet."""

    model_config = ConfigDict(frozen=True)
    name: str
    description: str | None = None
    status: Literal["Active"] = "Active"
    tag_names: list[str] = []


class DescribedEvent(Described):
    """An event."""

    included_in_analytics_report: bool = False


class DescribedEvents(Answered):
    """A page of events."""

    events: list[DescribedEvent]


class DescribedAttribute(Described):
    """A custom attribute, with the type of the first value that came."""

    data_type: str
    array_length: int | None = None


class DescribedAttributes(Answered):
    """A page of custom attributes."""

    attributes: list[DescribedAttribute]


class Products(Answered):
    """A page of products that were bought."""

    products: list[str]


class AskedSeries(Asked):
    """How many days or hours are asked for, and of which product. `app_id` changes nothing."""

    length: Annotated[int, Field(ge=1, le=100)]
    unit: Unit = "day"
    ending_at: Instant | None = None
    product: str | None = None
    app_id: str | None = None


class QuantityThen(BaseModel):
    """How many pieces were bought in one span."""

    time: str
    purchase_quantity: int


class Quantities(Answered):
    """How much was bought, the earliest first."""

    data: list[QuantityThen]


class RevenueThen(BaseModel):
    """What the purchases of one span cost in all, whatever the currency."""

    time: str
    revenue: float


class Revenues(Answered):
    """The revenue, the earliest first."""

    data: list[RevenueThen]


class AskedSegments(AskedPage):
    """Which page of segments, and in which order."""

    sort_direction: Literal["asc", "desc"] = "asc"


class ListedSegment(BaseModel):
    """A segment; its id is its name."""

    id: str
    name: str
    analytics_tracking_enabled: bool = False
    tags: list[str] = []


class Segments(Answered):
    """A page of segments."""

    segments: list[ListedSegment]


class AskedSegment(Asked):
    """Which segment is asked for, by its name."""

    segment_id: str


class SegmentDetails(Answered):
    """A segment: `description` says its filters in words, `text_description` what its file says of it."""

    created_at: str
    updated_at: str
    name: str
    description: str
    text_description: str
    tags: list[str] = []
    teams: list[str] = []


async def list_events(services: Services, key: Key, asked: AskedPage) -> EventNames:
    """The names of the events that came, 250 on a page (XPT-15)."""
    found = await known(
        services.db.pool, key.workspace, "event", most=EVENTS_A_PAGE, offset=asked.page * EVENTS_A_PAGE
    )
    return EventNames(events=[name for name, _ in found])


async def describe_events(services: Services, key: Key, asked: AskedByCursor) -> Response:
    """The events that came, 50 on a page (XPT-15)."""
    found, headers = await _by_cursor(services, key, "event", asked.cursor, "/events")
    events = [DescribedEvent(name=name).model_dump() for name, _ in found]
    return answer(200, {"message": "success", "events": events}, headers)


async def describe_attributes(services: Services, key: Key, asked: AskedByCursor) -> Response:
    """The custom attributes that came, or that canvases write, 50 on a page (XPT-16)."""
    found, headers = await _by_cursor(services, key, "attribute", asked.cursor, "/custom_attributes")
    attributes = [
        DescribedAttribute(name=name, data_type=TYPES.get(type_ or "", "String")).model_dump()
        for name, type_ in found
    ]
    return answer(200, {"message": "success", "attributes": attributes}, headers)


async def _by_cursor(
    services: Services, key: Key, kind: Kind, after: str, path: str
) -> tuple[Sequence[tuple[str, str | None]], dict[str, str]]:
    """A page of names after one of them, and the header that leads to the next."""
    found = list(await known(services.db.pool, key.workspace, kind, after=after, most=BY_CURSOR + 1))
    if kind == "attribute":
        written = _written(await services.published.of(key.workspace))
        more = {name for name in written if name > after} - {name for name, _ in found}
        found = sorted([*found, *((name, None) for name in more)])[: BY_CURSOR + 1]
    page = found[:BY_CURSOR]
    return page, (
        {"link": f'<{path}?cursor={cursor_of(page[-1][0])}>; rel="next"'} if len(found) > BY_CURSOR else {}
    )


def _written(publication: Publication) -> set[str]:
    """The custom attributes that canvases write."""
    steps = (step for running in publication.running.values() for step in running.plan.steps.values())
    names = {name for step in steps if isinstance(step, UserUpdate) for name in step.attributes}
    return names - COLUMNS.keys() - STANDARD


async def list_products(services: Services, key: Key, asked: AskedPage) -> Products:
    """The products that were bought, 250 on a page (XPT-17)."""
    found = await known(
        services.db.pool, key.workspace, "purchase", most=EVENTS_A_PAGE, offset=asked.page * EVENTS_A_PAGE
    )
    return Products(products=[name for name, _ in found])


async def _series(services: Services, key: Key, asked: AskedSeries) -> Any:
    zone = (await services.published.of(key.workspace)).company
    buckets = Buckets.of(asked.unit, asked.length, asked.ending_at or services.clock.now(), zone)
    found = await purchases(services.db.pool, key.workspace, buckets, asked.product)
    return zip(buckets.labels, found, strict=True)


async def quantity_series(services: Services, key: Key, asked: AskedSeries) -> Quantities:
    """How many pieces were bought, by day or hour of the company (XPT-17)."""
    points = await _series(services, key, asked)
    return Quantities(
        data=[QuantityThen(time=time, purchase_quantity=each.quantity) for time, each in points]
    )


async def revenue_series(services: Services, key: Key, asked: AskedSeries) -> Revenues:
    """What purchases cost, by day or hour of the company (XPT-17)."""
    points = await _series(services, key, asked)
    return Revenues(data=[RevenueThen(time=time, revenue=each.revenue) for time, each in points])


SEGMENTS = "select name, published, body from definitions where workspace = $1 and kind = 'segment'"


async def list_segments(services: Services, key: Key, asked: AskedSegments) -> Segments:
    """The segments, those that were published last in the end, 100 on a page (XPT-18)."""
    rows = await services.db.pool.fetch(f"{SEGMENTS} order by published, name", key.workspace)
    names = [row["name"] for row in rows]
    names = names[::-1] if asked.sort_direction == "desc" else names
    first = asked.page * SEGMENTS_A_PAGE
    return Segments(segments=[ListedSegment(id=name, name=name) for name in names[first:][:SEGMENTS_A_PAGE]])


async def segment_details(services: Services, key: Key, asked: AskedSegment) -> SegmentDetails:
    """One segment (XPT-18)."""
    publication = await services.published.of(key.workspace)
    row = await services.db.pool.fetchrow(f"{SEGMENTS} and name = $2", key.workspace, asked.segment_id)
    if row is None:
        rows = await services.db.pool.fetch(SEGMENTS, key.workspace)
        hint = meant(asked.segment_id[:100], [each["name"] for each in rows])
        raise Refusal(400, f"Invalid Segment ID: {hint}" if hint else "Invalid Segment ID")
    when = publication.segments.get(asked.segment_id)
    body: dict[str, Any] = row["body"]
    at: datetime = row["published"]
    return SegmentDetails(
        created_at=instant(at),
        updated_at=instant(at),
        name=asked.segment_id,
        description="" if when is None else in_words(when),
        text_description=str(body.get("description", "")),
    )


def _get(path: str, summary: str, permission: str, asks: Any, answers: Any, work: Any) -> Operation[Any]:
    return Operation(
        method="GET",
        path=path,
        summary=summary,
        permission=permission,
        asks=asks,
        answers=answers,
        work=work,
        limit=LISTS,
    )


OPERATIONS = (
    _get("/events/list", "Names of events", "events.list", AskedPage, EventNames, list_events),
    _get("/events", "Events", "events.get", AskedByCursor, DescribedEvents, describe_events),
    _get(
        "/custom_attributes",
        "Custom attributes",
        "custom_attributes.get",
        AskedByCursor,
        DescribedAttributes,
        describe_attributes,
    ),
    _get(
        "/purchases/product_list",
        "Products that were bought",
        "purchases.product_list",
        AskedPage,
        Products,
        list_products,
    ),
    _get(
        "/purchases/quantity_series",
        "How much was bought, by day or hour",
        "purchases.quantity_series",
        AskedSeries,
        Quantities,
        quantity_series,
    ),
    _get(
        "/purchases/revenue_series",
        "The revenue, by day or hour",
        "purchases.revenue_series",
        AskedSeries,
        Revenues,
        revenue_series,
    ),
    Operation(
        method="GET",
        path="/segments/list",
        summary="Segments",
        permission="segments.list",
        asks=AskedSegments,
        answers=Segments,
        work=list_segments,
    ),
    Operation(
        method="GET",
        path="/segments/details",
        summary="A segment in words",
        permission="segments.details",
        asks=AskedSegment,
        answers=SegmentDetails,
        work=segment_details,
    ),
)
