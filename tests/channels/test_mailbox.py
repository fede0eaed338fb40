"""The mailbox of `journeys dev` keeps the mails that it has."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

from journeys.channels.mailbox import Mailbox


async def test_mails_of_an_earlier_run_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "notes.eml").write_text("somebody's own")
    for subjects in (["one", "two"], ["three"]):
        async with Mailbox(folder=tmp_path) as box:
            for subject in subjects:
                await asyncio.to_thread(_send, box.port, subject)
    kept = {path.stem: path.read_text() for path in tmp_path.glob("*.eml")}
    assert sorted(kept) == ["000001", "000002", "000003", "notes"]
    assert "Subject: three" in kept["000003"]
    assert "Subject: one" in kept["000001"]


def _send(port: int, subject: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "a@example.com", "b@example.com"
    message.set_content("hello")
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(message)
