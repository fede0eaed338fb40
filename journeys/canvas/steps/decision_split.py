"""The step `decision_split`: yes or no, by one filter, on arrival."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from journeys.canvas.events_and_commands import Answered, Event, Go, Matches, Outcome, Query
from journeys.canvas.filters import Filter
from journeys.canvas.steps.base import Branch, Here, Step, Steps


class DecisionSplit(Step):
    """Ask one thing of the person, and go one of two ways (DEC-1, DEC-2).

    ```yaml
    - type: decision_split
      id: opened
      when: {message: opened, step: hello}
      steps:
        - {type: delay, id: pause, duration: 1 day}
      otherwise: []
    ```
    """

    type: Literal["decision_split"] = "decision_split"
    """This step type."""
    when: Filter
    """The question."""
    steps: Steps = ()
    """The steps of those who match."""
    otherwise: Steps = ()
    """The steps of the others."""

    def arrive(self, here: Here) -> Outcome:
        """Ask."""
        return Query(Matches((self.when,)), phase="asked")  # DEC-1

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """Go by the answer."""
        match event:
            case Answered(answer=answer):
                return Go("otherwise" if answer is None else "yes")  # DEC-2
        return None

    def branches(self) -> Mapping[str, Branch]:
        """`yes` and `otherwise`."""
        return {
            "yes": Branch(self.steps, where=("steps",)),
            "otherwise": Branch(self.otherwise, where=("otherwise",)),
        }

    def filters(self) -> list[tuple[tuple[str | int, ...], Filter]]:
        """See base class."""
        return [(("when",), self.when)]
