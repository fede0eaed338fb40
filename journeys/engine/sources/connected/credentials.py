"""Stored credentials of a workspace: encrypted in the database, sent to their own domains only (C8, C10)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Literal

from journeys.engine.content.services import Aborted, Call
from journeys.engine.outgoing.http_client import is_confidential
from journeys.engine.sources.connected.caller import host_of
from journeys.engine.sources.connected.encryption import Sealer
from journeys.engine.store.database import Database

Kind = Literal["basic", "headers"]

FRESH = 5.0
"""How many seconds a process caches credentials: a removed credential is used no longer than that."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
DOMAIN = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SHARED = re.compile(r"\*\.((co|com|org|net|gov|edu|ac|or|ne|go)\.[a-z]{2}|[^.]+)")
"""Wildcards for what thousands of owners share: `*.com`, `*.co.uk`."""
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")


class Unfit(ValueError):
    """A credential that cannot be kept, and why. Never tells the secret."""


class NoCredential(Aborted):
    """The template names a credential that there is not, or not for this address (C8)."""

    code = "connected_content_credential"


@dataclass(frozen=True, slots=True)
class Credential:
    """Headers that are added to calls to some domains."""

    name: str
    kind: Kind
    domains: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)

    def serves(self, host: str) -> bool:
        """Whether it may be sent to this host: one of its domains, or a host under one that begins with `*.`."""
        return any(
            host == domain or (domain.startswith("*.") and host.endswith(domain[1:]))
            for domain in self.domains
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """What may be shown of a credential."""

    name: str
    kind: Kind
    domains: Sequence[str]
    stored: datetime


STORE = """
insert into credentials (workspace, name, kind, domains, sealed) values ($1, $2, $3, $4, $5)
on conflict (workspace, name) do update
    set kind = excluded.kind, domains = excluded.domains, sealed = excluded.sealed, stored = clock_timestamp()
"""


async def store(
    db: Database,
    safe: Sealer,
    workspace: int,
    name: str,
    kind: Kind,
    domains: Sequence[str],
    secrets: Mapping[str, str],
) -> None:
    """Keep a credential, in place of one of that name. `secrets`: username and password, or headers by name.

    Raises `Unfit`, and `Locked` where there is no key.
    """
    domains = [domain.strip().lower().rstrip(".") for domain in domains]
    if not NAME.fullmatch(name):
        raise Unfit(f"“{name}” is not a valid name: letters, digits, - and _, at most 100")
    if not domains:
        raise Unfit("a domain is needed: the credential is sent nowhere else")
    for domain in domains:
        if not DOMAIN.fullmatch(domain):
            raise Unfit(
                f"“{domain}” is not a domain: api.example.com, or *.example.com for all hosts under it"
            )
        if SHARED.fullmatch(domain):
            raise Unfit(
                f"“{domain}” covers domains of many owners: name the domain too, as in *.example{domain[1:]}"
            )
    if kind == "basic" and set(secrets) != {"username", "password"}:
        raise Unfit("a basic credential has a username and a password")
    if kind == "headers" and not secrets:
        raise Unfit("the credential has no header")
    for header, text in secrets.items():
        if not HEADER.fullmatch(header):
            raise Unfit("the name of a header is not valid")
        if any(sign in text for sign in "\r\n\0"):
            raise Unfit(f"the value of {header} contains a line end")
    await db.pool.execute(STORE, workspace, name, kind, domains, safe.seal(workspace, name, secrets))


async def listed(db: Database, workspace: int) -> list[Listed]:
    """What may be shown of the credentials of a workspace."""
    query = "select name, kind, domains, stored from credentials where workspace = $1 order by name"
    return [Listed(*row) for row in await db.pool.fetch(query, workspace)]


async def remove(db: Database, workspace: int, name: str) -> bool:
    """Forget a credential; False where there is none of that name."""
    query = "delete from credentials where (workspace, name) = ($1, $2) returning 1"
    return await db.pool.fetchval(query, workspace, name) is not None


async def renew(db: Database, safe: Sealer) -> int:
    """Encrypt all credentials again with the first key, so that the older ones can be removed. Raises `Locked`."""
    async with db.transaction() as connection:
        rows = await connection.fetch("select workspace, name, sealed from credentials for update")
        for workspace, name, sealed in rows:
            again = safe.seal(workspace, name, safe.open(workspace, name, sealed))
            query = "update credentials set sealed = $3 where (workspace, name) = ($1, $2)"
            await connection.execute(query, workspace, name, again)
    return len(rows)


class Keyring:
    """The credentials of the workspaces, opened, as this process holds them."""

    def __init__(self, db: Database, safe: Sealer, clock: Callable[[], float] = monotonic) -> None:
        self._db = db
        self._safe = safe
        self._clock = clock
        self._held: dict[int, tuple[float, Mapping[str, Credential]]] = {}

    def __repr__(self) -> str:
        return "Keyring()"

    async def headers(self, workspace: int, call: Call) -> Mapping[str, str]:
        """The headers for the credentials of a call.

        Raises `NoCredential`, and `Locked` where it cannot be opened.
        """
        found: dict[str, str] = {}
        wanted: list[tuple[Kind, str | None]] = [
            ("basic", call.basic_auth),
            ("headers", call.auth_credentials),
        ]
        for kind, name in wanted:
            if name is None:
                continue
            credential = (await self._of(workspace)).get(name)
            if credential is None or credential.kind != kind:
                raise NoCredential(f"there is no credential “{name}”")  # C8
            if not credential.serves(host_of(call.url)):  # C8, C10
                raise NoCredential(
                    f"the credential “{name}” may not be sent to {host_of(call.url) or 'this address'}"
                )
            if not is_confidential(call.url):
                raise NoCredential(f"the credential “{name}” is sent to https addresses only")
            found.update(credential.headers)
        return found

    async def _of(self, workspace: int) -> Mapping[str, Credential]:
        held = self._held.get(workspace)
        if held is not None and self._clock() < held[0]:
            return held[1]
        query = "select name, kind, domains, sealed from credentials where workspace = $1"
        found = {}
        for name, kind, domains, sealed in await self._db.pool.fetch(query, workspace):
            secrets = self._safe.open(workspace, name, sealed)  # C10
            found[name] = Credential(name, kind, tuple(domains), _headers(kind, secrets))
        self._held[workspace] = self._clock() + FRESH, found
        return found


def _headers(kind: Kind, secrets: Mapping[str, str]) -> Mapping[str, str]:
    if kind == "headers":
        return {name.lower(): text for name, text in secrets.items()}
    pair = f"{secrets['username']}:{secrets['password']}".encode()
    return {"authorization": f"Basic {b64encode(pair).decode()}"}
