"""`journeys credentials`: secrets come by stdin or the environment, and are never printed."""

from __future__ import annotations

import os
from asyncio.subprocess import PIPE

from journeys.engine.content.services import Call
from journeys.engine.sources.connected.credentials import Keyring
from journeys.engine.sources.connected.encryption import Sealer, new_key
from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import workspace_of
from tests import forked

SECRET = "hunter2-and-more"


async def credentials(url: str, key: str, *words: str, secret: str = "", **more: str) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    environment = {**os.environ, "DATABASE_URL": url, "JOURNEYS_SECRET_KEY": key, "COLUMNS": "200", **more}
    command = ("-m", "journeys", "credentials", *words)
    process = await forked.python(*command, given=secret.encode(), stdout=PIPE, stderr=PIPE, env=environment)
    out, err = await process.communicate()
    said = out.decode() + err.decode()
    assert "Traceback" not in said
    assert SECRET not in said
    return process.returncode or 0, said


async def test_a_credential_is_kept_shown_renewed_and_removed(db: Database, database_url: str) -> None:
    workspace = await workspace_of(db, "default")
    code, key = await credentials(database_url, "", "new-key")
    assert code == 0
    key = key.strip()
    add = ("add", "shop", "--domain", "api.example.com")

    code, said = await credentials(database_url, key, *add, "--username", "mel", secret=f"{SECRET}\n")
    assert (code, "`:basic_auth shop`, for api.example.com only" in said) == (0, True)
    code, said = await credentials(
        database_url, key, "add", "token", "--domain", "*.example.com", "--header", "X-Key", JOURNEYS_CREDENTIAL=SECRET
    )  # fmt: skip
    assert code == 0
    code, said = await credentials(database_url, key, "list")
    assert [line.split()[:3] for line in said.splitlines()] == [
        ["shop", "basic", "api.example.com"],
        ["token", "headers", "*.example.com"],
    ]
    ring = Keyring(db, Sealer(key))
    sent = await ring.headers(workspace, Call("https://api.example.com/", auth_credentials="token"))
    assert sent == {"x-key": SECRET}

    newer = new_key()
    code, said = await credentials(database_url, f"{newer},{key}", "renew")
    assert (code, said.strip()) == (0, "encrypted with the first key: 2")
    assert await Keyring(db, Sealer(newer)).headers(
        workspace, Call("https://api.example.com/", basic_auth="shop")
    )
    code, said = await credentials(database_url, key, "renew")
    assert (code, "cannot be decrypted with any key" in said) == (2, True)

    assert (await credentials(database_url, key, "remove", "shop"))[0] == 0
    assert (await credentials(database_url, key, "remove", "shop"))[0] == 2


async def test_what_is_asked_wrongly_is_told_in_a_line(db: Database, database_url: str) -> None:
    await workspace_of(db, "default")
    key = new_key()
    for keys, words, secret, told in (
        ("", ("--domain", "a.example", "--username", "u"), SECRET, "JOURNEYS_SECRET_KEY is not set"),
        ("short", ("--domain", "a.example", "--username", "u"), SECRET, "is not a valid key"),
        (key, ("--domain", "https://a.example", "--username", "u"), SECRET, "is not a domain"),
        (key, ("--domain", "a.example", "--username", "u", "--header", "x"), SECRET, "not both"),
        (key, ("--domain", "a.example"), SECRET, "a JSON object"),
        (key, ("--domain", "a.example", "--username", "u"), "", "there is no secret"),
    ):
        code, said = await credentials(database_url, keys, "add", "shop", *words, secret=secret)
        assert (code, told in said) == (2, True), said
