"""What may be sent, decided at the moment of sending. Pure; delivery and the simulator use the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from journeys.canvas.events_and_commands import NOTHING
from journeys.canvas.filters import Filter
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import Person, matches

UNASKED = frozenset({"webhook"})
"""Channels to a server instead of the person: they need no consent."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message does not leave: what becomes of it (`aborted`, `unreachable`, `invalid`), and the reason's code."""

    outcome: str
    reason: str


def refusal(
    plan: Plan,
    step: Message,
    person: Person,
    now: datetime,
    *,
    reachable: bool = True,
    context: Mapping[str, Any] = NOTHING,
    segments: Mapping[str, Filter] = NOTHING,
    key: Any = None,
    entry: str | None = None,
) -> Refusal | None:
    """What keeps a message of this step from the person at this instant; None: it may leave.

    In this order: the channel knows no address of theirs (`reachable`), or none that can be used (EML-8), their consent
    (SUB-1, MSG-1), the subscription group of the message (SUB-3), the message's own condition (VAL-1). That sees the entry's `context` and `key` and the named
    `segments`, and of what the canvas' steps have sent what they sent in this `entry` (CTL-10).
    """
    if not reachable:
        return Refusal("unreachable", "no_address")
    if (why := unusable(plan, step.channel, person)) is not None:
        return Refusal("unreachable", why)  # EML-8
    if not agreed(plan, step.channel, person):  # SUB-1, MSG-1
        return Refusal("unreachable", f"not_{plan.canvas.send.subscription}")
    if step.subscription_group is not None and person.subscription(step.subscription_group) != "subscribed":
        return Refusal("unreachable", "not_in_group")  # SUB-3
    if step.only_when is not None and not matches(
        step.only_when,
        person,
        now=now,
        context=context,
        segments=segments,
        canvas=plan.canvas.name,
        key=key,
        entry=entry,
    ):
        return Refusal("invalid", "only_when")  # VAL-1
    return None


def unusable(plan: Plan, channel: str, person: Person) -> str | None:
    """Why nothing is sent to their address on a channel (EML-8, CNS-4); None: it may be."""
    if channel in person.bounced:
        return "hard_bounced"  # EML-8
    asks = plan.canvas.send.subscription != "all"
    if asks and channel == "email" and person.standard.get("marked_email_as_spam_at") is not None:
        return "marked_as_spam"  # EML-8
    return None


def states_asked(plan: Plan, channel: str) -> tuple[str, ...] | None:
    """The states of consent in which the canvas writes by a channel (SUB-1); None: it asks for none."""
    wanted = plan.canvas.send.subscription
    if wanted == "all" or channel in UNASKED:
        return None
    return ("opted_in", "subscribed") if wanted == "subscribed" else ("opted_in",)  # SUB-1


def groups_asked(plan: Plan, channel: str) -> tuple[str, ...] | None:
    """The subscription groups of the messages on a channel (SUB-3); None: a message on it belongs to none."""
    steps = (step for step in plan.steps.values() if isinstance(step, Message) and step.channel == channel)
    groups = {step.subscription_group for step in steps}
    return None if None in groups else tuple(sorted(filter(None, groups)))


def agreed(plan: Plan, channel: str, person: Person) -> bool:
    """Whether the person's consent allows it (SUB-1); who said nothing is subscribed."""
    asked = states_asked(plan, channel)
    return asked is None or person.consent(channel) in asked


def in_a_group(plan: Plan, channel: str, person: Person) -> bool:
    """Whether a message on the channel may reach the person by its subscription group (SUB-3)."""
    groups = groups_asked(plan, channel)
    return groups is None or any(person.subscription(group) == "subscribed" for group in groups)
