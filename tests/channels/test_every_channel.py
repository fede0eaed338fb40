"""What every channel promises, those of this package and of others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.mime.text import MIMEText
from email.policy import compat32, default
from email.utils import parseaddr
from types import SimpleNamespace
from typing import Any

import aiosmtplib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from journeys.channels.base import Content, Receipt, Recipient, kinds
from journeys.channels.email import WIRE, Email, EmailContent, SmtpSettings, hard_bounce, one_line, written
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookContent, WebhookSettings
from journeys.testing import ChannelContract
from tests.receiver import Receiver


class TestEmail(ChannelContract):
    """The channel `email`."""

    kind = Email
    secrets = ("JOURNEYS_SMTP_PASSWORD", "JOURNEYS_SMTP_USERNAME")


class TestWebhook(ChannelContract):
    """The channel `webhook`: to an address that it refuses before it opens a socket."""

    kind = Webhook
    sample = {"url": "http://127.0.0.1:9/x"}


def test_every_installed_channel_keeps_the_contract() -> None:
    assert {TestEmail.kind, TestWebhook.kind} == {kinds()[name] for name in ("email", "webhook")}
    assert "mel@example.com" not in repr(Recipient("mel@example.com"))


def mail(**more: str) -> EmailContent:
    return EmailContent(
        **{"sender": "desk@example.com", "subject": "Hi", "html": "<p>Hi</p>", "text": "Hi", **more}
    )  # type: ignore[arg-type]


async def delivered(
    channel: object, content: Content, to: str = "mel@example.com", key: str = "e/s"
) -> Receipt:
    await channel.open()  # type: ignore[attr-defined]
    try:
        return await channel.deliver(content, Recipient(to), key)  # type: ignore[attr-defined]
    finally:
        await channel.close()  # type: ignore[attr-defined]


async def test_a_mail_has_both_parts_and_an_id_made_of_its_key(mailbox: Mailbox) -> None:
    """The same key gives the same Message-ID; one-click unsubscribe after RFC 8058."""
    email = Email(SmtpSettings(port=mailbox.port))
    content = mail(sender_name="Die Läufer", subject="Größer ✓", unsubscribe="https://example.com/u/1")
    receipts = [await delivered(email, content) for _ in range(2)]

    assert [receipt.outcome for receipt in receipts] == ["sent", "sent"]
    first, second = (each.message for each in mailbox.mails)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == "Größer ✓"
    assert first["List-Unsubscribe"] == "<https://example.com/u/1>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mailbox.mails[0].html.strip() == "<p>Hi</p>"
    assert mailbox.mails[0].text.strip() == "Hi"


async def test_a_header_cannot_be_injected(mailbox: Mailbox) -> None:
    await delivered(
        Email(SmtpSettings(port=mailbox.port)), mail(subject="Hi\r\nBcc: eve@example.com", sender_name="A\nB")
    )

    [one] = mailbox.mails
    assert one.recipients == ["mel@example.com"]
    assert one.message["Bcc"] is None


async def test_what_the_mail_server_says_becomes_a_receipt(mailbox: Mailbox) -> None:
    """5xx for a recipient: unreachable; 4xx: later; nobody there: it is away."""
    mailbox.refuse = "nobody@"
    email = Email(SmtpSettings(port=mailbox.port))
    assert (await delivered(email, mail(), "nobody@example.com")).outcome == "unreachable"
    mailbox.busy = 1
    assert (await delivered(email, mail())).outcome == "retry"
    assert (await delivered(email, mail())).outcome == "sent"
    assert (await delivered(Email(SmtpSettings(port=1)), mail())).outcome == "away"


@pytest.mark.parametrize(
    ("code", "text", "bounced"),
    [
        (550, "5.1.1 no such user", True), (550, "5.1.10 null mx", True), (554, "5.2.1 disabled", True), (550, "5.7.1 relay denied", False),
        (550, "no such user", False), (450, "4.1.1 try later", False), (550, "5.1.11 x", False),
    ],
)  # fmt: skip
def test_a_mailbox_does_not_exist_where_its_server_says_so_by_a_code(
    code: int, text: str, bounced: bool
) -> None:
    """EML-8: who may not send by a server is refused by 550 too."""
    assert hard_bounce(aiosmtplib.SMTPRecipientRefused(code, text, "mel@example.com")) is bounced


async def test_a_mail_server_that_hangs_up_before_it_answers_leaves_a_doubt(mailbox: Mailbox) -> None:
    from journeys.channels.base import Doubtful

    mailbox.hang_up = 1
    with pytest.raises(Doubtful):
        await delivered(Email(SmtpSettings(port=mailbox.port)), mail())


def hook(receiver: Receiver, **more: object) -> WebhookContent:
    return WebhookContent(**{"url": f"{receiver.url}/x", "json_body": {"a": 1}, **more})  # type: ignore[arg-type]


OPEN = WebhookSettings(allowed_networks="127.0.0.0/8")


async def test_a_webhook_carries_its_key_and_counts_once_at_a_receiver_that_honours_it(
    receiver: Receiver,
) -> None:
    for _ in range(2):
        assert (await delivered(Webhook(OPEN), hook(receiver, headers={"X-A": "b"}))).outcome == "sent"

    [call] = receiver.calls
    assert (call["headers"]["idempotency-key"], call["headers"]["x-a"], call["body"]) == (
        "e/s",
        "b",
        {"a": 1},
    )


async def test_a_header_that_cannot_be_sent_is_told_in_plain_words(receiver: Receiver) -> None:
    receipt = await delivered(
        Webhook(WebhookSettings(allowed_networks="127.0.0.0/8")), hook(receiver, headers={"X-U": "Zoë"})
    )
    assert (receipt.outcome, receiver.calls) == ("failed", [])
    assert (
        receipt.detail
        == "the header x-u contains “ë”: headers take ASCII only; encode it, for example with url_encode"
    )


async def test_get_has_no_body_and_the_others_do(receiver: Receiver) -> None:
    """WHK-1"""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        await delivered(Webhook(OPEN), hook(receiver, method=method), key=method)

    assert [(call["method"], bool(call["body"])) for call in receiver.calls] == [
        ("GET", False),
        ("POST", True),
        ("PUT", True),
        ("PATCH", True),
        ("DELETE", True),
    ]


async def test_a_call_is_given_up_after_ninety_seconds(receiver: Receiver) -> None:
    """WHK-1: here it is less; what is given up is tried again."""
    assert WebhookSettings().timeout == 90
    receiver.delay = 2
    said = await delivered(Webhook(OPEN.model_copy(update={"timeout": 0.1})), hook(receiver))

    assert said.outcome == "retry"
    assert said.detail.startswith("no response: ")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"),
        (204, "sent"),
        (301, "failed"),
        (400, "failed"),
        (401, "failed"),
        (408, "retry"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
    ],
)
async def test_which_answer_means_what(receiver: Receiver, status: int, outcome: str) -> None:
    """WHK-2, WHK-3: 20x received; 30x not received and not followed; 408, 429 and 5xx later, when they say; other 4xx never."""
    receiver.statuses = [status]
    receiver.headers = {"location": "/elsewhere", "retry-after": "7"}
    receipt = await delivered(Webhook(OPEN), hook(receiver))

    assert receipt.outcome == outcome
    assert receipt.retry_after == (7.0 if outcome == "retry" else None)
    assert len(receiver.calls) == 1


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "017700000001", "127.1", "0.0.0.0", "169.254.169.254",
    "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fd00::1]", "10.0.0.1", "192.168.1.1", "172.16.0.1",
    "100.64.0.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255",
])  # fmt: skip
async def test_private_addresses_are_refused_before_a_socket_opens(receiver: Receiver, host: str) -> None:
    """Loopback, link-local, metadata, private, shared, multicast; decimal, octal and hexadecimal spellings."""
    receipt = await delivered(
        Webhook(WebhookSettings()), hook(receiver, url=f"http://{host}:{receiver.port}/x")
    )

    assert receipt.outcome in ("failed", "retry")
    assert receiver.calls == []


async def test_a_name_whose_address_changes_between_two_answers_is_pinned(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolved once; what was checked is what is connected to."""
    answers = [
        [(2, 1, 6, "", ("93.184.216.34", receiver.port))],
        [(2, 1, 6, "", ("127.0.0.1", receiver.port))],
    ]
    asked = []

    def look(host: str, port: int, **_: object) -> Any:
        asked.append(host)
        return answers[min(len(asked) - 1, 1)]

    connected = []

    async def connect(self: object, host: str, port: int, *_: object, **__: object) -> object:
        connected.append(host)
        raise OSError("not today")

    import httpcore2

    from journeys.engine.outgoing.guard import Guarded
    from journeys.engine.outgoing.resolver import Resolver

    inner = httpcore2.AnyIOBackend()
    monkeypatch.setattr(type(inner), "connect_tcp", connect)
    with pytest.raises(OSError, match="not today"):
        await Guarded(inner, resolver=Resolver(look)).connect_tcp("rebind.example", receiver.port)

    assert (asked, connected) == (["rebind.example"], ["93.184.216.34"])


@pytest.mark.parametrize(
    ("dawdles_after", "outcome"),
    [(b"", "retry"), (b"HTTP/1.1 200 OK\r\n", "retry"), (b"HTTP/1.1 200 OK\r\n\r\n", "sent"), (b"HTTP/1.1 503 No\r\n\r\n", "retry")],
)  # fmt: skip
async def test_a_call_has_a_deadline_in_all_however_its_server_dawdles(
    dawdles_after: bytes, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WHK-1: a byte now and then does not keep it open; once the status is known, it counts."""
    sent = []

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(dawdles_after)
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                sent.append(1)
                await asyncio.sleep(0.02)
        writer.close()

    monkeypatch.setattr("journeys.channels.webhook.BODY", 0.1)
    server = await asyncio.start_server(dawdle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = OPEN.model_copy(update={"timeout": 0.4})
    try:
        receipt = await asyncio.wait_for(
            delivered(Webhook(settings), WebhookContent(url=f"http://127.0.0.1:{port}")), 60
        )
    finally:
        server.close()

    assert receipt.outcome == outcome
    assert sent


@pytest.mark.parametrize(
    "url", ["ftp://example.com/x", "file:///etc/passwd", "http://", "not a url", "http://[::1", "gopher://x"]
)
async def test_what_cannot_be_called_is_a_receipt_and_no_exception(url: str) -> None:
    receipt = await delivered(Webhook(OPEN), WebhookContent(url=url))

    assert receipt.outcome in ("failed", "retry")
    assert json.dumps(receipt.detail)


def mail_of(**more: str) -> bytes:
    content = EmailContent(**{
        "sender_name": "The Desk", "sender": "desk@example.com", "subject": "Hello", "html": "<p>Hi</p>", "text": "Hi",
        "unsubscribe": "https://example.com/u/" + "a,b;c" * 60, **more,
    })  # fmt: skip
    return written(content, "mel@example.com", "key").as_bytes(policy=WIRE)


def test_the_unsubscribe_header_goes_over_the_wire_as_it_is() -> None:
    """RFC 2369, RFC 8058: no encoded word and no fold, however long the address is; and a mail has a date."""
    lines = mail_of().split(b"\r\n")

    assert b"List-Unsubscribe: <https://example.com/u/" + b"a,b;c" * 60 + b">" in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    assert any(line.startswith(b"Date: ") for line in lines)
    assert all(len(line) <= 998 for line in lines)


@pytest.mark.parametrize("text", ["Grüße, Mél — 東京 🏃", "x" * 1200, "a\nb", "\n", "é" * 3000, "tab\there"])
def test_every_text_survives_the_wire(text: str) -> None:
    """Long lines and foreign letters are encoded; what is read back is what was written."""
    wire = mail_of(subject=text[:200], html=f"<p>{text}</p>", text=text)
    read = message_from_bytes(wire, policy=default)

    assert all(len(line) <= 998 for line in wire.split(b"\r\n"))
    assert str(read["Subject"]) == " ".join(text[:200].split("\n")).strip()
    parts = [part.get_content().replace("\r\n", "\n").rstrip("\n") for part in read.iter_parts()]
    assert parts == [text.rstrip("\n"), f"<p>{text}</p>"]


@given(st.text(st.characters(max_codepoint=300), max_size=1500).map(one_line))
@example("a" * 1200)
@example("two  spaces, and more,  " * 60)
def test_a_header_is_written_as_the_library_writes_it(value: str) -> None:
    """What needs no work of the library's comes to the same lines without it."""
    theirs = compat32.clone(linesep="\r\n", max_line_length=None, cte_type="7bit")

    assert WIRE.fold_binary("X-Note", value) == theirs.fold_binary("X-Note", value)


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_part_of_plain_letters_is_written_as_the_library_writes_it(kind: str) -> None:
    text = "See https://example.com/a?b=c,d\r\n\r\nFrom here.\r\n"

    written_part = next(
        part
        for part in written(
            EmailContent(sender="desk@example.com", subject="Hello", html=text, text=text),
            "a@b.example",
            "key",
        ).get_payload()
        if part.get_content_subtype() == kind
    )

    assert written_part.as_bytes() == MIMEText(text, kind, "us-ascii", policy=WIRE).as_bytes()


ADDRESSES = [
    ("jo@bücher.example", "jo@xn--bcher-kva.example"),
    ("jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"),
    ("Jo@BÜCHER.example", "Jo@xn--bcher-kva.example"),
    ("jö@bücher.example", "jö@xn--bcher-kva.example"),
    ("日本@例え.example", "日本@xn--r8jz45g.example"),
]


@pytest.mark.parametrize(("written", "wire"), ADDRESSES)
async def test_an_address_beyond_ascii_is_written_to_and_from(
    mailbox: Mailbox, written: str, wire: str
) -> None:
    """RFC 5890, RFC 6531: the domain goes as `xn--…`, the local part as it is where the server takes it."""
    email = Email(SmtpSettings(port=mailbox.port))
    to = email.address_of(SimpleNamespace(email=written))
    assert to == wire
    receipt = await delivered(email, mail(sender=written, sender_name="Jö"), to)

    assert receipt.outcome == "sent"
    [one] = mailbox.mails
    assert (one.sender, one.recipients) == (wire, [wire])
    assert (str(one.message["To"]), str(one.message["From"])) == (wire, f"Jö <{wire}>")
    assert one.text.strip() == "Hi"


async def test_a_local_part_beyond_ascii_is_unreachable_where_the_server_does_not_take_it(
    mailbox: Mailbox,
) -> None:
    """RFC 6531: and says why; all others are sent over the same connection."""
    mailbox.utf8 = False
    email = Email(SmtpSettings(port=mailbox.port))
    refused = [
        await delivered(email, mail(), "jö@example.com"),
        await delivered(email, mail(sender="jö@example.com")),
    ]
    assert [each.outcome for each in refused] == ["unreachable", "failed"]
    assert all("SMTPUTF8" in (each.detail or "") for each in refused)
    assert (await delivered(email, mail(), "jo@xn--bcher-kva.example")).outcome == "sent"


@pytest.mark.parametrize(
    "name", ["Die sehr lange Läuferin " * 8, "東京" * 40, "x" * 1500, "A, “B”", 'Jo "the" Desk']
)
def test_no_encoded_word_of_a_senders_name_is_longer_than_75(name: str) -> None:
    """RFC 2047, RFC 5322"""
    wire = mail_of(sender_name=name, subject=name)
    head = wire.partition(b"\r\n\r\n")[0]

    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ \r]*\?=", head))
    assert all(len(line) <= 998 for line in wire.split(b"\r\n"))
    read, address = parseaddr(message_from_bytes(wire)["From"])
    assert (str(make_header(decode_header(read))).strip(), address) == (name.strip(), "desk@example.com")


@pytest.mark.parametrize("field", ["sender_name", "subject", "unsubscribe"])
def test_nothing_that_is_written_into_a_header_makes_a_second_one(field: str) -> None:
    wire = mail_of(**{field: "x\r\nBcc: eve@example.com\r\n\r\nbody"})
    read = message_from_bytes(wire, policy=default)

    assert read["Bcc"] is None
    assert len(list(read.iter_parts())) == 2


@pytest.mark.parametrize(
    "sender", ["a@b.c\r\nBcc: x@y.z", "a@b.c, x@y.z", "a b@c.d", "nobody", "a@b..ü", "<a@b.c>"]
)
def test_an_address_that_could_end_its_header_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        mail_of(sender=sender)


async def test_a_password_leaves_over_an_encrypted_connection_or_not_at_all(mailbox: Mailbox) -> None:
    """Where the server offers none, neither password nor mail is sent, and the reason says what to set."""
    with_password = SmtpSettings(port=mailbox.port, username="desk", password=SecretStr("hunter2"))
    for settings in (with_password, SmtpSettings(port=mailbox.port, tls="required")):
        receipt = await delivered(Email(settings), mail())
        assert (receipt.outcome, "encryption" in receipt.detail) == ("away", True)
    assert mailbox.mails == []
    assert (await delivered(Email(SmtpSettings(port=mailbox.port)), mail())).outcome == "sent"


@pytest.mark.parametrize(
    ("given", "insists"), [({}, False), ({"password": "x"}, True), ({"password": "x", "tls": "offered"}, False), ({"tls": "required"}, True), ({"password": "x", "tls": "true"}, False)]
)  # fmt: skip
def test_a_password_alone_asks_for_encryption(given: dict[str, Any], insists: bool) -> None:
    assert SmtpSettings(**given).insists is insists
