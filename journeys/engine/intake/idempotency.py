"""Idempotency keys: a call with an `Idempotency-Key` is carried out once in 24 hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call with this key is answered. `digest` is that of its body, so that another body is noticed."""

    workspace: int
    route: str
    key: str
    digest: bytes
    status: int
    body: Mapping[str, Any]


def digest_of(body: Any) -> bytes:
    """The digest of a JSON body, whatever the order of its keys."""
    return blake2b(msgspec.json.encode(body, order="deterministic"), digest_size=16).digest()


CLAIM = """
insert into replies (workspace, route, key, digest, status, body) values ($1, $2, $3, $4, $5, $6)
on conflict (workspace, route, key) do update
    set digest = excluded.digest, status = excluded.status, body = excluded.body, stored = clock_timestamp()
    where replies.stored < clock_timestamp() - interval '24 hours'
returning true
"""
FILL = "update replies set body = $4 where (workspace, route, key) = ($1, $2, $3)"
EARLIER = "select digest, status, body from replies where (workspace, route, key) = ($1, $2, $3)"


async def claim(connection: Any, reply: Reply | None) -> Reply | None:
    """Give this answer in this transaction, with the work: None if it is the first; else the one given earlier.

    Of calls that race, one does the work; the others wait here until it is committed, and see its answer. It comes
    before all locks of the transaction.
    """
    if reply is None:
        return None
    place = reply.workspace, reply.route, reply.key
    if await connection.fetchval(CLAIM, *place, reply.digest, reply.status, dict(reply.body)):
        return None
    row = await connection.fetchrow(EARLIER, *place)
    return Reply(*place, bytes(row["digest"]), row["status"], row["body"])


async def fill(connection: Any, reply: Reply | None, body: Mapping[str, Any]) -> None:
    """Set the answer that was claimed in this transaction, once the work shows what it is."""
    if reply is not None:
        await connection.execute(FILL, reply.workspace, reply.route, reply.key, dict(body))
