"""Context steps that ask web services: outside of any transaction, answered once, tried again where that may help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.entries.answering import TRIES, pause
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.outgoing.guard import networks
from journeys.engine.ports import NullNotifier
from journeys.engine.sources.connected.caller import Caller
from journeys.engine.sources.connected.connected_content import ConnectedContent
from journeys.engine.sources.connected.credentials import Keyring
from journeys.engine.sources.connected.encryption import Sealer
from journeys.engine.store import Database
from journeys.engine.workspaces.template_services import TemplateServices
from tests.receiver import Receiver
from tests.stage import Stage, canvas, stage_on


def story(
    receiver: Receiver, value: str = "{{ r.size }}", kind: str = "text", call: str = "", more: str = ""
) -> str:
    asked = f"{{% connected_content {receiver.url}/size?who={{{{ ${{user_id}} }}}} :save r {call} %}}{value}"
    return canvas(f"""
  - type: context
    id: ask
    set:
      - {{name: before, value: "here"}}
      - {{name: got, type: {kind}, value: "{asked}"}}
      - {{name: after, value: "{{{{ context.${{before}} }}}}-{{{{ context.${{got}} }}}}"}}{more}
  - {{type: delay, id: rest, duration: 1 day}}
  - {{type: user_update, id: last, attributes: {{done: true}}}}
""", more="exits: [{event: stop}]")  # fmt: skip


@asynccontextmanager
async def asking(stage: Stage, **more: Any) -> AsyncIterator[Fetcher]:
    async with Caller(networks("127.0.0.0/8"), **more) as caller:
        outside = TemplateServices(ConnectedContent(caller, Keyring(stage.db, Sealer())))
        yield Fetcher(stage.db, stage.published, stage.clock, stage.alarm_sync, outside)


async def begun(db: Database, text: str) -> tuple[Stage, UUID]:
    """An entry that stands at its question."""
    stage = await stage_on(db, text)
    [entry] = await stage.enter(await stage.person(external_id="mel"))
    reply = await stage.burst(entry)
    assert reply.alarm_at == stage.clock.now() + timedelta(hours=72)
    return stage, entry


async def carried(stage: Stage, entry: UUID) -> dict[str, Any]:
    """What the entry carries along after the next burst, and where it stands: under `@`."""
    await stage.burst(entry)
    row = await stage.row(entry)
    return {**row["context"], "@": row["ended"] or row["step"]}


async def told(stage: Stage, *facts: str) -> list[tuple[str, dict[str, Any]]]:
    rows = await stage.db.pool.fetch(
        "select fact, data from facts where fact = any($1::text[]) order by no", list(facts)
    )
    return [(row["fact"], row["data"]) for row in rows]


async def test_the_answer_is_heard_in_the_next_burst_and_carried_along(
    db: Database, receiver: Receiver
) -> None:
    """CXS-2, CXS-5: the burst itself calls nobody."""
    receiver.replies["/size"] = {"size": 42}
    stage, entry = await begun(db, story(receiver))
    assert (receiver.calls, (await stage.row(entry))["step"]) == ([], "ask")
    async with asking(stage) as fetcher:
        assert await fetcher.drain_once() == 1
        assert await fetcher.drain_once() == 0

    assert await carried(stage, entry) == {"before": "here", "got": "42", "after": "here-42", "@": "rest"}
    assert [call["query"] for call in receiver.calls] == ["who=mel"]
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    assert await told(stage, "not_updated", "unanswered") == []


@pytest.mark.parametrize(
    ("kind", "value", "got"),
    [
        ("text", "{{ r }}", '{"size":42,"__http_status_code__":200}'),
        ("text", "{{ r | as_json_string }}", '{"size":42,"__http_status_code__":200}'),
        ("object", "{{ r | as_json_string }}", {"size": 42, "__http_status_code__": 200}),
        ("number", "{{ r.size | plus: 1 }}", 43),
    ],
)
async def test_json_is_a_text_unless_it_is_made_json(
    db: Database, receiver: Receiver, kind: str, value: str, got: Any
) -> None:
    """C11, CXS-6"""
    receiver.replies["/size"] = {"size": 42}
    stage, entry = await begun(db, story(receiver, value, kind))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    found = (await carried(stage, entry))["got"]

    assert (type(found), found) == (type(got), got)


@pytest.mark.parametrize("call", ["", ":retry"])
@pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
async def test_a_call_that_fails_for_good_leaves_its_variable_unset_and_the_entry_goes_on(
    db: Database, receiver: Receiver, status: int, call: str
) -> None:
    """CXS-4, X5, C3: not updated, whatever the Liquid makes of it; `:retry` has no say in a context step."""
    receiver.statuses = [status]
    stage, entry = await begun(db, story(receiver, "{{ r.size | default: 'none' }}", call=call))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()

    assert await carried(stage, entry) == {"before": "here", "after": "here-", "@": "rest"}
    [(fact, data)] = await told(stage, "not_updated", "unanswered")
    assert (fact, data) == ("not_updated", {"name": "got", "reason": f"127.0.0.1 answered {status}"})
    assert len(receiver.calls) == 1


async def test_a_value_of_another_type_is_not_set(db: Database, receiver: Receiver) -> None:
    """CXS-4"""
    receiver.replies["/size"] = {"size": "large"}
    stage, entry = await begun(db, story(receiver, kind="number"))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()

    assert await carried(stage, entry) == {"before": "here", "after": "here-", "@": "rest"}
    assert [fact for fact, _ in await told(stage, "not_updated")] == ["not_updated"]


async def due(db: Database) -> None:
    await db.pool.execute("update fetches set not_before = clock_timestamp() where not_before is not null")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_service_that_is_busy_or_broken_is_asked_again_later(
    db: Database, receiver: Receiver, status: int
) -> None:
    """X5, C3: with or without `:retry`; the entry waits meanwhile, in the store alone."""
    receiver.statuses = [status, status]
    receiver.replies["/size"] = {"size": 42}
    stage, entry = await begun(db, story(receiver))
    async with asking(stage) as fetcher:
        assert [await fetcher.drain_once(), await fetcher.drain_once()] == [1, 0], "not before its pause"
        await due(db)
        assert await carried(stage, entry) == {"@": "ask"}
        await fetcher.drain_once()
        await due(db)
        await fetcher.drain_once()

    assert (await carried(stage, entry))["got"] == "42"
    assert len(receiver.calls) == 3
    assert await told(stage, "not_updated", "unanswered") == []


async def test_one_that_does_not_answer_in_time_is_asked_again_too(db: Database, receiver: Receiver) -> None:
    """X5"""
    receiver.hold()
    stage, entry = await begun(db, story(receiver))
    async with asking(stage, timeout=0.1) as fetcher:
        await fetcher.drain_once()

    assert await db.pool.fetchval("select tries from fetches") == 1
    assert await carried(stage, entry) == {"@": "ask"}


async def test_when_all_tries_are_used_up_the_entry_ends_and_a_fact_says_why(
    db: Database, receiver: Receiver
) -> None:
    """X5, C3: about thirteen more tries with growing pauses."""
    receiver.statuses = [503] * 20
    stage, entry = await begun(db, story(receiver))
    async with asking(stage) as fetcher:
        while await fetcher.drain_once():
            await due(db)

    assert len(receiver.calls) == 1 + TRIES == 14
    assert await carried(stage, entry) == {"@": "unanswered"}
    assert await told(stage, "unanswered", "ended") == [
        ("unanswered", {"reason": "exhausted_cc_retries", "text": "127.0.0.1 answered 503"}),
        ("ended", {"reason": "unanswered"}),
    ]
    pauses = [pause(tries) or 0 for tries in range(TRIES)]
    assert pauses == sorted(pauses) and 3600 < sum(pauses) < 6 * 3600 and pause(TRIES) is None


async def test_nobody_is_asked_for_an_entry_that_has_left(db: Database, receiver: Receiver) -> None:
    stage, entry = await begun(db, story(receiver))
    mel = (await db.pool.fetchrow("select person from entries"))["person"]
    profile = (await _profiles(stage))[mel]
    await stage.happens(profile, "stop", at=stage.clock.now() + timedelta(seconds=1))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()

    assert (await stage.row(entry))["ended"] == "exit_event"
    assert receiver.calls == []
    assert await db.pool.fetchval("select count(*) from fetches") == 0
    assert await db.pool.fetchval("select count(*) from inbox") == 0


async def _profiles(stage: Stage) -> dict[UUID, Any]:
    from journeys.engine.people.profiles import load

    people = [row["id"] for row in await stage.db.pool.fetch("select id from people")]
    return await load(stage.db.pool, stage.workspace, people)


async def test_who_dies_while_asking_is_followed_by_another_and_one_answer_is_heard(
    db: Database, receiver: Receiver
) -> None:
    """The one that was thought dead comes back: its answer is not heard."""
    receiver.replies["/size"] = {"size": 42}
    receiver.hold()
    stage, entry = await begun(db, story(receiver))
    async with asking(stage) as slow, asking(stage) as other:
        first = asyncio.create_task(slow.drain_once())
        await receiver.holds(1)
        await db.pool.execute("update fetches set lease = clock_timestamp() - interval '1 second'")
        second = asyncio.create_task(other.drain_once())
        await receiver.holds(2)
        receiver.answer()
        assert [await first, await second] == [1, 1]

    assert len(receiver.calls) == 2
    assert await db.pool.fetchval("select count(*) from inbox") == 1
    assert (await carried(stage, entry))["got"] == "42"
    assert await db.pool.fetchval("select turn from entries") == 4, "entered, asked, answered, gone on"


async def test_what_is_shut_down_while_it_asks_gives_back_what_it_had(
    db: Database, receiver: Receiver
) -> None:
    receiver.hold()
    stage, _ = await begun(db, story(receiver))
    async with asking(stage) as fetcher:
        asked = asyncio.create_task(fetcher.drain_once())
        await receiver.holds(1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    assert await db.pool.fetchval("select count(*) from fetches where claim is null and lease is null") == 1


async def test_slow_services_of_many_are_asked_side_by_side(db: Database, receiver: Receiver) -> None:
    """CXS-5: and each answer is settled as it comes, whoever else is still waited for."""
    receiver.hold()
    receiver.replies["/size"] = {"size": 42}
    stage = await stage_on(db, story(receiver))
    entries = await stage.enter(*[await stage.person() for _ in range(60)])
    for entry in entries:
        await stage.burst(entry)
    async with asking(stage) as fetcher:
        drained = asyncio.create_task(fetcher.drain_once())
        await receiver.holds(60)
        receiver.answer(59)
        while await db.pool.fetchval("select count(*) from fetches") > 1:
            await asyncio.sleep(0.005)
        receiver.answer(1)
        assert await drained == 60

    assert {(await carried(stage, entry))["got"] for entry in entries} == {"42"}


async def test_a_workspace_whose_service_dawdles_holds_up_no_other(db: Database, receiver: Receiver) -> None:
    """Its calls are under way, as many as it may have, and more of them wait: the others ask at once."""
    async with Receiver() as dawdling:
        dawdling.hold()
        receiver.replies["/size"] = {"size": 42}
        slow = await stage_on(db, story(dawdling), workspace="slow")
        well = await stage_on(db, story(receiver), workspace="well")
        for entry in await slow.enter(*[await slow.person() for _ in range(80)]):
            await slow.burst(entry)
        stop = asyncio.Event()
        async with asking(well) as fetcher:
            draining = asyncio.create_task(fetcher.drain(stop))
            await dawdling.holds(64)
            for _ in range(3):
                [entry] = await well.enter(await well.person())
                await well.burst(entry)
                while (await carried(well, entry))["@"] == "ask":
                    assert not draining.done()
                    await asyncio.sleep(0.02)
            assert not dawdling.calls
            assert dawdling.arrived == 64, "so many of a workspace are under way at once"
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)

    free = "select count(*) from fetches where claim is null and workspace = $1"
    assert await db.pool.fetchval(free, slow.workspace) == 80, "what was not done is given back"


async def test_what_would_make_the_values_too_large_is_neither_asked_for_nor_stored(
    db: Database, receiver: Receiver
) -> None:
    """CXS-3"""
    receiver.replies["/size"] = {"size": "x" * 30_000}
    more = '\n      - {name: twice, value: "{{ context.${got} }}{{ context.${got} }}"}\n      - {name: never, value: "no"}'
    stage, entry = await begun(db, story(receiver, more=more))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    found = await carried(stage, entry)

    assert set(found) == {"before", "got", "@"}
    assert [data["name"] for _, data in await told(stage, "not_updated")] == ["after"]


async def test_an_unknown_credential_leaves_the_variable_unset(db: Database, receiver: Receiver) -> None:
    """C8"""
    stage, entry = await begun(db, story(receiver, call=":basic_auth nobody"))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()

    assert (await carried(stage, entry))["@"] == "rest"
    assert [data["reason"] for _, data in await told(stage, "not_updated")] == [
        "there is no credential “nobody”"
    ]
    assert receiver.calls == []


async def test_a_process_without_connected_content_leaves_it_to_another(
    db: Database, receiver: Receiver
) -> None:
    stage, _ = await begun(db, story(receiver))
    fetcher = Fetcher(stage.db, stage.published, stage.clock, NullNotifier(), TemplateServices())
    await fetcher.drain_once()

    assert await db.pool.fetchval("select tries from fetches") == 1
