"""What one process does not understand sets its canvas aside, and nothing else; entries in it wait for one that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.cli.entries import _name_unread, state_of, story
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.entries.setting_aside import MOST_FAILURES
from journeys.engine.intake.broadcasts import begin
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import canvases_of
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.stored_plans import NotUnderstood
from journeys.engine.workspaces.template_services import TemplateServices
from tests.receiver import Receiver
from tests.stage import Stage, canvas, see_to_runs, stage_on, webhook

STORY = """
exits: [{event: gave_up}]
conversions: [{name: bought, event: order_completed, within: 9 days}]
"""
WAITS = """
  - {type: message, id: first, channel: webhook, template: hook}
  - type: action_paths
    id: watch
    within: 3 days
    paths: [{name: liked, triggers: [{event: liked}], steps: [{type: user_update, id: mark, attributes: {likes: 1}}]}]
  - {type: decision_split, id: split, when: {segment: known}}
"""
OTHER = """
---
kind: canvas
format: 1
name: other
schedule: {event: liked}
reentry: {after: 1 minute}
steps: [{type: delay, id: wait, duration: 1 day}]
---
kind: segment
format: 1
name: known
when: {attribute: country, equals: NL}
---
kind: segment
format: 1
name: known-too
when: {segment: known}
"""


def _step(body: dict[str, Any]) -> None:
    body["steps"][1]["type"] = "hologram"


def _key(body: dict[str, Any]) -> None:
    body["moods"] = ["good"]


def _pattern(body: dict[str, Any]) -> None:
    body["audience"] = {"attribute": "email", "matches": "(?=a)b"}


def _nothing(body: dict[str, Any]) -> None:
    body.clear()


SPOILT: dict[str, Callable[[dict[str, Any]], None]] = {
    "a step type": _step,
    "a key": _key,
    "a pattern from before": _pattern,
    "no canvas at all": _nothing,
}


class Old:
    """A process beside the stage's own: it reads what is stored now, and the stage's has read it before."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.db = stage, stage.db
        self.published = Published(stage.db)
        self.parts = stage.db, self.published, stage.clock, NullNotifier()
        self.bursts = Bursts(*self.parts)

    async def tell(self, name: str, who: str = "mel") -> Any:
        at = self.stage.clock.now().isoformat()
        body = {"events": [{"external_id": who, "name": name, "time": at}]}
        return await track(*self.parts, NullNotifier(), self.stage.workspace, body)


async def _spoilt(db: Database, receiver: Receiver, how: str, kind: str = "plans") -> tuple[Stage, Old, Any]:
    """A person who waits in a canvas that the stage's process has read, and then something about it is spoilt."""
    text = canvas(WAITS).replace("steps:", f"{STORY}steps:", 1) + OTHER + webhook(receiver.url)
    stage = await stage_on(db, text)
    mel = await stage.person(external_id="mel")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    if kind == "plans":
        row = await db.pool.fetchrow("select id, body from plans where canvas = 'story'")
        SPOILT[how](row["body"])
        await db.pool.execute("update plans set body = $2 where id = $1", row["id"], row["body"])
    else:
        query = "update definitions set body = $2 where kind = 'segment' and name = $1"
        await db.pool.execute(query, "known", {"kind": "segment", "name": "known", "when": {"moods": 1}})
    return stage, Old(stage), entry


@pytest.mark.parametrize("how", [*SPOILT, "a segment"])
async def test_what_a_process_does_not_understand_sets_one_canvas_aside_and_its_entries_wait_for_one_that_does(
    db: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    stage, old, entry = await _spoilt(db, receiver, how, "definitions" if how == "a segment" else "plans")

    publication = await old.published.of(stage.workspace)
    assert ([*publication.running], [*publication.aside]) == (["other"], ["story"])
    other, story_ = sorted(await canvases_of(db, publication, stage.clock.now()), key=lambda each: each.name)
    assert (other.inside, story_.inside, story_.status) == (0, 1, "active")

    told = await old.tell("liked")
    assert told.errors == []
    assert await db.pool.fetchval("select count(*) from entries where canvas = 'other'") == 1, "others go on"
    for _ in range(MOST_FAILURES + 1):
        with pytest.raises(NotUnderstood, match="story"):
            await old.bursts(entry, _call(stage))
    assert (await stage.row(entry))["step"] == "watch", "it is not set aside itself"
    assert await db.pool.fetchval("select count(*) from facts where fact = 'late_event'") == 0

    found = await story(db, stage.workspace, "mel")
    assert found is not None
    await _name_unread(old.published, publication, found)
    assert "it waits: this version does not understand its canvas" in state_of(found["entries"][0])
    assert "waits" not in state_of(found["entries"][1])

    await stage.burst(entry, 2)
    assert (await stage.path(entry))[-3:-1] == ["watch", "mark"], "what happened meanwhile is heard"
    assert await db.pool.fetchval("select count(*) from inbox") == 0
    logged = [each for each in caplog.messages if "not_understood" in each and "name=story" in each]
    assert len(logged) == 1


def _call(stage: Stage) -> Any:
    return Call(2, stage.clock.now())


async def test_an_exit_that_a_process_could_not_judge_takes_effect_at_the_next_burst_of_one_that_can(
    db: Database, receiver: Receiver
) -> None:
    """What has not left is withdrawn; what happens after the exit is not heard."""
    stage, old, entry = await _spoilt(db, receiver, "a step type")
    await old.tell("gave_up")
    await old.tell("liked")

    reply = await stage.burst(entry, 2)

    assert reply.alarm_at is None
    row = await stage.row(entry)
    assert (row["ended"], row["told"]) == ("exit_event", row["turn"])
    facts = await db.pool.fetch("select fact, data from facts where entry = $1 order by no", entry)
    assert {"withdrawn", "ended"} <= {fact for fact, _ in facts}
    assert "mark" not in await stage.path(entry)
    assert await stage.dispatches() == []


async def test_a_conversion_counts_where_the_rest_of_its_canvas_is_not_understood(
    db: Database, receiver: Receiver
) -> None:
    _, old, _ = await _spoilt(db, receiver, "a step type")
    await old.tell("order_completed")
    assert await db.pool.fetchval("select count(*) from facts where fact = 'converted'") == 1


async def test_messages_questions_and_broadcasts_of_such_a_canvas_wait(
    db: Database, receiver: Receiver
) -> None:
    """They count no try, and others are sent beside them."""
    stage, old, entry = await _spoilt(db, receiver, "a step type")
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with DeliveryWorker(*old.parts, NullNotifier(), {"webhook": channel}) as delivery_worker:
        assert await delivery_worker.drain_once("webhook") == 1
        assert await delivery_worker.drain_once("webhook") == 0, "not at once again"
    [waiting] = await stage.dispatches()
    assert (waiting["state"], waiting["attempts"], waiting["waits"], receiver.calls) == ("queued", 0, 0, [])

    place = stage.workspace, waiting["person"], entry
    await db.pool.execute(
        "insert into fetches (workspace, person, entry, step, at) values ($1, $2, $3, 'watch', now())", *place
    )
    await db.pool.execute("update entries set phase = 'asked'")
    fetcher = Fetcher(*old.parts, TemplateServices(None))
    assert await fetcher.drain_once() == 1
    assert dict(await db.pool.fetchrow("select tries, claim from fetches")) == {"tries": 0, "claim": None}

    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await begin(connection, publication, publication.running["story"], entry, None, {}, stage.clock.now())
    await see_to_runs(*old.parts[:3])
    row = await db.pool.fetchrow("select tries, ended, reason from runs")
    assert (row["tries"], row["ended"]) == (0, None)
    assert "does not understand" in row["reason"]

    await db.pool.execute("update dispatches set not_before = null")
    await see_to_runs(db, stage.published, stage.clock)
    assert await db.pool.fetchval("select ended from runs") is not None
    assert await stage.deliver(channel) == 1
    assert len(receiver.calls) == 1
