"""The step `experiment_paths`: assigns people to paths at random, and compares their conversions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from journeys.canvas.assignment import hash_fraction, pick
from journeys.canvas.events_and_commands import End, Go, Outcome
from journeys.canvas.frozen_model import Frozen, Many, not_yet
from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Branch, Here, Id, Step, Steps, Weight
from journeys.canvas.times import LongSpan

SHORTEST, LONGEST = timedelta(days=1), timedelta(days=30)
"""The conversion window lies between these."""


def _window(within: timedelta) -> timedelta:
    if not SHORTEST <= within <= LONGEST:
        raise wrong("J403", "an experiment's window is 1 to 30 days long")
    return within


class ExperimentPath(Frozen):
    """One way and its share in per cent."""

    name: Id
    """The name of the path."""
    weight: Weight
    """Its share in per cent."""
    steps: Steps = ()
    """The steps of the path."""
    then: str | None = None
    """Where it goes afterwards; `end` ends the entry."""


class ExperimentControl(Frozen):
    """Those who get none of it: they go on, or leave."""

    weight: Weight
    """Their share in per cent."""
    behaviour: Literal["continue", "exit"] = "continue"
    """Whether they go on behind the step, or leave."""


class ExperimentPaths(Step):
    """Assign people to paths at random: the same person always gets the same path (EXP-3).

    ```yaml
    - type: experiment_paths
      id: offer
      within: 14 days
      paths:
        - {name: ten, weight: 45, steps: [{type: delay, id: later, duration: 1 hour}]}
        - {name: none, weight: 45}
      control: {weight: 10, behaviour: continue}
    ```

    `within` is the window in which conversions are to count for the experiment, from the arrival at this step. Nothing
    counts by it yet: conversions count by their own windows.
    """

    type: Literal["experiment_paths"] = "experiment_paths"
    """This step type."""
    within: Annotated[LongSpan, AfterValidator(_window)] = timedelta(days=14)
    """The window of its conversions, which is not counted yet."""
    paths: Annotated[Many[ExperimentPath], Field(min_length=2, max_length=4)]
    """The paths, whose weights and that of the control add up to 100."""
    control: ExperimentControl | None = None
    """Those who take no path."""
    randomized: Annotated[bool, not_yet(True)] = False  # noqa: FBT003
    """Draw anew at each arrival. Not supported yet."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(path.weight for path in self.paths) + (self.control.weight if self.control else 0)
        if abs(total - 100) > 0.001:  # EXP-2
            raise wrong("J205", f"the weights add up to {total:g}, not 100", at=("paths",))
        return self

    def arrive(self, here: Here) -> Outcome:
        """Go to the assigned path."""
        shares = {path.name: path.weight for path in self.paths}
        if self.control is not None:
            shares["control"] = self.control.weight  # EXP-2
        way = pick(hash_fraction(here.entry.person, here.entry.canvas, self.id), shares)  # EXP-3
        if way == "control" and self.control is not None and self.control.behaviour == "exit":  # EXP-2
            return End("experiment_control")
        return Go(way)

    def branches(self) -> Mapping[str, Branch]:
        """Each path by its name, and `control` where there is one."""
        ways = {path.name: Branch(path.steps, path.then, ("paths", n)) for n, path in enumerate(self.paths)}
        return {**ways, "control": Branch(where=("control",))} if self.control is not None else ways
