"""A tenant that does its worst: the servers that its canvases call, the calls that it makes, and what it publishes.

`python -m bench.hostile_tenant servers` runs the servers, and the mail server of everybody; `… calls ADDRESS KEY SINK`
calls the API over eight connections until it is killed.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import random
import re
import sys
import time
from contextlib import suppress
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bench.doors import BLOCK, SEND, WORST
from bench.hostile import EATERS
from journeys.channels.mailbox import Mailbox

CONNECTIONS = 8
"""Calls that it has under way at once."""
DRIBBLE = 15.0
"""Seconds between two bytes of an answer."""
CALM = "calm"
"""How the addresses of the tenant begin whose mails are timed."""
NAMELESS = "slow.example"
"""A name that takes `SLOW_NAME` seconds to be looked up, and does not exist."""
SLOW_NAME = 20.0

CANVASES = ("everybody", "blocks", "dribbles", "nameless", "sorting", "replacing", "asking", "awaiting")

CANVAS = """
---
kind: canvas
format: 1
name: NAME
schedule: {api: true}
reentry: {after: 0 days}
steps:
  - {type: message, id: m, channel: CHANNEL, template: NAME}
"""
AWAITING = """---
kind: canvas
format: 1
name: awaiting
schedule: {api: true}
reentry: {after: 0 days}
steps:
  - {type: context, id: c, set: [{name: got, value: "{% connected_content URL :save r %}{{ r }}"}]}
"""
WEBHOOK = """---
kind: template
format: 1
name: NAME
channel: webhook
url: "URL"
text: |
  TEXT
"""
MAIL = """---
kind: template
format: 1
name: NAME
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "Hello"
html: |
  TEXT
  <p><a href="{{${set_user_to_unsubscribed_url}}}">Unsubscribe</a></p>
"""
PATTERNS = ("(a|b|c){1,60}[a-z]{1,100}\\\\p{L}{1,9}", "(?:a?){25}(?:a?){25}b", "a*a*a*a*b", "(x+x+)+y")
AUDIENCE: dict[str, Any] = {
    "all": [{"none": [{"attribute": "long", "matches": each.replace("\\\\", "\\")}]} for each in PATTERNS]
}
"""Patterns that match nobody, after all of a long text was read: everybody is in."""


def published(sink: str, dribbling: str) -> str:
    """What it publishes: canvases whose messages take as much, or as long, as they may."""
    made = []
    for name, url, text in (
        ("dribbles", dribbling, "a"),
        ("nameless", f"http://{NAMELESS}/", "a"),
        ("sorting", f"{sink}/hook", EATERS["lists sorted"]),
        ("replacing", f"{sink}/hook", EATERS["texts replaced"]),
        ("asking", f"{sink}/hook", "{% connected_content " + dribbling + " :save r %}{{ r }}"),
    ):
        made.append(CANVAS.replace("NAME", name).replace("CHANNEL", "webhook"))
        made.append(WEBHOOK.replace("NAME", name).replace("URL", url).replace("TEXT", text))
    made.append(AWAITING.replace("URL", dribbling))
    blocks = "".join(f"{{{{content_blocks.${{large{number}}}}}}}" for number in range(9))
    for name, text in (("everybody", "<p>{{custom_attribute.${long} | size}}</p>"), ("blocks", blocks)):
        made.append(CANVAS.replace("NAME", name).replace("CHANNEL", "email"))
        made.append(MAIL.replace("NAME", name).replace("TEXT", text))
    return "".join(made)


async def servers() -> None:
    """Print the ports of mail, of the web server and of the dribbling one, and go on until standard input ends."""
    mailbox = Arrivals()

    async def hook(request: Request) -> Response:
        await request.body()
        return PlainTextResponse("ok")

    async def arrivals(_: Request) -> Response:
        return JSONResponse({"calm": mailbox.calm, "others": mailbox.others, "pixel": mailbox.pixel})

    async with mailbox:
        app = Starlette(routes=[Route("/hook", hook, methods=["POST"]), Route("/arrivals", arrivals)])
        config = uvicorn.Config(
            app, "127.0.0.1", 0, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        dribbling = await asyncio.start_server(_dribble, "127.0.0.1", 0)
        print(
            mailbox.port,
            *(each.sockets[0].getsockname()[1] for each in (*server.servers, dribbling)),
            flush=True,
        )
        await asyncio.to_thread(sys.stdin.buffer.read)
        server.should_exit = True
        await task


async def _dribble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        for sign in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" * 100:
            writer.write(bytes([sign]))
            await writer.drain()
            await asyncio.sleep(DRIBBLE)


class Arrivals(Mailbox):
    """A mailbox that keeps no mails, and notes when those of the calm tenant arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.calm: dict[str, float] = {}
        self.others = 0
        self.pixel = ""
        """The path of the pixel in one of its own mails."""

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        """Note it, on the clock that all processes of a machine share."""
        del server, session
        to = envelope.rcpt_tos[0]
        if to.startswith(CALM):
            self.calm[to.partition("@")[0]] = time.monotonic()
        else:
            self.others += 1
            if not self.pixel:
                html = email.message_from_bytes(envelope.content, policy=email.policy.default).get_body(
                    ("html",)
                )
                found = re.search(r"/o/[^\"]+", html.get_content() if html else "")
                self.pixel = found[0] if found else ""
        return "250 OK"


async def calls(address: str, key: str, sink: str) -> None:
    """Over each connection one call after the other, for ever: the worst bodies, audiences, blocks, pixels, and who is to enter."""
    made = [(path, work()) for path, work in WORST.values()]
    made += [
        (BLOCK, json.dumps({"name": f"large{n}", "content": "{{ a | upcase }} " * 2_900}).encode())
        for n in range(9)
    ]
    for canvas in CANVASES:
        wanted = [{"external_user_id": f"p{n}"} for n in range(50)]
        made += [(SEND, json.dumps({"canvas_id": canvas, "recipients": wanted}).encode())] * 2
    broadcast = {"canvas_id": "everybody", "broadcast": True, "audience": AUDIENCE}
    made += [(SEND, json.dumps(broadcast).encode())] * 5
    answers: dict[int, int] = {}

    async def knocks(number: int) -> None:
        order = random.Random(number)
        while True:
            path, raw = order.choice(made)
            try:
                answer = await http.post(path, content=raw)
                answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            except httpx2.HTTPError:
                answers[0] = answers.get(0, 0) + 1
                await asyncio.sleep(0.1)

    async def opens() -> None:
        """One message is opened again and again."""
        while True:
            with suppress(httpx2.HTTPError):
                pixel = (await http.get(f"{sink}/arrivals")).json()["pixel"]
                for _ in range(200):
                    await http.get(pixel or "/o/none")
            await asyncio.sleep(0.1)

    async def tells() -> None:
        while True:
            await asyncio.sleep(5)
            print(json.dumps(answers), flush=True)

    async with httpx2.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=120, trust_env=False
    ) as http:
        await http.post(SEND, json=broadcast)
        print("begun", flush=True)
        await asyncio.gather(tells(), opens(), *(knocks(number) for number in range(CONNECTIONS)))


if __name__ == "__main__":
    asyncio.run(servers() if sys.argv[1] == "servers" else calls(*sys.argv[2:]))
