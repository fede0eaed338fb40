"""`journeys entries` finds a person by every identifier that the API knows."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from journeys.cli.entries import person_named, story
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from tests.cli.test_commands import journeys
from tests.stage import EMAIL, MONDAY, canvas, stage_on

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


AUDIENCE = "audience: {all: [{segment: runners}, {none: [{event: ping}]}]}"
RUNNERS = "---\n{kind: segment, format: 1, name: runners, when: {attribute: sport, equals: running}}\n"


async def test_a_refusal_is_one_row_with_what_was_seen_last_and_how_often_it_came(db: Database) -> None:
    steps = "  - {type: delay, id: wait, duration: 1 day}"
    stage = await stage_on(
        db, canvas(steps, schedule="{event: ping}", more=f"{AUDIENCE}\nreentry: {{after: 2 days}}") + RUNNERS
    )
    await db.pool.execute("update canvases set published = $1", MONDAY - timedelta(days=9))
    mel = await stage.person(external_id="mel", zone="America/Lima", attributes={"sport": "chess"})
    for minutes in (5, 6, 7):
        await stage.happens(mel, "ping", at=MONDAY + timedelta(minutes=minutes))
    await db.pool.execute('update people set attributes = \'{"sport": "running"}\'')
    await stage.happens(mel, "ping", at=MONDAY + timedelta(minutes=9))
    await stage.happens(mel, "ping", at=MONDAY - timedelta(days=10))
    old = {"reason": "audience"}
    await db.pool.execute(
        "insert into facts (workspace, person, shard, fact, at, canvas, data) values ($1, $2, 0, 'refused', $3, 'old', $4)",
        *(stage.workspace, mel.id, MONDAY - timedelta(days=20), old),
    )

    found = await story(db, stage.workspace, "mel")
    said = await journeys("entries", "mel", url=db.url)

    assert found is not None
    assert [(one["canvas"], one["gate"], one["times"]) for one in found["refused"]] == [
        ("old", "audience", 1), ("story", "before_launch", 1), ("story", "audience", 4),
    ]  # fmt: skip
    assert said.out.splitlines() == [
        "2026-11-17 09:00 UTC (04:00 in America/Lima)  refused by old: audience",
        (
            "2026-11-27 09:00 UTC (04:00 in America/Lima)  refused by story: before_launch "
            "(came 2026-11-27T09:00:00Z, launched 2026-11-28T09:00:00Z)"
        ),
        (
            "2026-12-07 09:09 UTC (04:09 in America/Lima)  refused by story: audience: not (event ping); "
            "saw it, last on 2026-12-07T09:07:00Z; 4 times, this is the last"
        ),
    ]
    await stage.happens(await stage.person(external_id="ann", attributes={"sport": "chess"}), "ping")
    ann = await journeys("entries", "ann", url=db.url)
    assert ann.out == (
        "2026-12-07 09:00 UTC  refused by story: audience: sport = running (of the segment runners); "
        'saw "chess"\n'
    )


async def test_what_waits_to_leave_is_shown_with_how_often_it_was_tried(db: Database) -> None:
    """And all times as the person's clock shows them, beside UTC."""
    stage = await stage_on(
        db, canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL
    )
    mel = await stage.person(external_id="mel", zone="Asia/Tokyo", email="mel@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    fresh = await journeys("entries", "mel", url=db.url)
    await db.pool.execute(
        "update dispatches set attempts = 2, waits = 3, not_before = '2026-12-07T09:30:00Z', state = 'queued'"
    )
    tried = await journeys("entries", "mel", url=db.url)
    told = json.loads((await journeys("entries", "mel", "--json", url=db.url)).out)

    assert "hello: waits to leave by email, not tried yet" in fresh.out
    assert (
        "hello: waits to leave by email, tried 2 times, rendered again 3 times, since a web service did not "
        "answer, not before 2026-12-07 09:30:00 UTC"
    ) in tried.out
    assert "in Asia/Tokyo" in tried.out
    assert "2026-12-07 18:00:00" in tried.out
    assert (told["zone"], told["entries"][0]["waiting"][0]["attempts"]) == ("Asia/Tokyo", 2)


async def test_a_step_that_asks_a_web_service_is_shown_to_wait_for_it(db: Database) -> None:
    step = """
  - type: context
    id: ask
    set: [{name: x, value: "{% connected_content https://192.0.2.1/a :save y %}{{ y.a }}"}]"""
    stage = await stage_on(db, canvas(step))
    mel = await stage.person(external_id="mel", zone="Pacific/Kiritimati")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await db.pool.execute("update fetches set tries = 1")
    said = await journeys("entries", "mel", url=db.url)

    assert "ask: waits for a web service, tried 1 time" in said.out
    assert "since 2026-12-07 09:00 UTC (23:00 in Pacific/Kiritimati)" in said.out


async def test_until_when_an_entry_waits_is_said_with_the_pauses_of_its_canvas(db: Database) -> None:
    """STA-3: before its next burst has written it."""
    stage = await stage_on(
        db, canvas("  - {type: delay, id: wait, duration: 1 day}\n  - {type: delay, id: e, duration: 1 day}")
    )
    [entry] = await stage.enter(await stage.person(external_id="mel"))
    await change(db, stage.workspace, "story", "pause", at=MONDAY + timedelta(hours=1))
    said = await journeys("entries", "mel", url=db.url)
    assert "until 2026-12-08 09:00 UTC; its canvas is paused" in " ".join(said.out.split())
    await change(db, stage.workspace, "story", "resume", at=MONDAY + timedelta(hours=4))
    said = await journeys("entries", "mel", url=db.url)
    assert "until 2026-12-08 12:00 UTC" in " ".join(said.out.split())
    assert "its canvas" not in said.out
    assert (await stage.row(entry))["wake_at"] == MONDAY + timedelta(days=1)


async def test_an_entry_is_told_with_its_key_and_a_gate_of_numbers_with_what_it_saw(db: Database) -> None:
    """CTL-5, CTL-7"""
    more = "key: event.order\nreentry: {after: 0 days}\nentry_limit: {entries: 1, per: day}"
    steps = "  - {type: delay, id: wait, duration: 1 day}\n  - {type: delay, id: more, duration: 1 day}"
    stage = await stage_on(db, canvas(steps, schedule="{event: ping}", more=more))
    await db.pool.execute("update canvases set published = $1", MONDAY - timedelta(days=9))
    mel = await stage.person(external_id="mel")
    for minutes, properties in enumerate(({"order": 7}, {"order": 7}, {"order": 8}, {"order": [8]})):
        await stage.happens(mel, "ping", properties, at=MONDAY + timedelta(minutes=minutes))

    told = (await journeys("entries", "mel", url=db.url)).out
    assert "story for 7 (main): in wait since" in " ".join(told.split())
    assert [line.partition("refused by ")[2] for line in told.splitlines()[-3:]] == [
        "story: still_inside (key 7, inside since 2026-12-07T09:00:00Z)",
        "story: entry_limit: 1 in each day have entered, there are places again from 2026-12-08T00:00:00Z on",
        "story: no_key (key event.order, saw [8])",
    ]
    assert "story for 7 (main): in wait" in (await journeys("person", "mel", url=db.url)).out
    await stage.happens(await stage.person(external_id="ann"), "ping", at=MONDAY)
    told = (await journeys("entries", "ann", url=db.url)).out
    assert "no_key (key event.order, saw nothing)" in " ".join(told.split())
