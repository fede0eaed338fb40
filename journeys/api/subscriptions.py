"""`/subscription` and `/v2/subscription`: the states of people in subscription groups (CNS-5 to CNS-9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from journeys.api.operations import (
    Answered,
    Asked,
    Operation,
    Texts,
    kept_addresses,
    kept_numbers,
)
from journeys.api.rate_limits import SUBSCRIPTIONS
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.canvas.subscription_groups import SubscriptionGroup, group_of
from journeys.engine.intake.subscribing import Change, change_subscriptions
from journeys.engine.people.identity import Identifier, find
from journeys.engine.people.subscriptions import NO_GROUP, subscriptions_of
from journeys.engine.workspaces.api_keys import Key

NOT_BOTH = "Either an email address or a phone number should be provided, but not both."
NOBODY = "'external_id', 'email' or 'phone' is required"
MOST_GROUPS = 50
State = Literal["subscribed", "unsubscribed"]


class SetStatus(Asked):
    """Whom to subscribe to a group, or to unsubscribe."""

    subscription_group_id: str
    """The group by its id or its name."""
    subscription_state: State
    external_id: Texts = []
    email: Texts = []
    phone: Texts = []
    use_double_opt_in_logic: bool = False
    """Taken, and of no effect: a double opt-in is a canvas."""


class SetGroup(Asked):
    """Whom to subscribe to one of the groups, or to unsubscribe."""

    subscription_group_id: str
    subscription_state: State
    external_ids: Texts = []
    emails: Texts = []
    phones: Texts = []
    use_double_opt_in_logic: bool = False


class SetGroups(Asked):
    """The same for several groups."""

    subscription_groups: Annotated[list[SetGroup], Field(min_length=1, max_length=MOST_GROUPS)]


class GetStatus(Asked):
    """Whose state in a group is asked for: by external ids, else by an address or a number."""

    subscription_group_id: str
    external_id: Texts = []
    email: Texts = []
    phone: Texts = []


class Status(Answered):
    """The states by external id; of somebody who has none, by the id that this service gave."""

    status: dict[str, Literal["Subscribed", "Unsubscribed", "Unknown"]]


class GetGroups(Asked):
    """Whose groups are asked for."""

    external_id: Texts = []
    email: Texts = []
    phone: Texts = []
    limit: Annotated[int, Field(ge=1, le=100)] = 100
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


class GroupOfPerson(BaseModel):
    """A group of which a person has said something, and what they said last."""

    model_config = ConfigDict(frozen=True)
    id: str
    name: str
    channel: str
    status: Literal["Subscribed", "Unsubscribed"]


class PersonWithGroups(BaseModel):
    """A person with their groups."""

    model_config = ConfigDict(frozen=True)
    external_id: str | None
    email: str | None
    phone: str | None
    subscription_groups: list[GroupOfPerson]


class Groups(Answered):
    """A page of people with their groups; `total_count` counts the people of all pages."""

    success: bool = True
    users: list[PersonWithGroups]
    total_count: int


SAID: Mapping[str, Literal["Subscribed", "Unsubscribed"]] = {
    "subscribed": "Subscribed",
    "unsubscribed": "Unsubscribed",
}


async def set_status(services: Services, key: Key, asked: SetStatus) -> Answered:
    """Set the state of people in one group (CNS-5)."""
    one = SetGroup.model_construct(
        subscription_group_id=asked.subscription_group_id,
        subscription_state=asked.subscription_state,
        external_ids=asked.external_id,
        emails=asked.email,
        phones=asked.phone,
    )
    return await set_groups(services, key, SetGroups.model_construct(subscription_groups=[one]))


async def set_groups(services: Services, key: Key, asked: SetGroups) -> Answered:
    """Set the states of people in several groups: all of it, or nothing (CNS-6)."""
    groups = (await services.published.of(key.workspace)).groups
    changes = [_change(one, groups) for one in asked.subscription_groups]
    await change_subscriptions(services.db, key.workspace, changes, services.clock.now(), "rest")
    return Answered()


def _change(asked: SetGroup, groups: Mapping[str, SubscriptionGroup]) -> Change:
    if asked.emails and asked.phones:  # CNS-5, CNS-6
        raise Refusal(400, NOT_BOTH)
    if not (asked.external_ids or asked.emails or asked.phones):
        raise Refusal(400, NOBODY)
    group = _group(asked.subscription_group_id, groups)
    other = "phone" if group.channel == "email" else "email"
    if asked.phones if other == "phone" else asked.emails:  # CNS-5
        raise Refusal(400, f"'{other}' names nobody for a subscription group of the channel {group.channel}")
    return Change(
        group=group,
        state=asked.subscription_state,
        external_ids=asked.external_ids,
        emails=kept_addresses(asked.emails),
        phones=kept_numbers(asked.phones),
    )


def _group(name_or_id: str, groups: Mapping[str, SubscriptionGroup]) -> SubscriptionGroup:
    found = group_of(groups, name_or_id)
    if found is None:
        raise Refusal(400, NO_GROUP)
    return found


MEANT = "workspace = $1 and (id = any($2::uuid[]) or email = any($3::text[]) or phone = any($4::text[]))"
PEOPLE = f"select id, external_id, email, phone from people where {MEANT} order by id limit $5 offset $6"  # noqa: S608
COUNT = f"select count(*) from people where {MEANT}"  # noqa: S608 - constants
MOST_PEOPLE = 1000
"""People whose states are told in one answer."""


async def get_status(services: Services, key: Key, asked: GetStatus) -> Status:
    """What people said last of one group, whether or not they hear anything on its channel (CNS-7, CNS-2)."""
    group = _group(asked.subscription_group_id, (await services.published.of(key.workspace)).groups)
    if not (asked.external_id or asked.email or asked.phone):
        raise Refusal(400, NOBODY)
    found = await find(
        services.db.pool, key.workspace, [Identifier("external_id", one) for one in asked.external_id]
    )
    people = {one.value: person for one, person in found.items()}
    if not asked.external_id:
        of = kept_addresses(asked.email), kept_numbers(asked.phone)
        rows = await services.db.pool.fetch(PEOPLE, key.workspace, [], *of, MOST_PEOPLE, 0)
        people = {row["external_id"] or str(row["id"]): row["id"] for row in rows}  # CNS-9
    states = await subscriptions_of(services.db.pool, key.workspace, people.values())
    said = {
        name: SAID.get(states.get(person, {}).get(group.name, ""), "Unknown")
        for name, person in people.items()
    }
    return Status(status={**dict.fromkeys(asked.external_id, "Unknown"), **said})


async def get_groups(services: Services, key: Key, asked: GetGroups) -> Groups:
    """The groups of which people have said anything, each person of a shared address by themselves (CNS-8, CNS-9)."""
    if not (asked.external_id or asked.email or asked.phone):
        raise Refusal(400, NOBODY)
    groups = (await services.published.of(key.workspace)).groups
    pool = services.db.pool
    found = await find(pool, key.workspace, [Identifier("external_id", one) for one in asked.external_id])
    of = list(found.values()), kept_addresses(asked.email), kept_numbers(asked.phone)
    rows = await pool.fetch(PEOPLE, key.workspace, *of, asked.limit, asked.offset)
    states = await subscriptions_of(pool, key.workspace, [row["id"] for row in rows])
    users = [
        PersonWithGroups(
            external_id=row["external_id"],
            email=row["email"],
            phone=row["phone"],
            subscription_groups=[
                GroupOfPerson(
                    id=groups[name].api_id, name=name, channel=groups[name].channel, status=SAID[state]
                )
                for name, state in states.get(row["id"], {}).items()
                if name in groups
            ],
        )
        for row in rows
    ]
    return Groups(users=users, total_count=await pool.fetchval(COUNT, key.workspace, *of))


OPERATIONS = (
    Operation(
        method="POST",
        path="/subscription/status/set",
        summary="Subscribe people to a group, or unsubscribe them",
        permission="subscription.status.set",
        asks=SetStatus,
        answers=Answered,
        work=set_status,
        status=201,
        limit=SUBSCRIPTIONS,
    ),
    Operation(
        method="POST",
        path="/v2/subscription/status/set",
        summary="The same for several groups",
        permission="subscription.status.set",
        asks=SetGroups,
        answers=Answered,
        work=set_groups,
        status=201,
        limit=SUBSCRIPTIONS,
    ),
    Operation(
        method="GET",
        path="/subscription/status/get",
        summary="The state of people in a group",
        permission="subscription.status.get",
        asks=GetStatus,
        answers=Status,
        work=get_status,
    ),
    Operation(
        method="GET",
        path="/subscription/user/status",
        summary="The groups of people",
        permission="subscription.groups.get",
        asks=GetGroups,
        answers=Groups,
        work=get_groups,
    ),
)
