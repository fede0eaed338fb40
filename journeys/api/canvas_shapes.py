"""What calls about canvases say, and what they are answered (XPT-11 to XPT-14)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from journeys.api.operations import Answered, Asked
from journeys.api.query_values import Instant, PageNo, Truth

MOST_DAYS = 14
"""Days of one series (XPT-13)."""


class AskedCanvases(Asked):
    """Which canvases are asked for."""

    page: PageNo = 0
    include_archived: Truth = False
    sort_direction: Literal["asc", "desc"] = "asc"
    edited_after: Annotated[Instant | None, Field(alias="last_edit.time[gt]")] = None


class ListedCanvas(BaseModel):
    """A canvas in a list."""

    id: str
    last_edited: str
    name: str
    tags: list[str]


class Canvases(Answered):
    """A page of canvases, in the order in which they were made."""

    canvases: list[ListedCanvas]


class AskedCanvas(Asked):
    """Which canvas is asked for, by its id or its name. There are no drafts beside a launched canvas."""

    canvas_id: str
    post_launch_draft_version: Truth = False


class VariantDetails(BaseModel):
    """A variant; its id is its name."""

    name: str
    id: str
    first_step_ids: list[str]
    first_step_id: str | None = None


class NextPath(BaseModel):
    """A way out of a step that leads to another one."""

    name: str
    next_step_id: str


class StepDetails(BaseModel):
    """A step; its id is the one that it has in the canvas. `messages` has the message of a step that sends one."""

    name: str
    type: str
    id: str
    next_step_ids: list[str]
    next_paths: list[NextPath]
    channels: list[str]
    messages: dict[str, dict[str, Any]]


class CanvasDetails(Answered):
    """What a canvas is, and how it stands."""

    created_at: str
    updated_at: str
    name: str
    description: str
    archived: bool
    draft: bool
    enabled: bool
    has_post_launch_draft: bool = False
    schedule_type: Literal["time_based", "action_based", "api_triggered"]
    first_entry: str | None
    last_entry: str | None
    channels: list[str]
    variants: list[VariantDetails]
    tags: list[str]
    teams: list[str] = []
    steps: list[StepDetails]


class AskedNumbers(AskedCanvas):
    """Which days are asked for: `length` of them, or those since `starting_at`; the last is that of `ending_at`."""

    ending_at: Instant | None = None
    starting_at: Instant | None = None
    length: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    include_variant_breakdown: Truth = False
    include_step_breakdown: Truth = False
    include_deleted_step_data: Truth = False


class Totals(BaseModel):
    """What is counted of a canvas."""

    revenue: float
    conversions: int
    conversions_by_entry_time: int
    entries: int


class OfVariant(Totals):
    """What is counted of a variant."""

    name: str


class OfStep(BaseModel):
    """What is counted of a step: messages by channel, and the conversions after them."""

    name: str
    revenue: float
    conversions: int
    conversions_by_entry_time: int
    messages: dict[str, list[dict[str, Any]]]


class Numbers(BaseModel):
    """The counts of a span."""

    total_stats: Totals
    variant_stats: dict[str, OfVariant] | None = None
    step_stats: dict[str, OfStep] | None = None


class NumbersThen(Numbers):
    """The counts of a day."""

    time: str


class SeriesData(BaseModel):
    """The counts of a canvas by day, the earliest first."""

    name: str
    stats: list[NumbersThen]


class Series(Answered):
    """The counts of a canvas by day."""

    data: SeriesData


class SummaryData(Numbers):
    """The counts of a canvas in these days together."""

    name: str


class Summary(Answered):
    """The counts of a canvas in these days together."""

    data: SummaryData
