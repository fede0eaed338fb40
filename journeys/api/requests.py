"""What all REST routes share: keys, permissions, limits, JSON in and out, and one shape of errors."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from typing import Any

import asyncpg
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from journeys.api.rate_limits import GENERAL, Limit
from journeys.api.services import Services
from journeys.engine.clock import ClockOff
from journeys.engine.fair_threads import Places, work_for
from journeys.engine.intake.half_characters import set_aside, unreadable
from journeys.engine.large_requests import apart, bytes_of_request
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES, within
from journeys.engine.sources.catalogs.requests import Invalid
from journeys.engine.store.database import PASSING
from journeys.engine.workspaces.api_keys import Key

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes that a request may have, as it comes and once it is inflated (TRK-2)."""

SMALL_GZIP = 1024
"""Bytes that are inflated where they come in; of more, a thread inflates them: a megabyte may be in a thousandth of it."""

MOST_VALUES = 100_000
"""Values that a request may have, counted as commas and opening brackets, in texts too."""

MOST_FAULTS = 100
"""Faults, and values of each, that one answer tells."""

LONGEST_WAIT = 30.0
"""Seconds that a body may take to come."""

LONGEST_LOOKUP, LOOKUP_WHILE_GONE = 20.0, 5.0
"""Seconds that the lookup of a key may take, and those while the database is known not to answer."""

LONGEST_KEY = 200

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

MOST_DIGITS = 400
"""Digits of an integer that is read."""

IN_WORK = Places(4)
"""Requests of one workspace that are worked on at once, fewer than there are connections to the database; others wait."""

MANY_IN_WORK = Places(200)
"""The same of a route that shares transactions, or takes one of those places itself before it goes to the database."""

UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What the database says of U+0000 in a text that no reader of the call has refused; nothing is written then."""

log = logger(__name__)


class Refusal(Exception):
    """An answer that ends a request: its status, its message, and what newer routes list as `errors` (ERR-1)."""

    def __init__(self, status: int, message: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        self.status, self.message, self.errors = status, message, errors
        super().__init__(message)

    @classmethod
    def of(cls, invalid: Invalid) -> Refusal:
        """The refusal of a call to catalogs."""
        errors = [
            {
                "id": fault.code,  # ERR-1
                "message": f"{fault.message} ({fault.hint})" if fault.hint else fault.message,
                "parameters": fault.parameters,  # ERR-1
                "parameter_values": fault.values[:MOST_FAULTS],  # ERR-1
            }
            for fault in invalid.faults[:MOST_FAULTS]
        ]
        return cls(invalid.status, "Invalid Request", errors)  # ERR-1

    def answer(self) -> Response:
        """What is answered."""
        errors = {"errors": self.errors} if self.errors else {}  # ERR-1
        more = {"connection": "close"} if self.status in (408, 413) else {}  # nobody waits for the rest
        if self.status == 415:
            more = {"accept-encoding": "gzip"}
        return answer(self.status, {"message": self.message, **errors}, more)


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body, order="sorted"), status, headers, media_type="application/json")


class Limited(Refusal):
    """The answer to a call too many, by a limit that is counted within the call: `headers` say of which window."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        super().__init__(429, "Rate Limited")  # LIM-2

    def answer(self) -> Response:
        """What is answered."""
        response = super().answer()
        response.headers.update(self.headers)
        return response


RETRY_AFTER = 5
"""Seconds after which a caller may try again where the database does not answer."""


def unavailable(error: BaseException) -> Response:
    """The answer while the database does not answer, or the clock of this process is far off: nothing was written."""
    why = str(error)
    if not isinstance(error, ClockOff):  # that is logged where it is measured
        OUTAGES.gone(DATABASE, error)
        why = "the database does not answer"
    said = {"message": f"Service Unavailable: {why}; nothing was written"}
    return answer(503, said, {"retry-after": str(RETRY_AFTER)})


Work = Callable[[Services, Key, dict[str, Any], Request], Awaitable[Response]]


def guarded(
    permission: str, work: Work, limit: Limit = GENERAL, *, whole: bool = True, places: Places = IN_WORK
) -> Callable[[Request], Awaitable[Response]]:
    """A route that wants a key with this permission, and a JSON object; whatever it refuses, it says as JSON.

    The key comes first (401), then the limit of its workspace (429), its permission (403), and the body (400, 413).
    `whole`: a body is refused of which a part cannot be read; else the route judges part by part. `places`: of which a
    request takes one of its workspace's while it is worked on.
    """

    async def route(request: Request) -> Response:
        services: Services = request.app.state.services
        headers = services.limits.idle(limit)
        try:
            if any("\0" in each for each in (request.url.path, *request.path_params.values())):
                raise Refusal(404, "Not Found")
            key, body = await _enter(services, request)
            work_for(key.workspace)
            if not key.may_come_from(request.client.host if request.client else None):  # API-3
                raise Refusal(403, f"Access Denied: the key “{key.name}” may not be used from this address")
            counted = await services.counted(limit, key.workspace)
            headers = counted.headers
            endpoint = f"{request.method} {route_of(request)}"
            services.usage.call(key.workspace, key.name, endpoint, refused=not counted.passed)  # LIM-3
            if not counted.passed:
                raise Refusal(429, "Rate Limited")  # LIM-2
            if not key.may(permission):  # API-3
                raise Refusal(403, f"Access Denied: the key “{key.name}” lacks the permission {permission}")
            body = body if body is not None else await _object(request)
            body.pop("api_key", None)
            if whole and (reason := unreadable(body)):
                raise Refusal(400, f"Bad Request: {reason}")  # TRK-7
            async with places.of(key.workspace):
                response = await work(services, key, body, request)
            OUTAGES.back(DATABASE)
        except Refusal as refusal:
            response = refusal.answer()
        except Invalid as invalid:
            response = Refusal.of(invalid).answer()
        except PASSING as error:
            response = unavailable(error)
        except UNSTORABLE:
            response = answer(
                400, {"message": "Bad Request: a text contains a character that cannot be stored"}
            )
        except ClientDisconnect:
            log.info("client_gone", route=route_of(request))
            response = answer(400, {"message": "Bad Request: the body did not come to its end"})
        for name, value in headers.items():  # those of a limit that was counted within the call stay
            response.headers.setdefault(name, value)
        return response

    setattr(route, PERMISSION, permission)
    return route


def route_of(request: Request) -> str:
    """The path of the route that answers a request, for logs: the request's own path may hold what is about a person."""
    found: str = request.app.state.paths.get(request.scope.get("endpoint"), "none")
    return found


PERMISSION = "_permission"


def permission_of(endpoint: object) -> str | None:
    """The permission that a route asks for; None where it asks for none."""
    return getattr(endpoint, PERMISSION, None)


async def _enter(services: Services, request: Request) -> tuple[Key, dict[str, Any] | None]:
    """Who asks: by the header, or (as old clients do it) by `api_key` in the body or the query (API-2).

    The body comes with it where it had to be read for that.
    """
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, given = header.partition(" ")
        return await _recognise(services, given.strip() if scheme.lower() == "bearer" else ""), None  # API-2
    body: dict[str, Any] | None = None
    given = request.query_params.get("api_key", "")  # API-2
    if not given:
        try:
            body = await _object(request)
        except Refusal:
            raise Refusal(401, "Invalid API Key") from None
        given = body.get("api_key", "")  # API-2
    key = await _recognise(services, given)
    log.warning(
        "deprecated_key_outside_header", route=route_of(request), key=key.name, workspace=key.workspace
    )
    return key, body


async def _recognise(services: Services, given: object) -> Key:
    """Whose key it is. A database that is frozen is not waited for: the lookup raises TimeoutError, and nothing was written."""
    key = None
    if isinstance(given, str) and 0 < len(given) <= LONGEST_KEY:
        patience = LOOKUP_WHILE_GONE if OUTAGES.is_gone(DATABASE) else LONGEST_LOOKUP
        key = await within(lambda: services.keys.recognise(given), patience)
    if key is None:
        raise Refusal(401, "Invalid API Key")
    return key


async def _object(request: Request) -> dict[str, Any]:
    """The body, which is a JSON object; nothing at all counts as an empty one."""
    raw = await _plain(request, await _raw(request))
    bytes_of_request.set(len(raw))
    if sum(map(raw.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Refusal(413, f"the body has more than {MOST_VALUES:,} values")
    try:
        body = await apart(_decoded, raw) if raw.strip() else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(400, f"Bad Request: the body is not JSON: {said}") from None  # TRK-7
    if not isinstance(body, dict):  # TRK-7
        raise Refusal(400, "Bad Request: the body must be a JSON object")
    return body


def _decoded(raw: bytes) -> Any:
    """The JSON. A number that is too large for anything is infinite: what it stands in is refused, and no more.

    What holds half of a surrogate pair is set aside.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as fault:
        halves = _HALF.search(raw) is not None
        if not halves and not isinstance(fault, msgspec.ValidationError):  # that is a number out of range
            raise
        try:
            body = json.loads(
                raw.decode(), parse_int=_integer, parse_float=_float, parse_constant=_no_constant
            )
        except json.JSONDecodeError as error:
            raise msgspec.DecodeError(str(error)) from error
        return set_aside(body) if halves else body


def _integer(digits: str) -> float:
    return int(digits) if len(digits) < MOST_DIGITS else inf


def _float(digits: str) -> float:
    """As it would be read without it; a function of Python's lets other threads have a turn between two numbers."""
    return float(digits)


def _no_constant(name: str) -> None:
    raise msgspec.DecodeError(f"{name} is no JSON")


async def _plain(request: Request, raw: bytes) -> bytes:
    """The body without its encoding, which is gzip or none."""
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if not raw or encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip"):
        raise Refusal(415, f"the body is encoded as “{encoding[:50]}”: send it as it is, or with gzip")
    return await apart(_inflated, raw, large=len(raw) > SMALL_GZIP)


def _inflated(raw: bytes) -> bytes:
    """No more is inflated than a body may have."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = inflater.decompress(raw, LARGEST_BODY + 1)
    except zlib.error:
        raise Refusal(400, "Bad Request: the body is not gzip, as its Content-Encoding says") from None
    if len(plain) > LARGEST_BODY:  # TRK-2
        raise _too_large()
    if not inflater.eof or inflater.unused_data:
        raise Refusal(400, "Bad Request: the body is not one whole piece of gzip")
    return plain


def _too_large() -> Refusal:
    return Refusal(413, f"the body is larger than {LARGEST_BODY // 2**20} MB")  # TRK-2, TRK-7


async def _raw(request: Request) -> bytes:
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            return await _read_all(request)
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {LONGEST_WAIT:.0f} seconds") from None


async def _read_all(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = 0
    if not (announced.isdecimal() and int(announced) > LARGEST_BODY):
        async for part in request.stream():
            size += len(part)
            parts.append(part)
            if size > LARGEST_BODY:  # TRK-2
                break
        else:
            return b"".join(parts)
    raise _too_large()
