"""The URL of a database as libpq reads it, for a driver that knows most of its parameters, and how one connects by it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg

NEEDLESS = frozenset({
    "client_encoding", "gssdelegation", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "max_protocol_version", "min_protocol_version", "sslcompression", "sslsni", "tcp_user_timeout",
})  # fmt: skip
"""Parameters of libpq that change nothing of what is said to the server, or that the driver sees to itself."""

ONLY: Mapping[str, frozenset[str]] = MappingProxyType({
    "channel_binding": frozenset({"disable", "prefer"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "load_balance_hosts": frozenset({"disable"}),
    "requiressl": frozenset({"0"}),
    "sslcertmode": frozenset({"allow"}),
})  # fmt: skip
"""Parameters of which the driver does one thing only, and the values that ask for no other."""

NEVER = frozenset({
    "hostaddr", "oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope", "replication", "require_auth",
    "requirepeer", "scram_client_key", "scram_server_key", "sslcrldir", "sslkeylogfile",
})  # fmt: skip
"""Parameters that would be broken silently."""


FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class UnusableUrl(ValueError):
    """A URL asks for what the driver cannot do; the text shows no password."""


def driver_url(url: str) -> str:
    """The URL with the scheme `postgresql`, whatever dialect it names."""
    scheme, _, rest = url.partition("://")
    plain = scheme.split("+")[0]
    return f"{'postgresql' if plain == 'postgres' else plain}://{rest}"


def driver_arguments(url: str) -> dict[str, Any]:
    """What asyncpg's `connect` and `create_pool` take for this URL. Raises ValueError, and `UnusableUrl` with a reason.

    Example:
        >>> driver_arguments("postgres://db.example/shop?connect_timeout=5&keepalives=1")
        {'dsn': 'postgresql://db.example/shop', 'timeout': 5.0}
    """
    head, _, query = driver_url(url).partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    found: dict[str, Any] = {}
    seconds = given.pop("connect_timeout", "")
    if seconds:
        if not seconds.isdecimal():
            raise UnusableUrl("connect_timeout is a number of seconds")
        if int(seconds):
            found["timeout"] = max(2.0, float(seconds))
    name = given.pop("fallback_application_name", "")
    if name:
        given.setdefault("application_name", name)
    kept = {}
    for key, value in given.items():
        if key in NEVER or (key in ONLY and value not in ONLY[key]):
            hint = f", or write {' or '.join(sorted(ONLY[key]))}" if key in ONLY else ""
            raise UnusableUrl(f"its parameter {key} asks for what the driver cannot do: leave it out{hint}")
        if key not in NEEDLESS and key not in ONLY:
            kept[key] = value
    if kept.get("sslrootcert") == "system":
        found["ssl"] = _by_the_system(kept)
    for key in FILES:
        if kept.get(key) and not os.access(kept[key], os.R_OK):
            raise UnusableUrl(f"{key}: {kept[key]} cannot be read")
    return {"dsn": head + (f"?{urlencode(kept, quote_via=quote)}" if kept else ""), **found}


def check_url(url: str) -> None:
    """Raise `UnusableUrl` where no process can use this URL, whatever answers there."""
    try:
        parts = urlsplit(driver_arguments(url)["dsn"])
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port  # one that is no number is a ValueError
    except UnusableUrl:
        raise
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "postgresql":
        said = "it is not the URL of a PostgreSQL database: write postgresql://user:password@host:5432/name"
        raise UnusableUrl(said)


def _by_the_system(kept: dict[str, str]) -> ssl.SSLContext:
    """Verified by the authorities of the system, name and all, as libpq does then."""
    if kept.pop("sslmode", "verify-full") != "verify-full":
        raise UnusableUrl("sslrootcert=system goes with sslmode=verify-full only")
    del kept["sslrootcert"]
    context = ssl.create_default_context()
    if certificate := kept.pop("sslcert", None):
        try:
            context.load_cert_chain(certificate, kept.pop("sslkey", None), kept.pop("sslpassword", ""))
        except OSError as error:
            raise UnusableUrl(f"sslcert: {certificate} cannot be used with sslkey") from error
    return context


async def connect(url: str, *, timeout: float | None = None) -> asyncpg.Connection:
    """A connection of its own. `timeout`: in seconds, where the URL names none."""
    arguments = driver_arguments(url)
    if timeout is not None:
        arguments.setdefault("timeout", timeout)
    return await asyncpg.connect(**arguments)
