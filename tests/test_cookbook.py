"""Each canvas of the cookbook is valid, is simulated, and is run for somebody: by real mail, and real calls."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from journeys.canvas.plan import compile
from journeys.channels.base import kinds
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.core.simulate import simulate
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.validate import validate
from tests.dumps.moving import go
from tests.pages import ROOT
from tests.receiver import Receiver
from tests.stage import MONDAY, definitions_of, see_to_runs, stage_on

PAGES = sorted((ROOT / "docs" / "cookbook").glob("*.md"))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Did = tuple[timedelta, str, dict[str, Any]]


@dataclass
class Run:
    """Somebody, what they do and when, and what must come of it."""

    page: str
    does: list[Did]
    subjects: list[str]
    reason: str = "completed"
    person: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] | None = None
    """Of who is let in by API."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    before: list[Did] = field(default_factory=list)
    """What they did before, so long ago."""
    clicks: dict[str, timedelta] = field(default_factory=dict)
    """When they click on a link in the message of a step."""
    opens: list[timedelta] = field(default_factory=list)
    """When the runs of a schedule come."""
    sets: list[tuple[timedelta, dict[str, Any]]] = field(default_factory=list)
    """Attributes that change, and when."""


LEFT = "You left something behind, Mel"
RUNS = {
    "a cart that is forgotten": Run(
        "abandoned-cart",
        [(0 * DAY, "cart_updated", {"total": 30})],
        [LEFT, "Your cart is kept until tonight"],
    ),
    "a cart that is bought": Run(
        "abandoned-cart",
        [(0 * DAY, "cart_updated", {"total": 30}), (2 * HOUR, "order_completed", {"total": 30})],
        [LEFT],
        "exit_event",
    ),
    "somebody who confirms": Run(
        "double-opt-in",
        [(0 * DAY, "newsletter_requested", {})],
        ["Please confirm, Mel", "You are on the list"],
        clicks={"confirm": HOUR},
    ),
    "somebody who does not confirm": Run(
        "double-opt-in",
        [(0 * DAY, "newsletter_requested", {})],
        ["Please confirm, Mel"],
        clicks={"confirm": 8 * DAY},
    ),
    "somebody new who opens nothing": Run(
        "onboarding", [(0 * DAY, "signed_up", {})], ["Welcome, Mel", "Welcome, Mel"]
    ),
    "somebody new who is done at once": Run(
        "onboarding",
        [(0 * DAY, "signed_up", {}), (HOUR, "setup_finished", {})],
        ["Welcome, Mel"],
        "exit_event",
    ),
    "somebody who is content": Run(
        "nps",
        [(0 * DAY, "order_delivered", {"order": "o1"}), (4 * DAY, "nps_answered", {"score": 9})],
        ["How was it?", "Thank you for the 9"],
    ),
    "somebody who is not": Run(
        "nps",
        [(0 * DAY, "order_delivered", {"order": "o1"}), (4 * DAY, "nps_answered", {"score": 3})],
        ["How was it?"],
        calls=[{"customer": "mel", "order": "o1", "score": "3"}],
    ),
    "somebody who gets the plan and stays alone": Run(
        "plan-change",
        [],
        ["Welcome to pro, and goodbye to free", "Your colleagues can join you"],
        person={"attributes": {"plan": "free"}},
        sets=[(HOUR, {"plan": "pro"})],
    ),
    "somebody who gets the plan and leaves it": Run(
        "plan-change",
        [],
        ["Welcome to pro"],
        "exit_event",
        sets=[(HOUR, {"plan": "pro"}), (DAY, {"plan": None})],
    ),
    "somebody who invites": Run(
        "plan-change",
        [],
        ["Welcome to pro"],
        sets=[(HOUR, {"plan": "pro"}), (DAY, {"seats": 2})],
    ),
    "a parcel": Run("shipping-notice", [], ["Parcel P-1 is on its way"], context={"parcel": "P-1"}),
    "a reader of running": Run(
        "welcome-by-article", [(0 * DAY, "subscribed", {"category": "running"})], ["More for runners, Mel"]
    ),
    "somebody whose subscription ends": Run(
        "renewal",
        [],
        ["Your subscription ends on 13 December", "Two days left, Mel"],
        person={"attributes": {"renews_at": "2026-12-13T12:00:00Z"}},
        opens=[HOUR, DAY + HOUR],
    ),
    "somebody who renews": Run(
        "renewal",
        [(3 * DAY, "subscription_renewed", {"total": 60})],
        ["Your subscription ends on 13 December"],
        "exit_event",
        person={"attributes": {"renews_at": "2026-12-13T12:00:00Z"}},
        opens=[HOUR, DAY + HOUR],
    ),
    "a week of running": Run(
        "weekly-digest",
        [],
        ["Your week in running, Mel"],
        before=[(2 * DAY, "article_read", {"category": "running"})],
        opens=[DAY + 9 * HOUR],
    ),
    "a week of chess": Run(
        "weekly-digest",
        [],
        ["What we wrote this week"],
        person={"zone": "America/New_York"},
        before=[(2 * DAY, "article_read", {"category": "chess"})],
        opens=[DAY + 9 * HOUR, DAY + 14 * HOUR],
    ),
    "somebody who stays away": Run(
        "win-back",
        [],
        ["It has been a while, Mel", "Ten per cent, until Sunday"],
        before=[(70 * DAY, "order_completed", {"total": 20})],
        opens=[HOUR, 7 * DAY + HOUR],
    ),
    "somebody who comes back": Run(
        "win-back",
        [(3 * DAY, "order_completed", {"total": 20})],
        ["It has been a while, Mel"],
        "exit_event",
        before=[(70 * DAY, "order_completed", {"total": 20})],
        opens=[HOUR, 7 * DAY + HOUR],
    ),
    "a reader of something else": Run(
        "welcome-by-article", [(0 * DAY, "subscribed", {"category": "chess"})], ["Welcome to the desk"]
    ),
}


def definitions(page: str) -> str:
    """The definitions of a page."""
    return "\n".join(
        re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "cookbook" / f"{page}.md").read_text(), re.DOTALL)
    )


@pytest.mark.parametrize("page", [path.stem for path in PAGES])
def test_each_recipe_is_valid_and_can_be_simulated(page: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(definitions(page))
    found = validate([file], kinds())
    assert [str(problem) for problem in found.problems if problem.code != "J901"] == []
    [one] = found.canvases.values()
    plan = compile(one.value)
    report = simulate(plan, 400, starts=MONDAY)
    assert (report.people, report.messages > 50) == (400, True)
    assert set(plan.steps) == {step for step, count in report.reached.items() if count}


@pytest.mark.parametrize("story", list(RUNS))
async def test_each_recipe_is_run_for_somebody(
    story: str, db: Database, mailbox: Mailbox, receiver: Receiver
) -> None:
    run = RUNS[story]
    text = definitions(run.page).replace("https://support.example.com", receiver.url)
    await publish(db, "default", definitions_of(text), at=MONDAY - HOUR)
    stage = await stage_on(db, "")
    [name] = definitions_of(text).canvases
    mel = await stage.person(external_id="mel", first_name="Mel", email="mel@example.com", **run.person)
    channels = (
        Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, tls=False)),
        Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")),
    )
    for ago, event, properties in run.before:
        await stage.happens(mel, event, properties, at=MONDAY - ago)
    if run.context is not None:
        await stage.enter(mel, name=name, **run.context)
    happens: list[tuple[timedelta, Any]] = [
        (after, partial(stage.happens, mel, event, properties)) for after, event, properties in run.does
    ]
    happens += [
        (after, partial(stage.happens, mel, "clicked", {"canvas": name, "step": step}, kind="message"))
        for step, after in run.clicks.items()
    ]
    opens = [(after, partial(see_to_runs, db, stage.published, stage.clock)) for after in run.opens]
    parts = (db, stage.published, stage.clock, stage.alarm_sync, NullNotifier(), stage.workspace)
    happens += [
        (after, partial(track, *parts, {"attributes": [{"external_id": "mel", **given}]}))
        for after, given in run.sets
    ]
    agenda = deque((MONDAY + after, act) for after, act in sorted(happens + opens, key=lambda one: one[0]))

    async def settle() -> int:
        return await stage.deliver(*channels) + await stage.hear_derived()

    await go(stage, agenda, settle)

    assert [mail.message["Subject"] for mail in mailbox.mails] == run.subjects
    assert [call["body"] for call in receiver.calls] == run.calls
    [entry] = await db.pool.fetch("select ended from entries")
    assert entry["ended"] == run.reason


async def test_who_asks_for_a_newsletter_is_subscribed_once_they_confirm_and_not_before(
    db: Database, mailbox: Mailbox
) -> None:
    """CNS-3: also who had left all mail."""
    stage = await stage_on(db, definitions("double-opt-in"))
    mel = await stage.person(external_id="mel", email="mel@example.com")
    gone = "insert into consents values ($1, $2, 'email', 'unsubscribed', $3)"
    await db.pool.execute(gone, stage.workspace, mel.id, MONDAY)
    channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, tls=False))
    found: list[dict[str, str]] = []

    async def settle() -> int:
        return await stage.deliver(channel)

    async def look() -> None:
        rows = await db.pool.fetch(
            "select channel, state from consents union all select name, state from subscriptions"
        )
        found.append(dict(rows))

    clicks = partial(
        stage.happens, mel, "clicked", {"canvas": "double-opt-in", "step": "confirm"}, kind="message"
    )
    asks = partial(stage.happens, mel, "newsletter_requested")
    agenda = [(MONDAY, asks), (MONDAY + HOUR, look), (MONDAY + 2 * HOUR, clicks), (MONDAY + 3 * HOUR, look)]
    await go(stage, deque(agenda), settle)

    assert found == [{"email": "unsubscribed"}, {"email": "opted_in", "newsletter": "subscribed"}]
    assert len(mailbox.mails) == 2
    facts = await db.pool.fetch("select data->>'source' as source from facts where fact like '%_changed'")
    assert [row["source"] for row in facts] == ["canvas", "canvas"]


async def test_of_the_experiment_each_variant_gets_its_own_and_the_control_nothing(
    db: Database, mailbox: Mailbox
) -> None:
    stage = await stage_on(db, definitions("vip-experiment"))
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    for number in range(30):
        attributes = {"tier": "vip" if number else "none"}
        person = await stage.person(
            external_id=f"p{number}", email=f"p{number}@example.com", attributes=attributes
        )
        await stage.happens(person, "sale_announced")
    channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, tls=False))

    async def settle() -> int:
        return await stage.deliver(channel)

    await go(stage, deque(), settle)

    sent = dict(
        await db.pool.fetch(
            "select e.variant, count(*) from facts f join entries e on e.id = f.entry where f.fact = 'sent' group by 1"
        )
    )
    entered = dict(await db.pool.fetch("select variant, count(*) from entries group by 1"))
    assert sum(entered.values()) == 29
    assert sent == {name: count for name, count in entered.items() if name != "nothing"}
    assert len(mailbox.mails) == sum(sent.values())


def test_each_page_has_a_run() -> None:
    assert {path.stem for path in PAGES} == {run.page for run in RUNS.values()} | {"vip-experiment"}
