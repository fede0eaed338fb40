"""One call to a web service, within its limits: two seconds, one megabyte, public addresses, no redirects (C4, C10)."""

from __future__ import annotations

import asyncio
import codecs
import zlib
from collections.abc import Sequence
from hashlib import blake2b

import httpx2

from journeys.engine.content.services import Call, Reply
from journeys.engine.logs import logger
from journeys.engine.outgoing.guard import Network, NotPublic
from journeys.engine.outgoing.http_client import Malformed, Outgoing
from journeys.engine.outgoing.resolver import calling_for

TIMEOUT = 2.0
"""Seconds that a call may take in all: name, connection, answer (C4)."""

LARGEST = 1024 * 1024
"""Bytes of a reply, unpacked (C4)."""

PIECE = 32 * 1024
"""Bytes of a reply that are read at once."""

CHARSETS = frozenset(
    {
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "ascii",
        "koi8-r",
        "koi8-u",
        "mac-roman",
        "cp866",
    }
    | {
        "gbk",
        "gb2312",
        "gb18030",
        "big5",
        "euc_jp",
        "shift_jis",
        "iso2022_jp",
        "euc_kr",
        "cp874",
        "cp949",
        "cp932",
    }
    | {f"iso8859-{part}" for part in range(1, 17) if part != 12}
    | {f"cp{page}" for page in range(1250, 1259)}
)
"""Encodings in which a web service may answer."""

PORTS = (80, 443)

BAD, REFUSED, LARGE, NO_ANSWER = 400, 403, 413, 599
"""Statuses set by Journeys: an address or header that cannot be sent, an address that may not be called, a reply over a
megabyte, and no connection or no answer in time (C6)."""

log = logger(__name__)


class Caller:
    """Makes calls. Open it as a context. It logs the host, the status and the time: nothing personal."""

    def __init__(self, exceptions: Sequence[Network] = (), *, timeout: float | None = None) -> None:
        self._client = Outgoing(exceptions, PORTS)  # C4
        self._timeout = TIMEOUT if timeout is None else timeout

    async def __aenter__(self) -> Caller:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Call, whatever comes of it: a failure is a reply."""
        began = asyncio.get_running_loop().time()
        calling_for.set(workspace)
        try:
            async with asyncio.timeout(self._timeout):  # C4
                reply = await self._call(workspace, call)
        except Malformed:
            reply = Reply(BAD)
        except httpx2.ConnectError as error:
            reply = Reply(REFUSED if isinstance(error.__cause__, NotPublic) else NO_ANSWER)  # C10
        except (httpx2.HTTPError, TimeoutError):
            reply = Reply(NO_ANSWER)  # C6
        took = round(asyncio.get_running_loop().time() - began, 3)
        log.debug("connected", workspace=workspace, host=host_of(call.url), status=reply.status, seconds=took)
        return reply

    async def _call(self, workspace: int, call: Call) -> Reply:
        headers = {
            "user-agent": agent(workspace),  # C7
            **{name.lower(): text for name, text in call.headers.items()},
        }
        headers["accept-encoding"] = "gzip, deflate"
        body = {} if call.body is None else {"content": call.body.encode()}
        async with self._client.stream(
            call.method, call.url, headers, timeout=self._timeout, **body
        ) as answer:
            raw = bytearray()
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > LARGEST:  # C4
                    return Reply(LARGE)
            return await _reply(answer, bytes(raw))


async def _reply(answer: httpx2.Response, raw: bytes) -> Reply:
    """The reply as text. What was packed is unpacked only as far as a reply may be long."""
    packed = answer.headers.get("content-encoding", "").strip().lower()
    if packed in ("gzip", "x-gzip", "deflate") and raw:
        try:
            raw = zlib.decompressobj(47).decompress(raw, LARGEST + 1)
        except zlib.error:
            return Reply(NO_ANSWER)
        if len(raw) > LARGEST:
            return Reply(LARGE)
    return Reply(answer.status_code, await _text(raw, charset_of(answer.charset_encoding)))


async def _text(raw: bytes, charset: str) -> str:
    """The text, read piece by piece: what is not of its encoding takes some of them long, and others wait meanwhile."""
    if charset.startswith("utf-16"):  # whose decoder of pieces insists on a mark of the byte order
        return raw.decode(charset, errors="replace")
    decoder = codecs.getincrementaldecoder(charset)(errors="replace")
    parts = [decoder.decode(raw[:PIECE])]
    for begin in range(PIECE, len(raw), PIECE):
        await asyncio.sleep(0)
        parts.append(decoder.decode(raw[begin : begin + PIECE]))
    return "".join(parts) + decoder.decode(b"", final=True)


def charset_of(named: str | None) -> str:
    """The encoding by its name in Python; UTF-8 where it is none that the web uses, and reads in linear time."""
    try:
        found = codecs.lookup(named or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return found if found in CHARSETS else "utf-8"


def agent(workspace: int) -> str:
    """How we call ourselves: a receiver can tell workspaces apart, and know nothing of them (C7)."""
    return (
        f"Journeys Sender {blake2b(f'journeys workspace {workspace}'.encode(), digest_size=16).hexdigest()}"
    )


def host_of(url: str) -> str:
    """The host of an address as it is called: lower case, ASCII, without the dot at its end; empty where it has none."""
    try:
        return httpx2.URL(url).raw_host.decode().rstrip(".").lower()
    except (httpx2.InvalidURL, ValueError, TypeError):
        return ""
