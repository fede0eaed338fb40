"""Which addresses may be called, and what calls do not reveal (C10)."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from ipaddress import ip_address
from typing import Any

import httpcore2
import httpx2
import pytest

from journeys.engine.outgoing.guard import Guarded, NotPublic, is_public, networks
from journeys.engine.outgoing.http_client import Malformed, Outgoing
from journeys.engine.outgoing.resolver import Resolver, calling_for
from tests.receiver import Receiver

LOCAL = networks("127.0.0.0/8")


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
    "100.100.100.200", "169.254.169.254", "169.254.0.1", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:0a00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00::1", "fd00:ec2::254",
    "ff02::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1",
])  # fmt: skip
def test_what_is_not_public_is_not_called(address: str) -> None:
    """Loopback, private, shared, link-local, metadata, documentation, multicast; IPv6 forms that carry such an IPv4."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_what_is_public_may_be_called(address: str) -> None:
    assert is_public(ip_address(address))


async def connecting(monkeypatch: pytest.MonkeyPatch, *answers: str, ports: Any = (80, 443)) -> Any:
    """A guard whose names are answered so, and what it connects to."""
    connected: list[tuple[str, int]] = []

    def look(host: str, port: int, **_: object) -> Any:
        return [(2, 1, 6, "", (each, port)) for each in answers]

    async def connect(self: object, host: str, port: int, *_: object, **__: object) -> object:
        connected.append((host, port))
        raise OSError("not today")

    inner = httpcore2.AnyIOBackend()
    monkeypatch.setattr(type(inner), "connect_tcp", connect)
    return Guarded(inner, (), ports, Resolver(look)), connected


async def test_one_private_address_among_several_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, connected = await connecting(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(NotPublic):
        await guard.connect_tcp("two.example", 443)

    assert connected == []


async def test_a_zone_beside_an_address_does_not_hide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, connected = await connecting(monkeypatch, "fe80::1%2")
    with pytest.raises(NotPublic):
        await guard.connect_tcp("zone.example", 443)

    assert connected == []


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 8080, 0])
async def test_other_ports_than_those_of_the_web_are_refused(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """C4"""
    guard, connected = await connecting(monkeypatch, "93.184.216.34")
    with pytest.raises(NotPublic, match="port"):
        await guard.connect_tcp("x.example", port)
    with pytest.raises(OSError, match="not today"):
        await guard.connect_tcp("x.example", 443)

    assert connected == [("93.184.216.34", 443)]


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "localhost", "localhost.",
    "LOCALHOST", "[::1]", "[::ffff:7f00:1]", "user:secret@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1.",
    "127。0。0。1",
])  # fmt: skip
async def test_no_spelling_of_a_private_host_reaches_it(receiver: Receiver, host: str) -> None:
    """Decimal, octal and hexadecimal hosts, dots at the end, user parts, other dots: what counts is where it leads."""
    async with Outgoing() as client:
        with pytest.raises((httpx2.ConnectError, Malformed)):
            async with client.stream("GET", f"http://{host}:{receiver.port}/", {}, timeout=5):
                pass

    assert receiver.calls == []


async def called(receiver: Receiver, **more: Any) -> httpx2.Response:
    async with (
        Outgoing(LOCAL) as client,
        client.stream("GET", f"{receiver.url}/x", more.get("headers", {}), timeout=5) as answer,
    ):
        await answer.aread()
        return answer


async def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    """C4"""
    receiver.statuses, receiver.headers = [302], {"location": "/elsewhere"}

    assert (await called(receiver)).status_code == 302
    assert [call["path"] for call in receiver.calls] == ["/x"]


async def test_nothing_is_remembered_from_one_call_to_the_next(receiver: Receiver) -> None:
    """What one workspace's receiver gives as a cookie is never sent for another."""
    receiver.headers = {"set-cookie": "session=1; Path=/"}
    async with Outgoing(LOCAL) as client:
        for _ in range(2):
            async with client.stream("GET", f"{receiver.url}/x", {}, timeout=5) as answer:
                await answer.aread()

    assert [call["headers"].get("cookie") for call in receiver.calls] == [None, None]


async def test_whom_a_call_goes_to_is_not_the_headers_to_say(receiver: Receiver) -> None:
    """A shared front would take it elsewhere, credentials and all."""
    await called(receiver, headers={"Host": "elsewhere.example", "X-A": "1"})

    [call] = receiver.calls
    assert (call["headers"]["host"], call["headers"]["x-a"]) == (f"127.0.0.1:{receiver.port}", "1")


@pytest.mark.parametrize(
    "text", ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "a\x01b", "a\x0bb", "a\x1b[31m", "a\x7f"]
)
async def test_a_header_with_a_line_end_or_another_control_character_is_refused(
    receiver: Receiver, text: str
) -> None:
    with pytest.raises(Malformed):
        await called(receiver, headers={"X-A": text})
    with pytest.raises(Malformed):
        await called(receiver, headers={text: "a"})

    assert receiver.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "x",
        "",
        "http://[::1",
        "gopher://x",
        "http://a.example:70000/",
        "https://a.example:0/",
        "http://a.example:99999999/",
    ],
)
async def test_only_addresses_of_the_web_are_called(url: str) -> None:
    """C4"""
    async with Outgoing() as client:
        with pytest.raises(Malformed):
            async with client.stream("GET", url, {}, timeout=5):
                pass


async def test_a_name_and_password_in_an_address_are_sent_as_such(receiver: Receiver) -> None:
    async with (
        Outgoing(LOCAL) as client,
        client.stream("GET", f"http://mel:se%20cret@127.0.0.1:{receiver.port}/x", {}, timeout=5) as answer,
    ):
        await answer.aread()

    [call] = receiver.calls
    assert call["headers"]["authorization"] == "Basic bWVsOnNlIGNyZXQ="


async def test_a_name_that_is_not_resolved_in_time_holds_up_no_other_workspace() -> None:
    """As many names as somebody likes: each workspace has its places, and a look-up that hangs keeps one of its own."""
    hang, looked = threading.Event(), []

    def look(host: str, port: int, **_: object) -> Any:
        looked.append(host)
        if host.startswith("slow"):
            hang.wait(60)
        return [(2, 1, 6, "", ("93.184.216.34", port))]

    async def ask(workspace: int, host: str) -> object:
        calling_for.set(workspace)
        return await resolver(host, 443)

    resolver = Resolver(look, threads=8, most=2, seconds=0.2)
    try:
        slow = await asyncio.gather(
            *(ask(1, f"slow{no}.example") for no in range(50)), return_exceptions=True
        )
        assert {type(each) for each in slow} == {TimeoutError}
        assert len(looked) == 2
        assert await asyncio.create_task(ask(2, "quick.example")) == ["93.184.216.34"]
        calling_for.set(1)
        with pytest.raises(httpcore2.ConnectError, match="not resolved in time"):
            await Guarded(httpcore2.AnyIOBackend(), resolver=resolver).connect_tcp("slow.example", 443)
    finally:
        hang.set()
    while await asyncio.gather(ask(1, "free.example"), return_exceptions=True) != [["93.184.216.34"]]:
        await asyncio.sleep(0.01)
    resolver.close()


@pytest.mark.parametrize(
    ("url", "headers", "sent"),
    [
        ("https://api.example.com/", {"Authorization": "x"}, True),
        ("http://localhost:1/", {"Authorization": "x"}, True),
        ("http://127.0.0.1:1/", {"X-Api-Key": "x"}, True),
        ("http://[::1]:1/", {"Cookie": "x"}, True),
        ("http://api.example.com/", {"X-Other": "x"}, True),
        ("http://api.example.com/", {"authorization": "x"}, False),
        ("http://api.example.com/", {"Cookie": "x"}, False),
        ("http://api.example.com/", {"X-API-Key": "x"}, False),
        ("http://user:secret@api.example.com/", {}, False),
        ("http://10.0.0.1/", {"Proxy-Authorization": "x"}, False),
        ("http://localhost.example.com/", {"Api-Key": "x"}, False),
    ],
)
def test_credentials_leave_over_an_encrypted_connection_or_not_at_all(
    url: str, headers: dict[str, str], sent: bool
) -> None:
    """C10, WHK-1: whoever calls, and wherever they stand."""
    call = partial(Outgoing._request, "GET", url, headers, 1.0, {})
    if sent:
        assert call().url.host
    else:
        with pytest.raises(Malformed, match="https addresses only"):
            call()


@pytest.mark.parametrize("sign", [chr(each) for each in range(32) if chr(each) != "\t"] + ["\x7f"])
def test_no_header_holds_a_control_character(sign: str) -> None:
    """WHK-1, C7: neither its name nor its value."""
    for headers in ({f"X{sign}": "a"}, {"X": f"a{sign}b"}, {"X": sign}):
        with pytest.raises(Malformed, match="control character"):
            Outgoing._request("GET", "https://api.example.com/", headers, 1.0, {})
