"""The channel `email`, over SMTP."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import Compat32
from email.utils import formataddr, formatdate
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import aiosmtplib
from email_validator import EmailNotValidError, validate_email
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from journeys.channels.base import Content, Doubtful, Receipt, Recipient
from journeys.engine.settings import Environment


class Wire(Compat32):
    """The library's older policy, which folds no header here. One of plain letters needs none of its work, and is written as it is."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header's line."""
        if isinstance(value, str) and value.isascii() and value.isprintable():
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


WIRE = Wire(linesep="\r\n", max_line_length=None, cte_type="7bit")
WIRE_UTF8 = WIRE.clone(cte_type="8bit")
"""For mails to or from a local part beyond ASCII: their headers are UTF-8 (RFC 6532)."""
RESTED = 1.0
"""Seconds after which an unused connection may have been closed by the server."""

LONGEST_LINE = 998
"""Characters that a line may have on the wire (RFC 5322)."""

LONGEST_WORD = 75
"""Characters that an encoded word may have (RFC 2047)."""

QUOTED, ENCODED = Charset("utf-8"), Charset("utf-8")
QUOTED.body_encoding, ENCODED.body_encoding = QP, BASE64

NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, no such domain, no address, moved, none that takes mail, disabled."""

_ENHANCED = re.compile(r"\d\.\d{1,3}\.\d{1,3}\b")
_NOT_IN_ADDRESS = re.compile(r"[\s,;:<>()\[\]\\\x00-\x1f\x7f]")
_BREAKS = re.compile(r"[\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


class SmtpSettings(Environment):
    """Where the mail server is: `JOURNEYS_SMTP_HOST`, `…_PORT`, `…_USERNAME`, `…_PASSWORD`, `…_TLS`.

    `tls`: `true` from the first byte on; `required`: by STARTTLS or not at all, the default where there is a password;
    `offered`, or `false`: by STARTTLS where the server has it, else in clear.
    """

    model_config = SettingsConfigDict(env_prefix="JOURNEYS_SMTP_")
    host: str = Field(default="127.0.0.1", description="The mail server")
    port: int = Field(
        default=25, ge=1, le=65535, description="Its port: 587 with STARTTLS, 465 with `true` for TLS"
    )
    username: str | None = Field(default=None, description="Who logs in; without it no one does")
    password: SecretStr | None = Field(default=None, description="The password")
    tls: bool | Literal["required", "offered"] | None = Field(
        default=None,
        description="`true`: TLS from the first byte on; `required`: by STARTTLS or not at all (the default with a password); "
        "`offered` or `false`: by STARTTLS where the server has it (the default without)",
    )
    timeout: float = Field(
        default=60,
        gt=0,
        description="How long the server may take for an answer",
        json_schema_extra={"unit": "seconds"},
    )
    lanes: int = Field(
        default=4,
        ge=1,
        description="How many connections a process opens to it",
        json_schema_extra={"unit": "connections"},
    )

    @property
    def insists(self) -> bool:
        """Whether nothing may leave before the connection is encrypted."""
        return self.tls == "required" or (self.tls is None and self.password is not None)


class EmailContent(Content):
    """A mail, rendered."""

    sender_name: str = Field("", description="Name of the sender")
    sender: str = Field(description="Address of the sender")
    subject: str = Field(description="Subject line")
    html: str = Field(description="HTML part")
    text: str = Field("", description="Text part")
    unsubscribe: str = Field("", description="Address of the one-click unsubscribe (RFC 8058)")


class Email:
    """Email over SMTP. SMTP has no idempotency key: if a worker dies during a call, that mail is in doubt."""

    name: ClassVar[str] = "email"
    idempotent: ClassVar[bool] = False
    content: ClassVar[type[Content]] = EmailContent

    def __init__(self, settings: SmtpSettings | None = None) -> None:
        self.settings = settings or SmtpSettings()
        self.lanes = self.settings.lanes
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []
        self._places = asyncio.Semaphore(self.lanes)

    def __repr__(self) -> str:
        return f"Email({self.settings.host}:{self.settings.port})"

    async def open(self) -> None:
        """Connections are made as they are needed, and used again."""

    async def close(self) -> None:
        """Say goodbye on all connections."""
        while self._idle:
            _, connection = self._idle.pop()
            try:
                await connection.quit()
            except (aiosmtplib.SMTPException, OSError):
                connection.close()

    def address_of(self, profile: Any) -> str | None:
        """Their email address, where it is one; its domain as the wire has it (`xn--…`)."""
        if not profile.email:
            return None
        try:
            found = validate_email(profile.email, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            return None
        return f"{found.local_part}@{found.ascii_domain}"

    async def deliver(self, content: EmailContent, to: Recipient, key: str) -> Receipt:
        """Hand the mail to the server."""
        try:
            mail = written(content, to.address, key)
        except (ValueError, IndexError) as error:
            return Receipt("failed", f"the message cannot be composed: {error}")
        async with self._places, self._connection() as connection:
            if isinstance(connection, Receipt):
                return connection
            return await self._hand_over(connection, mail, address(content.sender), address(to.address))

    async def _hand_over(self, connection: aiosmtplib.SMTP, mail: Message, sender: str, to: str) -> Receipt:
        foreign = not (sender.isascii() and to.isascii())
        options, encoding = (["SMTPUTF8"], "utf-8") if foreign else ([], "ascii")
        try:
            if foreign:
                await connection.ehlo()
                if not connection.supports_extension("smtputf8"):
                    return _without_utf8(to)
            await connection.mail(sender, options=options, encoding=encoding)
            await connection.rcpt(to, encoding=encoding)
        except aiosmtplib.SMTPResponseException as refusal:
            with suppress(aiosmtplib.SMTPException, OSError):
                await connection.rset()
            if isinstance(refusal, aiosmtplib.SMTPRecipientRefused):
                said = _refused(refusal, "unreachable")
                return replace(said, bounced=hard_bounce(refusal), soft=said.outcome == "retry")
            return _refused(refusal, "failed")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Receipt("retry", f"the connection was lost: {type(error).__name__}")
        try:
            answer = await connection.data(mail.as_bytes(policy=WIRE_UTF8 if foreign else WIRE))
        except aiosmtplib.SMTPResponseException as refusal:
            return _refused(refusal, "failed")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Doubtful(f"no answer after the mail was handed over: {type(error).__name__}") from error
        return Receipt("sent", provider_id=str(mail["Message-ID"]), detail=answer.message[:200])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP | Receipt]:
        """A connection that is alive, kept for the next mail unless something went wrong with it.

        One that has rested is asked first whether it is still there; one that has just been used is not.
        """
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, connection = self._idle.pop()
            try:
                if now - since > RESTED:
                    await connection.rset()
                break
            except (aiosmtplib.SMTPException, OSError):
                connection.close()
        else:
            settings = self.settings
            password = settings.password.get_secret_value() if settings.password else None
            connection = aiosmtplib.SMTP(
                hostname=settings.host,
                port=settings.port,
                username=settings.username,
                password=password,
                use_tls=settings.tls is True,
                start_tls=True if settings.insists else None,
                timeout=settings.timeout,
            )
            try:
                await connection.connect()
            except (aiosmtplib.SMTPException, OSError) as error:
                connection.close()
                said = f"the mail server cannot be reached: {type(error).__name__}"
                if settings.insists and "STARTTLS" in str(error):
                    said = "the mail server offers no encryption, and JOURNEYS_SMTP_TLS, or a password, requires it"
                if (wrong := _not_verified(error)) is not None:
                    said = f"the certificate of the mail server is not accepted: {wrong}"
                full = isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 500
                yield Receipt("retry" if full else "away", said)
                return
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.is_connected:
            self._idle.append((asyncio.get_running_loop().time(), connection))


def _not_verified(error: BaseException | None) -> str | None:
    """What is wrong with the server's certificate, where that is the cause of an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _without_utf8(to: str) -> Receipt:
    """The server takes ASCII alone, and one of the addresses cannot be written so."""
    whose = "the sender’s address" if to.isascii() else "the address"
    detail = (
        f"{whose} has letters beyond ASCII before its @, and the mail server does not take those (SMTPUTF8)"
    )
    return Receipt("failed" if to.isascii() else "unreachable", detail)


def _refused(refusal: aiosmtplib.SMTPResponseException, final: Any) -> Receipt:
    return Receipt("retry" if 400 <= refusal.code < 500 else final, f"{refusal.code} {refusal.message[:200]}")


def hard_bounce(refusal: aiosmtplib.SMTPResponseException) -> bool:
    """Whether a server says of a recipient that there is no such domain or mailbox (EML-8), by a code of RFC 3463.

    A bare 550 says that as well of who may not send by this server, so it is no such word.
    """
    found = _ENHANCED.match(refusal.message)
    return refusal.code >= 500 and found is not None and found[0] in NO_MAILBOX


def one_line(text: str) -> str:
    """A header's text without anything that could end the header."""
    return _BREAKS.sub(" ", text).strip()


def message_id(key: str, sender: str) -> str:
    """The Message-ID of a dispatch: the same whenever it is sent again, so that receivers can refuse doubles."""
    return f"<{blake2b(key.encode(), digest_size=16).hexdigest()}@{sender.rpartition('@')[2]}>"


def written(content: EmailContent, to: str, key: str) -> Message:
    """The mail as it goes over the wire.

    Raises ValueError where an address cannot be written. The library's older policy takes a quarter of the time of
    its newer one, which parses every header that it is given; so addresses are checked here.
    """
    boundary = _boundary(key, content.text, content.html)
    mail = MIMEMultipart("alternative", boundary, policy=WIRE)
    mail["From"] = _from(one_line(content.sender_name), address(content.sender))
    mail["To"] = _raw(address(to))
    mail["Subject"] = _subject(one_line(content.subject))
    mail["Message-ID"] = message_id(key, address(content.sender))
    mail["Date"] = formatdate()
    if content.unsubscribe:
        mail["List-Unsubscribe"] = f"<{one_line(content.unsubscribe)}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.attach(_part(content.text or "\n", "plain"))
    mail.attach(_part(content.html, "html"))
    return mail


def _boundary(*texts: str) -> str:
    """What parts the texts of a mail. No text holds the digest of itself, so that they need not be searched for it."""
    return "=" + blake2b("\0".join(texts).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def address(text: str) -> str:
    """An address as it goes over the wire: its domain in ASCII, its local part as it is.

    Raises ValueError where it could end a header, or name a second one.
    """
    if not _NOT_IN_ADDRESS.search(text) and text.count("@") == 1:
        local, _, domain = text.partition("@")
        if domain.isascii():
            return text
        with suppress(EmailNotValidError):
            found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
            return f"{local}@{found.ascii_domain}"
    raise ValueError(f"“{one_line(text)}” is not an address that a message can be sent to or from")


def _raw(text: str) -> str:
    """A header that may hold UTF-8, as the library writes it as it is."""
    return text.encode().decode("ascii", "surrogateescape")


def _from(name: str, sender: str) -> str:
    """A name and an address. A name that is long or not ASCII becomes encoded words, none longer than 75 (RFC 2047)."""
    if name.isascii() and len(name) < LONGEST_LINE // 2:
        return formataddr((name, "")).removesuffix(" <>") + f" <{_raw(sender)}>" if name else _raw(sender)
    words = Header(name, "utf-8", LONGEST_WORD, header_name="From").encode(linesep=WIRE.linesep)
    return f"{words} <{_raw(sender)}>"


def _subject(text: str) -> str:
    if text.isascii() and len(text) < LONGEST_LINE - len("Subject: "):
        return text
    return Header(text, "utf-8", LONGEST_WORD, header_name="Subject").encode(linesep=WIRE.linesep)


def _part(text: str, kind: str) -> Message:
    """Plain where lines are short and ASCII; else whichever of the two encodings comes out shorter."""
    text = "\r\n".join(text.splitlines()) + "\r\n"
    if text.isascii() and max(map(len, text.split("\r\n"))) <= LONGEST_LINE:
        plain = Message(policy=WIRE)  # MIMEText comes to the same in several times the time
        plain["Content-Type"] = f'text/{kind}; charset="us-ascii"'
        plain["MIME-Version"] = "1.0"
        plain["Content-Transfer-Encoding"] = "7bit"
        plain.set_payload(text)
        return plain
    foreign = sum(1 for sign in text if sign > "~")
    encoding: Any = QUOTED if foreign * 6 < len(text) else ENCODED  # the stub knows only names of encodings
    return MIMEText(text, kind, encoding, policy=WIRE)
