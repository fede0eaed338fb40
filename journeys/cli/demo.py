"""`demo`: a complete example with a real database, a real Temporal server and real mail."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from rich.table import Table

import journeys
from journeys.canvas.wall_clock import wall_of
from journeys.channels.base import kinds
from journeys.channels.mailbox import Mail, Mailbox
from journeys.cli.console import err, out, run
from journeys.cli.dev import everything
from journeys.cli.entries import show_story, story
from journeys.cli.private_files import private_files
from journeys.cli.stop import Stop
from journeys.engine.intake.csv_import import import_file
from journeys.engine.people.profiles import load
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.validate import validate
from journeys.worker import Engine
from journeys.workflows.temporal_server import free_port

SCALE = 4320.0
"""A day passes in twenty seconds."""

CANVAS = "new-article"
TIMEOUT = 60.0
"""Seconds that the demo waits for a step before it fails."""


def definitions_folder() -> Path:
    """The definitions that come with the program: in the wheel, or beside the sources."""
    inside = Path(journeys.__file__).parent / "definitions"
    return inside if inside.is_dir() else Path(journeys.__file__).parent.parent / "definitions"


def _look_further() -> None:
    """What to type next, as it is typed from here."""
    program, folder = _program(), definitions_folder()
    out.print("Look further:")
    for words in (
        f"validate {_from_here(folder)}",
        f"simulate {_from_here(folder / 'onboarding.yaml')}",
        f"dev {_from_here(folder)} --time-scale 1d=2s",
    ):
        out.print(f"  {program} {words}", markup=False, soft_wrap=True)
    tutorial = folder.parent / "docs" / "tutorial.md"
    if tutorial.exists():
        out.print(f"and read {_from_here(tutorial)}", markup=False, soft_wrap=True)


def _program() -> str:
    beside = Path(sys.executable).with_name("journeys")
    if shutil.which("journeys"):
        return "journeys"
    return _from_here(beside) if beside.exists() else f"{shlex.quote(sys.executable)} -m journeys"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def demo() -> int:
    """Run a complete example: a CSV import, a mail at Mel's best hour, the click, and how it changes Mel's profile."""

    async def work(stop: asyncio.Event) -> int:
        with tempfile.TemporaryDirectory(prefix="journeys-demo-") as folder:
            Path(folder).chmod(0o755)
            telling = asyncio.create_task(_tell(Path(folder)))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not telling.done():
                telling.cancel()
                err.print("stopping")
            try:
                await telling
            except asyncio.CancelledError:
                return 130
        return 0

    return run(work)


def _say(number: int, text: str) -> None:
    out.print(f"\n[bold]{number}.[/bold] {text}")


async def _tell(folder: Path) -> None:
    begun = time.monotonic()
    err.print("starting a database, a Temporal server, a mailbox, the API and a worker …")
    with private_files(folder):
        await _tell_all(folder, begun)


async def _tell_all(folder: Path, begun: float) -> None:
    async with everything(folder, scale=SCALE, port=free_port()) as (parts, mailbox, port):
        err.print(
            f"all are running after {time.monotonic() - begun:.1f} s; from here on a day passes in {86400 / SCALE:.0f} s"
        )
        begun = time.monotonic()
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30
        ) as http:
            await Story(parts, mailbox, http).tell()
        out.print(f"\nThe demo took {time.monotonic() - begun:.0f} s.")
        _look_further()


class Story:
    """Mel's story, chapter by chapter."""

    def __init__(self, parts: Engine, mailbox: Mailbox, http: httpx2.AsyncClient) -> None:
        self.parts = parts
        self.mailbox = mailbox
        self.http = http
        self.workspace = 0

    async def tell(self) -> None:
        """All of it."""
        await self.arrive()
        before = await self.like()
        await self.announce()
        mail = await self.receive()
        await self.read(mail)
        await self.wish()
        await self.show(before)

    async def arrive(self) -> None:
        """People come in by CSV from the old tool."""
        folder = definitions_folder()
        found = validate([folder], kinds())
        if any(not problem.warning for problem in found.problems):
            raise Stop("\n".join(map(str, found.problems)))
        changes = await publish(self.parts.db, "default", found, at=self.parts.clock.now())
        self.workspace = changes.workspace
        self.parts.published.forget(self.workspace)
        key = await create_key(self.parts.db, self.workspace, "demo", [ALL])
        self.http.headers["Authorization"] = f"Bearer {key}"
        parts = (
            self.parts.db,
            self.parts.published,
            self.parts.clock,
            self.parts.alarm_sync,
            self.parts.notifier,
        )
        result = await import_file(parts, self.workspace, folder / "mel" / "people.csv")
        _say(
            1,
            f"{len(found.canvases)} canvases are published, and {result.taken} people imported by CSV from the old tool.",
        )

    async def like(self) -> dict[str, Any]:
        """Mel's app reports when Mel uses it, and that Mel liked an article about running."""
        now = self.parts.clock.now()
        evening = now - timedelta(days=1)
        zone = "Europe/Paris"
        wall = wall_of(now, zone)
        target = (wall + timedelta(hours=9)).replace(minute=0, second=0, microsecond=0)
        shift = target - wall
        events: list[dict[str, Any]] = [
            {
                "external_id": "mel",
                "name": "session_start",
                "time": (now + shift - timedelta(days=day, minutes=day)).isoformat(),
            }
            for day in range(1, 8)
        ]
        for who, category in (
            ("mel", "running"),
            ("noor", "running"),
            ("tomas", "running"),
            ("ada", "swimming"),
        ):
            events.append(
                {
                    "external_id": who,
                    "name": "article_liked",
                    "time": evening.isoformat(),
                    "properties": {"category": category, "article_id": "five-k"},
                }
            )
        await self.post("/users/track", {"events": events})
        before = await self.profile()
        _say(
            2,
            f"Mel's app reports seven sessions, at about {target:%H:%M} Mel's time, and that Mel liked an article about running.",
        )
        out.print(
            "   The segment “liked an article about running in the last 90 days” now contains Mel and two others."
        )
        return before

    async def announce(self) -> None:
        """The canvas is triggered by API for the segment; a repeated call changes nothing."""
        body = {
            "canvas_id": CANVAS,
            "broadcast": True,
            "audience": {"segment": "likes-running"},
            "context": {"article": "Your first ten kilometres", "article_id": "ten-k"},
        }
        repeat = {"Idempotency-Key": uuid4().hex}
        first = await self.post("/canvas/trigger/send", body, repeat)
        again = await self.post("/canvas/trigger/send", body, repeat)
        if first != again:
            raise Stop("the repeated call got another response")
        _say(3, "The new article is announced by API; the call is made twice with one key, and counts once.")
        mel = await self.until(lambda: self.entry("mel", "wake_at is not null"), "Mel's entry")
        left = self.parts.clock.real(mel["wake_at"]) - self.parts.clock.real(self.parts.clock.now())
        local = wall_of(mel["wake_at"], "Europe/Paris")
        out.print(
            f"   Mel's best hour is {local:%A %H:%M} Mel's time. That is {left.total_seconds():.0f} s from now; waiting …"
        )

    async def receive(self) -> Mail:
        """The mail arrives, by real SMTP, with the name that Mel prefers."""
        mail = await self.mailbox.next(to="mel@example.com", seconds=TIMEOUT)
        arrived = wall_of(self.parts.clock.now(), "Europe/Paris")
        _say(4, f"{arrived:%A %H:%M} Mel's time: the mail arrives. Subject: “{mail.message['Subject']}”")
        if not str(mail.message["Subject"]).startswith("Mel,"):
            raise Stop("the mail does not use the name that Mel prefers")
        return mail

    async def read(self, mail: Mail) -> None:
        """Mel opens the mail and follows the link: what a mail reader fetches is fetched."""
        pixel = re.search(r'<img src="([^"]+)"', mail.html)
        link = re.search(r'<a href="([^"]+)">Your first', mail.html)
        if pixel is None or link is None:
            raise Stop("the mail has no pixel, or no link")
        (await self.http.get(unescape(pixel[1]))).raise_for_status()
        answer = await self.http.get(unescape(link[1]), follow_redirects=False)
        _say(5, f"Mel opens it, and follows the link to {answer.headers['location']}")
        await self.until(lambda: self.entry("mel", "ended is not null"), "Mel's click to be heard")

    async def wish(self) -> None:
        """Mel adds the shoes to a wishlist; the conversion is credited."""
        now = self.parts.clock.now().isoformat()
        await self.post(
            "/users/track", {"events": [{"external_id": "mel", "name": "added_to_wishlist", "time": now}]}
        )
        converted = await self.parts.db.pool.fetchrow(
            "select f.* from facts f join people p on p.id = f.person where f.fact = 'converted' and p.external_id = 'mel'"
        )
        if converted is None:
            raise Stop("the conversion was not credited")
        _say(
            6,
            f"Mel adds shoes to a wishlist. The conversion “{converted['data']['name']}” is credited to the step “{converted['step']}”.",
        )

    async def show(self, before: dict[str, Any]) -> None:
        """Mel's profile before and after, the canvas with its counts, and Mel's entry."""
        after = await self.profile()
        table = Table(title="Mel's profile", title_justify="left")
        for column in ("", "before", "after"):
            table.add_column(column)
        for name in sorted({*before, *after}):
            table.add_row(name, str(before.get(name, "")), str(after.get(name, "")))
        out.print(table)
        counts = Table(title=f"The canvas {CANVAS}", title_justify="left")
        for column in ("step", "reached", "sent"):
            counts.add_column(column, justify="left" if column == "step" else "right")
        publication = await self.parts.published.of(self.workspace)
        rows = await self.parts.db.pool.fetch(
            "select step, fact, count(*) from facts where canvas = $1 and step is not null group by 1, 2",
            CANVAS,
        )
        numbers = {(row["step"], row["fact"]): row["count"] for row in rows}
        for step in publication.running[CANVAS].plan.steps:
            counts.add_row(step, str(numbers.get((step, "reached"), 0)), str(numbers.get((step, "sent"), "")))
        out.print(counts)
        found = await story(self.parts.db, self.workspace, "mel")
        if found is not None:
            show_story(found)

    async def profile(self) -> dict[str, Any]:
        """What is known of Mel, as the demo shows it."""
        identity: UUID = await self.parts.db.pool.fetchval("select id from people where external_id = 'mel'")
        profile = (await load(self.parts.db.pool, self.workspace, [identity]))[identity]
        rows = await self.parts.db.pool.fetch(
            "select case when kind = 'message' then 'message ' || name else name end as name, count(*) from events "
            "where person = $1 group by 1",
            identity,
        )
        did = {f"did: {row['name']}": row["count"] for row in rows}
        return {"first_name": profile.first_name, **profile.attributes, **did}

    async def entry(self, who: str, condition: str) -> Any:
        """The entry of a person, if the condition holds."""
        query = f"select e.* from entries e join people p on p.id = e.person where p.external_id = $1 and e.{condition}"  # noqa: S608 - ours
        return await self.parts.db.pool.fetchrow(query, who)

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        """A call of the API that must succeed."""
        answer = await self.http.post(path, json=body, headers=headers or {})
        if answer.status_code != 201 or "errors" in answer.json():
            raise Stop(f"{path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    async def until(self, question: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Wait for something, at most a minute."""
        ends = time.monotonic() + TIMEOUT
        while time.monotonic() < ends:
            if found := await question():
                return found
            await asyncio.sleep(0.05)
        raise Stop(f"waited {TIMEOUT:.0f} s for {what}")
