"""Signed links in messages: the open pixel, the click redirect, the unsubscribe page, preference centres.

They carry opaque ids and nothing personal, cannot be forged, and lead only to the address of the message's author:
the signature covers the address. Each kind of link is signed for itself, so that none can be used as another.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from journeys.engine.content.html_reading import address
from journeys.engine.content.known_names import UNSUBSCRIBE

Kind = Literal["open", "click", "unsubscribe", "preferences"]
PATHS = {"open": "o", "click": "c", "unsubscribe": "u", "preferences": "p"}
SIZE = 16


class Forged(ValueError):
    """A link that we did not make."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a link says: whose message it was in, by opaque ids."""

    workspace: int
    person: UUID
    entry: UUID
    canvas: str
    step: str
    channel: str

    @property
    def dispatch(self) -> str:
        """The key of the dispatch that the message was."""
        return f"{self.entry}/{self.step}"

    @property
    def properties(self) -> dict[str, str]:
        """What the events of an engagement say of the message."""
        return {
            "canvas": self.canvas,
            "step": self.step,
            "channel": self.channel,
            "dispatch": self.dispatch,
        }


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _sign(secret: bytes, kind: Kind, payload: str, url: str) -> bytes:
    return hmac.digest(secret, f"journeys link 1\n{kind}\n{payload}\n{url}".encode(), "sha256")[:SIZE]


def token(secret: bytes, kind: Kind, mark: Mark, url: str = "") -> str:
    """The signed token of a link."""
    said = [mark.workspace, mark.person.hex, mark.entry.hex, mark.canvas, mark.step, mark.channel]
    payload = _b64(msgspec.json.encode(said))
    return f"{payload}.{_b64(_sign(secret, kind, payload, url))}"


def peek(text: str) -> Mark:
    """What a token says, before its signature is known to be right. Raises Forged where it is no token."""
    try:
        said = msgspec.json.decode(_raw(text.partition(".")[0]), type=tuple[int, str, str, str, str, str])
        if not 0 < said[0] < 2**31:
            raise Forged("this is no link of ours")
        return Mark(said[0], UUID(said[1]), UUID(said[2]), *said[3:])
    except (ValueError, msgspec.DecodeError) as error:
        raise Forged("this link is not valid") from error


def read(secret: bytes, kind: Kind, text: str, url: str = "") -> Mark:
    """What a token says. Raises Forged where it was not signed by this workspace for this use and address."""
    mark = peek(text)
    payload, _, signature = text.partition(".")
    try:
        given = _raw(signature)
    except ValueError as error:
        raise Forged("this link is not valid") from error
    if not hmac.compare_digest(given, _sign(secret, kind, payload, url)):
        raise Forged("this link is not valid")
    return mark


@dataclass(frozen=True, slots=True)
class PreferenceLink:
    """What the link to a preference centre says: whose it is, by opaque ids, and the name of the centre."""

    workspace: int
    person: UUID
    centre: str

    def token(self, secret: bytes) -> str:
        """The signed token of the link."""
        payload = _b64(msgspec.json.encode([self.workspace, self.person.hex, self.centre]))
        return f"{payload}.{_b64(_sign(secret, 'preferences', payload, ''))}"

    def url(self, base: str, secret: bytes) -> str:
        """The address of the page. `base` is the public address of the API, without a slash at its end."""
        return f"{base}/{PATHS['preferences']}/{self.token(secret)}"

    @classmethod
    def peek(cls, text: str) -> PreferenceLink:
        """What a token says, before its signature is known to be right. Raises Forged where it is no token."""
        try:
            said = msgspec.json.decode(_raw(text.partition(".")[0]), type=tuple[int, str, str])
            if not 0 < said[0] < 2**31:
                raise Forged("this is no link of ours")
            return cls(said[0], UUID(said[1]), said[2])
        except (ValueError, msgspec.DecodeError) as error:
            raise Forged("this link is not valid") from error

    @classmethod
    def read(cls, secret: bytes, text: str) -> PreferenceLink:
        """What a token says. Raises Forged where it was not signed by this workspace."""
        link = cls.peek(text)
        if not hmac.compare_digest(link.token(secret).encode(), text.encode()):
            raise Forged("this link is not valid")
        return link


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one message. `base` is the public address of the API, without a slash at its end."""

    base: str
    secret: bytes
    mark: Mark

    def _to(self, kind: Kind, url: str = "") -> str:
        path = f"{self.base}/{PATHS[kind]}/{token(self.secret, kind, self.mark, url)}"
        return path + ("?" + urlencode({"u": url}) if url else "")

    @property
    def pixel(self) -> str:
        """The address of the open pixel."""
        return self._to("open")

    @property
    def unsubscribe(self) -> str:
        """The address of the unsubscribe page."""
        return self._to("unsubscribe")

    def preferences(self, centre: str) -> str:
        """The address of a preference centre of the person."""
        return PreferenceLink(self.mark.workspace, self.mark.person, centre).url(self.base, self.secret)

    def named(self) -> dict[str, str]:
        """The links that a message names by `${x}`."""
        found = dict.fromkeys(UNSUBSCRIBE, self.unsubscribe)
        return {**found, "preference_center_url": self.preferences("default")}

    def click(self, url: str) -> str:
        """The address that counts a click and leads to `url`."""
        return self._to("click", url)

    def rewritten(self, html: str, *, clicks: bool = True, opens: bool = True) -> str:
        """The HTML with its links counted and the pixel at its end, each where the person is not exempt from it.

        Our own links and anything but http stay.
        """
        counted = _HREF.sub(self._counted, html) if clicks else html
        if not opens:
            return counted
        pixel = f'<img src="{escape(self.pixel)}" width="1" height="1" alt="" style="display:none">'
        before, closing, after = counted.rpartition("</body>")
        return f"{before}{pixel}{closing}{after}" if closing else counted + pixel

    def _counted(self, match: re.Match[str]) -> str:
        url = address(match["url"])
        if not url.lower().startswith(("http://", "https://")) or url.startswith(self.base + "/"):
            return match[0]
        return f"{match['before']}{match['quote']}{escape(self.click(url))}{match['quote']}"


_HREF = re.compile(
    r"(?P<before><a\s(?:[^<>]*?\s)?href\s*=\s*)(?P<quote>[\"'])(?P<url>[^\"'<>]*)(?P=quote)", re.IGNORECASE
)
