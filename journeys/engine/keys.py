"""API keys: made once, shown once, kept as a digest; each belongs to one workspace (API-3)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from uuid_utils.compat import uuid7

from journeys.engine.store.database import Database

ALL = "*"
"""The permission that stands for all."""

PREFIX = "jk_"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was recognised: its workspace, and what it may do."""

    workspace: int
    name: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Whether it carries this permission."""
        return ALL in self.permissions or permission in self.permissions


class Taken(ValueError):
    """The workspace has a key of that name."""


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return sha256(key.encode()).digest()


async def create_key(db: Database, workspace: int, name: str, permissions: Sequence[str]) -> str:
    """A new key, which nobody can read again. Raises Taken."""
    key = PREFIX + secrets.token_urlsafe(32)
    made = await db.pool.fetchval(
        "insert into api_keys (workspace, id, name, prefix, digest, permissions) values ($1, $2, $3, $4, $5, $6) "
        "on conflict (workspace, name) do nothing returning id",
        *(workspace, uuid7(), name, key[:8], digest(key), list(permissions)),
    )
    if made is None:
        raise Taken(f"the workspace has a key “{name}” already")
    return key


async def recognise(db: Database, key: str) -> Key | None:
    """The key's rights, or None for a key that we did not give."""
    row = await db.pool.fetchrow(
        "select workspace, name, permissions from api_keys where digest = $1", digest(key)
    )
    return None if row is None else Key(row["workspace"], row["name"], frozenset(row["permissions"]))
