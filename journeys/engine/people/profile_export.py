"""What is known of people, in the shape in which programs export it: a fixed number of statements, however many people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from journeys.canvas.wall_clock import plus
from journeys.engine.people.profiles import Profile, load
from journeys.engine.store.stored_objects import plain

COVERED = timedelta(days=90)
"""How far back events, purchases and canvases are told (XPT-5)."""

STANDARD = (
    "external_id", "first_name", "last_name", "email", "dob", "home_city", "country", "phone", "language", "time_zone", "gender",
)  # fmt: skip
"""Fields that are standard attributes of the same name."""

SUMMED = frozenset({"custom_events", "purchases", "total_revenue", "canvases_received"})
"""Fields that are counted from what people did, and what became of them."""

HERE = frozenset({
    "created_at", "braze_id", "user_aliases", "random_bucket", "last_coordinates", "push_subscribe", "email_subscribe",
    "push_opted_in_at", "email_opted_in_at", "push_unsubscribed_at", "email_unsubscribed_at", "custom_attributes",
    "push_tokens", *STANDARD, *SUMMED,
})  # fmt: skip
"""Fields of which this service may have a value."""

ELSEWHERE = frozenset({
    "attributed_campaign", "attributed_source", "attributed_adgroup", "attributed_ad", "uninstalled_at", "devices", "apps",
    "campaigns_received", "cards_clicked",
})  # fmt: skip
"""Fields that clients may ask for, and that nobody has a value of here."""

FIELDS = HERE | ELSEWHERE
"""Every field that may be asked for (XPT-1)."""

MOST_NAMED = 50
"""Custom attributes that are read one by one; where more are asked for, all are read."""

ALIASES = """
select person, label, name from aliases where workspace = $1 and person = any($2::uuid[]) order by person, label
"""
CONSENTS = "select person, channel, state, at from consents where workspace = $1 and person = any($2::uuid[])"
DONE = """
select e.person, e.kind, e.name, min(e.at) as first, max(e.at) as last,
    sum(case when e.kind = 'purchase' and jsonb_typeof(e.properties -> 'quantity') = 'number'
        then (e.properties ->> 'quantity')::numeric else 1 end)::bigint as count
from unnest($2::uuid[]) as w(person)
cross join lateral (
    select person, kind, name, at, properties from events
    where (workspace, person) = ($1, w.person) and kind = any($3::text[]) and at >= $4) e
group by 1, 2, 3 order by 1, 2, 3
"""
REVENUE = """
select person, sum(amount)::float8 as total from spending where workspace = $1 and person = any($2::uuid[]) group by person
"""
"""Kept up as purchases arrive: it reads none of them."""
CANVASES = """
select f.person, f.canvas, f.fact, f.step, f.variant, max(f.at) as last
from unnest($2::uuid[]) as w(person)
cross join lateral (
    select person, canvas, fact, step, at, data ->> 'variant' as variant from facts
    where (workspace, person) = ($1, w.person) and fact in ('entered', 'sent', 'ended') and at >= $3) f
group by 1, 2, 3, 4, 5 order by 1, 2, 6
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported of each person: fields, and the custom attributes that are picked one by one."""

    fields: frozenset[str] = HERE
    attributes: Collection[str] = ()
    """Some custom attributes: of no effect where the field `custom_attributes` is wanted."""

    def reads(self) -> Collection[str] | None:
        """The custom attributes that are read; None: all."""
        if "custom_attributes" in self.fields:
            return None
        return self.attributes if len(self.attributes) <= MOST_NAMED else None

    def kept(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of a person's attributes those that are wanted."""
        if "custom_attributes" in self.fields:
            return plain(attributes)
        return {name: attributes[name] for name in self.attributes if name in attributes}


@dataclass(frozen=True, slots=True)
class CanvasNamed:
    """A canvas as exports name it: its id, and the variants in which nobody gets a message."""

    id: str
    controls: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Found:
    """What the statements found, by person."""

    aliases: dict[UUID, list[dict[str, str]]] = field(default_factory=dict)
    consents: dict[UUID, dict[str, tuple[str, datetime]]] = field(default_factory=dict)
    done: dict[tuple[UUID, str], list[dict[str, Any]]] = field(default_factory=dict)
    revenue: dict[UUID, float] = field(default_factory=dict)
    canvases: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)


async def exported(
    connection: Any,
    workspace: int,
    people: Sequence[UUID],
    wanted: Wanted,
    canvases: Mapping[str, CanvasNamed],
    now: datetime,
) -> list[dict[str, Any]]:
    """These people with what is wanted of them, in this order. What has no value is left out (XPT-1)."""
    profiles = await load(connection, workspace, people, attributes=wanted.reads())
    found = await _found(connection, workspace, list(profiles), wanted, canvases, now)
    return [_told(profiles[person], wanted, found) for person in people if person in profiles]


async def _found(
    connection: Any,
    workspace: int,
    people: list[UUID],
    wanted: Wanted,
    canvases: Mapping[str, CanvasNamed],
    now: datetime,
) -> _Found:
    found, fields, since = _Found(), wanted.fields, plus(now, -COVERED)  # XPT-5
    if "user_aliases" in fields:
        for row in await connection.fetch(ALIASES, workspace, people):
            alias = {"alias_name": row["name"], "alias_label": row["label"]}
            found.aliases.setdefault(row["person"], []).append(alias)
    if any(name.startswith(("email_", "push_")) for name in fields):
        for row in await connection.fetch(CONSENTS, workspace, people):
            found.consents.setdefault(row["person"], {})[row["channel"]] = row["state"], row["at"]
    kinds = [kind for kind, name in (("event", "custom_events"), ("purchase", "purchases")) if name in fields]
    if kinds:
        for row in await connection.fetch(DONE, workspace, people, kinds, since):
            told = {
                "name": row["name"],
                "first": instant(row["first"]),
                "last": instant(row["last"]),
                "count": row["count"],  # XPT-5
            }
            found.done.setdefault((row["person"], row["kind"]), []).append(told)
    if "total_revenue" in fields:
        found.revenue = dict(await connection.fetch(REVENUE, workspace, people))
    if "canvases_received" in fields:
        rows = await connection.fetch(CANVASES, workspace, people, since)
        found.canvases = _received(rows, canvases)
    return found


def _received(
    rows: Sequence[Mapping[str, Any]], canvases: Mapping[str, CanvasNamed]
) -> dict[UUID, list[dict[str, Any]]]:
    """The canvases that people entered or heard of, from rows in the order of their instants."""
    found: dict[UUID, dict[str, dict[str, Any]]] = {}
    for row in rows:
        canvas = canvases.get(row["canvas"])
        if canvas is None:
            continue
        one = found.setdefault(row["person"], {}).setdefault(
            row["canvas"], {"name": row["canvas"], "api_canvas_id": canvas.id, "steps_received": []}
        )
        at = instant(row["last"])
        if row["fact"] == "entered":
            control = row["variant"] in canvas.controls
            one |= {"last_entered": at, "in_control": control}
            if row["variant"] is not None:
                one["variation_name"] = row["variant"]
            if control:
                one["last_entered_control_at"] = at
        elif row["fact"] == "ended":
            one["last_exited"] = at
        else:
            one["last_received_message"] = at
            step = {"name": row["step"], "api_canvas_step_id": row["step"], "last_received": at}
            one["steps_received"].append(step)
    return {person: list(each.values()) for person, each in found.items()}


def _told(profile: Profile, wanted: Wanted, found: _Found) -> dict[str, Any]:
    person, standards = profile.id, profile.standards
    location = standards.get("current_location")
    told: dict[str, Any] = {
        **{name: standards.get(name) for name in STANDARD},
        "created_at": _moment(profile.created),
        "braze_id": str(person),
        "random_bucket": profile.bucket,
        "user_aliases": found.aliases.get(person),
        "last_coordinates": [location["longitude"], location["latitude"]] if location else None,  # D7
        "push_tokens": standards.get("push_tokens"),
        "custom_events": found.done.get((person, "event")),
        "purchases": found.done.get((person, "purchase")),
        "total_revenue": found.revenue.get(person),
        "canvases_received": found.canvases.get(person),
    }
    for channel in ("email", "push"):
        state, since = found.consents.get(person, {}).get(channel, ("subscribed", None))
        told[f"{channel}_subscribe"] = state
        for word in ("opted_in", "unsubscribed"):
            told[f"{channel}_{word}_at"] = instant(since) if since and state == word else None
    told = {name: value for name, value in told.items() if name in wanted.fields and value is not None}
    attributes = wanted.kept(profile.attributes)
    return {**told, "custom_attributes": dict(attributes)} if attributes else told


def instant(at: datetime) -> str:
    """An instant as exports write it.

    Example:
        >>> instant(datetime(2026, 12, 7, 9, tzinfo=UTC))
        '2026-12-07T09:00:00.000Z'
    """
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _moment(at: datetime) -> str:
    """When a person was made, which clients read in another form."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"
