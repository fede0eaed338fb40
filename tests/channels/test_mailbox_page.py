"""The pages on which a developer reads the mails of `journeys dev`."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from journeys.channels.mailbox import Mailbox
from journeys.channels.mailbox_page import PAGE_SIZE, mailbox_page

HTML = """<p>Hello <script>alert(1)</script><a href="https://example.com/?a=1&amp;b=2">the
  <b>article</b></a> <a href="https://example.com/logo"><img src="https://example.com/l.png" alt="logo"></a></p>"""


def mail(subject: str, *, html: str | None = None, text: str | None = "plain words") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "Désk <desk@example.com>", "mel@example.com"
    made["X-Campaign"] = "<welcome>"
    if text is not None:
        made.set_content(text)
    if html is not None:
        if text is None:
            made.set_content(html, subtype="html")
        else:
            made.add_alternative(html, subtype="html")
    return made


@pytest.fixture
async def page(tmp_path: Path) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=mailbox_page(tmp_path / "mails")), base_url="http://127.0.0.1"
    )


async def sent(folder: Path, *mails: EmailMessage) -> None:
    """Hand them over by SMTP."""

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", box.port) as smtp:
            for one in mails:
                smtp.send_message(one)

    async with Mailbox(folder=folder / "mails") as box:
        await asyncio.to_thread(send)


async def test_the_list_has_the_newest_mail_first_and_is_empty_before_any(
    page: httpx2.AsyncClient, tmp_path: Path
) -> None:
    assert "No mail has arrived yet" in (await page.get("/")).text
    await sent(tmp_path, mail("one <b>"), mail("zwölf"))
    text = (await page.get("/")).text
    assert text.index("zwölf") < text.index("one &lt;b&gt;")
    assert "Désk" in text
    found = (await page.get("/mails.json")).json()
    assert [one["subject"] for one in found["mails"]] == ["zwölf", "one <b>"]
    assert found["before"] is None


async def test_a_mail_is_shown_with_its_html_text_headers_and_links(
    page: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await sent(tmp_path, mail("hello", html=HTML))
    shown = (await page.get("/mails/1")).text
    assert 'src="/mails/1/html"' in shown
    assert "<pre>plain words" in shown
    assert "<th>X-Campaign</th><td>&lt;welcome&gt;</td>" in shown
    assert "<th>the article</th><td>https://example.com/?a=1&amp;b=2</td>" in shown
    assert "<th>logo</th><td>https://example.com/logo</td>" in shown
    assert (await page.get("/mails/1/text")).text.split() == ["plain", "words"]
    assert "Subject: hello" in (await page.get("/mails/1/raw")).text


async def test_a_mail_runs_no_scripts_and_cannot_reach_the_pages_around_it(
    page: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await sent(tmp_path, mail("<script>alert(1)</script>", html=HTML))
    part = await page.get("/mails/1/html")
    assert "<script>" in part.text
    rules = part.headers["content-security-policy"]
    assert "default-src 'none'" in rules
    assert rules.startswith("sandbox ")
    assert "allow-scripts" not in rules
    assert "allow-same-origin" not in rules
    for path in ("/", "/mails/1"):
        around = await page.get(path)
        assert "<script>" not in around.text
        assert "script-src" not in around.headers["content-security-policy"]
        assert "default-src 'none'" in around.headers["content-security-policy"]


async def test_a_part_or_a_mail_that_there_is_not_is_said_to_be_missing(
    page: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await sent(tmp_path, mail("text alone"), mail("html alone", html=HTML, text=None))
    assert (await page.get("/mails/1/html")).status_code == 404
    assert "no HTML part" in (await page.get("/mails/1")).text
    assert (await page.get("/mails/2/text")).status_code == 404
    for path in ("/mails/3", "/mails/99999999999999999999999", "/mails/3/raw", "/mails/x"):
        assert (await page.get(path)).status_code == 404


async def test_more_mails_than_a_page_has_are_on_the_next(page: httpx2.AsyncClient, tmp_path: Path) -> None:
    await sent(tmp_path, *[mail(f"no {number}") for number in range(PAGE_SIZE + 2)])
    first = (await page.get("/mails.json")).json()
    second = (await page.get("/mails.json", params={"before": first["before"]})).json()
    assert len(first["mails"]) == PAGE_SIZE
    assert [one["subject"] for one in second["mails"]] == ["no 1", "no 0"]
    assert f"/?before={first['before']}" in (await page.get("/")).text


async def test_the_pages_answer_under_names_of_this_machine_only(
    page: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await sent(tmp_path, mail("hello"))
    answer = await page.get("/", headers={"host": "evil.example"})
    assert (answer.status_code, "hello" in answer.text) == (400, False)
    assert (await page.get("/", headers={"host": "localhost:8025"})).status_code == 200
