"""Pages on which a developer reads the mails of a mailbox: a list, and each mail's HTML, text, headers and links.

They are for one's own machine: they ask for no key, and answer under names of this machine only.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PAGE_SIZE = 50
OWN_NAMES = ["127.0.0.1", "localhost", "testserver"]
"""The names under which the pages answer: others' pages in a browser cannot read the mails by a name of theirs."""

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:1rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top;overflow-wrap:anywhere}iframe{width:100%;height:70vh;border:1px solid #ccc}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #ccc;padding:.6rem}nav a{margin-right:1rem}
@media (prefers-color-scheme:dark){body{background:#181818;color:#ddd}a{color:#8ab4f8}iframe{background:#fff}}"""

PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "{more}<title>{title}</title><style>" + STYLE.replace("{", "{{").replace("}", "}}") + "</style></head>"
    "<body><h1>{title}</h1>{body}</body></html>"
)

OWN_PAGES = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'"
SHOWN_MAIL = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:; "
    "style-src 'unsafe-inline'; font-src * data:"
)
"""A mail's HTML runs no scripts; its images are loaded, so that opening it counts as it does at a reader."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail of the folder, by its number."""

    number: int
    arrived: datetime
    message: EmailMessage

    def header(self, name: str) -> str:
        """A header's text; empty where it has none."""
        return str(self.message.get(name, ""))

    def part(self, kind: str) -> str | None:
        """The text of its `html` or `plain` part; None where it has none."""
        found = self.message.get_body((kind,))
        return None if found is None else str(found.get_content())


class _Links(HTMLParser):
    """Collects where the links of a text in HTML lead, with what they show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._address: str | None = None
        self._shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins, or an image within one is shown by its `alt`."""
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self._address, self._shown = given["href"], ""
        elif tag == "img" and self._address is not None:
            self._shown += given.get("alt") or ""

    def handle_data(self, data: str) -> None:
        """Text, perhaps of a link."""
        self._shown += data

    def handle_endtag(self, tag: str) -> None:
        """A link ends."""
        if tag == "a" and self._address is not None:
            self.found.append((" ".join(self._shown.split()), self._address))
            self._address = None


def links_of(html: str) -> list[tuple[str, str]]:
    """The links of a mail, in order: the text that is shown, and the address."""
    reader = _Links()
    reader.feed(html)
    reader.close()
    return reader.found


def numbers_in(folder: Path) -> list[int]:
    """The numbers of the mails that are kept in a folder, the newest first."""
    if not folder.is_dir():
        return []
    return sorted((int(path.stem) for path in folder.glob("*.eml") if path.stem.isdigit()), reverse=True)


def read_mail(folder: Path, number: int) -> Kept:
    """A mail of the folder. Raises FileNotFoundError."""
    path = folder / f"{number:06d}.eml"
    message = email.message_from_bytes(path.read_bytes(), policy=cast("Any", email.policy.default))
    arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Kept(number, arrived, cast("EmailMessage", message))


def mailbox_page(folder: Path) -> Starlette:
    """The pages over the mails that a `Mailbox` keeps in this folder.

    `/` lists them (`?before=N` the older ones), `/mails.json` likewise for programs; `/mails/N` shows one, with its parts at
    `/mails/N/html`, `/text` and `/raw`.
    """

    async def mail(request: Request) -> Kept:
        try:
            return await run_in_threadpool(read_mail, folder, int(request.path_params["number"]))
        except (FileNotFoundError, OverflowError, OSError) as error:
            raise HTTPException(404, "there is no such mail") from error

    async def page_of(request: Request) -> tuple[Sequence[Kept], int | None]:
        """The mails of a page, and where the next one begins."""
        text = request.query_params.get("before", "")
        numbers = await run_in_threadpool(numbers_in, folder)
        if text.isdecimal():
            numbers = [number for number in numbers if number < int(text)]
        shown = numbers[:PAGE_SIZE]
        mails = [await run_in_threadpool(read_mail, folder, number) for number in shown]
        return mails, shown[-1] if len(numbers) > PAGE_SIZE else None

    async def index(request: Request) -> Response:
        mails, before = await page_of(request)
        rows = "".join(
            f"<tr><td>{one.arrived:%Y-%m-%d %H:%M:%S}</td><td>{escape(one.header('To'))}</td>"
            f"<td>{escape(one.header('From'))}</td>"
            f'<td><a href="/mails/{one.number}">{escape(one.header("Subject") or "(no subject)")}</a></td></tr>'
            for one in mails
        )
        body = (
            f"<table><tr><th>arrived (UTC)</th><th>to</th><th>from</th><th>subject</th></tr>{rows}</table>"
            if mails
            else "<p>No mail has arrived yet.</p>"
        )
        if before is not None:
            body += f'<p><a href="/?before={before}">older</a></p>'
        reload = '<meta http-equiv="refresh" content="5">' if "before" not in request.query_params else ""
        return _page("Mailbox", body, more=reload)

    async def listed(request: Request) -> Response:
        mails, before = await page_of(request)
        return JSONResponse({"mails": [_summary(one) for one in mails], "before": before})

    async def shown(request: Request) -> Response:
        one = await mail(request)
        html, text = one.part("html"), one.part("plain")
        links = links_of(html or "")
        nav = '<nav><a href="/">all mails</a>'
        nav += f'<a href="/mails/{one.number}/html">HTML alone</a>' if html is not None else ""
        nav += f'<a href="/mails/{one.number}/text">text alone</a>' if text is not None else ""
        nav += f'<a href="/mails/{one.number}/raw">as it came</a></nav>'
        frame = (
            f'<iframe title="the mail" sandbox="allow-popups allow-popups-to-escape-sandbox" '
            f'src="/mails/{one.number}/html"></iframe>'
        )
        parts = [nav, f"<h2>HTML</h2>{frame}" if html is not None else "<p>It has no HTML part.</p>"]
        parts.append(
            f"<h2>Text</h2><pre>{escape(text)}</pre>" if text is not None else "<p>It has no text part.</p>"
        )
        parts.append(f"<h2>Headers</h2><table>{_rows(one.message.items())}</table>")
        parts.append(
            f"<h2>Links</h2><table>{_rows(links)}</table>" if links else "<h2>Links</h2><p>It has none.</p>"
        )
        return _page(one.header("Subject") or "(no subject)", "".join(parts))

    async def html_part(request: Request) -> Response:
        found = (await mail(request)).part("html")
        if found is None:
            raise HTTPException(404, "the mail has no HTML part")
        return HTMLResponse(found, headers={"content-security-policy": SHOWN_MAIL, **_PRIVATE})

    async def text_part(request: Request) -> Response:
        found = (await mail(request)).part("plain")
        if found is None:
            raise HTTPException(404, "the mail has no text part")
        return Response(found, media_type="text/plain", headers=_PRIVATE)

    async def raw(request: Request) -> Response:
        one = await mail(request)
        content = await run_in_threadpool((folder / f"{one.number:06d}.eml").read_bytes)
        return Response(content, media_type="text/plain", headers=_PRIVATE)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/mails.json", listed),
            Route("/mails/{number:int}", shown),
            Route("/mails/{number:int}/html", html_part),
            Route("/mails/{number:int}/text", text_part),
            Route("/mails/{number:int}/raw", raw),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=OWN_NAMES)],
    )


_PRIVATE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def _page(title: str, body: str, *, more: str = "") -> Response:
    text = PAGE.format(title=escape(title), body=body, more=more)
    return HTMLResponse(text, headers={"content-security-policy": OWN_PAGES, **_PRIVATE})


def _rows(pairs: Sequence[tuple[str, Any]]) -> str:
    return "".join(
        f"<tr><th>{escape(name) or '(no text)'}</th><td>{escape(str(value))}</td></tr>"
        for name, value in pairs
    )


def _summary(one: Kept) -> dict[str, Any]:
    return {
        "number": one.number,
        "arrived": one.arrived.isoformat(),
        "from": one.header("From"),
        "to": one.header("To"),
        "subject": one.header("Subject"),
        "links": [{"text": text, "url": url} for text, url in links_of(one.part("html") or "")],
    }
