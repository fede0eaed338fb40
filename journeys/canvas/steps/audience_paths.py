"""The step `audience_paths`: ranked paths; the first whose filter the person matches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from journeys.canvas.events_and_commands import Answered, Event, Go, Matches, Outcome, Query
from journeys.canvas.filters import Filter
from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.steps.base import Branch, Here, Id, Step, Steps

MOST = 7
"""The maximum number of groups, besides `otherwise` (AUP-3, X2)."""


class AudiencePath(Frozen):
    """One group and its way."""

    name: Id
    """The name of the path."""
    when: Filter
    """Who takes it."""
    steps: Steps = ()
    """The steps of the path."""
    then: str | None = None
    """Where it goes afterwards; `end` ends the entry."""


class AudiencePaths(Step):
    """Ranked groups: the first that matches decides, once (AUP-1, AUP-2).

    ```yaml
    - type: audience_paths
      id: tier
      paths:
        - {name: gold, when: {attribute: loyalty.tier, equals: gold}, steps: [{type: delay, id: pause, duration: 1 day}]}
        - {name: frequent, when: {event: session_start, times: {at_least: 5}, within_last: 30 days}}
      otherwise: []
    ```
    """

    type: Literal["audience_paths"] = "audience_paths"
    """This step type."""
    paths: Annotated[Many[AudiencePath], Field(min_length=1, max_length=MOST)]
    """The paths: the first that matches is taken."""
    otherwise: Steps = ()
    """The steps of those who match none."""

    def arrive(self, here: Here) -> Outcome:
        """Ask in the order of rank."""
        return Query(Matches(tuple(path.when for path in self.paths)), phase="asked")  # AUP-1

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Go by the answer."""
        match event:
            case Answered(answer=int() as place):
                return Go(self.paths[place].name)  # AUP-2
            case Answered():
                return Go("otherwise")  # AUP-1
        return None

    def branches(self) -> Mapping[str, Branch]:
        """Each path by its name, and `otherwise`."""
        ways = {path.name: Branch(path.steps, path.then, ("paths", n)) for n, path in enumerate(self.paths)}
        return {**ways, "otherwise": Branch(self.otherwise, where=("otherwise",))}

    def filters(self) -> list[tuple[tuple[str | int, ...], Filter]]:
        """See base class."""
        return [(("paths", place, "when"), path.when) for place, path in enumerate(self.paths)]
