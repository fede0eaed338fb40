"""Cuts off connections on which the head of a request does not come: each holds a place that others could use."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from journeys.api.requests import answer

LONGEST_HEAD = 10.0
"""Seconds that the head of a request may take to come, from the connection or from its first byte on."""

LONGEST_REST = 30.0
"""Seconds that the rest of a body may take to come whose request is answered already."""

LARGEST_HEAD = 64 * 1024
"""Bytes that the head of a request may have, about."""


class HeadsInTime(HttpToolsProtocol):
    """uvicorn's protocol, with a limit to the time and the size of heads. A body's time is limited by whoever reads it."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head, self._in_body, self._bytes = False, False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """See base class."""
        super().connection_made(transport)
        self._wait(LONGEST_HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """See base class."""
        self._enough()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See base class."""
        super().data_received(data)
        if self.transport.is_closing() or (self.cycle is not None and not self.cycle.response_complete):
            self._enough()
            return
        self._bytes = self._bytes + len(data) if self._in_head else 0
        if self._bytes > LARGEST_HEAD:
            self._refuse(431)
        elif self._timer is None:
            self._wait(LONGEST_REST if self._in_body else LONGEST_HEAD)

    def on_message_begin(self) -> None:
        """See base class."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """See base class."""
        self._in_head, self._in_body = False, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """See base class."""
        self._in_body = False
        super().on_message_complete()

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._late)

    def _enough(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._in_head:
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer as the routes do, and hang up."""
        phrase = HTTPStatus(status).phrase
        said = answer(status, {"message": phrase}, {"connection": "close"})
        head = b"".join(b"%b: %b\r\n" % header for header in said.raw_headers)
        self.transport.write(
            b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, phrase.encode(), head, bytes(said.body))
        )
        self.transport.close()
