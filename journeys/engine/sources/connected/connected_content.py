"""Answers the calls of templates: credentials, cache, circuit breaker, and the call itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from journeys.engine.content.services import Call, Reply
from journeys.engine.outgoing.guard import Networks, networks
from journeys.engine.settings import Environment
from journeys.engine.sources.connected.cache import Cache, Key
from journeys.engine.sources.connected.caller import Caller, host_of
from journeys.engine.sources.connected.circuit_breaker import Breaker
from journeys.engine.sources.connected.credentials import Keyring
from journeys.engine.sources.connected.encryption import Sealer
from journeys.engine.store.database import Database

RESTING = Reply(598)
"""What is answered for a host that is left alone for a while (C6)."""


class ConnectedContent:
    """Answers calls, for all workspaces, in one process."""

    def __init__(
        self, caller: Caller, keyring: Keyring, cache: Cache | None = None, breaker: Breaker | None = None
    ) -> None:
        self._caller = caller
        self._keyring = keyring
        self._cache = Cache() if cache is None else cache
        self._breaker = breaker or Breaker()
        self._under_way: dict[Key, asyncio.Task[Reply]] = {}

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Make a call for this workspace, or answer it from the cache.

        Raises `NoCredential` (C8), and `Locked` where a credential cannot be opened.
        """
        call = replace(call, url=call.url.replace("\u00a0", "").replace("&nbsp;", "").strip())  # C4
        secrets = await self._keyring.headers(workspace, call)
        call = replace(call, headers=_merged(call.headers, secrets))
        if call.max_age is None:
            return await self._call(workspace, call)
        key = _key(workspace, call)
        held = self._cache.get(key)
        if held is not None:  # C5
            return held
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._call_and_keep(workspace, call, key, call.max_age))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _call_and_keep(self, workspace: int, call: Call, key: Key, max_age: int) -> Reply:
        reply = await self._call(workspace, call)
        if reply.ok:  # C5
            self._cache.put(key, reply, max_age)
        return reply

    async def _call(self, workspace: int, call: Call) -> Reply:
        host = host_of(call.url)
        if not self._breaker.allows(workspace, host):  # C6
            return RESTING
        try:
            reply = await self._caller(workspace, call)
        except BaseException:
            self._breaker.forget(workspace, host)
            raise
        self._breaker.heard(workspace, host, reply.status)
        return reply


def _merged(headers: Mapping[str, str], secrets: Mapping[str, str]) -> Mapping[str, str]:
    return {**{name.lower(): text for name, text in headers.items()}, **secrets}


def _key(workspace: int, call: Call) -> Key:
    """What must be the same for a reply to serve again: also all that is sent as a header, so no secret's reply leaks."""
    return workspace, call.method, call.url, call.body, tuple(sorted(call.headers.items()))


class ConnectedSettings(Environment):
    """`JOURNEYS_CONNECTED_ALLOWED_NETWORKS`: private networks that templates may call all the same, with commas."""

    model_config = SettingsConfigDict(env_prefix="JOURNEYS_CONNECTED_")
    allowed_networks: Networks = Field(
        default="",
        description="Private networks that Connected Content may call, with commas: 10.1.0.0/16,192.168.7.0/24",
    )


@asynccontextmanager
async def connected_content(
    db: Database, settings: ConnectedSettings | None = None
) -> AsyncIterator[ConnectedContent]:
    """Connected Content for a process, with the credentials of this database."""
    exceptions = networks((settings or ConnectedSettings()).allowed_networks)
    async with Caller(exceptions) as caller:
        yield ConnectedContent(caller, Keyring(db, Sealer.of_environment()))
