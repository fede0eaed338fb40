"""User updates that ask web services: outside of any transaction, written once, on the profile as it is by then."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.entries import answering
from journeys.engine.entries.answering import TRIES
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.engine.entries.test_fetching import asking, due, told
from tests.engine.test_characters import Unwritable
from tests.receiver import Receiver
from tests.stage import Stage, canvas, stage_on


def ask(receiver: Receiver, path: str, value: str = "{{ r.size }}", call: str = "") -> str:
    return f"{{% connected_content {receiver.url}/{path} :save r {call} %}}{value}"


def story(receiver: Receiver, size: str = "", **more: str) -> str:
    """A step that asks for one attribute, one within a list, and one property; the rest it knows itself."""
    size = size or ask(receiver, "size?who={{ ${user_id} }}", **more)
    taste = ask(receiver, "taste", "{{ r }}")
    return canvas(f"""
  - {{type: context, id: first, set: [{{name: word, value: "hey"}}]}}
  - type: user_update
    id: ask
    attributes:
      size: "{size}"
      tastes: [plain, {{said: "{taste}"}}]
      opens: {{increment: 1}}
      word: "{{{{ context.${{word}} }}}}, {{{{ ${{first_name}} }}}}"
      old: null
    events: [{{name: sized, properties: {{size: "{size}", shoe: {{by: "{taste}"}}}}}}]
  - {{type: decision_split, id: large, when: {{attribute: size, equals: "42"}}, steps: [{{type: delay, id: rest, duration: 1 day}}]}}
""", more="exits: [{event: stop}]")  # fmt: skip


BEFORE = {"opens": 1, "old": "gone", "size": "none", "tastes": "none"}


async def entered(db: Database, text: str, **attributes: Any) -> tuple[Stage, UUID]:
    """An entry that stands at its question."""
    stage = await stage_on(db, text)
    mel = await stage.person(external_id="mel", first_name="Mel", attributes={**BEFORE, **attributes})
    [entry] = await stage.enter(mel)
    reply = await stage.burst(entry)
    assert reply.alarm_at == stage.clock.now() + timedelta(hours=72)
    assert await attributes_of(db) == {**BEFORE, **attributes}, "nothing is written before the answer"
    return stage, entry


async def attributes_of(db: Database) -> dict[str, Any]:
    return dict(await db.pool.fetchval("select attributes from people"))


async def logged(db: Database) -> list[tuple[str, dict[str, Any]]]:
    """The events that steps logged and that nobody has heard yet."""
    return [(row["name"], row["properties"]) for row in await db.pool.fetch("select * from echoes")]


async def test_what_a_service_answers_is_written_and_seen_by_the_steps_after_it(
    db: Database, receiver: Receiver
) -> None:
    """UPD-1, UPD-2, UPD-3, UPD-5: set, incremented, taken away; at any depth; the burst itself calls nobody, and each text is rendered once."""
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    stage, entry = await entered(db, story(receiver))
    assert (receiver.calls, (await stage.row(entry))["step"]) == ([], "ask")
    stage.clock.turn(timedelta(minutes=5))  # type: ignore[attr-defined]
    async with asking(stage) as fetcher:
        assert [await fetcher.drain_once(), await fetcher.drain_once()] == [1, 0]
    await stage.burst(entry)

    assert await attributes_of(db) == {
        "size": "42", "tastes": ["plain", {"said": "salt"}], "opens": 2, "word": "hey, Mel",
    }  # fmt: skip
    assert await logged(db) == [("sized", {"size": "42", "shoe": {"by": "salt"}})]
    assert await stage.path(entry) == ["first", "ask", "large", "rest"]
    assert [call["path"] + call["query"] for call in receiver.calls] == ["/sizewho=mel", "/taste"]
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    assert await told(stage, "not_updated", "update_failed", "unanswered") == []
    assert await route_derived_events(db, stage.published, stage.clock, NullNotifier(), NullNotifier()) == 1
    assert await db.pool.fetchval("select at from events where name = 'sized'") == stage.clock.now()


@pytest.mark.parametrize(
    ("value", "call"),
    [
        ("{{ r.size | default: 'none' }}", ""),
        ("{{ r.size }}", ":retry"),
        ("{{ 42 | divided_by: r.size }}", ""),
    ],
)
@pytest.mark.parametrize("status", [301, 400, 404, 422])
async def test_what_holds_a_call_that_failed_for_good_is_not_written_and_the_rest_is(
    db: Database, receiver: Receiver, status: int, value: str, call: str
) -> None:
    """CXS-4, X5, C3, UPD-3: whatever the Liquid makes of it, also where it breaks for want of the reply; an event is logged without the property."""
    receiver.statuses = [status]
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    stage, entry = await entered(db, story(receiver, value=value, call=call))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await stage.burst(entry)

    assert await attributes_of(db) == {
        "size": "none", "tastes": ["plain", {"said": "salt"}], "opens": 2, "word": "hey, Mel",
    }  # fmt: skip
    assert await logged(db) == [("sized", {"shoe": {"by": "salt"}})]
    reason = f"127.0.0.1 answered {status}"
    assert await told(stage, "not_updated", "update_failed", "unanswered", "ended") == [
        ("not_updated", {"name": "size", "reason": reason}),
        ("not_updated", {"name": "sized.size", "reason": reason}),
        ("ended", {"reason": "completed"}),
    ]
    assert len(receiver.calls) == 2


async def test_a_list_is_written_whole_or_not_at_all(db: Database, receiver: Receiver) -> None:
    """CXS-4, UPD-3"""
    receiver.statuses = [200, 404]
    receiver.replies |= {"/size": {"size": 42}}
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await stage.burst(entry)

    assert await attributes_of(db) == {"size": "42", "tastes": "none", "opens": 2, "word": "hey, Mel"}
    assert await logged(db) == [("sized", {"size": "42"})]
    assert [data["name"] for _, data in await told(stage, "not_updated")] == ["tastes", "sized.shoe"]


@pytest.mark.parametrize("statuses", [[429, 503], [200, 503, 200, 504]])
async def test_a_service_that_is_busy_is_asked_again_and_the_update_is_done_once(
    db: Database, receiver: Receiver, statuses: list[int]
) -> None:
    """X5, C3: nothing is written meanwhile, also where the first of two calls was answered."""
    receiver.statuses = list(statuses)
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        for _ in range(2):
            await fetcher.drain_once()
            await stage.burst(entry)
            assert ((await stage.row(entry))["step"], await attributes_of(db)) == ("ask", BEFORE)
            await due(db)
        await fetcher.drain_once()
    await stage.burst(entry)

    found = await attributes_of(db)
    assert (found["size"], found["opens"], len(await logged(db))) == ("42", 2, 1)
    assert await told(stage, "not_updated", "update_failed", "unanswered") == []


async def test_when_all_tries_are_used_up_nothing_is_written_and_the_entry_ends(
    db: Database, receiver: Receiver
) -> None:
    """X5, C3"""
    receiver.statuses = [503] * 20
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        while await fetcher.drain_once():
            await due(db)
    await stage.burst(entry)

    assert len(receiver.calls) == 1 + TRIES
    assert (await attributes_of(db), await logged(db)) == (BEFORE, [])
    assert await told(stage, "unanswered", "update_failed", "ended") == [
        ("unanswered", {"reason": "exhausted_cc_retries", "text": "127.0.0.1 answered 503"}),
        ("ended", {"reason": "unanswered"}),
    ]


@pytest.mark.parametrize(
    ("value", "call", "status", "reason"),
    [
        ("{% unless r %}{% abort_message('no size') %}{% endunless %}", "", 404, "no size"),
        ("{% abort_message('never') %}", "", 200, "never"),
        ("{{ 1 | divided_by: 0 }}", "", 200, "division by zero"),
        ("{{ r.size }}", ":basic_auth nobody", 200, "there is no credential “nobody”"),
    ],
)
async def test_an_update_that_aborts_or_cannot_be_rendered_writes_nothing_and_the_entry_goes_on(
    db: Database, receiver: Receiver, value: str, call: str, status: int, reason: str
) -> None:
    """UPD-8, C8: also none of those whose calls were answered; an abort is stronger than the failure that it tells of."""
    receiver.statuses = [status]
    stage, entry = await entered(db, story(receiver, value=value, call=call))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await stage.burst(entry)

    assert (await attributes_of(db), await logged(db)) == (BEFORE, [])
    [(fact, data), (_, ended)] = await told(stage, "update_failed", "not_updated", "unanswered", "ended")
    assert (fact, ended) == ("update_failed", {"reason": "completed"})
    assert reason in data["reason"]
    assert await stage.path(entry) == ["first", "ask", "large"]


async def test_an_update_whose_texts_cannot_be_stored_writes_nothing_and_the_entry_goes_on(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UPD-8"""
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    stage, entry = await entered(db, story(receiver))
    whole = answering.written

    async def spoilt(step: Any, values: Any, writer: Any) -> Any:
        texts, missing = await whole(step, values, writer)
        return dict.fromkeys(texts, Unwritable()), missing

    monkeypatch.setattr(answering, "written", spoilt)
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await stage.burst(entry)

    assert (await attributes_of(db), await logged(db)) == (BEFORE, [])
    assert await told(stage, "update_failed", "not_updated", "unanswered", "ended") == [
        ("not_updated", {"reason": "the result cannot be stored: DataError"}),
        ("ended", {"reason": "completed"}),
    ]


async def test_what_others_wrote_while_the_service_was_asked_stays(db: Database, receiver: Receiver) -> None:
    """UPD-1: an increment counts from what is there when it is written."""
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await db.pool.execute("update people set attributes = attributes || $1", {"opens": 10, "new": True})
    await stage.burst(entry)

    found = await attributes_of(db)
    assert (found["opens"], found["new"], found["size"]) == (11, True, "42")


async def test_an_entry_that_leaves_while_the_service_is_asked_writes_nothing(
    db: Database, receiver: Receiver
) -> None:
    """EXT-5"""
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    receiver.hold()
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        asked = asyncio.create_task(fetcher.drain_once())
        await receiver.holds(1)
        from journeys.engine.people.profiles import load

        person = await db.pool.fetchval("select id from people")
        mel = (await load(db.pool, stage.workspace, [person]))[person]
        await stage.happens(mel, "stop", at=stage.clock.now() + timedelta(seconds=1))
        receiver.answer()
        await asked
    await stage.burst(entry)

    assert (await stage.row(entry))["ended"] == "exit_event"
    assert (await attributes_of(db), await logged(db)) == (BEFORE, [])
    assert await db.pool.fetchval("select count(*) from inbox") == 0


async def test_who_dies_while_asking_is_followed_by_another_and_the_update_is_done_once(
    db: Database, receiver: Receiver
) -> None:
    receiver.replies |= {"/size": {"size": 42}, "/taste": "salt"}
    receiver.hold()
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as slow, asking(stage) as other:
        first = asyncio.create_task(slow.drain_once())
        await receiver.holds(1)
        await db.pool.execute("update fetches set lease = clock_timestamp() - interval '1 second'")
        second = asyncio.create_task(other.drain_once())
        await receiver.holds(2)
        receiver.answer()
        assert [await first, await second] == [1, 1]
    await asyncio.gather(stage.burst(entry), stage.burst(entry))

    assert (await attributes_of(db))["opens"] == 2
    assert len(await logged(db)) == 1


async def test_one_that_only_looks_as_if_it_asked_asks_nobody(db: Database) -> None:
    """A text without Liquid is written as it is, within the burst."""
    text = canvas("  - {type: user_update, id: u, attributes: {from: promotion, by: [catalog_items]}}")
    stage = await stage_on(db, text)
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)

    assert (await stage.row(entry))["ended"] == "completed"
    assert await attributes_of(db) == {"from": "promotion", "by": ["catalog_items"]}


async def test_the_last_step_sees_what_the_entry_carries(db: Database) -> None:
    """UPD-3, CTX-3: it is erased at the end of the entry, not before its last update."""
    steps = """
  - {type: context, id: c, set: [{name: b, value: "hi"}]}
  - {type: user_update, id: u, attributes: {said: ["{{ context.${b} }} from {{ campaign.${name} }}"]}}
"""
    stage = await stage_on(db, canvas(steps))
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)

    assert await attributes_of(db) == {"said": ["hi from u"]}
    assert ((await stage.row(entry))["ended"], (await stage.row(entry))["context"]) == ("completed", {})


async def test_zero_characters_of_a_reply_which_no_database_holds_are_left_out(
    db: Database, receiver: Receiver
) -> None:
    """UPD-3, CXS-4: or one reply would hold up everybody who waits for an answer."""
    receiver.replies |= {"/size": {"size": "a\0b"}, "/taste": "salt\0"}
    stage, entry = await entered(db, story(receiver))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    await stage.burst(entry)

    assert (await attributes_of(db))["size"] == "ab"
    assert await logged(db) == [("sized", {"size": "ab", "shoe": {"by": "salt"}})]


async def test_zero_characters_that_liquid_makes_within_a_burst_are_left_out_too(db: Database) -> None:
    """UPD-3, CXS-4"""
    steps = """
  - {type: context, id: c, set: [{name: b, value: "{{ 'YQBi' | base64_decode }}"}, {name: n, type: object, value: '{"a": "\\u0000"}'}]}
  - {type: user_update, id: u, attributes: {said: "{{ 'YwBk' | base64_decode }} {{ context.${b} }} {{ context.${n} }}"}}
"""
    stage = await stage_on(db, canvas(steps))
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)

    assert await attributes_of(db) == {"said": "cd ab "}
    assert [data["name"] for _, data in await told(stage, "not_updated")] == ["n"]
