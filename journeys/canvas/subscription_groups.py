"""Subscription groups: what people subscribe to within a channel, such as a newsletter, and leave one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import Problem, shown, wrong
from journeys.canvas.source_positions import Places
from journeys.canvas.steps.base import Id

ID = re.compile(r"^[A-Za-z0-9_-]{1,100}$")


def _id(given: str) -> str:
    if not ID.match(given):
        hint = "letters, digits, - and _, at most 100 characters"
        raise wrong("J110", f"{shown(given)} is not a valid id", hint)
    return given


GroupChannel = Literal["email", "sms", "rcs", "whatsapp"]


class SubscriptionGroup(Frozen):
    """A subscription group: people are subscribed to it, unsubscribed from it, or have never said either (CNS-1).

    ```yaml
    kind: subscription_group
    format: 1
    name: newsletter
    channel: email
    ```
    """

    kind: ClassVar[str] = "subscription_group"
    name: Id
    """The name of the group."""
    channel: GroupChannel
    """The channel. Those who share an e-mail address, or a phone number on another channel, share their state in it."""
    id: Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": ID.pattern})] | None = None
    """The id that programs know it by; its name is one as well."""
    description: str = ""
    """What it is, in words."""

    @property
    def api_id(self) -> str:
        """The id that answers of the API give it."""
        return self.id or self.name


def group_of(groups: Mapping[str, SubscriptionGroup], name_or_id: str) -> SubscriptionGroup | None:
    """The group of this name or id; a name comes before an id."""
    found = groups.get(name_or_id)
    return found or next((one for one in groups.values() if one.id == name_or_id), None)


def check_subscription_groups(given: Iterable[tuple[SubscriptionGroup, Places]]) -> Iterator[Problem]:
    """J306: ids that another group has, as its id or its name."""
    known: dict[str, str] = {}
    groups = [*given]
    for group, _ in groups:
        known[group.name] = group.name
    for group, places in groups:
        if group.id is None:
            continue
        other = known.setdefault(group.id, group.name)
        if other != group.name:
            message = f"the subscription group “{other}” has the id “{group.id}” already"
            yield Problem(
                "J306", places.where(("id",)), message, "ids and names are told apart by nothing else"
            )
