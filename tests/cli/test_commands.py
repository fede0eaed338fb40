"""The commands: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from journeys.cli.commands import GROUPS
from journeys.engine.store import Database
from tests import forked

ROOT = Path(__file__).parents[2]
DEFINITIONS = str(ROOT / "definitions")
COMMANDS = [
    "validate",
    "draw",
    "simulate",
    "render",
    "schema",
    "publish",
    "dev",
    "serve",
    "worker",
    "import",
    "trigger",
    "entries",
    "report",
    "person",
    "preview",
    "canvas",
    "keys",
    "settings",
    "credentials",
    "promotions",
    "demo",
]


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


async def journeys(
    *words: str,
    url: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    shell: str = "",
    anew: bool = False,
) -> Said:
    """Run a command in a process of its own. `shell`: what a shell makes of its output; that one is not forked."""
    env = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TEMPORAL_ADDRESS")
    }
    env |= {"COLUMNS": "160", **(environment or {}), **({} if url is None else {"DATABASE_URL": url})}
    streams: dict[str, Any] = {"stdout": PIPE, "stderr": PIPE, "env": env, "cwd": cwd}
    process: asyncio.subprocess.Process | forked.Forked
    if shell:
        typed = shlex.join([sys.executable, "-m", "journeys", *words])
        whole = f"set -o pipefail; {typed} {shell}"
        process = await asyncio.create_subprocess_exec("bash", "-c", whole, **streams)
    else:
        process = await forked.python("-m", "journeys", *words, anew=anew, **streams)
    out, err = await process.communicate()
    said = Said(process.returncode or 0, out.decode(), err.decode())
    assert "Traceback" not in said.out + said.err
    assert "\x1b[" not in said.out + said.err, "colours, and no terminal"
    return said


@pytest.mark.slow
async def test_each_command_teaches_what_it_does() -> None:
    """And imports what it needs itself."""
    whole = await journeys("--help")
    for name in COMMANDS:
        assert re.search(rf"^\W*{name} +[A-Z]", whole.out, re.MULTILINE), name
        page = (await journeys(name, "--help", anew=True)).out
        assert len(page) > 90, name
        for parameter in re.findall(r"--[a-z-]+", page):
            assert re.search(rf"{parameter}\b.*[a-z]", page), (name, parameter)
    for group, (_, commands) in GROUPS.items():
        page = (await journeys(group, "--help")).out
        for name in commands:
            assert re.search(rf"^\W*{name} +[A-Z]", page, re.MULTILINE), (group, name)


async def test_definitions_are_checked_and_all_problems_shown_with_their_places(tmp_path: Path) -> None:
    good = await journeys("validate", DEFINITIONS)
    assert (good.code, good.err) == (0, "")
    assert "no problems: " in good.out
    (tmp_path / "shoes.yaml").write_text(
        "kind: catalog\nformat: 1\nname: shoes\nfields: [{name: id, type: string}]\n---\n"
        "kind: content_block\nformat: 1\nname: foot\ncontent: a\n---\n"
        "kind: content_block\nformat: 1\nname: head\ncontent: b\n"
    )
    assert (await journeys("validate", "shoes.yaml", cwd=tmp_path)).out == (
        "no problems: 1 catalog, 2 content blocks\n"
    )
    (tmp_path / "c.yaml").write_text(
        "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps:\n"
        "  - {type: delay, id: d, duratoin: 1 day}\n  - {type: mesage, id: m}\n"
    )
    wrong = await journeys("validate", "c.yaml", cwd=tmp_path)
    assert wrong.code == 1
    assert "c.yaml:6:26: " in wrong.err
    assert "did you mean “duration”?" in wrong.err
    assert "c.yaml:7:" in wrong.err
    assert "did you mean “message”?" in wrong.err
    read = await journeys("validate", "--json", "c.yaml", cwd=tmp_path)
    assert read.code == 1
    assert {one["code"] for one in json.loads(read.out)["problems"]} >= {"J101", "J105"}
    assert (await journeys("validate", "nowhere", cwd=tmp_path)).code == 1


async def test_a_canvas_is_drawn_and_simulated(tmp_path: Path) -> None:
    path = f"{DEFINITIONS}/onboarding.yaml"
    drawn = await journeys("draw", path)
    assert drawn.out.startswith("flowchart")
    shown = await journeys("simulate", path, "--people", "200", "--seed", "1")
    assert "200 people" in shown.out
    again = await journeys("simulate", path, "--people", "200", "--seed", "1", "--json")
    report = json.loads(again.out)
    assert report["people"] == 200
    assert sum(report["ended"].values()) == 200
    assert (await journeys("draw", str(tmp_path / "none.yaml"))).code in (1, 2)
    assert (await journeys("simulate", path, "--people", "many")).code != 0


async def test_a_page_is_drawn_and_a_simulation_takes_rates_and_the_zone_of_the_workspace(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.yaml").write_text(
        "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\naudience: {segment: runners}\nexits: [{event: bought}]\n"
        "conversions: [{name: goal, event: bought, within: 1 day}]\nsteps:\n"
        "  - {type: delay, id: d, calendar_days: 1, at: '09:00', zone: company}\n"
        "  - {type: message, id: m, channel: email, template: t}\n"
    )
    (tmp_path / "settings.yaml").write_text("kind: workspace\nformat: 1\nname: default\nzone: Asia/Tokyo\n")
    drawn = await journeys("draw", "c.yaml", "--html", "c.html", cwd=tmp_path)
    assert (drawn.code, (tmp_path / "c.html").read_text()[:15]) == (0, "<!DOCTYPE html>")
    assert (await journeys("draw", "c.yaml", "--html", "none/c.html", cwd=tmp_path)).code == 2

    async def report(*words: str) -> Any:
        return json.loads((await journeys("simulate", "c.yaml", "--json", *words, cwd=tmp_path)).out)

    some = await report("--rate", "runners=0.5", "--rate", "bought=0.2", "--starts", "2026-12-07T08:00")
    assert 350 < some["not_admitted"]["audience"] < 650
    assert (
        some["messages"]
        == some["sent"]["m"]
        == 1000 - some["not_admitted"]["audience"] - some["ended"]["exit_event"]
    )
    assert some["converted"]["goal"] >= some["ended"]["exit_event"] > 0
    assert some["longest_seconds"] == 25 * 3600, "from eight in Tokyo to nine on the next day"
    paris = await report("--rate", "runners=1", "--rate", "bought=0", "--zone", "Europe/Paris")
    assert (paris["messages"], paris["not_admitted"]) == (1000, {})
    said = (await journeys("simulate", "c.yaml", "--rate", "runners=0.5", cwd=tmp_path)).out
    assert "messages" in said
    assert "not admitted: audience" in said
    assert "commands" not in said
    for words in (
        ("--rate", "runners=2"),
        ("--rate", "runners"),
        ("--rate", "zzz=0.1"),
        ("--zone", "Mars/Base"),
        ("--zone", "../x"),
    ):
        assert (await journeys("simulate", "c.yaml", *words, cwd=tmp_path)).code == 2, words
    unknown = await journeys(
        "simulate", "c.yaml", "--rate", "purchase=1", "--rate", "bougt=0.1", cwd=tmp_path
    )
    assert "nothing in the canvas is named “bougt”: did you mean “bought”?" in unknown.err
    settings = await journeys("validate", "settings.yaml", cwd=tmp_path)
    assert (settings.code, settings.out.strip()) == (0, "no problems: 1 workspace")


async def test_a_template_is_rendered_with_a_context_file(tmp_path: Path) -> None:
    (tmp_path / "t.liquid").write_text(
        "Hi {{${first_name} | default: 'you'}}{% if x %}{% abort_message('no') %}{% endif %}\n"
    )
    (tmp_path / "c.json").write_text(json.dumps({"profile": {"first_name": "Mel"}}))
    assert (await journeys("render", "t.liquid", "c.json", cwd=tmp_path)).out == "Hi Mel\n"
    assert (await journeys("render", "t.liquid", cwd=tmp_path)).out == "Hi you\n"
    (tmp_path / "a.liquid").write_text("{% abort_message('not today') %}")
    aborted = await journeys("render", "a.liquid", cwd=tmp_path)
    assert (aborted.code, aborted.err.strip()) == (3, "the message is aborted: not today")
    (tmp_path / "w.liquid").write_text("a\n b {% if %}")
    assert "w.liquid:2:7: " in (await journeys("render", "w.liquid", cwd=tmp_path)).err
    (tmp_path / "c.json").write_text("{")
    assert (await journeys("render", "t.liquid", "c.json", cwd=tmp_path)).code == 2


async def test_what_stands_in_html_comments_is_not_run_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    """L8"""
    (tmp_path / "t.liquid").write_text("<!-- {{ 'x' | upcase }} -->a<!--[if mso]>b<![endif]-->")
    assert (await journeys("render", "t.liquid", cwd=tmp_path)).out == "a<!--[if mso]>b<![endif]-->"
    kept = await journeys("render", "t.liquid", "--html-comments", "kept", cwd=tmp_path)
    assert kept.out == "<!-- X -->a<!--[if mso]>b<![endif]-->"
    assert (await journeys("render", "--batch", "-", "--html-comments", "kept", cwd=tmp_path)).code == 2


async def test_messages_are_rendered_by_the_line_and_a_broken_line_stops_no_other(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": n, "template": "{{${x}}}", "context": {"profile": {"x": n}}}) for n in range(500)
    ]
    lines[7] = '{"id": 7, "template"'
    lines[8] = json.dumps({"id": 8, "template": "{% abort_message('no') %}"})
    lines[9] = json.dumps({"id": 9, "template": "{% loop %}"})
    (tmp_path / "b.jsonl").write_text("\n".join(lines))

    said = await journeys("render", "--batch", "b.jsonl", cwd=tmp_path)

    answers = [json.loads(line) for line in said.out.splitlines()]
    assert (said.code, said.err, len(answers)) == (0, "", 500)
    assert answers[499] == {"id": 499, "output": "499"}
    assert [one["id"] for one in answers[8:]] == list(range(8, 500))
    assert answers[7]["error"]["code"] == "invalid_line"
    assert answers[8] == {"id": 8, "aborted": True, "reason": "no"}
    assert answers[9]["error"]["line"] == 1
    for wrong in (["--batch", "none.jsonl"], [], ["a", "--batch", "b.jsonl"]):
        assert (await journeys("render", *wrong, cwd=tmp_path)).code == 2


async def test_a_template_is_rendered_with_what_the_context_says_of_the_world(tmp_path: Path) -> None:
    """C3: a preview says that a retry was triggered."""
    (tmp_path / "c.json").write_text(json.dumps({
        "content_blocks": {"hi": "Hi"},
        "connected_content": [{"url": "https://a.example", "body": {"t": "sun"}}],
    }))  # fmt: skip
    (tmp_path / "t.liquid").write_text(
        "{{content_blocks.${hi}}} {% connected_content https://a.example %}{{connected.t}}"
    )
    assert (await journeys("render", "t.liquid", "c.json", cwd=tmp_path)).out == "Hi sun"
    again = await journeys("render", "t.liquid", cwd=tmp_path)
    assert (again.code, again.out) == (0, " ")
    (tmp_path / "r.liquid").write_text("{% connected_content https://a.example :retry %}")
    again = await journeys("render", "r.liquid", cwd=tmp_path)
    assert (again.code, again.err) == (4, "a retry is needed: https://a.example answered 599\n")


async def test_a_workspace_from_nothing_to_an_entry(db: Database, tmp_path: Path) -> None:
    """Publish, import with a refused row, make a key, trigger, look."""
    url = db.url
    here = shutil.copytree(DEFINITIONS, tmp_path / "mine")
    settings = here / "workspace.yaml"
    settings.write_text(settings.read_text().replace("name: default", "name: shop"))
    (here / "hello.yaml").write_text(
        "kind: canvas\nformat: 1\nname: hello\nschedule: {api: true}\nsteps: [{type: delay, id: d, duration: 1 day}]\n"
    )
    published = await journeys("publish", str(here), "--workspace", "shop", url=url)
    assert published.code == 0, published.err
    assert "new      canvas        new-article" in published.out
    again = await journeys("publish", str(here), "--workspace", "shop", url=url)
    assert "0 new, 0 changed" in again.out
    people = tmp_path / "people.csv"
    people.write_text(
        "external_id,first_name,email,time_zone\nmel,Melissa,mel@example.com,Europe/Paris\n,Nobody,,\n"
    )
    imported = await journeys("import", str(people), "--workspace", "shop", url=url)
    assert imported.code == 1
    assert "2 rows, 1 taken (1 people created, 0 updated), 1 refused" in imported.out
    assert "line 3" in imported.err
    assert "Nobody" in (tmp_path / "people.refused.csv").read_text()
    key = await journeys("keys", "create", "--workspace", "shop", "--name", "n", "--all", url=url)
    assert len(key.out.strip()) > 20
    taken = await journeys("keys", "create", "--workspace", "shop", "--name", "n", "--all", url=url)
    assert (taken.code, taken.out) == (1, "")
    entered = await journeys("trigger", "hello", "mel", "ghost", "--workspace", "shop", url=url)
    assert (entered.code, entered.out.strip()) == (1, "1 entered, 0 refused, 1 unknown")
    kept_out = await journeys("trigger", "new-article", "mel", "--workspace", "shop", url=url)
    assert (kept_out.code, kept_out.out.strip()) == (1, "0 entered, 1 refused, 0 unknown")
    story = json.loads((await journeys("entries", "mel", "--workspace", "shop", "--json", url=url)).out)
    assert [entry["canvas"] for entry in story["entries"]] == ["hello"]
    assert [refused["canvas"] for refused in story["refused"]] == ["new-article"]
    shown = await journeys("entries", "mel@example.com", "--workspace", "shop", url=url)
    assert "hello" in shown.out
    assert "refused by new-article: audience: " in shown.out
    assert "; saw nothing" in shown.out
    assert (await journeys("entries", "ghost", "--workspace", "shop", url=url)).code == 1
    unknown = await journeys("entries", "mel", "--workspace", "shoop", url=url)
    assert (unknown.code, "there are: shop" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("publish", DEFINITIONS),
        ("entries", "mel"),
        ("trigger", "c", "mel"),
    ],
)
async def test_a_database_that_is_not_there_is_said_in_a_line(words: tuple[str, ...]) -> None:
    said = await journeys(*words, url="postgresql://nobody@127.0.0.1:1/none")
    assert said.code == 1
    assert "the database cannot be reached" in said.err
