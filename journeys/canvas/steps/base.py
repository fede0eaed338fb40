"""The base of all step types: a model that an author writes, and pure methods that say what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, ForwardRef

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from journeys.canvas.events_and_commands import Entry, Event, Outcome, ZonesAnswer
from journeys.canvas.filters import Filter, Trigger
from journeys.canvas.frozen_model import Frozen
from journeys.canvas.wall_clock import plus

ID = r"^[A-Za-z][A-Za-z0-9_-]{0,99}$"
Id = Annotated[str, Field(pattern=ID)]
Weight = Annotated[float, Field(ge=0, le=100)]
"""A share in per cent."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where an entry stands when a step is asked what to do.

    `now` is the instant of the event (UTC); `last` is true where nothing follows the step (DLY-15).
    """

    entry: Entry
    now: datetime
    last: bool

    @property
    def key(self) -> str:
        """The key of what this step does for this entry: the same whenever the work is repeated."""
        return f"{self.entry.id}/{self.entry.step}"


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of a step: its steps, and where it goes afterwards (None: it falls through).

    `where` is the place of the branch in the step as it is written: `("paths", 0)`.
    """

    steps: Sequence[Any] = ()
    then: str | None = None
    where: tuple[str | int, ...] = ()


class Step(Frozen):
    """A node of the canvas. `type` names the step type, `id` this step, unique within the canvas.

    `then` goes to another step instead of falling through (forwards only); `then: end` ends the entry.
    """

    type: str
    """The step type."""
    id: Annotated[Id, Field(description="Unique within the canvas; histories and reports speak of it")]
    """The name of the step, once in the canvas; histories and reports speak of it."""
    then: Annotated[
        str | None, Field(description="Go to this step instead of falling through; `end` ends the entry")
    ] = None
    """The step that follows, further down; `end` ends the entry. Left out: the next one as it is written."""

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}  # the type is written even where defaults are not

    sends: ClassVar[bool] = False
    """Whether the step sends a message."""

    def arrive(self, here: Here) -> Outcome:
        """What to do with an entry that comes to this step."""
        raise NotImplementedError

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """What to do with an event that an entry in this step hears; None: it changes nothing."""
        del here, event
        return None

    def branches(self) -> Mapping[str, Branch]:
        """The exits of the step beside `next`, each with the steps that it leads to. Most types have none."""
        return {}

    def triggers(self) -> Sequence[tuple[str, Trigger]]:
        """What the step listens to while an entry rests in it: pairs of label and trigger, in order of rank."""
        return ()

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The texts of the step that may hold Liquid, by the place at which they are written."""
        return {}

    def filters(self) -> Sequence[tuple[tuple[str | int, ...], Filter]]:
        """The filters of the step, each with the place at which it is written; for the checks."""
        return ()

    @property
    def needs_network(self) -> bool:
        """Whether the step asks others while it decides: arriving at it ends the burst, and the answer comes later."""
        return False

    def longest(self) -> timedelta:
        """The longest that an entry can rest in this step, whenever it comes to it (CTL-6)."""
        return timedelta(0)

    def next_occurrence(self, entry: Entry, after: datetime, zones: ZonesAnswer) -> datetime | None:
        """Where an entry that rests here waits for a time of the wall clock: when it comes next, at this instant or later.

        None: it waits for a span. A pause of the canvas makes a span longer, and takes the other to its next occurrence.
        """
        del entry, after, zones
        return None

    def waits_for_others(self, entry: Entry) -> bool:
        """Whether the deadline of an entry that rests here says how long it waits for a provider or a web service.

        Nobody is asked while a canvas is paused, so that time does not count.
        """
        del entry
        return False

    def latest(self, arrival: datetime) -> datetime:
        """The latest instant at which an entry that comes at this instant leaves the step (CTL-6)."""
        return plus(arrival, self.longest())


if TYPE_CHECKING:
    Steps = Sequence[Step]
else:
    Steps = tuple[ForwardRef("AnyStep"), ...]
"""The steps of a branch, of any type. The package completes the models that have them once it knows every type."""
