"""What a trial says is what the store does: the same people, events and instants give the same facts and messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from journeys.channels.email import Email
from journeys.channels.webhook import Webhook
from journeys.engine.content.services import Call, Reply
from journeys.engine.delivery.channel import Receipt, Recipient
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.entries.burst import GRACE
from journeys.engine.intake.track import track
from journeys.engine.people.profiles import load
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.template_services import TemplateServices
from journeys.testing import Impossible, Trial, TrialPerson, journey
from tests.stage import EMAIL, MONDAY, FakeClock, Stage, canvas, stage_on, webhook

STEPS = """
  - {type: message, id: hello, channel: email, template: hello}
  - {type: delay, id: settle, duration: 1 day}
  - type: action_paths
    id: watch
    within: 3 days
    paths:
      - {name: bought, triggers: [{purchase: shoe, where: [{property: price, more_than: 50}]}]}
      - {name: liked, triggers: [{event: liked}, {message: clicked, step: hello}], steps: [{type: delay, id: rest, duration: 6 hours}]}
      - {name: upgraded, triggers: [{attribute: plan, changes_from: free, changes_to: pro}], steps: [{type: user_update, id: thanks, attributes: {thanked: true, plan: team}}]}
    otherwise:
      - {type: user_update, id: quiet, attributes: {quiet: true, name: "{{${first_name}}}!"}, events: [{name: fell_quiet}]}
  - type: decision_split
    id: opened
    when: {message: opened, step: hello}
    otherwise: [{type: message, id: again, channel: email, template: hello, only_when: {attribute: plan, not_equals: free}}]
  - {type: context, id: asks, set: [{name: level, type: text, value: "{% connected_content https://api.example.com/level :save r %}{{r.level}}"}]}
  - {type: delay, id: morning, calendar_days: 1, at: "09:00", zone: local}
  - type: audience_paths
    id: who
    paths: [{name: gold, when: {context: level, equals: gold}, steps: [{type: message, id: call, channel: webhook, template: hook, on_fail: exit}]}]
  - type: experiment_paths
    id: offer
    paths:
      - {name: a, weight: 50, steps: [{type: message, id: best, channel: email, template: hello, at: best_time, fallback: "07:30"}]}
      - {name: b, weight: 50, steps: [{type: delay, id: b_wait, weekdays: [friday], at: "10:00", zone: local}]}
  - {type: message, id: last, channel: email, template: hello}
"""
MORE = """
reentry: {after: 5 days}
audience: {attribute: plan, exists: true}
exits: [{event: stop}, {event: fell_quiet, where: [{property: never, equals: true}]}, {message: unsubscribed}, {event: leave, release: end_of_step}, {attribute: plan, changes_to: null}]
conversions: [{name: bought, purchase: true, within: 7 days, revenue: price}, {name: quiet, event: fell_quiet, within: 30 days}, {name: thanked, attribute: thanked, changes: true, within: 30 days},
  {name: gone, consent: email, changes_from: subscribed, within: 30 days}]
"""
UPGRADED = "---\n" + canvas(
    "  - {type: user_update, id: noted, attributes: {upgrades: {increment: 1}, push_subscribe: opted_in}}\n"
    "  - {type: delay, id: soon, duration: 2 hours}\n  - {type: delay, id: later, duration: 2 hours}",
    name="upgraded",
    schedule="{attribute: plan, changes: true}",
    more="audience: {attribute: plan, one_of: [pro, team]}\nreentry: {after: 1 day}\nexits: [{consent: push, changes: true, release: end_of_step}]",
)
TEXT = (
    canvas(STEPS, schedule="{event: signed_up}", more=MORE)
    + UPGRADED
    + EMAIL
    + webhook("https://hook.example.com")
)
EVENTS = ("liked", "stop", "leave", "signed_up", "other")


class NoGrace(FakeClock):
    """A clock by which no event is on its way when a deadline comes, as in a trial."""

    def span(self, real: timedelta) -> timedelta:
        return timedelta(0) if real == GRACE else real


@dataclass
class Caught:
    """A channel that keeps what it is given, and answers as it is told."""

    real: Any
    clock: FakeClock
    sent: list[tuple[datetime, str, Any]] = field(default_factory=list)
    lanes: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def deliver(self, content: Any, to: Recipient, key: str) -> Receipt:
        self.sent.append((self.clock.now(), key.rpartition("/")[2], content.model_dump()))
        return Receipt("sent")


async def answer(workspace: int, call: Call) -> Reply:
    return Reply(200, '{"level": "gold"}', "json")


@dataclass
class Doing:
    """One thing of a script: what a person does, so long after the start."""

    after: timedelta
    what: str
    name: str

    def planned(self, mel: TrialPerson) -> None:
        match self.what:
            case "event":
                mel.does(self.name, after=self.after)
            case "purchase":
                mel.buys("shoe", price=float(self.name), after=self.after)
            case "sets":
                mel.sets(plan=self.name or None, after=self.after)
            case _:
                getattr(mel, self.what)("hello", after=self.after)

    async def done(self, stage: Stage, person: Any) -> None:
        match self.what:
            case "event":
                await stage.happens(person, self.name)
            case "purchase":
                said = {"price": float(self.name), "currency": "EUR", "quantity": 1}
                await stage.happens(person, "shoe", said, kind="purchase")
            case "sets":
                given = {"external_id": "mel", "plan": self.name or None}
                parts = (stage.db, stage.published, stage.clock, stage.alarm_sync, NullNotifier())
                await track(*parts, stage.workspace, {"attributes": [given]})
            case _:
                name = {"opens": "opened", "clicks": "clicked", "unsubscribes": "unsubscribed"}[self.what]
                row = await stage.db.pool.fetchrow(
                    "select entry from facts where fact = 'sent' and step = 'hello' order by no desc limit 1"
                )
                mark = Mark(stage.workspace, person.id, row["entry"], "story", "hello", "email")
                properties = {"url": "https://example.com/a?b=1&c=2"} if name == "clicked" else {}
                parts = (stage.published, stage.clock, stage.alarm_sync, NullNotifier())
                await engaged(stage.db, *parts, mark, name, properties)


async def settled(stage: Stage, channels: dict[str, Caught]) -> None:
    """All bursts, messages, answers and derived events that are due at this instant."""
    services = TemplateServices(answer)
    while True:
        due = await stage.db.pool.fetch(
            "select id, turn from entries where ended is null and (told < turn or alarm_at <= $1) order by entered, id",
            stage.clock.now(),
        )
        moved = 0
        for row in due:
            before = (await stage.row(row["id"]))["turn"]
            reply = await stage.burst(row["id"], row["turn"])
            await stage.db.pool.execute("update entries set told = turn where id = $1", row["id"])
            moved += reply.turn != before or reply.alarm_at is None
        parts = (stage.db, stage.published, stage.clock, stage.alarm_sync, NullNotifier())
        async with DeliveryWorker(
            *parts, channels, public_url="https://journeys.test", template_services=services
        ) as worker:
            for name in channels:
                moved += await worker.drain_once(name)
        moved += await stage.answer(answer)
        moved += await stage.hear_derived()
        if not moved:
            return


async def store_tells(
    db: Database, text: str, attributes: dict[str, Any], script: list[Doing]
) -> tuple[Any, Any]:
    """The facts and messages of the store, of a script from the instant of the start on."""
    clock = NoGrace(MONDAY)
    stage = await stage_on(db, text, clock=clock)
    await db.pool.execute("update canvases set published = $1", MONDAY)
    await db.pool.execute("update workspaces set secret = $1", b"a secret that signs links in tests alone")
    trial = trial_of(text)
    identity = trial.person(external_id="mel")._profile.id
    columns = {name: value for name, value in attributes.items() if name in ("email", "first_name")}
    rest = {name: value for name, value in attributes.items() if name not in (*columns, "time_zone")}
    mel = await stage.person(external_id="mel", zone=attributes["time_zone"], attributes=rest, **columns)
    await db.pool.execute("update people set id = $2, bucket = 0 where id = $1", mel.id, identity)
    mel = (await load(db.pool, stage.workspace, [identity]))[identity]
    channels = {"email": Caught(Email(), clock), "webhook": Caught(Webhook(), clock)}
    rest_of = sorted(script, key=lambda each: each.after)
    while True:
        alarm = await db.pool.fetchval("select min(alarm_at) from entries where ended is null")
        following = MONDAY + rest_of[0].after if rest_of else None
        if alarm is not None and (following is None or alarm <= following):
            object.__setattr__(clock, "at", max(alarm, clock.now()))
        elif following is not None:
            object.__setattr__(clock, "at", max(following, clock.now()))
            await rest_of.pop(0).done(stage, mel)
        else:
            break
        await settled(stage, channels)
    rows = await db.pool.fetch(
        "select fact, step, at, data, entry from facts where person = $1 and fact <> 'consent_changed' order by no",
        mel.id,
    )
    gates = await db.pool.fetch("select gate, times, at from refusals where person = $1", mel.id)
    sent = sorted(
        ((at, step, content) for one in channels.values() for at, step, content in one.sent), key=str
    )
    facts = [(row["fact"], row["step"], row["at"], said(row["data"])) for row in rows]
    refused = [("refused", None, row["at"], {"reason": row["gate"], "times": row["times"]}) for row in gates]
    return [*facts, *refused], without_links(sent)


def trial_of(text: str) -> Trial:
    trial = journey(text, starts=MONDAY)
    trial.answers("https://api.example.com/*", json={"level": "gold"})
    return trial


def trial_tells(text: str, attributes: dict[str, Any], script: list[Doing]) -> tuple[Any, Any]:
    """The same of a trial."""
    trial = trial_of(text)
    mel = trial.person(external_id="mel", **attributes)
    for each in sorted(script, key=lambda each: each.after):
        each.planned(mel)
    mel.run()
    stored = trial._world.memory.facts
    facts = [(each.fact, each.step, each.at, said(each.data)) for each in stored if each.fact != "refused"]
    by_gate: dict[tuple[str | None, str], list[datetime]] = {}
    for each in stored:  # the store keeps one row a canvas and gate: the last time, and how often
        if each.fact == "refused":
            by_gate.setdefault((each.canvas, each.data["reason"]), []).append(each.at)
    facts += [
        ("refused", None, times[-1], {"reason": gate, "times": len(times)})
        for (_, gate), times in by_gate.items()
    ]
    sent = sorted(((each.at, each.step, each.content.model_dump()) for each in trial.messages), key=str)
    return facts, without_links(sent)


def said(data: Any) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "plan"}


def without_links(sent: list[tuple[datetime, str, dict[str, Any]]]) -> list[Any]:
    """Links hold the entry's id, which is another in each run: of the HTML what stands before the first."""
    return [
        (
            at,
            step,
            {
                k: v.partition("https://journeys.test")[0] if isinstance(v, str) else v
                for k, v in content.items()
            },
        )
        for at, step, content in sent
    ]


def in_order(facts: list[Any]) -> list[str]:
    """By their instants: what comes first of messages, answers and derived events of one instant is left open."""
    return sorted(f"{at.isoformat()} {step} {fact} {sorted(data.items())}" for fact, step, at, data in facts)


minutes = st.integers(1, 14 * 24 * 60).map(lambda n: timedelta(minutes=n))
doings = st.one_of(
    st.builds(Doing, minutes, st.just("event"), st.sampled_from(EVENTS)),
    st.builds(Doing, minutes, st.just("purchase"), st.sampled_from(["20", "90"])),
    st.builds(Doing, minutes, st.just("sets"), st.sampled_from(["free", "pro", ""])),
    st.builds(Doing, minutes, st.sampled_from(["opens", "clicks", "unsubscribes"]), st.just("")),
)


@example(script=[Doing(timedelta(minutes=1), "sets", "free")], plan=None, zone="Europe/Paris")
@given(
    script=st.lists(doings, max_size=7, unique_by=lambda each: each.after),
    plan=st.sampled_from(["pro", "free", None]),
    zone=st.sampled_from(["Europe/Paris", "Asia/Tokyo", "America/Lima"]),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_a_trial_tells_what_the_store_does(
    db: Database, script: list[Doing], plan: str | None, zone: str
) -> None:
    """Facts with steps, instants and reasons, and messages with instants and texts."""
    attributes = {"email": "mel@example.com", "first_name": "Mel", "time_zone": zone}
    if plan is not None:
        attributes["plan"] = plan
    script = [Doing(timedelta(0), "event", "signed_up"), *script]
    try:
        told = trial_tells(TEXT, attributes, script)
    except Impossible:  # whoever was sent nothing opens nothing, here and there
        return
    await db.pool.execute(
        "truncate people, entries, facts, events, dispatches, inbox, conversions, consents, fetches, echoes, hearings, refusals cascade"
    )
    done = await store_tells(db, TEXT, attributes, script)
    assert [fact for fact in done[0] if fact[0] == "reached"] == [
        fact for fact in told[0] if fact[0] == "reached"
    ]
    assert in_order(done[0]) == in_order(told[0])
    assert done[1] == told[1]
