"""`person`: what is known of a person, the segments that they are in, what they did last, and their entries; erases them."""

from __future__ import annotations

import asyncio
from typing import Any, Literal
from uuid import UUID

import msgspec

from journeys.cli.addresses import database, workspace
from journeys.cli.console import out, print_json, run
from journeys.cli.entries import called, clock, state_of, story_of
from journeys.cli.finding import Named, the_person, typed_name
from journeys.cli.options import AsJson, Workspace
from journeys.cli.stop import Stop
from journeys.engine.audience.match import matches, needs
from journeys.engine.intake.erasing import erase_one
from journeys.engine.people.event_counts import counts_of, spent_by
from journeys.engine.people.profiles import history, load
from journeys.engine.store.database import Database
from journeys.engine.store.shared_clock import read_clock
from journeys.engine.workspaces.published import Publication

LAST = """
select at, kind, name, properties from events where workspace = $1 and person = $2 order by at desc, no desc limit $3
"""
ALIASES = "select label, name from aliases where workspace = $1 and person = $2 order by label"
SUBSCRIPTIONS = (
    "select name, channel, state, at from subscriptions where workspace = $1 and person = $2 order by name"
)
BOUNCED = """
select a.channel, a.bounced as since from people p join addresses a on a.workspace = p.workspace
    and a.address = case a.channel when 'email' then p.email else p.phone end
where (p.workspace, p.id) = ($1, $2) and a.bounced is not null order by a.channel
"""
CONSENTS = "select channel, state, at from consents where workspace = $1 and person = $2 order by channel"


def person(
    person: str | None = None,
    action: Literal["show", "erase"] = "show",
    *,
    named: Named | None = None,
    name: Workspace = "default",
    events: int = 10,
    yes: bool = False,
    as_json: AsJson = False,
) -> int:
    """Show a person: profile, attributes, consents, segments that match, last events, entries. `ID erase` erases them.

    `--email mel@example.com erase` does so too, and so do the other names.

    Parameters
    ----------
    person
        The person's external id; or another name of theirs, where nobody has it as external id.
    action
        Whether the person is shown, or erased for good.
    named
        Other names.
    name
        The workspace.
    events
        How many of the last events are shown.
    yes
        Erase without a way back: it is asked for where somebody is erased.
    as_json
        Print it as JSON.
    """

    if person in ("show", "erase") and typed_name(None, named):  # what is typed first is what to do
        action, person = "erase" if person == "erase" else "show", None

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, name)
            identity = await the_person(db, publication.workspace, name, person, named)
            if action == "erase":
                if not yes:
                    raise Stop("this erases the person for good: say --yes to do it", 2)
                await erase_one(db, publication.workspace, identity, (await read_clock(db)).now())
                out.print("erased", markup=False)
                return 0
            found = await known_of(db, publication, identity, events)
        if as_json:
            print_json(found)
        else:
            _show(found)
        return 0

    return run(work)


async def known_of(db: Database, publication: Publication, identity: UUID, events: int) -> dict[str, Any]:
    """What is known of a person, as data."""
    of = publication.workspace, identity
    now = (await read_clock(db)).now()
    profile = (await load(db.pool, of[0], [identity], consents=True))[identity]
    asked = {identity: (needs(publication.segments.values(), publication.segments), now)}
    past = (await history(db.pool, of[0], asked)).get(identity)
    who = profile.as_person(publication.zone, past)
    entries = await story_of(db, *of)
    return {
        "id": str(identity),
        "external_id": profile.external_id,
        "anonymous_id": profile.anonymous_id,
        "aliases": [f"{label}:{alias}" for label, alias in await db.pool.fetch(ALIASES, *of)],
        "created": profile.created,
        "zone": who.zone,
        "bucket": profile.bucket,
        "profile": profile.standards,
        "attributes": dict(profile.attributes),
        "consents": {
            channel: {"state": state, "at": at} for channel, state, at in await db.pool.fetch(CONSENTS, *of)
        },
        "bounced": dict(await db.pool.fetch(BOUNCED, *of)),
        "subscriptions": {
            group: {"state": state, "channel": channel, "at": at}
            for group, channel, state, at in await db.pool.fetch(SUBSCRIPTIONS, *of)
        },
        "segments": sorted(
            name
            for name, when in publication.segments.items()
            if matches(when, who, now=now, segments=publication.segments)
        ),
        "segments_not_read": sorted(name for kind, name in publication.unread if kind == "segment"),
        "counts": (await counts_of(db.pool, of[0], [identity])).get(identity, []),
        "spent": {
            product: {currency: float(amount) for currency, amount in amounts.items()}
            for product, amounts in (await spent_by(db.pool, of[0], [identity])).get(identity, {}).items()
        },
        "events": [dict(row) for row in await db.pool.fetch(LAST, *of, max(0, events))],
        "entries": [
            {key: value for key, value in one.items() if key != "facts"} for one in entries["entries"]
        ],
        "refused": entries["refused"],
    }


def _show(found: dict[str, Any]) -> None:
    zone = found["zone"]

    def line(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    names = [
        ("external id", found["external_id"]),
        ("anonymous id", found["anonymous_id"]),
        ("internal id", found["id"]),
    ]
    names += [("alias", alias) for alias in found["aliases"]]
    line(", ".join(f"{what} {value}" for what, value in names if value))
    line(f"since {clock(found['created'], zone)}, bucket {found['bucket']}")
    for title in ("profile", "attributes"):
        line(f"{title}:" if found[title] else f"{title}: none")
        for key, value in sorted(found[title].items()):
            line(f"  {key}: {value if isinstance(value, str) else msgspec.json.encode(value).decode()}")
    said = [
        f"{channel} {one['state']} since {clock(one['at'], zone)}"
        for channel, one in found["consents"].items()
    ]
    line(f"consents: {', '.join(said) or 'none was said: subscribed'}")
    if found["bounced"]:
        bounced = [f"{channel} since {clock(since, zone)}" for channel, since in found["bounced"].items()]
        line(f"addresses that do not exist: {', '.join(bounced)}")
    groups = [
        f"{group} {one['state']} since {clock(one['at'], zone)}"
        for group, one in found["subscriptions"].items()
    ]
    if groups:
        line(f"subscription groups: {', '.join(groups)}")
    line(f"segments: {', '.join(found['segments']) or 'none'}")
    if found["segments_not_read"]:
        line(f"segments that this version does not understand: {', '.join(found['segments_not_read'])}")
    line("done:" if found["counts"] else "done: nothing")
    for one in found["counts"]:
        kind = "" if one["kind"] == "event" else f"{one['kind']} "
        amounts = found["spent"].get(one["name"], {}) if one["kind"] == "purchase" else {}
        money = "".join(f", {amount:.2f} {currency}" for currency, amount in amounts.items())
        since = f"first {clock(one['first'], zone)}, last {clock(one['last'], zone)}"
        line(
            f"  {kind}{one['name']}: {one['count']} {'time' if one['count'] == 1 else 'times'}, {since}{money}"
        )
    line("last events:" if found["events"] else "last events: none")
    for one in found["events"]:
        kind = "" if one["kind"] == "event" else f"{one['kind']} "
        more = f" {msgspec.json.encode(one['properties']).decode()}" if one["properties"] else ""
        line(f"  {clock(one['at'], zone)}  {kind}{one['name']}{more}")
    line("entries:" if found["entries"] else "entries: none")
    for one in found["entries"]:
        line(f"  {called(one)}: {state_of(one, zone)}")
    if found["refused"]:
        line(
            f"refused: {', '.join(sorted({one['canvas'] for one in found['refused']}))} (`journeys entries` says why)"
        )
