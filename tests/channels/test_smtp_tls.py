"""Mail over TLS, from the first byte on and by STARTTLS: to a server whose certificate is verified, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from tests.certificates import Authority, server_context, without_tls
from tests.channels.test_every_channel import delivered, mail

Way = Literal["true", "required"]


@asynccontextmanager
async def listening(mailbox: Mailbox, authority: Authority, way: Way) -> AsyncIterator[int]:
    """The port of a mail server that speaks TLS in this way; its certificate is for `localhost`."""
    context = server_context(authority.signs("localhost"))
    if way == "true":
        async with without_tls(context, ("127.0.0.1", mailbox.port)) as port:
            yield port
        return
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, tls_context=context, require_starttls=True, loop=loop, ident="journeys"),
        "127.0.0.1",
        0,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("way", ["true", "required"])
@pytest.mark.parametrize("known", [True, False])
async def test_a_mail_leaves_to_a_server_whose_certificate_is_known_for_its_name_and_to_no_other(
    mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way, known: bool
) -> None:
    """By the authorities of the system, to which `SSL_CERT_FILE` adds; the reason says what is wrong."""
    authority = Authority(tmp_path)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    async with listening(mailbox, authority, way) as port:
        named: dict[str, Any] = {"port": port, "tls": True if way == "true" else way}
        right = await delivered(Email(SmtpSettings(host="localhost", **named)), mail())
        wrong = await delivered(Email(SmtpSettings(host="127.0.0.1", **named)), mail())

    assert right.outcome == ("sent" if known else "away")
    assert len(mailbox.mails) == (1 if known else 0)
    assert wrong.outcome == "away"
    refused = [wrong] if known else [right, wrong]
    assert all("the certificate of the mail server is not accepted: " in one.detail for one in refused)


async def test_a_password_does_not_leave_to_a_server_that_is_not_verified(
    mailbox: Mailbox, tmp_path: Path
) -> None:
    settings = {"username": "desk", "password": SecretStr("hunter2")}
    async with listening(mailbox, Authority(tmp_path), "required") as port:
        receipt = await delivered(
            Email(SmtpSettings(host="localhost", port=port, **settings)),  # type: ignore[arg-type]
            mail(),
        )

    assert (receipt.outcome, "hunter2" in receipt.detail, mailbox.mails) == ("away", False, [])
