"""U+0000 and half characters: no value of a template has one, and one that is stored blocks nothing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from journeys.engine.content import Values, render_value
from journeys.engine.content.services import Reply
from journeys.engine.delivery import delivery_worker as delivery
from journeys.engine.delivery import outcomes as outcomes_of
from journeys.engine.delivery.preparation import Refused
from journeys.engine.delivery.settlement import extras
from journeys.engine.entries import answering, fetching
from journeys.engine.store import Database
from journeys.engine.workspaces import liquid_values
from journeys.engine.workspaces.liquid_values import Found
from tests.engine.delivery.test_connected_content import delivering
from tests.engine.entries.test_fetching import asking, begun, carried, story, told
from tests.receiver import Receiver
from tests.stage import Stage, canvas, stage_on, webhook


@pytest.mark.parametrize(
    ("written", "value", "is_text"),
    [
        (r'{"x":"a\u0000b"}', {"x": "ab"}, False),
        (r'{"x":"cut \ud83d"}', {"x": "cut \ufffd"}, False),
        (r'{"x":"\ud83d\ude00 \\u0000"}', {"x": "😀 \\u0000"}, False),
        ("a\0b", "ab", True),
        ('{"x":"a\0b"}', '{"x":"ab"}', True),
        ("half \ud83d", "half \ufffd", True),
        ('["half \ud83d"]', '["half \ufffd"]', True),
    ],
)
def test_a_reply_is_read_without_them(written: str, value: Any, is_text: bool) -> None:
    """V11, C2"""
    reply = Reply(200, written)
    assert (reply.value, reply.is_text) == (value, is_text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"""{{ '"\ud83d"' | json_parse }}""", "\ufffd"),
        (r"""{{ '"a\u0000b"' | json_parse }}""", "ab"),
        (r"""{% assign o = '{"\u0000k": ["\ude00"]}' | json_parse %}{{ o.k[0] }}""", "\ufffd"),
        ("{{ 'YQBi' | base64_decode }}", "ab"),
    ],
)
def test_filters_that_read_make_none(source: str, text: str) -> None:
    """V11"""
    assert render_value(source, Values()) == text


def test_a_variable_with_one_is_not_set() -> None:
    """CXS-4, V11: whatever it came by it."""
    found = Found()
    found.take("a", "text", "a\0b")
    found.take("b", "text", "half \ud83d")
    found.take("c", "list", '["a\\u0000"]')
    found.take("d", "number", "1\0")
    found.take("e", "text", "sound")
    assert found.values == {"e": "sound"}
    assert found.missing == {
        "a": "it contains the character U+0000, which cannot be stored",
        "b": "it contains the character U+D83D, which cannot be stored",
        "c": "it contains the character U+0000, which cannot be stored",
        "d": "could not convert string to float: '1\\x00'",
    }


def test_extras_are_told_without_them() -> None:
    """M3, V11"""
    assert extras({"a\0": "half \ud83d"}) == '{"a":"half \ufffd"}'


@pytest.mark.parametrize(
    ("reply", "got"), [(rb'{"size":"a\u0000b"}', "ab"), (rb'{"size":"cut \ud83d"}', "cut \ufffd")]
)
async def test_what_a_web_service_says_is_carried_along_without_them(
    db: Database, receiver: Receiver, reply: bytes, got: str
) -> None:
    """CXS-2, V11"""
    receiver.replies["/size"] = reply
    stage, entry = await begun(db, story(receiver))
    async with asking(stage) as fetcher:
        await fetcher.drain_once()
    assert (await carried(stage, entry))["got"] == got


class Unwritable:
    """A value that no database takes."""


async def test_an_answer_that_cannot_be_written_stops_no_other(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CXS-4: its variables are not set, and its entry goes on."""
    receiver.replies["/size"] = {"size": 42}
    stage = await stage_on(db, story(receiver))
    entries = await stage.enter(*[await stage.person(external_id=name) for name in ("mel", "zoe", "ann")])
    for entry in entries:
        await stage.burst(entry)
    whole = answering.fetched

    async def spoilt(step: Any, values: Any, writer: Any) -> Found:
        found = await whole(step, values, writer)
        if values.profile["user_id"] == "zoe":
            found.values["got"] = Unwritable()
        return found

    settle = fetching.Fetcher._settle
    answers: list[Any] = []

    async def together(self: Any, claim: UUID, some: Any) -> None:
        answers.extend(some)
        if len(answers) == 3:
            await settle(self, claim, answers)

    monkeypatch.setattr(answering, "fetched", spoilt)
    monkeypatch.setattr(fetching.Fetcher, "_settle", together)
    async with asking(stage) as fetcher:
        assert await fetcher.drain_once() == 3
        assert await fetcher.drain_once() == 0

    found = [await carried(stage, entry) for entry in entries]
    assert [each.get("got") for each in found] == ["42", None, "42"]
    assert [each["@"] for each in found] == ["rest"] * 3
    assert [data for _, data in await told(stage, "not_updated")] == [
        {"reason": "the result cannot be stored: DataError"}
    ]


STEPS = r"""
  - type: context
    id: reads
    set: [{name: a, value: "{{ custom_attribute.${js} | json_parse }}"}]
  - type: user_update
    id: writes
    attributes: {z: "{{ '\"cut \\ud83d\"' | json_parse }}"}
  - {type: delay, id: rest, duration: 1 day}
  - {type: user_update, id: last, attributes: {done: true}}
"""


@pytest.mark.parametrize(
    ("js", "carries"), [(r'"\ud83d"', "\ufffd"), (r'"a\u0000b"', "ab"), (r'"\u0000"', None)]
)
async def test_the_own_text_of_a_person_does_not_block_their_entry(
    db: Database, js: str, carries: str | None
) -> None:
    """V11: what it reads of it is mended, and the entry goes on."""
    stage = await stage_on(db, canvas(STEPS))
    mel = await stage.person(attributes={"js": js})
    [entry] = await stage.enter(mel)
    await stage.burst(entry)

    row = await stage.row(entry)
    assert (row["step"], row["context"].get("a")) == ("rest", carries)
    assert await db.pool.fetchval("select attributes from people") == {"js": js, "z": "cut \ufffd"}
    assert await told(stage, "update_failed") == []


async def test_a_value_that_slips_through_is_mended_as_it_is_stored(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V11: the last wall. A burst is written whatever a value holds."""
    monkeypatch.setattr(liquid_values, "strange", lambda _: "")
    monkeypatch.setattr(liquid_values, "typed", lambda kind, text: ["a\0b", text])
    stage = await stage_on(db, canvas(STEPS))
    [entry] = await stage.enter(await stage.person(attributes={"js": "1"}))
    await stage.burst(entry)
    assert (await stage.row(entry))["context"] == {"a": ["ab", "1"]}

    for value, kept in [
        ("a\0b", "ab"),
        ("\ud83d", "\ufffd"),
        ({"\0k": [1, "\\u0000"]}, {"k": [1, "\\u0000"]}),
    ]:
        assert await db.pool.fetchval("select $1::jsonb", value) == kept


HOOKS = canvas("  - {type: message, id: m, channel: webhook, template: hook}")


async def some(db: Database, receiver: Receiver, names: tuple[str, ...] = ("mel", "zoe", "ann")) -> Stage:
    stage = await stage_on(db, HOOKS + webhook(receiver.url))
    for entry in await stage.enter(*[await stage.person(external_id=name) for name in names]):
        await stage.burst(entry)
    return stage


async def outcomes(db: Database) -> dict[str, tuple[str, Any]]:
    rows = await db.pool.fetch(
        "select p.external_id, f.fact, f.data from facts f join people p on p.id = f.person where f.dispatch is not null"
    )
    return {row["external_id"]: (row["fact"], row["data"]) for row in rows}


async def test_a_reason_that_quotes_one_is_settled(db: Database, receiver: Receiver) -> None:
    """E3, V11"""
    hook = webhook(receiver.url).replace(
        'person: "', "person: \"{% assign s = custom_attribute.${js} | json_parse %}{{ 'x' | slice: s }}"
    )
    stage = await stage_on(db, HOOKS + hook)
    [entry] = await stage.enter(await stage.person(external_id="mel", attributes={"js": r'"\u0000"'}))
    await stage.burst(entry)
    async with delivering(stage) as delivery_worker:
        assert [await delivery_worker.drain_once("webhook"), await delivery_worker.drain_once("webhook")] == [
            1,
            0,
        ]
    fact, data = (await outcomes(db))["mel"]
    assert (fact, data["reason"]) == ("aborted", "template_parse_error")
    assert "is not a whole number" in data["text"]


async def test_reasons_that_cannot_be_written_stop_no_other(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of each is settled, and its own reason is replaced."""
    stage = await some(db, receiver)
    whole = delivery.prepare

    async def spoilt(*given: Any) -> Any:
        name = given[4].standards["external_id"]
        if name == "ann":
            return await whole(*given)
        return Refused("aborted", "why", Unwritable() if name == "zoe" else "half \ud83d\0")  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "prepare", spoilt)
    async with delivering(stage) as delivery_worker:
        assert [await delivery_worker.drain_once("webhook"), await delivery_worker.drain_once("webhook")] == [
            3,
            0,
        ]

    found = await outcomes(db)
    assert found["mel"] == ("aborted", {"channel": "webhook", "reason": "why", "text": "half \ufffd"})
    said = "the details cannot be stored: DataError"
    assert found["zoe"] == ("aborted", {"channel": "webhook", "reason": said})
    assert found["ann"][0] == "sent"
    assert await db.pool.fetchval("select count(*) from entries where ended is null") == 0


async def test_what_was_sent_is_sent_whatever_cannot_be_said_of_it(
    db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is not made again."""
    stage = await some(db, receiver)
    monkeypatch.setattr(outcomes_of, "extras", lambda _: Unwritable())
    whole = delivery.prepare

    async def spoilt(*given: Any) -> Any:
        ready = await whole(*given)
        if given[4].standards["external_id"] == "zoe":
            ready.extras["a"] = "b"
        return ready

    monkeypatch.setattr(delivery, "prepare", spoilt)
    async with delivering(stage) as delivery_worker:
        assert [await delivery_worker.drain_once("webhook"), await delivery_worker.drain_once("webhook")] == [
            3,
            0,
        ]
    assert [fact for fact, _ in (await outcomes(db)).values()] == ["sent"] * 3
    assert len(receiver.calls) == 3
    assert "cannot be stored" in (await outcomes(db))["zoe"][1]["reason"]


async def test_an_entry_that_cannot_be_written_stops_no_other_and_is_told_of(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays where it stood, its burst is done again later, and a warning names it each time."""
    stage = await stage_on(db, canvas(STEPS))
    people = [await stage.person(attributes={"js": js}) for js in ("1", "2", "3")]
    entries = await stage.enter(*people)
    whole = liquid_values.typed
    monkeypatch.setattr(
        liquid_values, "typed", lambda kind, text: {1: Unwritable} if text == "2" else whole(kind, text)
    )
    monkeypatch.setattr(liquid_values.msgspec.json, "encode", lambda _: b"")
    replies = await asyncio.gather(*(stage.burst(entry) for entry in entries), return_exceptions=True)

    assert [isinstance(reply, Exception) for reply in replies] == [False, True, False]
    assert [(await stage.row(entry))["step"] for entry in entries] == ["rest", None, "rest"]
    [warning] = [one.getMessage() for one in caplog.records if "burst_failed" in one.getMessage()]
    assert str(entries[1]) in warning and "Error" in warning

    monkeypatch.undo()
    await stage.burst(entries[1])
    assert (await stage.row(entries[1]))["step"] == "rest"
