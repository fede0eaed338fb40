"""`dev` with a time scale: other commands use its clock, and a restart continues it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from journeys.workflows.temporal_server import free_port
from tests.cli.test_commands import ROOT, journeys
from tests.cli.test_servers import below, running

SLOWLY = pytest.mark.timeout(600)
STORY = """
kind: canvas
format: 1
name: {name}
schedule: {{{schedule}}}
steps:
  - {{type: message, id: first, channel: email, template: hello}}
  - {{type: delay, id: pause, duration: 1 hour}}
  - {{type: message, id: second, channel: email, template: hello}}
"""
HELLO = """
---
kind: template
format: 1
name: hello
channel: email
sender: {name: Me, address: me@example.com}
subject: Hello
html: "<p><a href='{{${set_user_to_unsubscribed_url}}}'>Unsubscribe</a></p>"
"""


async def _entry(home: dict[str, str], person: str) -> dict[str, Any]:
    said = await journeys("entries", person, "--json", environment=home)
    [entry] = json.loads(said.out)["entries"]
    return dict(entry)


@pytest.mark.slow
@SLOWLY
async def test_who_was_let_in_before_a_kill_or_while_nothing_ran_goes_on(apart: Path) -> None:
    """By the clock of `dev`, which does not go back; and a kill of it leaves no process running."""
    home = {"JOURNEYS_HOME": str(apart)}
    definitions = apart / "definitions.yaml"
    stories = (
        STORY.format(name="byapi", schedule="api: true"),
        STORY.format(name="byevent", schedule="event: liked"),
    )
    definitions.write_text("---".join(stories) + HELLO)
    (apart / "people.csv").write_text(
        "external_id,email\n" + "".join(f"{name},{name}@example.com\n" for name in ("ann", "bob", "cyd"))
    )
    (apart / "events.csv").write_text("external_id,name,time\ncyd,liked,2200-01-01T00:00:00Z\n")
    words = ("dev", str(definitions), "--port", "0", "--time-scale", "1h=5s")
    async with running(*words, **home) as dev:
        await dev.says("Ctrl-C stops everything")
        assert (await journeys("import", str(apart / "people.csv"), environment=home)).code == 0
        events = ("import", str(apart / "events.csv"), "--kind", "events")
        assert (await journeys(*events, environment=home)).code == 0
        entered = datetime.fromisoformat((await _entry(home, "cyd"))["entered"])
        assert entered > datetime.now(UTC), "what lies ahead becomes now, of this clock, which is ahead"
        assert (await journeys("trigger", "byapi", "ann", environment=home)).code == 0
        children = below(dev.process.pid)
        dev.process.kill()
        await dev.process.wait()
    async with asyncio.timeout(60):
        while any(Path(f"/proc/{child}").exists() for child in children):
            await asyncio.sleep(0.1)
    assert (await journeys("trigger", "byapi", "bob", environment=home)).code == 0
    bob = await _entry(home, "bob")
    assert bob["begun"] is None
    assert bob["entered"] > (await _entry(home, "ann"))["entered"] > entered.isoformat()[:19]
    async with running(*words, **home) as dev:
        await dev.says("Ctrl-C stops everything")
        ended: dict[str, Any] = {}
        async with asyncio.timeout(180):
            while set(ended) != {"ann", "bob", "cyd"} or any(each is None for each in ended.values()):
                await asyncio.sleep(0.5)
                ended = {who: (await _entry(home, who))["ended"] for who in ("ann", "bob", "cyd")}
        assert set(ended.values()) == {"completed"}
        async with asyncio.timeout(60):
            while any(_mails(apart, who) < 2 for who in ended):
                await asyncio.sleep(0.1)
        assert await dev.stopped() == 0


def _mails(home: Path, who: str) -> int:
    mails = [path.read_bytes() for path in (home / "mails").rglob("*") if path.is_file()]
    return sum(f"{who}@example.com".encode() in mail for mail in mails)


def _tutorial() -> tuple[dict[str, str], list[str]]:
    """The files that the tutorial has one write, and what it has one type."""
    text = (ROOT / "docs" / "tutorial.md").read_text()
    files = dict(re.findall(r'```yaml title="(\S+)"\n(.*?)```', text, re.DOTALL))
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return files, [
        line
        for block in blocks
        for line in re.split(r"^    (?=\w)", block, flags=re.MULTILINE)
        if line.strip()
    ]


async def _typed(line: str, folder: Path) -> str:
    """A line of the tutorial, typed into a shell; what it says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "JOURNEYS_HOME": str(folder / "home"), "COLUMNS": "160"}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line), stdout=PIPE, stderr=PIPE, cwd=folder, env=environment
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (line, err.decode())
    return out.decode()


@pytest.mark.slow
@SLOWLY
async def test_the_tutorial_works_as_it_is_typed(temporal: str, apart: Path) -> None:
    """All files, all lines; the port is another, and the Temporal server one that runs."""
    files, lines = _tutorial()
    for name, text in files.items():
        (apart / name).parent.mkdir(exist_ok=True)
        (apart / name).write_text(text)
    validate, draw, simulate, dev, curl, entries = lines
    for line in (validate, draw, simulate):
        await _typed(line, apart)
    port = free_port()
    words = (*dev.split()[1:], "--port", str(port))
    home = {"JOURNEYS_HOME": str(apart / "home"), "TEMPORAL_ADDRESS": temporal}
    async with running(*words, cwd=apart, **home) as server:
        key = (await server.says(r"API .*key: (\S+)"))[1]
        await server.says("Ctrl-C stops everything")
        call = curl.replace("localhost:8000", f"localhost:{port}").replace("KEY", key)
        assert '"events_processed":1' in await _typed(call, apart)
        assert "before_launch" in await _typed(entries, apart)
        now = (await _typed("date -u +%FT%TZ", apart)).strip()
        await _typed(call.replace("2026-01-01T00:00:00Z", now), apart)
        await server.says("mail to mel@example.com: Hello Mel", 60)
        assert "sent" in await _typed(entries, apart)
        assert await server.stopped() == 0
