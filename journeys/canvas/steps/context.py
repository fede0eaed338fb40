"""Work out values, and let the entry carry them along."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.values import Frozen
from journeys.canvas.vocabulary import Answered, Event, Go, Outcome, Render, Wonder


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

    A value that is empty or of another type is not set, and the entry goes on (CXS-4).
    """

    type: Literal["context"] = "context"
    set: Annotated[tuple[Variable, ...], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [variable.name for variable in self.set]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise wrong("J206", f"the variable “{twice}” is set twice in one step")
        return self

    def arrive(self, here: Here) -> Outcome:
        """Ask what they come to."""
        return Wonder(Render(tuple((each.name, each.type, each.value) for each in self.set)), phase="asked")

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Carry them along."""
        match event:
            case Answered(answer=dict() as values):
                return Go(context=values)
        return None
