"""What every step type is: a model that an author writes, and two pure methods that say what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from journeys.canvas.vocabulary import Entry, Event, Outcome

if TYPE_CHECKING:
    from journeys.canvas.filters import Trigger

STEP_ID = r"^[A-Za-z][A-Za-z0-9_-]{0,99}$"


class Frozen(BaseModel):
    """A value of the language: frozen, without unknown keys, equal by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, validate_default=False)


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


class Step(Frozen):
    """A node of the canvas. `type` names the step type, `id` this step, unique within the canvas.

    `then` goes to another step instead of falling through (forwards only); `then: end` ends the entry.
    """

    type: str
    id: Annotated[str, Field(pattern=STEP_ID, description="Unique within the canvas; histories and reports speak of it")]
    then: Annotated[str | None, Field(description="Go to this step instead of falling through; `end` ends the entry")] = None

    waits: ClassVar[bool] = False
    """Whether an entry can rest in a step of this type."""

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

    def longest(self) -> float:
        """The longest that an entry can rest in this step, in seconds (CTL-6); infinity where nobody can say."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of a step: its sequence of steps, and where it goes afterwards (None: falls through)."""

    steps: tuple[Any, ...] = ()
    then: str | None = None
    ends: bool = False
    """True where the path ends the entry by itself, so that nothing can follow."""
