"""The step `context`: computes values and adds them to the context of the entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from journeys.canvas.events_and_commands import Go, Outcome, Query, Render
from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.problems import wrong
from journeys.canvas.steps.asking import Asking
from journeys.canvas.steps.base import Here


class Variable(Frozen):
    """One value: a name, a type, and the Liquid that it comes from (CXS-1)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,100}$")]  # CXS-1
    """The name under which templates and filters find the value."""
    type: Literal["text", "number", "boolean", "time", "list", "object"] = "text"
    """What the text of the Liquid is read as."""
    value: Annotated[str, Field(max_length=10240)]  # CXS-1
    """The Liquid that it comes from."""


class Context(Asking):
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
    """This step type."""
    set: Annotated[Many[Variable], Field(min_length=1, max_length=10)]  # CXS-1
    """The values, from top to bottom."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [variable.name for variable in self.set]
        for place, name in enumerate(names):
            if name in names[:place]:  # CXS-1
                message = f"the variable “{name}” is set twice in one step"
                raise wrong("J206", message, at=("set", place, "name"))
        return self

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """See base class."""
        return {("set", place, "value"): each.value for place, each in enumerate(self.set)}

    def arrive(self, here: Here) -> Outcome:
        """Ask for the values; if that takes calls, wait for them."""
        if self.needs_network:
            return self.ask(here)  # X5
        return Query(Render(tuple((each.name, each.type, each.value) for each in self.set)), phase="asked")

    def go(self, here: Here, found: Mapping[str, Any]) -> Go:
        """Carry them along."""
        del here
        return Go(context=found)
