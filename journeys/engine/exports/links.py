"""The links to exports that lie in a folder: signed, and good for four hours after the export was written."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from journeys.engine.exports.running_exports import Export

LIVES = timedelta(hours=4)
"""How long a link leads to an export (XPT-4)."""


def signature(secret: bytes, identity: UUID) -> str:
    """What only the workspace can say of an export."""
    return urlsafe_b64encode(hmac.digest(secret, b"export" + identity.bytes, sha256)[:18]).decode()


def url_of(public_url: str, secret: bytes, one: Export) -> str:
    """Where an export can be fetched once it is written."""
    return f"{public_url.rstrip('/')}/exports/{one.workspace}/{one.id}/{signature(secret, one.id)}"


def is_open(one: Export, now: datetime | None = None) -> bool:
    """Whether an export can be fetched. `now`: an instant of the database's clock."""
    return one.written is not None and (now or datetime.now(UTC)) < one.written + LIVES
