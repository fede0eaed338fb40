"""The names that templates may say, and what they come to at a send."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from journeys.canvas.canvas import Canvas
from journeys.canvas.plan import compile as plan_of
from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.engine.audience.match import Said
from journeys.engine.content import compile
from journeys.engine.content.known_names import EMAIL, KEPT, NAMESPACES, STANDARD, UNSUBSCRIBE
from journeys.engine.content.lint import Setting, lint
from journeys.engine.people.profiles import Profile
from journeys.engine.people.standard_attributes import STANDARD as STORED
from journeys.engine.workspaces.liquid_values import draw_of, values

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
MEL = Profile(
    1, UUID(int=1), 0, "mel", None, "mel@example.com", "+4930123456", "Mel", "Li", "en", "DE", "Europe/Berlin", 7,
    dict.fromkeys(STORED, "set"), {}, {}, NOW,
)  # fmt: skip
PLAN = plan_of(
    Canvas.model_validate({
        "name": "c", "schedule": {"api": True},
        "steps": [{"type": "message", "id": "m", "channel": "email", "template": "t"}],
    })
)  # fmt: skip
NAMES = [f"${{{name}}}" for name in sorted(STANDARD | EMAIL | KEPT)] + [
    f"{space}.${{{name}}}" for space, names in NAMESPACES.items() for name in sorted(names or ())
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_the_check_lets_pass_has_a_value_when_a_mail_is_sent(name: str) -> None:
    """L8: none is always empty; an unsubscribe link least of all."""
    source = f"{{{{{name}}}}}"
    if lint(source, Setting("email")):
        return
    given = values(
        MEL, PLAN, step="m", variant="one", context={}, properties={}, now=NOW, canvas_id="c1", dispatch="d",
        links=dict.fromkeys((*UNSUBSCRIBE, "preference_center_url"), "https://j.example/u/x"),
    )  # fmt: skip
    assert compile(source).render(given)


def test_what_a_person_agreed_to_is_told_to_messages() -> None:
    MEL.consents = {"email": "opted_in"}
    given = values(MEL, PLAN, step="m", variant="", context={}, properties={}, now=NOW, dispatch="d")
    assert compile("{{subscribed_state.${email_global}}}").render(given) == "opted_in"


def test_what_a_person_said_of_a_group_is_told_to_messages_by_its_name_and_its_id() -> None:
    """CNS-2: who left the channel is subscribed to no group of it."""
    groups = [SubscriptionGroup(name="news", channel="email", id="6b1f")]
    MEL.subscriptions = {"news": Said("email", "subscribed")}
    source = "{{subscribed_state.${news}}} {{subscribed_state.${6b1f}}} {{subscribed_state.${other}}}"
    said = []
    for state in ("subscribed", "unsubscribed"):
        MEL.consents = {"email": state}
        given = values(
            MEL, PLAN, step="m", variant="", context={}, properties={}, now=NOW, dispatch="d", groups=groups
        )
        said.append(compile(source).render(given))

    assert said == ["subscribed subscribed ", "unsubscribed unsubscribed "]


def test_a_message_that_is_rendered_again_draws_the_same_lots_and_another_message_others() -> None:
    """T4"""

    def drawn(dispatch: str) -> list[float]:
        draw = draw_of(dispatch)
        return [draw() for _ in range(5)]

    assert drawn("entry/m") == drawn("entry/m") != drawn("entry/n")
    assert len(set(drawn("entry/m"))) == 5
