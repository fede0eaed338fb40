"""Clients that go away, or dawdle: nothing of it is an error of the server, and nobody else waits."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest

from journeys.api import requests, slow_heads
from journeys.api.app import app
from journeys.cli.servers import served
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, services_of
from tests.stage import stage_on


class Server:
    """The API on a port, and a key for it."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key

    def head(self, length: int, path: str = "/users/track") -> bytes:
        """The head of a request whose body has this length."""
        return (
            f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.key}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    async def sends(self, *parts: bytes, reset: bool = False, pause: float = 0.05) -> None:
        """Somebody sends these parts and goes away without an answer: politely, or with a reset."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        del reader
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if reset:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        await asyncio.sleep(pause)

    async def answers(self) -> None:
        """It still answers others."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as client:
            assert (await client.get("/health")).status_code == 200
            body = {"attributes": [{"external_id": "good", "x": 1}]}
            headers = {"Authorization": f"Bearer {self.key}"}
            assert (await client.post("/users/track", json=body, headers=headers)).status_code == 201


@pytest.fixture
async def server(db: Database) -> AsyncIterator[Server]:
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", ["*"])
    async with served(app(services_of(stage)), "127.0.0.1", 0) as port:
        yield Server(port, key)


BODY = b'{"attributes": [{"external_id": "a", "x": 1}]}'


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_goes_away_at_any_moment_is_no_error(
    server: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], reset: bool
) -> None:
    """TRK-7: with the key in the header and in the body, on every route that reads one."""
    with caplog.at_level(logging.INFO):
        for path in ("/users/track", "/canvas/trigger/send", "/catalogs", "/content_blocks/create"):
            head = server.head(len(BODY), path)
            bare = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Auth"))
            for parts in (
                (b"",), (head[:40],), (head,), (head, BODY[:10]), (bare, BODY[:10]), (head + BODY,), (bare + BODY,),
                (head + BODY + head,), (b"\0\xff" * 50,), (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab",),
                (b"GET /u/abc HTTP/1.1\r\nHost: a\r\n\r\n",), (b"POST /u/abc HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",),
            ):  # fmt: skip
                await server.sends(*parts, reset=reset, pause=0.005)
        await server.answers()

    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
    written = "".join(capfd.readouterr())
    assert "Traceback" not in written
    assert "error" not in written.lower()


async def test_whoever_dawdles_with_a_body_is_cut_off_and_not_listened_to_any_more(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRK-7: also where they go on with a byte now and then."""
    monkeypatch.setattr(requests, "LONGEST_WAIT", 0.2)
    for head in (server.head(1_000), server.head(requests.LARGEST_BODY + 1)):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"{")
        said = await asyncio.wait_for(reader.read(), 30)  # to the end of the connection
        assert said.split(b" ")[1] in (b"408", b"413")
        writer.close()
    await server.answers()


async def _hangs_up(server: Server, *parts: bytes, pause: float = 0.05) -> tuple[bytes, float]:
    """What is answered to who sends these parts one by one and then waits, and after how long the server hangs up."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    began = loop.time()

    async def sends() -> None:
        with suppress(OSError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)

    sending = asyncio.create_task(sends())
    said = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(60):
            while more := await reader.read(65536):
                said += more
    took = loop.time() - began
    sending.cancel()
    writer.close()
    return said, took


def _statuses(said: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+)", said)


async def test_whoever_dawdles_with_the_head_of_a_request_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who says nothing at all, who goes on line by line, and who does so with the second request of a connection."""
    monkeypatch.setattr(slow_heads, "LONGEST_HEAD", 0.5)
    alive = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    drops = [b"X-A: b\r\n"] * 2_000

    said, _ = await _hangs_up(server)
    assert said == b""
    said, took = await _hangs_up(server, b"GET /health HTTP/1.1\r\n", *drops)
    assert (said.split(b" ")[1], b'"message":"Request Timeout"' in said) == (b"408", True)
    assert took < 30
    said, took = await _hangs_up(server, alive, b"GET /health HTTP/1.1\r\n", *drops)
    assert _statuses(said) == [b"200", b"408"]
    said, took = await _hangs_up(server, alive, *[b"\r\n"] * 1_000)
    assert (said.count(b"HTTP/1.1"), took < 30) == (1, True)
    await server.answers()


async def test_a_head_without_an_end_is_cut_off_at_64_kilobytes(server: Server) -> None:
    said, _ = await _hangs_up(
        server, b"GET /health HTTP/1.1\r\n", *[b"X-A: " + b"b" * 8_000 + b"\r\n"] * 50, pause=0.001
    )

    assert said.split(b" ")[1:2] in ([b"431"], [])  # nothing is read where the reset overtakes the answer
    await server.answers()


async def test_whoever_takes_their_time_within_the_limits_is_served(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head in pieces, a body in pieces, two requests at once, and a body that nobody reads any more."""
    monkeypatch.setattr(slow_heads, "LONGEST_HEAD", 20.0)
    head = server.head(len(BODY))
    last = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    wrong = head.replace(b"Bearer ", b"Bearer x")

    said, _ = await _hangs_up(
        server, head[:30], head[30:], BODY[:9], BODY[9:], head + BODY + wrong, BODY, last
    )
    assert _statuses(said) == [b"201", b"201", b"401", b"200"]
