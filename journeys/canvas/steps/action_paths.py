"""The step `action_paths`: waits for events for a while, and branches by the first that matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field

from journeys.canvas.events_and_commands import NOTHING, End, Event, Go, Happened, Outcome, Wait, Woke
from journeys.canvas.filters import GivenTrigger, Trigger
from journeys.canvas.frozen_model import Frozen, Many, not_yet
from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Branch, Here, Id, Step, Steps
from journeys.canvas.times import LongSpan
from journeys.canvas.wall_clock import plus

LONGEST = timedelta(days=31)
"""The longest window."""

MOST = 8


def _window(within: timedelta) -> timedelta:
    if within > LONGEST:
        raise wrong("J403", "a window is at most 31 days long")
    return within


class ActionPath(Frozen):
    """One group: what counts for it, and its way. With `exit_when` the group leaves the canvas (ACT-8)."""

    name: Id
    """The name of the path."""
    triggers: Annotated[Many[GivenTrigger], Field(min_length=1)]
    """What counts for it: any one of these."""
    exit_when: Literal["window_end", "immediately"] | None = None
    """Leave the canvas by it, at the end of the window or at once."""
    steps: Steps = ()
    """The steps of the path."""
    then: str | None = None
    """Where it goes afterwards; `end` ends the entry."""


class ActionPaths(Step):
    """Watch for a while: the first thing that counts decides, at once (ACT-1); nothing: `otherwise` (ACT-2).

    ```yaml
    - type: action_paths
      id: reaction
      within: 3 days
      paths:
        - name: bought
          triggers: [{event: order_completed}]
          exit_when: window_end
        - name: liked_again
          triggers: [{event: article_liked, where: [{property: category, equals: running}]}]
          steps: [{type: delay, id: more, duration: 1 hour}]
      otherwise: [{type: delay, id: pause, duration: 1 day}]
    ```

    Only what happens after the arrival and within the window counts (ACT-4). One thing that counts for two groups
    counts for the first (ACT-11).
    """

    type: Literal["action_paths"] = "action_paths"
    """This step type."""
    within: Annotated[LongSpan, AfterValidator(_window)] = timedelta(days=1)
    """How long the step listens: at most 31 days."""
    ranked: Annotated[bool, not_yet(True)] = False  # noqa: FBT003
    """Wait to the end of the window, and take the highest path. Not supported yet."""
    since: Annotated[Literal["step", "entry"], not_yet("entry")] = "step"
    """From when on things count."""
    paths: Annotated[Many[ActionPath], Field(min_length=1, max_length=MOST)]
    """The paths, the first before the others."""
    otherwise: Steps = ()
    """The steps of those for whom nothing counted in the window."""

    def arrive(self, here: Here) -> Outcome:
        """Watch until the end of the window."""
        return Wait(plus(here.now, self.within), phase="watching")  # ACT-4

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Something that counts, or the end of the window."""
        match event:
            case Happened(label=label, occurrence=occurrence) if here.entry.phase == "watching":
                path = next(path for path in self.paths if path.name == label)
                if path.exit_when == "immediately":  # ACT-8
                    return End("exit_path")
                if path.exit_when == "window_end":  # ACT-8
                    assert here.entry.wake_at is not None, "an entry that watches has a deadline"
                    return Wait(here.entry.wake_at, phase="leaving")
                properties = NOTHING if occurrence.kind == "message" else occurrence.properties  # CTX-22
                return Go(label, properties=properties)  # ACT-1
            case Woke() if here.entry.phase == "leaving":  # ACT-8
                return End("exit_path")
            case Woke():
                return Go("otherwise")  # ACT-2
        return None

    def branches(self) -> Mapping[str, Branch]:
        """Each path by its name, and `otherwise`."""
        ways = {path.name: Branch(path.steps, path.then, ("paths", n)) for n, path in enumerate(self.paths)}
        return {**ways, "otherwise": Branch(self.otherwise, where=("otherwise",))}

    def triggers(self) -> Sequence[tuple[str, Trigger]]:
        """See base class."""
        return [(path.name, cast("Trigger", each)) for path in self.paths for each in path.triggers]

    def longest(self) -> timedelta:
        """See base class."""
        return self.within
