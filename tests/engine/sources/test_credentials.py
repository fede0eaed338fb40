"""Stored credentials: sealed, sent to their own domains only, and never shown (C8, C10)."""

from __future__ import annotations

import pytest

from journeys.engine.content import Aborted
from journeys.engine.content.services import Call
from journeys.engine.outgoing.guard import networks
from journeys.engine.sources.connected.caller import Caller
from journeys.engine.sources.connected.connected_content import ConnectedContent
from journeys.engine.sources.connected.credentials import (
    Credential,
    Keyring,
    NoCredential,
    Unfit,
    listed,
    remove,
    renew,
    store,
)
from journeys.engine.sources.connected.encryption import Locked, Sealer, new_key
from journeys.engine.store import Database
from tests.receiver import Receiver

SECRET = "hunter2-and-more"
KEY = new_key()


async def kept(
    db: Database, name: str = "shop", *domains: str, workspace: int = 1, keys: str = KEY
) -> Sealer:
    safe = Sealer(keys)
    secrets = {"username": "mel", "password": SECRET}
    await store(db, safe, workspace, name, "basic", domains or ("127.0.0.1",), secrets)
    return safe


async def test_what_is_stored_is_sealed_and_what_is_listed_is_no_secret(db: Database) -> None:
    await kept(db)
    [row] = await db.pool.fetch("select * from credentials")

    assert SECRET not in repr(dict(row)) and SECRET.encode() not in row["sealed"]
    [one] = await listed(db, 1)
    assert (one.name, one.kind, one.domains) == ("shop", "basic", ["127.0.0.1"])
    assert SECRET not in repr(one)
    assert await listed(db, 2) == []


async def test_a_credential_is_sent_along_and_the_cache_keeps_its_replies_apart(
    db: Database, receiver: Receiver
) -> None:
    """C5, C8"""
    safe = await kept(db)
    await store(
        db, safe, 1, "token", "headers", ["127.0.0.1"], {"Authorization": f"Bearer {SECRET}", "X-Key": "k"}
    )
    async with Caller(networks("127.0.0.0/8")) as caller:
        asked = ConnectedContent(caller, Keyring(db, safe))
        url = f"{receiver.url}/x"
        for _ in range(2):
            await asked(1, Call(url, max_age=300, basic_auth="shop"))
            await asked(1, Call(url, max_age=300, auth_credentials="token"))
            await asked(1, Call(url, max_age=300))

    first, second, third = (call["headers"] for call in receiver.calls)
    assert first["authorization"].startswith("Basic ")
    assert (second["authorization"], second["x-key"]) == (f"Bearer {SECRET}", "k")
    assert "authorization" not in third


@pytest.mark.parametrize(
    ("domain", "url", "serves"),
    [
        ("api.example.com", "https://api.example.com/x", True),
        ("api.example.com", "https://API.Example.com.:443/x", True),
        ("api.example.com", "https://evil.example/api.example.com", False),
        ("api.example.com", "https://api.example.com@evil.example/", False),
        ("api.example.com", "https://api.example.com.evil.example/", False),
        ("api.example.com", "https://evil-api.example.com/", False),
        ("api.example.com", "https://sub.api.example.com/", False),
        ("api.example.com", "https://evil.example#@api.example.com/", False),
        ("api.example.com", "https://evil.example\\@api.example.com/", True),
        ("*.example.com", "https://api.example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://evilexample.com/", False),
    ],
)
async def test_a_credential_serves_its_own_domain_only(
    db: Database, domain: str, url: str, serves: bool
) -> None:
    """C10"""
    ring = Keyring(db, await kept(db, "shop", domain))
    if serves:
        assert list(await ring.headers(1, Call(url, basic_auth="shop"))) == ["authorization"]
        return
    with pytest.raises(NoCredential, match="may not be sent"):
        await ring.headers(1, Call(url, basic_auth="shop"))


async def test_a_credential_that_there_is_not_aborts_the_message(db: Database) -> None:
    """C8: unknown, of the other sort, of another workspace, removed."""
    now = [0.0]
    ring = Keyring(db, await kept(db), lambda: now[0])
    url = "http://127.0.0.1/"
    for workspace, call in (
        (1, Call(url, basic_auth="nobody")),
        (1, Call(url, auth_credentials="shop")),
        (2, Call(url, basic_auth="shop")),
    ):
        with pytest.raises(Aborted, match="there is no credential"):
            await ring.headers(workspace, call)
    assert await ring.headers(1, Call(url, basic_auth="shop"))
    assert await remove(db, 1, "shop") and not await remove(db, 1, "shop")
    now[0] += 5
    with pytest.raises(Aborted, match="there is no credential “shop”"):
        await ring.headers(1, Call(url, basic_auth="shop"))


async def test_keys_can_be_changed_without_a_gap(db: Database) -> None:
    """The new key first, the old one behind it; seal anew; give up the old one."""
    new = new_key()
    await kept(db)
    call = Call("http://127.0.0.1/", basic_auth="shop")
    with pytest.raises(Locked):
        await Keyring(db, Sealer(new)).headers(1, call)
    assert await Keyring(db, Sealer(f"{new},{KEY}")).headers(1, call)
    assert await renew(db, Sealer(f"{new}, {KEY}")) == 1
    assert await Keyring(db, Sealer(new)).headers(1, call)
    with pytest.raises(Locked):
        await Keyring(db, Sealer(KEY)).headers(1, call)


async def test_what_was_sealed_for_one_workspace_does_not_open_in_another(db: Database) -> None:
    """Whoever can write rows cannot move a secret to where he may use it."""
    safe = await kept(db)
    await db.pool.execute("insert into credentials select 2, name, kind, domains, sealed from credentials")
    with pytest.raises(Locked, match="another workspace or name"):
        await Keyring(db, safe).headers(2, Call("http://127.0.0.1/", basic_auth="shop"))


async def test_without_a_key_nothing_is_stored(db: Database) -> None:
    with pytest.raises(Locked, match="JOURNEYS_SECRET_KEY"):
        await kept(db, keys="")
    with pytest.raises(Locked, match="not a valid key"):
        Sealer("short")
    assert await listed(db, 1) == []


@pytest.mark.parametrize(
    ("name", "kind", "domains", "secrets"),
    [
        ("a b", "basic", ["a.example"], {"username": "u", "password": SECRET}),
        ("a", "basic", [], {"username": "u", "password": SECRET}),
        ("a", "basic", ["https://a.example/"], {"username": "u", "password": SECRET}),
        ("a", "basic", ["*.com"], {"username": "u", "password": SECRET}),
        ("a", "basic", ["a.example", "*.co.uk."], {"username": "u", "password": SECRET}),
        ("a", "basic", ["*"], {"username": "u", "password": SECRET}),
        ("a", "basic", ["a.example"], {"username": SECRET}),
        ("a", "headers", ["a.example"], {}),
        ("a", "headers", ["a.example"], {"A b": SECRET}),
        ("a", "headers", ["a.example"], {"A": f"{SECRET}\r\nB: c"}),
    ],
)
async def test_what_cannot_be_kept_is_refused_without_telling_the_secret(
    db: Database, name: str, kind: str, domains: list[str], secrets: dict[str, str]
) -> None:
    with pytest.raises(Unfit) as refused:
        await store(db, Sealer(KEY), 1, name, kind, domains, secrets)  # type: ignore[arg-type]

    assert SECRET not in str(refused.value)
    assert await listed(db, 1) == []


async def test_no_secret_is_logged_or_shown(
    db: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """What is logged is the host, the status and the time."""
    safe = await kept(db)
    ring = Keyring(db, safe)
    caplog.set_level(0)
    async with Caller(networks("127.0.0.0/8")) as caller:
        asked = ConnectedContent(caller, ring)
        url = f"http://u:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}?key={SECRET}"
        await asked(1, Call(url, basic_auth="shop", headers={"X-Key": SECRET}, body=SECRET, method="POST"))

    [said] = [record.message for record in caplog.records if record.message.startswith("connected ")]
    assert "host=127.0.0.1 status=200" in said
    shown = [caplog.text, repr(safe), repr(ring), repr(await ring._of(1))]
    assert not any(SECRET in each for each in shown)
    assert SECRET not in repr(Credential("a", "headers", (), {"x": SECRET}))


async def test_a_credential_is_sent_over_an_encrypted_connection_or_not_at_all(db: Database) -> None:
    """C10: whatever its headers are called; this machine itself is no way on which somebody reads."""
    ring = Keyring(db, await kept(db, "shop", "api.example.com"))
    assert await ring.headers(1, Call("https://api.example.com/", basic_auth="shop"))
    for url in ("http://api.example.com/", "HTTP://api.example.com:443/"):
        with pytest.raises(NoCredential, match="https addresses only"):
            await ring.headers(1, Call(url, basic_auth="shop"))
