"""A local mail server that keeps what it is given: for development, the demo and the tests."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(slots=True)
class Mail:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def html(self) -> str:
        """Its HTML part."""
        part = self.message.get_body(("html",))
        return part.get_content() if part else ""

    @property
    def text(self) -> str:
        """Its text part."""
        part = self.message.get_body(("plain",))
        return part.get_content() if part else ""


@dataclass
class Mailbox:
    """A real SMTP server on a port of this machine.

    With a `folder` it keeps them there as files, numbered from the last that is there.
    `refuse` is a pattern of recipients that it answers 550; `busy` answers that many mails with 451 first;
    `hang_up` drops that many connections after the mail was handed over, before the answer. Without `utf8` it takes addresses in
    ASCII alone.
    """

    port: int = 0
    folder: Path | None = None
    refuse: str | None = None
    busy: int = 0
    hang_up: int = 0
    utf8: bool = True
    mails: list[Mail] = field(default_factory=list)
    arrived: Callable[[Mail], None] | None = None
    _server: asyncio.Server | None = None
    _before: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Mailbox:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=self.utf8, loop=loop, ident="journeys"), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]
        if self.folder is not None:
            self._before = max(map(_number, self.folder.glob("*.eml")), default=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            self._server.close_clients() if hasattr(self._server, "close_clients") else None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it."""
        del server, session
        if self.refuse and re.search(self.refuse, address):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        del session
        if self.busy > 0:
            self.busy -= 1
            return "451 4.3.0 try again later"
        raw = cast("bytes", envelope.content)
        message = cast(
            "EmailMessage", email.message_from_bytes(raw, policy=cast("Any", email.policy.default))
        )
        mail = Mail(envelope.mail_from or "", list(envelope.rcpt_tos), message)
        self.mails.append(mail)
        if self.folder is not None:
            await asyncio.to_thread(self._keep, raw, self._before + len(self.mails))
        if self.arrived:
            self.arrived(mail)
        async with self._came:
            self._came.notify_all()
        if self.hang_up > 0:
            self.hang_up -= 1
            if isinstance(server.transport, asyncio.Transport):
                server.transport.abort()
        return "250 OK"

    def _keep(self, raw: bytes, number: int) -> None:
        assert self.folder is not None, "asked for by the caller"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{number:06d}.eml").write_bytes(raw)

    async def next(self, *, to: str | None = None, seconds: float = 240) -> Mail:
        """The first mail (to this address), waiting for it. Raises TimeoutError."""

        def found() -> Mail | None:
            return next((mail for mail in self.mails if to is None or to in mail.recipients), None)

        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: found() is not None)
        mail = found()
        assert mail is not None, "waited for"
        return mail


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0
