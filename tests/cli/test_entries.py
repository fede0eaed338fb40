"""`journeys entries` finds a person by every identifier that the API knows."""

from __future__ import annotations

import json

import pytest

from journeys.cli.entries import person_named
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.cli.test_commands import journeys
from tests.stage import canvas, stage_on

ALIAS = {"alias_label": "crm", "alias_name": "m-1"}


async def test_a_person_is_found_by_every_identifier_and_the_strongest_counts(db: Database) -> None:
    """IDN-1, IDN-6"""
    stage = await stage_on(db, canvas("  - {type: delay, id: wait, duration: 1 day}"))
    parts = db, stage.published, stage.clock, NullNotifier(), NullNotifier()
    people = [
        {"external_id": "mel", "email": "mel@example.com", "phone": "+31612345678"},
        {"anonymous_id": "device-7", "first_name": "Nobody"},
        {"user_alias": ALIAS, "first_name": "Old", "_update_existing_only": False},
        {"user_alias": {"alias_label": "shop", "alias_name": "double"}, "_update_existing_only": False},
        {"user_alias": {"alias_label": "crm", "alias_name": "double"}, "_update_existing_only": False},
        {"external_id": "device-8"},
        {"anonymous_id": "device-8", "_update_existing_only": False},
    ]
    told = await track(*parts, stage.workspace, {"attributes": people})
    assert told.errors == []

    async def named(given: str) -> tuple[str | None, str | None, str | None]:
        person = await person_named(db, stage.workspace, given)
        query = "select external_id, anonymous_id, first_name from people where id = $1"
        return tuple(await db.pool.fetchrow(query, person) or (None,) * 3)  # type: ignore[return-value]

    mel = ("mel", None, None)
    internal = str(await person_named(db, stage.workspace, "mel"))
    for given in (
        "mel",
        "mel@example.com",
        " MEL@example.com".strip(),
        "+31612345678",
        internal,
        internal.upper(),
    ):
        assert await named(given) == mel, given
    assert await named("device-7") == (None, "device-7", "Nobody")
    assert await named("m-1") == await named("crm:m-1") == (None, None, "Old")
    assert await named("device-8") == ("device-8", None, None)
    assert await named("nobody") == await named("shop:m-1") == await named("") == (None, None, None)
    assert await named("crm:double") != (None, "double", None)
    with pytest.raises(Exception, match="label:double, with crm or shop"):
        await named("double")


async def test_the_command_shows_the_entries_of_an_anonymous_person(db: Database) -> None:
    stage = await stage_on(db, canvas("  - {type: delay, id: wait, duration: 1 day}"))
    await stage.enter(await stage.person(external_id=None, anonymous_id="device-7"))
    said = await journeys("entries", "device-7", "--json", url=db.url)
    assert [entry["canvas"] for entry in json.loads(said.out)["entries"]] == ["story"]
