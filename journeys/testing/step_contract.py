"""What every step type promises, as tests: inherit `StepContract` in a test file, and give it examples.

class TestFullMoon(StepContract):
    examples = [WaitForFullMoon(id="moon")]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from journeys.canvas.events_and_commands import End, Entry, Go, Outcome, Query, Wait, Woke
from journeys.canvas.steps.base import Here, Step

ARRIVAL = datetime(2026, 12, 7, 9, tzinfo=UTC)
ARRIVALS = [ARRIVAL + timedelta(hours=37 * each) for each in range(24)]


def here(step: Step, at: datetime, *, last: bool = False, phase: str = "") -> Here:
    """An entry that stands in a step."""
    entry = Entry(
        id="e", canvas="c", person="p", moved=at, entered=ARRIVAL, step=step.id, begun=at, phase=phase
    )
    return Here(entry, at, last)


class StepContract:
    """The tests. `examples`: steps of the type, each form of it at least once."""

    examples: ClassVar[Sequence[Step]]

    def test_its_page_is_its_docstring_with_an_example_in_yaml(self) -> None:
        """The docstring is the documentation."""
        for step in self.examples:
            text = type(step).__doc__ or ""
            assert "```yaml" in text, f"{type(step).__name__} has no example"
            assert f"type: {step.type}" in text

    def test_it_is_a_value_that_is_written_and_read_again(self) -> None:
        """A plan is stored as JSON."""
        for step in self.examples:
            written = json.loads(json.dumps(step.model_dump(mode="json")))

            assert type(step).model_validate(written) == step
            assert written["type"] == step.type

    def test_it_is_pure(self) -> None:
        """The same entry at the same instant is told the same, however often it is asked."""
        for step in self.examples:
            for at in ARRIVALS:
                assert step.arrive(here(step, at)) == step.arrive(here(step, at))

    def test_what_it_says_can_be_followed(self) -> None:
        """It leaves by an exit that it has; it waits no longer than it says; whoever waits goes on at the deadline."""
        for step in self.examples:
            for at in ARRIVALS:
                for last in (False, True):
                    self._follow(step, step.arrive(here(step, at, last=last)), at)

    def _follow(self, step: Step, outcome: Outcome, at: datetime) -> None:
        match outcome:
            case Go(exit=way):
                assert way in {"next", *step.branches()}, f"“{way}” is no exit of {step.id}"
            case Wait(until=until, phase=phase):
                assert until.tzinfo is not None, "instants have an offset"
                assert until <= step.latest(at), f"{step.id} waits longer than longest() says"
                told = step.hear(here(step, until, phase=phase), Woke())
                assert told is not None, f"{step.id} does not go on when its deadline has come"
                if not isinstance(told, Wait):
                    self._follow(step, told, until)
            case Query() | End():
                pass
            case _:
                raise AssertionError(f"{step.id} says {outcome!r}")

    def test_what_it_listens_to_has_labels_of_its_own(self) -> None:
        """The label of a trigger says which way an entry goes; a step that listens waits for something."""
        for step in self.examples:
            for label, trigger in step.triggers():
                assert isinstance(label, str)
                assert trigger is not None
