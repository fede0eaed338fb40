"""Calls of templates to web services: limits, cache, and hosts that fail too often. On real servers."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from journeys.engine.content.services import Call, Reply
from journeys.engine.outgoing.guard import networks
from journeys.engine.sources.connected import caller as caller_module
from journeys.engine.sources.connected.cache import Cache
from journeys.engine.sources.connected.caller import CHARSETS, LARGEST, TIMEOUT, Caller, charset_of
from journeys.engine.sources.connected.circuit_breaker import Breaker
from journeys.engine.sources.connected.connected_content import ConnectedContent
from tests.receiver import Receiver

LOCAL = networks("127.0.0.0/8")

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(write: Write, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers by hand."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await write(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as running:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{running.sockets[0].getsockname()[1]}/x"


async def answered(url: str, *, timeout: float | None = None, **more: Any) -> Reply:
    async with Caller(LOCAL, timeout=timeout) as caller:
        return await caller(1, Call(url, **more))


class NoKeys:
    """A keyring of nobody."""

    async def headers(self, workspace: int, call: Call) -> dict[str, str]:
        return {}


class Clock:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def content(
    clock: Clock, *, size: int = 10_000_000, failures: int = 3000
) -> AsyncIterator[ConnectedContent]:
    async with Caller(LOCAL) as caller:
        yield ConnectedContent(
            caller, NoKeys(), Cache(size, clock), Breaker(clock, failures=failures)  # type: ignore[arg-type]
        )  # fmt: skip


async def test_a_reply_has_its_status_and_its_text(receiver: Receiver) -> None:
    receiver.replies["/x"] = {"city": "Köln"}
    reply = await answered(f"{receiver.url}/x?a=1", headers={"X-A": "b"})

    assert (reply.status, reply.ok, reply.text) == (200, True, '{"city":"Köln"}')
    [call] = receiver.calls
    assert (call["method"], call["query"], call["headers"]["x-a"]) == ("GET", "a=1", "b")


async def test_we_say_who_we_are_unless_the_template_says_otherwise(receiver: Receiver) -> None:
    """C7"""
    await answered(f"{receiver.url}/x")
    await answered(f"{receiver.url}/x", headers={"user-agent": "Mine"})

    first, second = (call["headers"]["user-agent"] for call in receiver.calls)
    assert first.startswith("Journeys Sender ") and len(first) == len("Journeys Sender ") + 32
    assert second == "Mine"


async def test_a_post_carries_its_body(receiver: Receiver) -> None:
    await answered(
        f"{receiver.url}/x", method="POST", body='{"a":1}', headers={"Content-Type": "application/json"}
    )

    assert [(call["method"], call["body"]) for call in receiver.calls] == [("POST", {"a": 1})]


async def test_an_answer_that_takes_longer_than_two_seconds_is_given_up(receiver: Receiver) -> None:
    """C4, C6: 599."""
    receiver.hold()
    began = asyncio.get_running_loop().time()

    assert await answered(f"{receiver.url}/x", timeout=TIMEOUT) == Reply(599)
    assert asyncio.get_running_loop().time() - began > 1.9
    assert TIMEOUT == 2


async def test_the_two_seconds_are_for_all_of_it_however_busily_a_server_trickles() -> None:
    """C4: a byte now and then keeps no call alive."""

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(trickle) as url:
        assert await answered(url, timeout=0.3) == Reply(599)


async def test_a_reply_over_a_megabyte_is_refused_while_it_comes() -> None:
    """C4: a server that never stops is not listened to until it does."""
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with server(pour) as url:
        assert await answered(url) == Reply(413)

    assert sent < 20 * LARGEST


@pytest.mark.parametrize(("size", "status"), [(LARGEST, 200), (LARGEST + 1, 413), (300 * LARGEST, 413)])
async def test_a_packed_reply_counts_as_long_as_it_is_unpacked(
    receiver: Receiver, size: int, status: int
) -> None:
    """C4: what is small on the wire and vast in memory is refused."""
    receiver.headers = {"content-encoding": "gzip"}
    receiver.replies["/x"] = gzip.compress(b"a" * size)
    reply = await answered(f"{receiver.url}/x")

    assert (reply.status, len(reply.text)) == (status, size if status == 200 else 0)


async def test_nobody_there_is_599_and_a_private_address_is_refused(receiver: Receiver) -> None:
    """C6, C10"""
    assert await answered("http://127.0.0.1:1/") == Reply(599)
    async with Caller() as caller:
        assert await caller(1, Call(f"{receiver.url}/x")) == Reply(403)
        assert await caller(1, Call("http://169.254.169.254/latest/meta-data")) == Reply(403)
        assert await caller(1, Call("file:///etc/passwd")) == Reply(400)
        assert await caller(1, Call("http://example.com/", headers={"X": "a\r\nY: b"})) == Reply(400)
    assert receiver.calls == []


async def test_other_ports_than_those_of_the_web_are_not_called() -> None:
    """C4"""
    async with Caller() as caller:
        assert await caller(1, Call("http://93.184.216.34:8080/")) == Reply(403)


async def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver) -> None:
    """C1, C4"""
    receiver.statuses, receiver.headers = [301], {"location": f"{receiver.url}/private"}
    reply = await answered(f"{receiver.url}/x")

    assert (reply.status, reply.ok, len(receiver.calls)) == (301, False, 1)


async def test_a_certificate_that_nobody_vouches_for_is_no_connection(tmp_path: Path) -> None:
    """C10"""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate(tmp_path))

    async def well(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with server(well, tls) as url:
        assert await answered(url) == Reply(599)


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that was signed by itself."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_a_reply_serves_the_next_call_too_for_as_long_as_was_said(receiver: Receiver) -> None:
    """C5"""
    clock = Clock()
    async with content(clock) as asked:
        call = Call(f"{receiver.url}/x", max_age=600)
        for after, calls in ((0, 1), (599, 1), (2, 2)):
            clock.now += after
            assert (await asked(1, call)).text == "ok"
            assert len(receiver.calls) == calls


@pytest.mark.parametrize(("said", "kept"), [(1, 300), (300, 300), (5000, 5000), (100_000, 14_400)])
async def test_the_time_is_between_five_minutes_and_four_hours(
    receiver: Receiver, said: int, kept: int
) -> None:
    """C5"""
    clock = Clock()
    async with content(clock) as asked:
        call = Call(f"{receiver.url}/x", max_age=said)
        for after, calls in ((0, 1), (kept - 1, 1), (1, 2)):
            clock.now += after
            await asked(1, call)
            assert len(receiver.calls) == calls


async def test_what_is_not_to_be_kept_is_asked_for_each_time(receiver: Receiver) -> None:
    """C5"""
    async with content(Clock()) as asked:
        for _ in range(3):
            await asked(1, Call(f"{receiver.url}/x", max_age=None))

    assert len(receiver.calls) == 3


async def test_only_what_is_the_same_in_all_that_is_sent_is_answered_from_the_cache(
    receiver: Receiver,
) -> None:
    """C5: workspace, method, address, type, body, headers."""
    async with content(Clock()) as asked:
        call = Call(f"{receiver.url}/x", max_age=300)
        post = replace(call, method="POST", body="a")
        for workspace, each in (
            (1, call), (2, call), (1, replace(call, url=f"{receiver.url}/x?b")), (1, post), (1, replace(post, body="b")),
            (1, replace(post, headers={"Content-Type": "text/plain"})), (1, replace(call, headers={"X": "1"})),
        ):  # fmt: skip
            for _ in range(2):
                await asked(workspace, each)

    assert len(receiver.calls) == 7


async def test_a_failure_is_never_kept(receiver: Receiver) -> None:
    """C1, C5"""
    receiver.statuses = [500, 404, 200]
    async with content(Clock()) as asked:
        call = Call(f"{receiver.url}/x", max_age=300)
        statuses = [(await asked(1, call)).status for _ in range(4)]

    assert (statuses, len(receiver.calls)) == ([500, 404, 200, 200], 3)


async def test_many_who_ask_the_same_at_once_ask_once(receiver: Receiver) -> None:
    receiver.hold()
    async with content(Clock()) as asked:
        call = Call(f"{receiver.url}/x", max_age=300)
        asking = asyncio.gather(*(asked(1, call) for _ in range(50)))
        await receiver.holds(1)
        receiver.answer()
        replies = await asking

    assert {reply.text for reply in replies} == {"ok"}
    assert len(receiver.calls) == 1


async def test_one_who_gives_up_takes_the_reply_from_nobody_else(receiver: Receiver) -> None:
    receiver.hold()
    async with content(Clock()) as asked:
        call = Call(f"{receiver.url}/x", max_age=300)
        first, second = (asyncio.create_task(asked(1, call)) for _ in range(2))
        await receiver.holds(1)
        first.cancel()
        receiver.answer()

        assert (await second).ok
        assert len(receiver.calls) == 1


async def test_the_cache_is_bounded_by_bytes_and_forgets_what_was_used_longest_ago(
    receiver: Receiver,
) -> None:
    clock = Clock()
    cache = Cache(100_000, clock)
    for number in range(100):
        cache.put((number,), Reply(200, "x" * 1000), 300)
        cache.get((0,))

    assert cache.used <= 100_000
    assert cache.get((0,)) is not None and cache.get((1,)) is None and cache.get((99,)) is not None
    cache.put(("vast",), Reply(200, "x" * 200_000), 300)
    assert cache.get(("vast",)) is None and cache.get((99,)) is not None


def test_a_host_that_fails_too_often_is_left_alone_for_a_minute_and_then_tried_once() -> None:
    """C6: over 3,000 failures and over 90 % of all calls, in a moving minute; by workspace and host."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3000):
        breaker.heard(1, "a.example", 503)
    assert breaker.allows(1, "a.example")
    breaker.heard(1, "a.example", 599)

    assert not breaker.allows(1, "a.example")
    assert breaker.allows(2, "a.example") and breaker.allows(1, "b.example")
    clock.now += 59
    assert not breaker.allows(1, "a.example")
    clock.now += 1
    assert breaker.allows(1, "a.example")
    assert not breaker.allows(1, "a.example"), "one probe at a time"
    breaker.heard(1, "a.example", 500)
    assert breaker.allows(1, "a.example"), "an error of its own (500) is an answer: the host is there"


def test_a_probe_that_fails_gives_another_minute_of_rest() -> None:
    """C6"""
    clock = Clock()
    breaker = Breaker(clock, failures=10)
    for _ in range(11):
        breaker.heard(1, "a", 429)
    clock.now += 60
    assert breaker.allows(1, "a")
    breaker.heard(1, "a", 504)
    assert not breaker.allows(1, "a")
    clock.now += 60
    assert breaker.allows(1, "a")
    breaker.forget(1, "a")
    assert breaker.allows(1, "a"), "a probe that never came to an end bars nobody"
    breaker.heard(1, "a", 200)
    assert breaker.allows(1, "a") and breaker.allows(1, "a")


@pytest.mark.parametrize("status", [400, 401, 404, 500, 501, 200, 403, 413])
def test_only_some_failures_count(status: int) -> None:
    """C6"""
    breaker = Breaker(Clock(), failures=10)
    for _ in range(100):
        breaker.heard(1, "a", status)

    assert breaker.allows(1, "a")


def test_a_tenth_of_successes_keeps_a_host_in_use() -> None:
    """C6"""
    breaker = Breaker(Clock(), failures=10)
    for number in range(1000):
        breaker.heard(1, "a", 200 if number % 10 == 0 else 503)

    assert breaker.allows(1, "a")


def test_what_failed_more_than_a_minute_ago_counts_no_more() -> None:
    """C6: fifty a second for an hour is 3,000 a minute, and not more."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3600):
        clock.now += 1
        for _ in range(50):
            breaker.heard(1, "a", 503)
        assert breaker.allows(1, "a")


def test_a_breaker_remembers_so_many_hosts_and_no_more() -> None:
    breaker = Breaker(Clock(), failures=2, hosts=100)
    for number in range(1000):
        breaker.heard(1, f"h{number}", 503)

    assert len(breaker._hosts) == 100


async def test_a_host_at_rest_is_not_called_and_its_calls_say_598(receiver: Receiver) -> None:
    """C6"""
    receiver.statuses = [503] * 6
    clock = Clock()
    async with content(clock, failures=5) as asked:
        call = Call(f"{receiver.url}/x")
        statuses = [(await asked(1, call)).status for _ in range(8)]
        assert (statuses, len(receiver.calls)) == ([503] * 6 + [598] * 2, 6)
        clock.now += 60
        assert [(await asked(1, call)).status for _ in range(2)] == [200, 200]


async def test_spaces_that_do_not_break_are_taken_out_of_an_address(receiver: Receiver) -> None:
    """C4"""
    async with content(Clock()) as asked:
        await asked(1, Call(f"{receiver.url}/\u00a0x&nbsp;y "))

    assert [call["path"] for call in receiver.calls] == ["/xy"]


@pytest.mark.parametrize(
    ("named", "taken"),
    [("latin-1", "iso8859-1"), ("UTF8", "utf-8"), ("Windows-1252", "cp1252"), ("Shift_JIS", "shift_jis"), (None, "utf-8")]
    + [(codec, "utf-8") for codec in ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "rot13", "zlib", "hex", "a\0b", "x" * 999)],
)  # fmt: skip
def test_an_answer_is_read_in_the_encodings_of_the_web_only(named: str | None, taken: str) -> None:
    """C4: what a server calls its encoding runs no codec of Python's that is slow, or that raises."""
    assert charset_of(named) == taken
    assert b"\xff\x80a".decode(charset_of(named), errors="replace")


@pytest.mark.parametrize("charset", sorted(CHARSETS))
async def test_a_reply_in_any_encoding_is_read_as_a_whole_would_be(charset: str) -> None:
    """C4: piece by piece, also where a piece ends within a character."""
    for raw in (bytes(range(256)) * 300, ("aé漢字" * 9_000).encode(charset, "replace"), b"\x1b$B0!" * 20_000):
        assert await caller_module._text(raw, charset) == raw.decode(charset, errors="replace")
