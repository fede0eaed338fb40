"""`/users/track`: attributes, events and purchases of many people, in one transaction (TRK-1 to TRK-10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.clock import Clock
from journeys.engine.intake.times import instant
from journeys.engine.people.attributes import Refused
from journeys.engine.people.attributes import changed as combined
from journeys.engine.people.identify import Identifier, resolve
from journeys.engine.people.profiles import Profile, load
from journeys.engine.people.record import New, record
from journeys.engine.people.standard import apply, e164, fatal
from journeys.engine.ports import Bell, Teller
from journeys.engine.published import Published
from journeys.engine.store.database import Database

ARRAYS = ("attributes", "events", "purchases")
MOST = 75
"""So many objects of each kind in one request (D1)."""

NO_IDENTIFIER = "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
NOTHING_VALID = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
RESERVED = ("time", "event_name")
MOST_PROPERTIES = 256


@dataclass(slots=True)
class Tracked:
    """What became of a request: how many objects of each array were taken, and why others were not."""

    taken: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    """Attributes that were refused within an object that was taken."""
    created: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    array: str
    index: int
    given: Mapping[str, Any]
    who: Identifier
    makes: bool
    at: datetime | None = None


def identifier_of(given: Mapping[str, Any]) -> Identifier | str:
    """Who an object is about (IDN-5, IDN-6), or what is wrong with it."""
    for sort in ("external_id", "anonymous_id"):
        if given.get(sort) is not None:
            if not isinstance(given[sort], str) or not given[sort] or "\x00" in given[sort]:
                return f"'{sort}' must be a string"
            return Identifier(sort, given[sort])  # type: ignore[arg-type]
    alias = given.get("user_alias")
    if alias is not None:
        names = (alias.get("alias_label"), alias.get("alias_name")) if isinstance(alias, Mapping) else (None, None)
        if not all(isinstance(name, str) and name for name in names):
            return "'user_alias' must be an object with 'alias_name' and 'alias_label'"
        return Identifier("user_alias", f"{names[0]}\x1f{names[1]}")
    if isinstance(given.get("braze_id"), str):
        return Identifier("braze_id", given["braze_id"])
    if isinstance(given.get("email"), str):
        wrong = fatal({"email": given["email"]})
        return wrong or Identifier("email", given["email"].strip())
    if isinstance(given.get("phone"), str):
        return Identifier("phone", e164(given["phone"]) or given["phone"])
    return NO_IDENTIFIER


def _makes(given: Mapping[str, Any], who: Identifier) -> bool:
    """Whether an unknown person is made (IDN-7, D2)."""
    existing = given.get("_update_existing_only")
    if who.sort == "braze_id" or existing is True:
        return False
    return existing is False if who.sort == "user_alias" else True


def read(body: Mapping[str, Any], now: datetime) -> tuple[list[_Item], Tracked]:
    """The objects of a request that can be taken, and what is wrong with the others."""
    items: list[_Item] = []
    tracked = Tracked()
    for array in ARRAYS:
        given = body.get(array)
        if given is None:
            continue
        tracked.taken[array] = 0
        for index, each in enumerate(given):
            wrong, at = _judge(array, each, now)
            who = identifier_of(each) if wrong is None else wrong
            if isinstance(who, str):
                tracked.errors.append({"type": who, "input_array": array, "index": index})
                continue
            tracked.taken[array] += 1
            items.append(_Item(array, index, each, who, _makes(each, who), at))
    return items, tracked


def _judge(array: str, given: Any, now: datetime) -> tuple[str | None, datetime | None]:
    """What is wrong with an object, or its instant; a time in the future becomes now (EVT-1)."""
    if not isinstance(given, Mapping):
        return "must be an object", None
    if array == "attributes":
        return fatal(given), None
    wrong = _PARTS[array](given)
    at = instant(given.get("time"))
    if wrong is None and at is None:
        wrong = "'time' must be an ISO 8601 datetime"
    wrong = wrong or _properties(given.get("properties"))
    return wrong, min(at, now) if at is not None else None


def _event(given: Mapping[str, Any]) -> str | None:
    name = given.get("name")
    return None if isinstance(name, str) and name and "\x00" not in name else "'name' is required"


def _purchase(given: Mapping[str, Any]) -> str | None:
    product, currency, price = given.get("product_id"), given.get("currency"), given.get("price")
    quantity = given.get("quantity", 1)
    if not isinstance(product, str) or not product:
        return "'product_id' is required"
    if not isinstance(currency, str) or len(currency) != 3 or not currency.isalpha():
        return "'currency' must be an ISO 4217 code"
    if isinstance(price, bool) or not isinstance(price, int | float):
        return "'price' must be a number"
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= 100:
        return "'quantity' must be an integer between 1 and 100"
    return None


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {"events": _event, "purchases": _purchase}


def _properties(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        return "'properties' must be an object"
    for name in given:
        if name in RESERVED:
            return f"'properties' must not contain reserved key '{name}'"
        if name.startswith("$") and name != "$insert_id":
            return "property names must not start with '$'"
    try:
        combined("properties", None, {name: value for name, value in given.items() if name != "$insert_id"})
    except Refused:
        return "'properties' contain an invalid value"
    return None


STORE = """
update people p set email = s.email, phone = s.phone, first_name = s.first_name, last_name = s.last_name,
    language = s.language, country = s.country, zone = s.zone, standard = s.standard, attributes = s.attributes,
    external_id = coalesce(p.external_id, s.external_id), updated = clock_timestamp()
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::jsonb[],
    $11::jsonb[], $12::text[])
    as s(id, email, phone, first_name, last_name, language, country, zone, standard, attributes, external_id)
where p.workspace = $1 and p.id = s.id
"""
CONSENT = """
insert into consents (workspace, person, channel, state, at)
select $1, s.person, s.channel, s.state, $5 from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, channel, state)
on conflict (workspace, person, channel) do update set state = excluded.state, at = excluded.at
"""


async def track(
    db: Database,
    published: Published,
    clock: Clock,
    teller: Teller,
    bell: Bell,
    workspace: int,
    body: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Tracked:
    """Take a request whose arrays are lists: attributes first, then events, then purchases (TRK-3).

    What is wrong with one object sinks no other. When this returns, all that was taken can be read (API-5).
    """
    publication = await published.of(workspace)
    now = clock.now()
    items, tracked = read(body, now)
    if not items:
        return tracked
    wanted: dict[Identifier, bool] = {}
    for item in items:
        wanted[item.who] = wanted.get(item.who, False) or item.makes
    async with db.transaction() as connection:
        found = await resolve(connection, workspace, wanted)
        profiles = await load(connection, workspace, set(found.values()))
        await _write_attributes(connection, workspace, items, found, profiles, tracked, now)
        news = [_new(item, profiles[found[item.who]]) for item in items if item.at is not None and item.who in found]
        hearing = await record(connection, publication, published, clock, news)
    teller.tell(hearing.untold)
    for channel in hearing.channels:
        bell.ring(channel)
    return tracked


async def _write_attributes(
    connection: Any,
    workspace: int,
    items: Sequence[_Item],
    found: Mapping[Identifier, UUID],
    profiles: Mapping[UUID, Profile],
    tracked: Tracked,
    now: datetime,
) -> None:
    changed: dict[UUID, Profile] = {}
    consents: dict[tuple[UUID, str], str] = {}
    for item in items:
        person = found.get(item.who)
        if item.array != "attributes" or person is None:
            continue
        profile = profiles[person]
        result = apply(profile, item.given)
        for column, value in result.columns.items():
            setattr(profile, column, value)
        profile.standard, profile.attributes = result.standard, result.custom
        if result.names:
            changed[person] = profile
        for channel, state in result.consents.items():
            consents[person, channel] = state
        tracked.warnings += [
            {"type": text, "input_array": item.array, "index": item.index} for text in result.errors
        ]
    if changed:
        rows = [
            (
                p.id, p.email, p.phone, p.first_name, p.last_name, p.language, p.country, p.zone, dict(p.standard),
                dict(p.attributes), p.external_id,
            )
            for p in changed.values()
        ]  # fmt: skip
        await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)))
    if consents:
        said = [(person, channel, state) for (person, channel), state in sorted(consents.items())]
        await connection.execute(CONSENT, workspace, *map(list, zip(*said, strict=True)), now)


def _new(item: _Item, profile: Profile) -> New:
    assert item.at is not None, "events and purchases have an instant"
    properties = dict(item.given.get("properties") or {})
    event_id = properties.pop("$insert_id", None) or item.given.get("event_id")
    properties = dict(list(combined("properties", None, properties).items())[:MOST_PROPERTIES]) if properties else {}
    if item.array == "events":
        return New(
            profile=profile,
            kind="event",
            name=str(item.given["name"])[:255],
            at=item.at,
            properties=properties,
            event_id=str(event_id) if event_id is not None else None,
        )
    bought = {name: item.given[name] for name in ("price", "currency", "quantity") if name in item.given}
    return New(
        profile=profile,
        kind="purchase",
        name=str(item.given["product_id"])[:255],
        at=item.at,
        properties={**properties, **bought},
        event_id=str(event_id) if event_id is not None else None,
    )
