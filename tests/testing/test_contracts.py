"""Every step type keeps the contract that is for extension authors; and the contract finds what does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from journeys.canvas.events_and_commands import Event, Go, Outcome, Wait, Woke
from journeys.canvas.steps import STEP_TYPES, Here, Step
from journeys.canvas.steps.action_paths import ActionPath, ActionPaths
from journeys.canvas.steps.audience_paths import AudiencePath, AudiencePaths
from journeys.canvas.steps.context import Context, Variable
from journeys.canvas.steps.decision_split import DecisionSplit
from journeys.canvas.steps.delay import Delay
from journeys.canvas.steps.experiment_paths import ExperimentControl, ExperimentPath, ExperimentPaths
from journeys.canvas.steps.message import Message
from journeys.canvas.steps.user_update import UserUpdate
from journeys.canvas.times import days
from journeys.channels.base import Content, Receipt
from journeys.testing import ChannelContract, StepContract

VIP: Any = {"attribute": "vip", "equals": True}
EXAMPLES: list[Step] = [
    Delay(id="a", duration=days(2)),
    Delay(id="b", until=datetime.fromisoformat("2027-03-01T09:00Z")),
    Message(id="c", channel="email", template="x"),
    Message(id="d", channel="email", template="x", on_fail="exit"),
    Message(id="e", channel="email", template="x", at="best_time"),
    DecisionSplit(id="f", when=VIP, steps=(Delay(id="g", duration=days(1)),)),
    AudiencePaths(id="h", paths=(AudiencePath(name="x", when=VIP),)),
    ActionPaths(
        id="i",
        within=days(3),
        paths=(ActionPath.model_validate({"name": "x", "triggers": [{"event": "y"}]}),),
    ),
    ExperimentPaths(
        id="j",
        paths=(ExperimentPath(name="x", weight=50), ExperimentPath(name="y", weight=40)),
        control=ExperimentControl(weight=10, behaviour="exit"),
    ),
    Context(id="k", set=(Variable(name="x", type="text", value="y"),)),
    UserUpdate(id="l", attributes={"vip": True}),
]


class TestSteps(StepContract):
    """The step types of this package."""

    examples = EXAMPLES


def test_no_step_type_is_left_out() -> None:
    ours = {kind for kind in STEP_TYPES.values() if kind.__module__.startswith("journeys.")}

    assert {type(step) for step in EXAMPLES} == ours


class Sleeper(Step):
    """Waits for ever.

    ```yaml
    - {type: sleeper, id: x}
    ```
    """

    type: Literal["sleeper"] = "sleeper"

    def arrive(self, here: Here) -> Outcome:
        return Wait(here.now + timedelta(days=1))


class Lost(Sleeper):
    """Leaves by an exit that it does not have."""

    def hear(self, here: Here, event: Event) -> Outcome | None:
        return Go("nowhere") if isinstance(event, Woke) else None

    def longest(self) -> timedelta:
        return timedelta(days=1)


def of(step: Step) -> StepContract:
    kept = StepContract()
    kept.examples = [step]  # type: ignore[misc]
    return kept


def test_the_contract_of_steps_finds_what_breaks_it() -> None:
    with pytest.raises(AssertionError, match=r"waits longer than longest\(\) says"):
        of(Sleeper(id="x")).test_what_it_says_can_be_followed()
    with pytest.raises(AssertionError, match="“nowhere” is no exit of x"):
        of(Lost(id="x")).test_what_it_says_can_be_followed()
    with pytest.raises(AssertionError, match="Lost has no example"):
        of(Lost(id="x")).test_its_page_is_its_docstring_with_an_example_in_yaml()


class Bare(Content):
    """Its field is not described."""

    text: str


class Rude:
    """Breaks each promise."""

    name, idempotent, content, lanes = "two words", True, Bare, 1

    def __init__(self) -> None:
        self.said = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def address_of(self, profile: Any) -> str:
        return str(profile.email.lower())

    async def deliver(self, content: Any, to: Any, key: str) -> Receipt:
        self.said += 1
        return Receipt("sent" if self.said == 1 else "failed")


def test_the_contract_of_channels_finds_what_breaks_it() -> None:
    kept = ChannelContract()
    kept.kind, kept.sample = Rude, {"text": "x"}  # type: ignore[misc]

    with pytest.raises(AssertionError, match="“two words” cannot be the name"):
        kept.test_it_is_what_the_protocol_says()
    with pytest.raises(AssertionError):
        kept.test_every_field_of_its_content_is_described()
    with pytest.raises(AttributeError):
        kept.test_a_person_of_whom_nothing_is_known_is_no_error()
    with pytest.raises(AssertionError):
        kept.test_it_opens_and_closes_and_what_it_delivers_has_a_receipt()
