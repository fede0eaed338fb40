"""`journeys canvas` as one types it, and what `publish` says of canvases that are archived or missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from journeys.canvas.definition_kinds import GlobalControl
from journeys.engine.core.global_control import held_out
from journeys.engine.store import Database
from tests.cli.test_commands import Said, journeys
from tests.stage import EMAIL, canvas, webhook

WAIT = "  - {type: delay, id: wait, duration: 1 day}\n"
LATER = WAIT + "  - {type: message, id: m, channel: email, template: hello}\n"


class Workspace:
    """A folder of canvases, published, with somebody inside each."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.folder, self.db = folder, db

    async def type(self, *words: str) -> Said:
        return await journeys(*words, url=self.db.url, cwd=self.folder)

    async def canvas(self, *words: str) -> Said:
        return await self.type("canvas", *words)

    async def listed(self, *words: str) -> dict[str, Any]:
        """By name, what the list says as JSON."""
        said = await self.canvas("list", "--json", *words)
        return {one["name"]: one for one in json.loads(said.out)}


@pytest.fixture
async def here(db: Database, tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, db)
    (tmp_path / "hello.yaml").write_text(EMAIL.removeprefix("\n---"))
    for name in ("welcome", "spring"):
        (tmp_path / f"{name}.yaml").write_text(canvas(LATER, name=name))
    assert (await made.type("publish", ".")).code == 0
    people = "external_id,email\nmel,mel@example.com\n"
    (tmp_path / "people.csv").write_text(people)
    assert (await made.type("import", "people.csv")).code == 0
    for name in ("welcome", "spring"):
        assert (await made.type("trigger", name, "mel")).code == 0
    return made


async def test_a_canvas_is_stopped_resumed_archived_and_listed(here: Workspace) -> None:
    """STA-1, STA-2: with its status, since when, and how many are inside."""
    said = await here.canvas("stop", "welcome")
    assert (said.code, said.err) == (0, "")
    assert "welcome is stopped since " in said.out
    assert "inside: 1 entry; not sent: 0 messages" in said.out
    again = await here.canvas("stop", "welcome")
    assert (again.code, "(unchanged)" in again.out) == (0, True)
    listed = await here.listed()
    assert {name: (one["status"], one["inside"]) for name, one in listed.items()} == {
        "welcome": ("stopped", 1), "spring": ("active", 1),
    }  # fmt: skip
    assert listed["welcome"]["since"] > listed["spring"]["since"]
    refused = await here.type("trigger", "welcome", "mel")
    assert (refused.code, "refused: mel: not_active" in refused.err) == (1, True)
    assert "welcome is active" in (await here.canvas("resume", "welcome")).out

    said = await here.canvas("archive", "welcome")
    assert (said.code, "1 entry has ended" in said.out) == (0, True)
    assert set(await here.listed()) == {"spring"}
    assert (await here.listed("--all"))["welcome"]["inside"] == 0
    table = (await here.canvas("list")).out
    assert ("spring" in table, "welcome" in table) == (True, False)
    assert "1 archived canvas not shown: --all shows them" in table
    who = await here.db.pool.fetch(
        "select kind, who <> '' as known from canvas_changes where canvas = 'welcome' order by no"
    )
    assert [tuple(row) for row in who] == [(kind, True) for kind in ("publish", "stop", "resume", "archive")]


async def test_what_is_asked_wrongly_is_told_in_a_line_with_the_nearest_name(here: Workspace) -> None:
    said = await here.canvas("stop", "welcom")
    assert (said.code, said.err) == (2, "there is no canvas “welcom” (did you mean “welcome”?)\n")
    await here.canvas("archive", "welcome")
    said = await here.canvas("resume", "welcome")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is archived: publish its definition with `journeys publish --restore`" in said.err
    assert (await here.canvas("stop", "welcome", "--workspace", "other")).code == 2
    assert (await here.type("publish", "spring.yaml", "--archive-missing")).code == 2
    (here.folder / "empty").mkdir()
    said = await here.type("publish", "empty", "--archive-missing")
    assert (said.code, "would archive all" in said.err) == (2, True)
    assert (await here.listed())["spring"]["status"] == "active"


async def test_publishing_a_folder_says_which_canvases_are_not_in_it_and_archives_them_where_asked(
    here: Workspace,
) -> None:
    """STA-1: in one transaction with the rest; what is published need not fit an archived canvas."""
    assert "not published" not in (await here.type("publish", ".")).out
    (here.folder / "welcome.yaml").unlink()
    assert "not published" not in (await here.type("publish", "spring.yaml")).out
    said = await here.type("publish", ".")
    assert "not published, and unchanged: welcome (active);" in said.out
    assert (await here.listed())["welcome"]["inside"] == 1
    (here.folder / "spring.yaml").write_text(canvas(WAIT, name="spring"))
    (here.folder / "hello.yaml").write_text(
        "kind: template\nformat: 1\nname: hello\nchannel: webhook\nurl: https://example.com/\n"
    )
    assert (await here.type("publish", ".")).code == 1, "welcome runs, and mails by it"
    said = await here.type("publish", ".", "--archive-missing")
    assert (said.code, "archived canvas        welcome" in said.out) == (0, True)
    assert (await here.listed("--all"))["welcome"]["inside"] == 0
    assert (await here.type("publish", ".")).code == 0


async def test_an_archived_canvas_is_a_draft_again_only_where_it_is_said_and_launched_by_the_next_word(
    here: Workspace,
) -> None:
    """STA-1: `--restore` said again leaves it a draft."""
    await here.canvas("archive", "welcome")
    said = await here.type("publish", ".")
    assert "still archived: welcome; publish with --restore" in said.out
    assert set(await here.listed()) == {"spring"}
    said = await here.type("publish", ".", "--restore")
    assert "restored canvas        welcome" in said.out
    assert "drafts, which no one enters: welcome;" in said.out
    assert (await here.listed())["welcome"]["status"] == "draft"
    since = (await here.listed())["welcome"]["since"]
    said = await here.type("publish", ".", "--restore")
    assert ("restored" in said.out, (await here.listed())["welcome"]["since"]) == (False, since)
    refused = await here.canvas("stop", "welcome")
    assert (refused.code, "is a draft, with nobody inside" in refused.err) == (2, True)
    said = await here.type("publish", ".")
    assert "launched canvas        welcome" in said.out
    assert (await here.listed())["welcome"]["status"] == "active"
    assert (await here.listed())["welcome"]["since"] > since


async def test_a_draft_is_published_entered_by_nobody_and_launched_by_a_resume(here: Workspace) -> None:
    """STA-1, STA-5: a canvas that is live is never made one, nor changed by the way."""
    (here.folder / "new.yaml").write_text(canvas(LATER, name="new"))
    said = await here.type("publish", ".", "--draft")
    assert (said.code, "drafts, which no one enters: new;" in said.out) == (0, True)
    listed = await here.listed()
    assert {name: one["status"] for name, one in listed.items()} == {
        "new": "draft", "welcome": "active", "spring": "active",
    }  # fmt: skip
    refused = await here.type("trigger", "new", "mel")
    assert (refused.code, "refused: mel: not_active" in refused.err) == (1, True)
    (here.folder / "new.yaml").write_text(canvas(WAIT + LATER.replace("wait", "more"), name="new"))
    assert (await here.type("publish", ".", "--draft")).code == 0
    (here.folder / "welcome.yaml").write_text(canvas(WAIT, name="welcome"))
    said = await here.type("publish", ".", "--draft")
    assert (said.code, "nothing was published: the canvas “welcome” is active" in said.err) == (1, True)
    assert "new is active since" in (await here.canvas("resume", "new")).out
    assert (await here.type("trigger", "new", "mel")).code == 0
    launched = await here.db.pool.fetchrow(
        "select published, (select at from canvas_changes where canvas = 'new' and kind = 'resume') as at from canvases "
        "where name = 'new'"
    )
    assert launched["published"] == launched["at"], "what happened before lets nobody in"


async def test_a_canvas_is_paused_and_resumed_and_show_says_so_and_who_did_it(here: Workspace) -> None:
    """STA-2, STA-3: the log has who, when and what, the last one first."""
    said = await here.canvas("pause", "welcome")
    assert (said.code, "welcome is paused since " in said.out) == (0, True)
    assert "inside: 1 entry; not sent: 0 messages" in said.out
    assert (await here.listed())["welcome"]["status"] == "paused"
    again = await here.canvas("pause", "welcome")
    assert "(unchanged)" in again.out
    (here.folder / "people.csv").write_text("external_id\nkim\n")
    assert (await here.type("import", "people.csv")).code == 0
    assert (await here.type("trigger", "welcome", "kim")).code == 0
    shown = await here.canvas("show", "welcome")
    assert "welcome is paused since " in shown.out
    assert "enter by: the API" in shown.out
    assert "inside: 2 entries" in shown.out
    wrong = await here.canvas("resume", "welcome", "--timers", "forget")
    assert wrong.code == 2
    said = await here.canvas("resume", "welcome", "--timers", "skip")
    assert "its messages are not sent, and the entries go on" in said.out
    shown = await here.canvas("show", "welcome", "--json")
    one = json.loads(shown.out)
    assert [(each["what"], bool(each["who"])) for each in one["changes"]] == [
        ("resume", True), ("pause", True), ("publish", True),
    ]  # fmt: skip
    assert (one["changes"][0]["timers"], one["status"], one["inside"]) == ("skip", "active", 2)
    by_id = await here.canvas("show", one["id"], "--json")
    assert json.loads(by_id.out) == one
    lost = await here.canvas("show", "welcom")
    assert (lost.code, "did you mean “welcome”?" in lost.err) == (2, True)
    for words in (("stop",), ("resume", "--timers", "send")):
        said = await here.canvas(words[0], "welcome", *words[1:])
    assert (said.code, "was not paused" in said.err) == (2, True)


async def test_a_canvas_shows_who_may_enter_and_how_a_person_and_all_people_stand_to_it(
    here: Workspace,
) -> None:
    """AUD-6: each filter with what it saw; by each channel those who have an address and agree; GCG-2, CTL-7."""
    steps = (
        WAIT
        + "  - {type: message, id: m, channel: email, template: hello}\n  - {type: message, id: w, channel: webhook, template: hook}\n"
    )
    more = "audience: {all: [{attribute: country, equals: FR}, {any: [{event: ping}, {bucket: [0, 9999]}]}]}\nentry_limit: {entries: 5000, per: day}"
    text = (
        canvas(steps, name="shown", more=more)
        + "---\n"
        + webhook("https://hook.example.com").removeprefix("\n---\n")
    )
    (here.folder / "shown.yaml").write_text(text)
    assert (await here.type("publish", ".")).code == 0
    rows = "external_id,email,country,email_subscribe\nzoe,zoe@example.com,FR,\nann,,FR,\nbob,bob@example.com,FR,unsubscribed\n"
    (here.folder / "more.csv").write_text(rows)
    assert (await here.type("import", "more.csv")).code == 0
    assert (await here.type("trigger", "shown", "zoe")).code == 0

    said = await here.canvas("show", "shown", "--person", "mel", "--reach")
    lines = [line.strip() for line in said.out.splitlines()]
    assert (said.code, lines[1]) == (0, "enter by: the API")
    assert "entry limit: 5,000 in each day, 1 taken now" in lines
    start = lines.index("mel is not in the audience")
    assert lines[start + 1 : start + 6] == [
        "no   all of these",
        "no   country = FR; saw nothing",
        "yes  any of these",
        "no   event ping; saw nothing",
        next(line for line in lines if line.startswith("yes  bucket 0, 9999; saw ")),
    ]
    start = lines.index("audience of 4 people: 3")
    assert lines[start : start + 3] == [
        "audience of 4 people: 3",
        "can be reached by email: 1",
        "can be reached by webhook: 3",
    ]

    (here.folder / "default.yaml").write_text(
        "kind: workspace\nformat: 1\nname: default\nglobal_control: {share: 15}\n"
    )
    assert (await here.type("publish", ".")).code == 0
    held = held_out(GlobalControl(share=15), 1, ())
    let_in = next(bucket for bucket in range(len(held) + 1) if bucket not in held)
    await here.db.pool.execute(
        "update people set bucket = case when external_id in ('zoe', 'bob') then $1::int else $2 end",
        next(iter(held)),
        let_in,
    )
    found = json.loads((await here.canvas("show", "shown", "--person", "zoe", "--reach", "--json")).out)
    assert (found["person"]["audience"]["holds"], found["person"]["held_out"]) == (True, True)
    assert found["reach"]["held_out"] == 2
    assert found["reach"]["reached"]["email"] == 0
    assert "audience: everybody" in (await here.canvas("show", "welcome", "--person", "mel")).out
