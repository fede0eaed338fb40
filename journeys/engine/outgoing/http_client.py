"""The HTTP client for addresses of users: guarded, and without state between calls."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import httpx2

from journeys.canvas.storable_characters import header_fault
from journeys.engine.outgoing.guard import Guarded, Network

OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
"""Headers that say how the call is made and who is called: they are not the author's, and left out."""


SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"})
"""Headers that hold what nobody on the way may read: they leave over an encrypted connection or not at all."""


class Malformed(ValueError):
    """Something that cannot be called."""


def unfit(name: str, text: str) -> str:
    """Why a header cannot be sent as it is; nothing where it can."""
    if any((sign < " " and sign != "\t") or sign == "\x7f" for sign in name + text):
        return "a header may not contain a line end or another control character"
    return header_fault(name, name + text)


def is_confidential(url: str) -> bool:
    """Whether nobody on the way reads what is sent to an address: it is https, or this machine."""
    address = httpx2.URL(url)
    if address.scheme == "https" or address.host == "localhost":
        return True
    try:
        return ip_address(address.host).is_loopback
    except ValueError:
        return False


class Outgoing:
    """Calls by HTTP: no redirects, no proxies of the environment, no cookies kept, nothing logged. Open it as a context.

    `exceptions`: private networks that may be called all the same; `ports`: those that may be called elsewhere.
    """

    def __init__(
        self, exceptions: Sequence[Network] = (), ports: Collection[int] = (), *, most: int | None = None
    ) -> None:
        self._transport = httpx2.AsyncHTTPTransport(
            trust_env=False, limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most or 100)
        )
        pool: Any = self._transport._pool  # noqa: SLF001 - the transport takes no backend; a test watches this
        self._guard = pool._network_backend = Guarded(pool._network_backend, exceptions, ports)  # noqa: SLF001

    async def __aenter__(self) -> Outgoing:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()
        self._guard.resolver.close()

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], *, timeout: float, **body: Any
    ) -> AsyncIterator[httpx2.Response]:
        """The answer, as it comes. `body`: `content` or `json`. `timeout`: seconds for each single step of the call.

        Raises `Malformed`, and `httpx2.HTTPError`: `ConnectError` caused by `NotPublic` where it must not be called.
        """
        request = self._request(method, url, headers, timeout, body)
        answer = await self._transport.handle_async_request(request)
        answer.request = request
        try:
            yield answer
        finally:
            await answer.aclose()

    @staticmethod
    def _request(
        method: str, url: str, headers: Mapping[str, str], timeout: float, body: Mapping[str, Any]
    ) -> httpx2.Request:
        try:
            address = httpx2.URL(url)
            given = {name.lower(): text for name, text in headers.items() if name.lower() not in OURS}
            for name, text in given.items():
                if fault := unfit(name, text):
                    raise Malformed(fault)
            said = httpx2.Headers({"accept": "*/*", **given})
            if address.scheme not in ("http", "https") or not address.host:
                raise Malformed("it is not an http or https address")
            if address.port is not None and not 0 < address.port < 2**16:
                raise Malformed(f"there is no port {address.port}")
            if not is_confidential(url) and (address.userinfo or SECRET & given.keys()):
                raise Malformed("credentials are sent to https addresses only")
            if address.userinfo and "authorization" not in said:
                said["authorization"] = f"Basic {b64encode(unquote(address.userinfo).encode()).decode()}"
            options = {"timeout": httpx2.Timeout(timeout).as_dict()}
            return httpx2.Request(method, address, headers=said, extensions=options, **body)
        except Malformed:
            raise
        except (httpx2.InvalidURL, ValueError, TypeError) as error:
            raise Malformed(f"this address cannot be called: {error}"[:200]) from error
