"""Work out values, and let the entry carry them along."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from journeys.canvas.arithmetic import plus
from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.values import Frozen
from journeys.canvas.vocabulary import (
    Answered,
    End,
    Event,
    Fetch,
    Go,
    Outcome,
    Render,
    Wait,
    Woke,
    Wonder,
)

ASKING: Final = re.compile(
    r"\b(connected_content|catalog_items|catalog_selection_items|shopping_cart|promotion|content_blocks"
    r"|product_recommendation)\b"
)
"""What stands in Liquid that asks others, or that may."""

PATIENCE = timedelta(hours=72)
"""How long an entry waits for others at the most. Long before, whoever asks them has given up (CXS-4)."""


class Variable(Frozen):
    """One value: a name, a type, and the Liquid that it comes from (CXS-1)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,100}$")]
    type: Literal["text", "number", "boolean", "time", "list", "object"] = "text"
    value: Annotated[str, Field(max_length=10240)]


class Context(Step):
    """Set up to ten values, top to bottom; a later one may use an earlier one (CXS-2).

    ```yaml
    - type: context
      id: pick
      set:
        - {name: visits, type: number, value: "{{ custom_attribute.${visits} | default: 0 | plus: 1 }}"}
    ```

    A value that is empty or of another type is not set, and the entry goes on (CXS-4). Where a value comes from a web
    service that does not answer, or is too busy, the step is tried again for hours; then the entry ends (X5).
    """

    type: Literal["context"] = "context"
    set: Annotated[tuple[Variable, ...], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [variable.name for variable in self.set]
        for place, name in enumerate(names):
            if name in names[:place]:
                message = f"the variable “{name}” is set twice in one step"
                raise wrong("J206", message, at=("set", place, "name"))
        return self

    @property
    def needs_network(self) -> bool:
        """See base class."""
        return any(ASKING.search(each.value) for each in self.set)

    def arrive(self, here: Here) -> Outcome:
        """Ask what they come to; where that takes calls, wait for it."""
        if self.needs_network:
            fetch = Fetch(step=self.id, key=here.key, at=here.now)
            return Wait(plus(here.now, PATIENCE), phase="asked", doing=(fetch,))
        return Wonder(Render(tuple((each.name, each.type, each.value) for each in self.set)), phase="asked")

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Carry them along."""
        match event:
            case Answered(answer=dict() as values):
                return Go(context=values)
            case Answered() | Woke():
                return End("unanswered")
        return None

    def longest(self) -> timedelta:
        """See base class."""
        return PATIENCE if self.needs_network else timedelta(0)
