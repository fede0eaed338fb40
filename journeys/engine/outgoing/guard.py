"""Keeps outgoing calls to addresses that users write away from private networks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import Annotated, Any

import httpcore2
from pydantic import AfterValidator

from journeys.engine.outgoing.resolver import Resolver

Network = IPv4Network | IPv6Network

GLOBAL = IPv6Network("2000::/3")
"""All that is given out of IPv6 for unicast; what lies outside is local, special, or a form that carries IPv4."""

TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))
"""Prefixes whose last 32 bits are the IPv4 address that one arrives at (RFC 6052, RFC 2765)."""

NEVER = (
    ip_network("192.0.0.0/24"),  # protocol assignments; a cloud's metadata lies at .192
    ip_network("192.88.99.0/24"),  # relays of 6to4, given up
    ip_network("168.63.129.16/32"),  # a cloud's platform, at an address that looks public
    ip_network("3fff::/20"),  # documentation
)
"""What older tables of the library hold to be public."""


class NotPublic(httpcore2.ConnectError):
    """The address, or the port, is not one that may be called."""


def networks(text: str) -> tuple[Network, ...]:
    """Networks from a list with commas: `127.0.0.0/8, 10.1.2.3`. Raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def host_bits(text: str) -> list[tuple[str, Network]]:
    """Those of a list that name a host within a network, with the whole network that they are read as.

    Example:
        >>> [(given, str(network)) for given, network in host_bits("10.1.2.3/16, 10.1.2.3, 10.2.0.0/16")]
        [('10.1.2.3/16', '10.1.0.0/16')]
    """
    given = [part.strip() for part in text.split(",") if part.strip()]
    pairs = zip(given, networks(text), strict=True)
    return [(one, network) for one, network in pairs if ip_interface(one).ip != network.network_address]


def _checked(text: str) -> str:
    networks(text)
    return text


Networks = Annotated[str, AfterValidator(_checked)]
"""A list of networks, as settings have it."""


def real(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within one of the forms that carry one."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and _within(address, TRANSLATED):
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _within(address: IPv4Address | IPv6Address, several: Iterable[Network]) -> bool:
    return any(address in network for network in several if network.version == address.version)


def is_excepted(address: IPv4Address | IPv6Address, exceptions: Sequence[Network]) -> bool:
    """Whether the operator has allowed this address."""
    return _within(real(address), exceptions)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a public unicast address."""
    inner = real(address)
    if isinstance(inner, IPv6Address) and inner not in GLOBAL:
        return False
    return inner.is_global and not (inner.is_multicast or inner.is_reserved or _within(inner, NEVER))


class Guarded(httpcore2.AsyncNetworkBackend):
    """Resolves once, refuses what is not public, and connects to the very address that was checked.

    `exceptions` are networks that may be called all the same, on any port; `ports` those that are open elsewhere (none
    named: all).
    """

    def __init__(
        self,
        inner: httpcore2.AsyncNetworkBackend,
        exceptions: Sequence[Network] = (),
        ports: Collection[int] = (),
        resolver: Resolver | None = None,
    ) -> None:
        self._inner = inner
        self.resolver = resolver or Resolver()
        self._exceptions = exceptions
        self._ports = ports

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        """See base class. Raises NotPublic before a socket opens, if any of the host's addresses may not be called."""
        try:
            found = await self.resolver(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectError(f"the name {host} was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved") from error
        addresses = [ip_address(each.partition("%")[0]) for each in found]
        for address in addresses:
            if is_excepted(address, self._exceptions):
                continue
            if not is_public(address):  # C10
                raise NotPublic(f"{host} does not have a public address")
            if self._ports and port not in self._ports:  # C4
                raise NotPublic(f"port {port} is not allowed")
        if not addresses:
            raise NotPublic(f"{host} does not have a public address")
        # C10
        return await self._inner.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> Any:
        """Never."""
        raise NotPublic("Unix sockets are not allowed")

    async def sleep(self, seconds: float) -> None:
        """See base class."""
        await self._inner.sleep(seconds)
