"""Keeps outgoing calls to addresses that users write away from private networks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore2

Network = IPv4Network | IPv6Network


class NotPublic(httpcore2.ConnectError):
    """The address is not a public one."""


def networks(text: str) -> tuple[Network, ...]:
    """Networks from a list with commas: `127.0.0.0/8, 10.1.2.3`. Raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def real(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within one of the forms that carry one."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in IPv6Network("64:ff9b::/96"):
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def is_allowed(address: IPv4Address | IPv6Address, exceptions: Sequence[Network] = ()) -> bool:
    """Whether one may connect there: a public unicast address, or one of the exceptions."""
    inner = real(address)
    if any(inner in network for network in exceptions if network.version == inner.version):
        return True
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


class Guarded(httpcore2.AsyncNetworkBackend):
    """Resolves once, refuses what is not public, and connects to the very address that was checked."""

    def __init__(self, inner: httpcore2.AsyncNetworkBackend, exceptions: Sequence[Network] = ()) -> None:
        self._inner = inner
        self._exceptions = exceptions

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        """See base class. Raises NotPublic before a socket opens, if any of the host's addresses is not public."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} is not known") from error
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        refused = next((each for each in addresses if not is_allowed(each, self._exceptions)), None)
        if refused is not None or not addresses:
            raise NotPublic(f"{host} is not at a public address")
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> Any:
        """Never."""
        raise NotPublic("sockets of this machine are not to be had")

    async def sleep(self, seconds: float) -> None:
        """See base class."""
        await self._inner.sleep(seconds)
