"""A plain implementation of the same journeys: one activity per concern.

Read the profile, evaluate at splits, render, send, record; the state is the workflow's own. No batching, no outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import aiosmtplib
import asyncpg
import httpx2
from temporalio import activity, workflow

from bench.stories import DAY, TEMPLATE
from journeys.canvas.yaml_definitions import read_text
from journeys.engine.content import Values, compile

SECONDS = timedelta(seconds=30)


@dataclass
class Activities:
    """What the workflow asks for, with the same pools as the other side has."""

    pool: asyncpg.Pool
    smtp_port: int
    url: str
    http: httpx2.AsyncClient

    def __post_init__(self) -> None:
        self.idle: list[aiosmtplib.SMTP] = []
        self.places = asyncio.Semaphore(4)
        found, _ = read_text(TEMPLATE.replace("URL", self.url))
        self.templates = {one.name: one.value for one in found}

    @activity.defn
    async def read_profile(self, person: str) -> dict[str, Any]:
        """The profile."""
        row = await self.pool.fetchrow(
            "select external_id, email, first_name, attributes from people where id = $1", UUID(person)
        )
        return {**dict(row), "attributes": row["attributes"]}

    @activity.defn
    async def evaluate(self, person: str) -> bool:
        """Is the attribute set?"""
        found = await self.pool.fetchval("select attributes from people where id = $1", UUID(person))
        return found.get("even") is True

    @activity.defn
    async def render(self, template: str, profile: dict[str, Any], step: str) -> dict[str, str]:
        """The message."""
        values = Values(
            profile={"first_name": profile["first_name"], "user_id": profile["external_id"]},
            campaign={"name": step},
        )
        made = self.templates[template]
        if template == "mail":
            return {name: compile(getattr(made, name)).render(values) for name in ("subject", "html")}
        return {name: compile(text).render(values) for name, text in made.body.items()}

    @activity.defn
    async def send(self, channel: str, address: str, content: dict[str, str], key: str) -> None:
        """Hand it over."""
        if channel == "webhook":
            answer = await self.http.post(f"{self.url}/hook", json=content, headers={"Idempotency-Key": key})
            answer.raise_for_status()
            return
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "desk@example.com", address, content["subject"]
        mail["Message-ID"] = f"<{key}@example.com>"
        mail.set_content("Hello")
        mail.add_alternative(content["html"], subtype="html")
        async with self.places:
            connection = (
                self.idle.pop() if self.idle else aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port)
            )
            if not connection.is_connected:
                await connection.connect()
            await connection.send_message(mail)
            self.idle.append(connection)

    @activity.defn
    async def record(self, person: str, step: str, key: str) -> None:
        """Remember that it was sent."""
        await self.pool.execute(
            "insert into bench_sends (key, person, step) values ($1, $2, $3) on conflict do nothing",
            *(key, UUID(person), step),
        )


async def _message(person: str, step: str, template: str = "mail", channel: str = "email") -> None:
    profile = await _call(Activities.read_profile, person)
    content = await _call(Activities.render, template, profile, step)
    key = f"{workflow.info().workflow_id}/{step}"
    await _call(Activities.send, channel, profile["email"], content, key)
    await _call(Activities.record, person, step, key)


async def _call(method: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    return await workflow.execute_activity(
        method.__name__,
        args=list(arguments),
        start_to_close_timeout=SECONDS,
    )


@workflow.defn
class Plain:
    """One person's journey."""

    def __init__(self) -> None:
        self.liked = False

    @workflow.signal
    def like(self) -> None:
        """The person liked it."""
        self.liked = True

    @workflow.run
    async def run(self, story: str, person: str, wakes: float | None = None) -> None:
        """J1, J2, J3; `wait`, a mail and a day of delay; `wake`, a mail at an instant, in seconds since 1970."""
        if story in ("j1", "wait", "wake"):
            if wakes is not None:
                await asyncio.sleep(wakes - workflow.now().timestamp())
            await _message(person, "mail")
            if story == "wait":
                await asyncio.sleep(86_400)
        elif story == "j2":
            await asyncio.sleep(DAY)
            even = await _call(Activities.evaluate, person)
            await (_message(person, "mail") if even else _message(person, "hook", "hook", "webhook"))
        else:
            await _message(person, "first")
            await asyncio.sleep(DAY)
            await workflow.wait_condition(lambda: self.liked, timeout=3600)
            await _call(Activities.evaluate, person)
            await _message(person, "second")
            await asyncio.sleep(2 * DAY)
            await _message(person, "third")
