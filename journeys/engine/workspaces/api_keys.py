"""API keys: shown once, stored as a digest, rotated and revoked by name; each belongs to one workspace (API-3)."""

from __future__ import annotations

import difflib
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.engine.store.database import Database
from journeys.engine.workspaces.naming import key_name

ALL = "*"
"""The permission that stands for all."""

PERMISSIONS = frozenset({
    "users.track", "users.track.sync", "users.delete", "users.alias.new", "users.alias.update", "users.identify",
    "users.merge", "users.external_ids.rename", "users.external_ids.remove", "users.export.ids",
    "users.export.segment", "users.export.global_control_group",
    "email.unsubscribe", "email.status", "email.hard_bounces", "email.bounce.remove", "email.spam.remove",
    "email.blacklist",
    "messages.send", "messages.schedule.create", "messages.schedule.update", "messages.schedule.delete",
    "messages.schedule_broadcasts", "messages.live_activity.update",
    "campaigns.trigger.send", "campaigns.trigger.schedule.create", "campaigns.trigger.schedule.update",
    "campaigns.trigger.schedule.delete", "campaigns.list", "campaigns.data_series", "campaigns.details",
    "campaigns.url_info.details", "sends.data_series", "sends.id.create", "transactional.send",
    "canvas.trigger.send", "canvas.trigger.schedule.create", "canvas.trigger.schedule.update",
    "canvas.trigger.schedule.delete", "canvas.list", "canvas.data_series", "canvas.details",
    "canvas.data_summary", "canvas.url_info.details", "canvas.status",
    "segments.list", "segments.data_series", "segments.details", "purchases.product_list",
    "purchases.revenue_series", "purchases.quantity_series", "events.list", "events.data_series", "events.get",
    "custom_attributes.get", "sessions.data_series", "kpi.dau.data_series", "kpi.mau.data_series",
    "kpi.new_users.data_series", "kpi.uninstalls.data_series",
    "templates.email.create", "templates.email.info", "templates.email.list", "templates.email.update",
    "content_blocks.info", "content_blocks.list", "content_blocks.create", "content_blocks.update",
    "preference_center.get", "preference_center.list", "preference_center.update", "preference_center.user.get",
    "subscription.status.set", "subscription.status.get", "subscription.groups.get",
    "sms.invalid_phone_numbers", "sms.invalid_phone_numbers.remove",
    "catalogs.create", "catalogs.get", "catalogs.delete", "catalogs.add_items", "catalogs.update_items",
    "catalogs.replace_items", "catalogs.delete_items", "catalogs.get_items", "catalogs.create_item",
    "catalogs.get_item", "catalogs.update_item", "catalogs.replace_item", "catalogs.delete_item",
    "catalogs.create_fields", "catalogs.delete_fields", "catalogs.create_selection", "catalogs.delete_selection",
    "sdk_authentication.create", "sdk_authentication.primary", "sdk_authentication.delete", "sdk_authentication.keys",
    "cdi.integration_list", "cdi.integration_sync", "cdi.integration_job_status",
})  # fmt: skip
"""What a key may be allowed, under the names that clients know (2.1); `canvas.status` is of this engine alone."""

PREFIX = "jk_"
PUBLISHABLE = "jp_"
"""What the key of an app begins with: it is no secret."""

OF_AN_APP = ("users.track",)
"""What the key of an app may do: send, and read nothing (API-6)."""

SHOWN = 8
"""How many characters of a key are stored, to tell keys apart."""

FRESH = 1.0
"""For how long, in seconds, a process trusts what it knows of a key: a key that is taken back works that long."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was recognised: its workspace, and what it may do. `networks`: from where alone, if there are any."""

    workspace: int
    name: str
    permissions: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    app: UUID | None = None
    """The app whose publishable key it is."""

    def may(self, permission: str) -> bool:
        """Whether it carries this permission."""
        return ALL in self.permissions or permission in self.permissions  # API-3

    def may_come_from(self, address: str | None) -> bool:
        """Whether it may be used from an address; from anywhere where it names no networks."""
        if not self.networks:
            return True
        try:
            given = ip_address((address or "").partition("%")[0])
        except ValueError:
            return False
        if isinstance(given, IPv6Address) and given.ipv4_mapped is not None:
            given = given.ipv4_mapped
        return any(given in network for network in self.networks)  # API-3


class Taken(ValueError):
    """The workspace has a key of that name."""


class NoKey(LookupError):
    """The workspace has no key of that name."""


class NoNetwork(ValueError):
    """A text is no address and no network."""


class UnknownPermission(ValueError):
    """There is no such permission; the text names the nearest."""


def digest(key: str) -> bytes:
    """What is kept of a key. It has 256 bits of chance, so that a plain hash cannot be turned back."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()  # API-3


def check_permissions(permissions: Collection[str], served: Collection[str]) -> None:
    """Raises `UnknownPermission` where one of them is none, or no route asks for it. `served`: those that routes ask for."""
    for one in permissions:
        if one != ALL and one not in PERMISSIONS:
            raise UnknownPermission(f"there is no permission “{one[:100]}”{_hint(one)}")
        if one != ALL and one not in served:
            raise UnknownPermission(f"no route asks for the permission {one} yet: a key does not need it")


def _hint(wanted: str) -> str:
    """The nearest right spelling, else some of the same family, else how they are written."""
    near = difflib.get_close_matches(wanted, sorted(PERMISSIONS), 1)
    if near:
        return f"; did you mean {near[0]}?"
    family = sorted(one for one in PERMISSIONS if one.startswith(f"{wanted.partition('.')[0]}."))
    if family:
        return f": known: {', '.join(family[:5])}{' …' if len(family) > 5 else ''}"
    return ": a permission is written like users.track or canvas.trigger.send"


def network_of(text: str) -> str:
    """An address or a network, as it is kept. Raises `NoNetwork`.

    Example:
        >>> network_of("10.1.2.3"), network_of("2001:DB8::/32")
        ('10.1.2.3/32', '2001:db8::/32')
    """
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise NoNetwork(
            f"“{text[:100]}” is no address and no network ({error}): write 192.0.2.7 or 10.0.0.0/8"
        ) from error


async def create_key(
    db: Database, workspace: int, name: str, permissions: Sequence[str], networks: Sequence[str] = ()
) -> str:
    """A new key, which cannot be read again. Permissions and networks are fixed (API-3).

    Raises `Taken`, `UnknownPermission`, `NoNetwork`, `Unnamed`.
    """
    key_name(name)
    check_permissions(permissions, PERMISSIONS)
    key = _new()
    made = await db.pool.fetchval(
        "insert into api_keys (workspace, id, name, prefix, digest, permissions, networks) "
        "values ($1, $2, $3, $4, $5, $6, $7) on conflict (workspace, name) do nothing returning id",
        *(workspace, uuid7(), name, key[:SHOWN], digest(key), list(permissions)),
        list(dict.fromkeys(network_of(one) for one in networks)),
    )
    if made is None:
        raise Taken(f"the workspace already has a key “{name}”")
    return key


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(32)


LIST = """
select name, prefix, permissions, networks, created, last_seen, former_prefix,
    case when former_until > clock_timestamp() then former_until end as former_until, former_seen
from api_keys where workspace = $1 order by name
"""

ROTATE = """
update api_keys set digest = $3, prefix = $4, last_seen = null,
    former_digest = digest, former_prefix = prefix, former_seen = last_seen,
    former_until = clock_timestamp() + $5
where (workspace, name) = ($1, $2) returning former_until
"""


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key without its secret. `former_*`: the key before its last rotation, while it is still accepted."""

    name: str
    prefix: str
    permissions: tuple[str, ...]
    networks: tuple[str, ...]
    created: datetime
    last_seen: datetime | None
    former_prefix: str | None
    former_until: datetime | None
    former_seen: datetime | None


async def keys_of(db: Database, workspace: int) -> list[ListedKey]:
    """The keys of a workspace, by name. Instants in UTC; `last_seen` is right to the minute."""
    rows = await db.pool.fetch(LIST, workspace)
    return [
        ListedKey(**{
            **row,
            "permissions": tuple(row["permissions"]),
            "networks": tuple(row["networks"]),
            **({} if row["former_until"] else {"former_prefix": None, "former_seen": None}),
        })
        for row in rows
    ]  # fmt: skip


async def rotate_key(db: Database, workspace: int, name: str, overlap: timedelta) -> tuple[str, datetime]:
    """A new secret for a key of this name, and the instant until which the former one is accepted too.

    The one before the former is not accepted any more. Raises `NoKey`.
    """
    key = _new()
    until = await db.pool.fetchval(ROTATE, workspace, name, digest(key), key[:SHOWN], overlap)
    if until is None:
        raise await _no_key(db, workspace, name)
    return key, until


async def revoke_key(db: Database, workspace: int, name: str) -> None:
    """Remove a key, and its former secret with it: within a second no process accepts it. Raises `NoKey`."""
    gone = await db.pool.fetchval(
        "delete from api_keys where (workspace, name) = ($1, $2) returning name", workspace, name
    )
    if gone is None:
        raise await _no_key(db, workspace, name)


async def _no_key(db: Database, workspace: int, name: str) -> NoKey:
    known = [row["name"] for row in await db.pool.fetch(LIST, workspace)]
    near = difflib.get_close_matches(name, known, 1)
    hint = (
        f"did you mean “{near[0]}”?"
        if near
        else f"there are: {', '.join(known[:20])}"
        if known
        else "it has none"
    )
    return NoKey(f"the workspace has no key “{name[:100]}”: {hint}")


RECOGNISE = """
with known as (
    select workspace, id, name, permissions, networks, digest, last_seen, false as former
    from api_keys where digest = $1
    union all
    select workspace, id, name, permissions, networks, former_digest, former_seen, true from api_keys
    where former_digest = $1 and former_until > clock_timestamp()),
seen as (
    update api_keys k set
        last_seen = case when known.former then k.last_seen else clock_timestamp() end,
        former_seen = case when known.former then clock_timestamp() else k.former_seen end
    from known
    where (k.workspace, k.id) = (known.workspace, known.id)
        and (known.last_seen is null or known.last_seen < clock_timestamp() - interval '1 minute'))
select workspace, name, permissions, networks, digest from known
"""
RECOGNISE_APP = """
with known as (select workspace, id, name, last_seen from apps where publishable = $1),
seen as (
    update apps a set last_seen = clock_timestamp() from known
    where (a.workspace, a.id) = (known.workspace, known.id)
        and (known.last_seen is null or known.last_seen < clock_timestamp() - interval '1 minute'))
select workspace, id, name from known
"""


class Keys:
    """The keys as one process knows them: each is asked of the database at most once a second."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[bytes, tuple[float, Key]] = {}

    async def recognise(self, key: str) -> Key | None:
        """The key's rights, or None for a key that we did not give. Notes when it was last seen, to the minute."""
        asked = digest(key)
        until, known = self._known.get(asked, (0.0, None))
        if known is not None and time.monotonic() < until:
            return known
        self._known.pop(asked, None)
        found = await (self._app(key) if key.startswith(PUBLISHABLE) else self._secret(asked))
        if found is None:
            return None
        self._known[asked] = time.monotonic() + FRESH, found
        return found

    async def _secret(self, asked: bytes) -> Key | None:
        row = await self._db.pool.fetchrow(RECOGNISE, asked)
        if row is None or not compare_digest(row["digest"], asked):
            return None
        networks = tuple(ip_network(one) for one in row["networks"])
        return Key(row["workspace"], row["name"], frozenset(row["permissions"]), networks)

    async def _app(self, key: str) -> Key | None:
        if not key.isascii() or not key.isprintable():
            return None
        row = await self._db.pool.fetchrow(RECOGNISE_APP, key)
        if row is None:
            return None
        return Key(row["workspace"], f"app {row['name']}", frozenset(OF_AN_APP), app=row["id"])
