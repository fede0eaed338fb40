"""`journeys person` and `journeys preview` show a person, a message and a way, and change nothing."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeys.engine.store import Database
from tests.cli.test_commands import journeys
from tests.stage import MONDAY, Stage, canvas, stage_on

DEFINITIONS = """
---
{kind: segment, format: 1, name: runners, when: {attribute: sport, equals: running}}
---
{kind: segment, format: 1, name: buyers, when: {event: bought, times: {at_least: 2}}}
---
kind: template
format: 1
name: story
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "Hello {{${first_name}}}, {{context.${plan}}}"
html: >-
  <p>Take {% promotion('spring') %} <a href="https://example.com/a">there</a>
  <a href="{{${set_user_to_unsubscribed_url}}}">Unsubscribe</a></p>
---
kind: template
format: 1
name: asks
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "{% connected_content https://192.0.2.1/x :save x :retry %}{{x.a}}"
html: "<p>x</p>"
---
kind: template
format: 1
name: hook
channel: webhook
url: "https://example.com/{{${user_id}}}"
body: {person: "{{${first_name}}}"}
"""
STEPS = """
  - {type: delay, id: settle, duration: 1 day}
  - type: context
    id: pick
    set: [{name: greeting, value: "Hi {{${first_name}}}"}]
  - {type: decision_split, id: runs, when: {segment: runners}, steps: [{type: message, id: mail, channel: email, template: story}]}
  - type: action_paths
    id: watch
    within: 2 days
    paths: [{name: bought, triggers: [{event: bought}]}, {name: liked, triggers: [{event: liked}]}]
  - {type: message, id: call, channel: webhook, template: hook}
"""


async def there(db: Database) -> Stage:
    more = "audience: {none: [{event: gone}]}"
    stage = await stage_on(db, canvas(STEPS, more=more) + DEFINITIONS)
    mel = await stage.person(
        external_id="mel", email="mel@example.com", first_name="Mel", zone="Asia/Tokyo",
        attributes={"sport": "running", "shoe": {"size": 39}},
    )  # fmt: skip
    await db.pool.execute("insert into aliases values ($1, $2, 'crm', 'm-1')", stage.workspace, mel.id)
    await db.pool.execute(
        "insert into consents values ($1, $2, 'email', 'opted_in', $3)", stage.workspace, mel.id, MONDAY
    )
    for days in (3, 2):
        await stage.happens(mel, "bought", {"total": days}, at=PAST - timedelta(days=days))
    price = {"price": 9.5, "quantity": 2, "currency": "EUR"}
    await stage.happens(mel, "shoe", price, at=PAST - timedelta(days=4), kind="purchase")
    await stage.enter(mel)
    return stage


PAST = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""Before the present of whoever runs this: the commands go by the clock of the database."""
TABLES = (
    "facts",
    "events",
    "entries",
    "dispatches",
    "inbox",
    "people",
    "refusals",
    "promotion_codes",
    "fetches",
)


async def counts(db: Database) -> list[int]:
    return [await db.pool.fetchval(f"select count(*) from {table}") for table in TABLES]


async def test_a_person_is_shown_by_each_of_their_names(db: Database) -> None:
    stage = await there(db)
    told = json.loads((await journeys("person", "mel", "--json", url=db.url)).out)
    shown = await journeys("person", "--alias", "crm:m-1", "--events", "1", url=db.url)

    assert (told["external_id"], told["aliases"], told["zone"]) == ("mel", ["crm:m-1"], "Asia/Tokyo")
    assert told["attributes"] == {"sport": "running", "shoe": {"size": 39}}
    assert (told["segments"], told["consents"]["email"]["state"]) == (["buyers", "runners"], "opted_in")
    assert [event["properties"] for event in told["events"][:2]] == [{"total": 2}, {"total": 3}]
    assert told["spent"] == {"shoe": {"EUR": 19.0}}  # PUR-3
    assert [entry["canvas"] for entry in told["entries"]] == ["story"]
    for line in (
        "segments: buyers, runners",
        '  shoe: {"size":39}',
        "consents: email opted_in since 2026-12-07 09:00 UTC (18:00 in Asia/Tokyo)",
        '  2026-01-03 09:00 UTC (18:00 in Asia/Tokyo)  bought {"total":2}',
        "  bought: 2 times, first 2026-01-02 09:00 UTC (18:00 in Asia/Tokyo), last 2026-01-03 09:00 UTC (18:00 in Asia/Tokyo)",
        "  purchase shoe: 2 times, first 2026-01-01 09:00 UTC (18:00 in Asia/Tokyo), last 2026-01-01 09:00 UTC (18:00 in Asia/Tokyo), 19.00 EUR",
    ):
        assert line in shown.out.splitlines()
    for words in (["--email", "mel@example.com"], ["--id", told["id"]]):
        assert json.loads((await journeys("person", *words, "--json", url=db.url)).out)["id"] == told["id"]
    wrong: list[tuple[list[str], int, str]] = [
        (["nobody"], 1, "there is no person “nobody” in default"),
        (["--anonymous", "mel"], 1, "there is no person “mel”"),
        (["--alias", "m-1"], 2, "an alias is label:name"),
        (["mel", "--email", "mel@example.com"], 2, "name the person once"),
        ([], 2, "name the person once"),
    ]
    for words, code, text in wrong:
        said = await journeys("person", *words, url=db.url)
        assert (said.code, text in said.err) == (code, True), (words, said)
    assert stage.workspace


async def test_a_mail_is_shown_as_the_person_would_get_it_and_nothing_is_stored(
    db: Database, tmp_path: Path
) -> None:
    """No code is charged, no link counts, the way out of the mail is signed with nobody's key, and nobody is called."""
    stage = await there(db)
    before = await counts(db)

    async def preview(*words: str) -> Any:
        return await journeys("preview", *words, url=db.url, cwd=tmp_path)

    event = '{"name": "signed_up", "properties": {"plan": "pro"}}'
    mail = await preview("template:story", "--person", "mel", "--event", event)
    hook = await preview("hook", "--person", "mel")
    asks = await preview("asks", "--person", "mel")
    both = await preview("story", "--person", "mel")
    html = (tmp_path / "story.html").read_text()

    assert "subject: Hello Mel, pro" in mail.out
    assert "Take CODE-OF-spring" in mail.out
    assert 'href="https://example.com/a"' in html
    assert stat.S_IMODE((tmp_path / "story.html").stat().st_mode) == 0o600
    assert "https://example.com/mel" in hook.out
    assert "it would not leave now: it waits for 192.0.2.1, which --call calls" in asks.out
    assert (both.code, "write canvas:story or template:story" in both.err) == (2, True)
    await db.pool.execute("update consents set state = 'unsubscribed'")
    assert (
        "it would not leave now: unreachable: not_subscribed"
        in (await preview("template:story", "--person", "mel")).out
    )
    assert await counts(db) == before
    assert stage.workspace


async def test_a_way_through_a_canvas_is_shown_with_what_the_person_could_choose(db: Database) -> None:
    stage = await there(db)
    await stage.person(
        external_id="zoe",
        email="zoe@example.com",
        zone="Asia/Tokyo",
        attributes={"sport": "running"},
    )
    before = await counts(db)
    words = ("preview", "canvas:story", "--person", "zoe")
    way = await journeys(*words, url=db.url)
    chosen = await journeys(*words, "--choose", "watch=liked", url=db.url)
    wrong = await journeys(*words, "--choose", "watch=loved", url=db.url)

    said = [line.split("  ", 1)[1] for line in way.out.splitlines() if "  " in line]
    assert said[0].startswith("enters")
    assert "is sent story by email" in said
    assert "takes otherwise at watch" in said
    assert all("in Asia/Tokyo)" in line for line in said if line.startswith("waits until"))
    assert said[-1] == "leaves: completed"
    assert "could choose: --choose watch=bought, --choose watch=liked" in way.out
    assert "takes liked at watch" in chosen.out
    assert (wrong.code, "did you mean “liked”" in wrong.err) == (2, True)
    assert await counts(db) == before


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("nothing", "--person", "mel"), 1, "no canvas or template “nothing”"),
        (("template:stry", "--person", "mel"), 1, "did you mean “story”"),
        (("canvas:story", "--person", "mel", "--event", "{"), 2, "--event is not JSON"),
        (("canvas:story", "--person", "mel", "--event", "[]"), 2, "--event is a JSON object"),
        (("canvas:story", "--person", "mel", "--choose", "settle=x"), 2, "names no step with paths"),
    ],
)
async def test_what_cannot_be_previewed_is_told(
    words: tuple[str, ...], code: int, text: str, db: Database
) -> None:
    await there(db)
    said = await journeys("preview", *words, url=db.url)
    assert (said.code, text in said.err) == (code, True), said


async def preview_of(db: Database, *words: str) -> str:
    return str((await journeys("preview", "canvas:story", *words, url=db.url)).out)


async def test_a_preview_says_which_gate_would_keep_the_person_out(db: Database) -> None:
    """STA-2, CTL-1, CTL-5, CTL-7: the status of the canvas, its re-entry, who is inside, and the places that are taken."""
    stage = await there(db)
    again = await preview_of(db, "--person", "mel")
    await db.pool.execute("update canvases set status = 'stopped'")
    stopped = await preview_of(db, "--person", "mel")

    assert "does not enter: already_entered, entered " in again and "enters," not in again
    assert "does not enter: not_active, status stopped" in stopped
    assert stage.workspace


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("reentry: {after: 0 days, overlap: false}", "does not enter: still_inside, inside since "),
        (
            "entry_limit: {entries: 1, per: lifetime}\nreentry: {after: 0 days}",
            "does not enter: entry_limit, limit 1",
        ),
        ("reentry: {after: 0 days}", "enters, variant"),
    ],
)
async def test_a_preview_asks_the_gates_of_those_who_were_inside(more: str, text: str, db: Database) -> None:
    stage = await stage_on(db, canvas(STEPS, more=more) + DEFINITIONS)
    mel = await stage.person(external_id="mel", email="mel@example.com")
    await stage.enter(mel)
    await db.pool.execute("update entries set entered = $1", PAST)

    assert text in await preview_of(db, "--person", "mel")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, "enters, variant"),
        ('{"name": "ordered", "properties": {"total": 60}}', "enters, variant"),
        ('{"properties": {"total": 60}}', "enters, variant"),
        ('{"name": "orderd", "properties": {"total": 60}}', "does not enter: such an event lets nobody in"),
        ('{"name": "ordered", "properties": {"total": 40}}', "does not enter: such an event lets nobody in"),
        ('{"name": "ordered"}', "does not enter: such an event lets nobody in"),
    ],
)
async def test_a_preview_says_whether_the_event_lets_anybody_in(
    event: str | None, text: str, db: Database
) -> None:
    schedule = "{event: ordered, where: [{property: total, more_than: 50}]}"
    stage = await stage_on(db, canvas(STEPS, schedule=schedule) + DEFINITIONS)
    await stage.person(external_id="mel", email="mel@example.com")

    assert text in await preview_of(db, "--person", "mel", *(() if event is None else ("--event", event)))


async def test_an_address_that_does_not_exist_is_told(db: Database) -> None:
    """EML-8"""
    stage = await stage_on(db, canvas(STEPS) + DEFINITIONS)
    await stage.person(external_id="mel", email="mel@example.com", phone="+4915112345678")
    for address, channel in (
        ("mel@example.com", "email"),
        ("+4915112345678", "sms"),
        ("other@example.com", "email"),
    ):
        await db.pool.execute(
            "insert into addresses (workspace, address, channel, bounced) values ($1, $2, $3, $4)",
            stage.workspace, address, channel, MONDAY,
        )  # fmt: skip
    shown = await journeys("person", "mel", url=db.url)
    at = "since 2026-12-07 09:00 UTC"
    assert f"addresses that do not exist: email {at}, sms {at}" in shown.out.splitlines()
    assert set(json.loads((await journeys("person", "mel", "--json", url=db.url)).out)["bounced"]) == {
        "email",
        "sms",
    }


@pytest.mark.parametrize(
    "words", [("--email", "mel@example.com", "erase"), ("erase", "--email", "mel@example.com")]
)
async def test_a_person_is_erased_by_whatever_names_them(db: Database, words: tuple[str, ...]) -> None:
    """Also beside somebody whose external id is the word."""
    stage = await stage_on(db, canvas(STEPS) + DEFINITIONS)
    await stage.person(external_id="mel", email="mel@example.com")
    await stage.person(external_id="erase", email="zoe@example.com")
    done = await journeys("person", *words, "--yes", url=db.url)
    assert (done.code, done.out.strip()) == (0, "erased"), done
    assert await db.pool.fetchval("select external_id from people") == "erase"
    assert (await journeys("person", "erase", "erase", "--yes", url=db.url)).code == 0
    assert await db.pool.fetchval("select count(*) from people") == 0


async def test_a_person_is_erased_only_where_that_is_said_twice(db: Database) -> None:
    """IDN-31"""
    stage = await stage_on(
        db, canvas("  - {type: delay, id: d, duration: 1 day}\n  - {type: delay, id: e, duration: 1 day}")
    )
    mel = await stage.person(external_id="mel", email="mel@example.com")
    await stage.person(external_id="zoe")
    [entry] = await stage.enter(mel)
    asked = await journeys("person", "mel", "erase", url=db.url)
    assert (asked.code, "--yes" in asked.out + asked.err) == (2, True)
    assert await db.pool.fetchval("select count(*) from people") == 2
    done = await journeys("person", "mel", "erase", "--yes", url=db.url)
    assert (done.code, done.out.strip()) == (0, "erased")
    assert await db.pool.fetchval("select external_id from people") == "zoe"
    assert (await stage.row(entry))["ended"] == "erased"
    again = await journeys("person", "mel", "erase", "--yes", url=db.url)
    assert again.code == 1
