"""Messages whose templates call a web service, from the dispatch to the receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.settlement import extras
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

ONE = canvas("  - {type: message, id: m, channel: webhook, template: asks}")


def asks(receiver: Receiver, call: str = "", *, before: str = "", after: str = "") -> str:
    """A webhook whose body holds what a web service says; `call` are options of the tag."""
    url = f"{receiver.url}/word"
    tag = f"{{% connected_content {url} :save r {call} %}}"
    return (
        ONE
        + f"""
---
kind: template
format: 1
name: asks
channel: webhook
url: "{receiver.url}/told"
headers: {{X-Late: "{after}"}}
body: {{said: "{before}{tag}{{{{ r.word | default: 'a word of our own' }}}}"}}
"""
    )


@asynccontextmanager
async def delivering(stage: Stage, allowed: str = "127.0.0.0/8") -> AsyncIterator[DeliveryWorker]:
    """A delivery worker whose webhooks may go anywhere, and whose templates may call these networks."""
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with Caller(networks(allowed)) as caller:
        template_services = TemplateServices.of(
            stage.db, ConnectedContent(caller, Keyring(stage.db, Sealer()))
        )
        parts = stage.db, stage.published, stage.clock, NullNotifier(), NullNotifier()
        async with DeliveryWorker(
            *parts, {"webhook": channel}, template_services=template_services
        ) as delivery_worker:
            yield delivery_worker


async def sent(db: Database, text: str, people: int = 1, allowed: str = "127.0.0.0/8") -> Stage:
    """The messages of so many people, with all repetitions."""
    stage = await stage_on(db, text)
    for entry in await stage.enter(*[await stage.person() for _ in range(people)]):
        await stage.burst(entry)
    async with delivering(stage, allowed) as delivery_worker:
        while await delivery_worker.drain_once("webhook"):
            await db.pool.execute("update dispatches set not_before = null")
    return stage


async def facts(db: Database) -> list[tuple[str, dict[str, Any]]]:
    rows = await db.pool.fetch(
        "select fact, data from facts where fact in ('sent', 'aborted', 'failed') order by no"
    )
    return [(row["fact"], row["data"]) for row in rows]


def said(receiver: Receiver) -> list[Any]:
    return [call["body"]["said"] for call in receiver.calls if call["path"] == "/told"]


def asked(receiver: Receiver) -> int:
    return sum(call["path"] == "/word" for call in receiver.calls)


async def test_what_a_web_service_says_is_in_the_message_and_serves_many(
    db: Database, receiver: Receiver
) -> None:
    """A47, C5: one call for thirty people."""
    receiver.replies["/word"] = {"word": "Köln"}
    await sent(db, asks(receiver), people=30)

    assert said(receiver) == ["Köln"] * 30
    assert asked(receiver) == 1


async def test_without_a_cache_each_message_asks(db: Database, receiver: Receiver) -> None:
    """C5"""
    receiver.replies["/word"] = {"word": "now"}
    await sent(db, asks(receiver, ":no_cache"), people=5)

    assert (said(receiver), asked(receiver)) == (["now"] * 5, 5)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
async def test_a_failure_leaves_the_template_to_fall_back(
    db: Database, receiver: Receiver, status: int
) -> None:
    """A47, C1"""
    receiver.statuses = [status]
    await sent(db, asks(receiver))

    assert said(receiver) == ["a word of our own"]
    assert [fact for fact, _ in await facts(db)] == ["sent"]


async def test_a_message_that_waits_for_a_web_service_goes_to_the_back_of_the_queue(
    db: Database, receiver: Receiver
) -> None:
    """A47, C3: queued again, due later, behind those that came after it; then it leaves with the answer."""
    receiver.statuses = [503]
    receiver.replies["/word"] = {"word": "late"}
    stage = await stage_on(db, asks(receiver, ":retry"))
    [entry] = await stage.enter(await stage.person())
    await stage.burst(entry)
    before = await db.pool.fetchrow("select * from dispatches")
    async with delivering(stage) as delivery_worker:
        assert [await delivery_worker.drain_once("webhook"), await delivery_worker.drain_once("webhook")] == [
            1,
            0,
        ]
        [row] = await stage.dispatches()
        assert (row["state"], row["waits"], row["attempts"], row["claim"]) == ("queued", 1, 0, None)
        assert row["no"] > before["no"]
        seconds = await db.pool.fetchval(
            "select extract(epoch from not_before - clock_timestamp())::float8 from dispatches"
        )
        assert 5 < seconds <= 10
        assert (said(receiver), await facts(db)) == ([], [])
        await db.pool.execute("update dispatches set not_before = null")
        await delivery_worker.drain_once("webhook")

    assert (said(receiver), asked(receiver)) == (["late"], 2)


async def test_after_five_more_tries_the_message_is_aborted_and_a_fact_says_why(
    db: Database, receiver: Receiver
) -> None:
    """A47, C3, E5"""
    receiver.statuses = [500] * 20
    await sent(db, asks(receiver, ":retry"))

    assert (said(receiver), asked(receiver)) == ([], 1 + 5)
    assert await facts(db) == [
        (
            "aborted",
            {"channel": "webhook", "reason": "exhausted_cc_retries", "text": "127.0.0.1 answered 500"},
        )
    ]


async def test_what_a_provider_refuses_and_what_a_template_waits_for_are_counted_apart(
    db: Database, receiver: Receiver
) -> None:
    """C3, WHK-3: five more tries for the one, five for the other."""
    receiver.replies["/word"] = {"word": "yes"}
    receiver.statuses = [503, 200, 503] + [503] * 3 + [200, 503] + [200] * 9
    await sent(db, asks(receiver, ":retry :no_cache"))

    assert [fact for fact, _ in await facts(db)] == ["sent"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "{% abort_message('enough') %}"),
        ("{% abort_message('enough') %}", ""),
    ],
)
async def test_an_abort_is_stronger_than_a_retry_in_whichever_field_it_stands(
    db: Database, receiver: Receiver, before: str, after: str
) -> None:
    """C3, A4"""
    receiver.statuses = [503] * 3
    await sent(db, asks(receiver, ":retry", before=before, after=after))

    assert await facts(db) == [
        ("aborted", {"channel": "webhook", "reason": "liquid_abort_message", "text": "enough"})
    ]


@pytest.mark.parametrize(("where", "name"), [("before", "body.said"), ("after", "headers.X-Late")])
async def test_an_error_names_the_field_that_it_is_about(
    db: Database, receiver: Receiver, where: str, name: str
) -> None:
    """E3, E5"""
    await sent(db, asks(receiver, **{where: "a {{ 1 | divided_by: 0 }}"}))

    [(fact, data)] = await facts(db)
    assert (fact, data["reason"]) == ("aborted", "template_parse_error")
    assert data["text"] == f"{name}, line 1, column 10: division by zero"


async def test_private_addresses_are_not_called_and_their_answers_in_no_message(
    db: Database, receiver: Receiver
) -> None:
    """A47, C10: not even a retry; the operator's exceptions are others'."""
    receiver.replies["/word"] = {"word": "a secret of the house"}
    await sent(db, asks(receiver), allowed="10.9.9.0/24")

    assert (said(receiver), asked(receiver)) == (["a word of our own"], 0)


async def test_an_unknown_credential_aborts_the_message(db: Database, receiver: Receiver) -> None:
    """C8"""
    await sent(db, asks(receiver, ":basic_auth nobody"))

    [(fact, data)] = await facts(db)
    assert (fact, data["reason"], data["text"]) == (
        "aborted",
        "connected_content_credential",
        "there is no credential “nobody”",
    )
    assert receiver.calls == []


async def test_a_slow_web_service_holds_up_nobody_elses_message(db: Database, receiver: Receiver) -> None:
    """Those whose templates call nobody leave first."""
    plain = canvas("  - {type: message, id: m, channel: webhook, template: plain}", name="other")
    text = (
        asks(receiver, ":no_cache")
        + f"""
---
{plain}
---
kind: template
format: 1
name: plain
channel: webhook
url: "{receiver.url}/told"
body: {{said: plain}}
"""
    )
    stage = await stage_on(db, text)
    for name in ("story", "other"):
        [entry] = await stage.enter(await stage.person(), name=name)
        await stage.burst(entry)
    async with delivering(stage) as delivery_worker:
        assert await delivery_worker.drain_once("webhook") == 2

    places = [call["path"] for call in receiver.calls]
    assert said(receiver) == ["plain", "a word of our own"]
    assert places[-1] == "/told"


async def test_extras_are_in_the_fact_of_the_sending(db: Database, receiver: Receiver) -> None:
    """M3: one JSON string."""
    extra = "{% message_extras :key word :value {{ r.word }} %}"
    text = asks(receiver).replace("{{ r.word | default", extra + "{{ r.word | default")
    receiver.replies["/word"] = {"word": " Köln "}
    await sent(db, text)

    [(fact, data)] = await facts(db)
    assert (fact, msgspec.json.decode(data["extras"])) == ("sent", {"word": "Köln"})


def test_extras_are_cut_at_a_thousand_bytes_in_all() -> None:
    """M3: keys and values together; a letter is not cut in two."""
    found = msgspec.json.decode(extras({"a": f" {'é' * 400} ", "bb": "é" * 400, "cc": "x"}))

    assert found == {"a": "é" * 400, "bb": "é" * 98}
    assert extras({}) == "{}"
