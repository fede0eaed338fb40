"""The definitions of a workspace as rows, and the number by which processes see that they are others now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

DEFINE = """
insert into definitions (workspace, kind, name, hash, body, published) values ($1, $2, $3, $4, $5, coalesce($6, now()))
on conflict (workspace, kind, name) do update set hash = excluded.hash, body = excluded.body, published = excluded.published
"""
RAISE = "update workspaces set revision = revision + 1 where id = $1"


def digest_of(body: Mapping[str, Any]) -> str:
    """What tells one content of a definition from another."""
    return blake2b(msgspec.json.encode(body, order="sorted"), digest_size=8).hexdigest()


async def define(
    connection: Any,
    workspace: int,
    kind: str,
    name: str,
    digest: str,
    body: Mapping[str, Any],
    at: datetime | None = None,
) -> None:
    """Let a definition be so, published at that instant, else at the one of the transaction. The workspace is locked."""
    await connection.execute(DEFINE, workspace, kind, name, digest, body, at)


async def raise_revision(connection: Any, workspace: int) -> None:
    """Let every process read the workspace anew after the commit."""
    await connection.execute(RAISE, workspace)
