"""The links in messages: the open pixel, the click redirect, the unsubscribe page (RFC 8058)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from journeys.api.requests import IN_WORK
from journeys.api.services import Services
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Forged, Kind, Mark, peek, read
from journeys.engine.fair_threads import work_for
from journeys.engine.workspaces.published import Unknown

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
QUIET = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:18px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}}
button{{font:inherit;padding:.5rem 1.5rem}}</style><h1>{title}</h1><p>{text}</p>{form}</html>"""


async def _mark(request: Request, kind: Kind, url: str = "") -> Mark | None:
    """Whose message the link was in; None for a link that is not valid."""
    services: Services = request.app.state.services
    token = request.path_params["token"]
    try:
        publication = await services.published.of(peek(token).workspace)
        return read(publication.secret, kind, token, url)
    except (Forged, Unknown):
        return None


async def _engaged(
    request: Request, mark: Mark, name: str, properties: Mapping[str, Any] | None = None
) -> None:
    services: Services = request.app.state.services
    work_for(mark.workspace)
    async with IN_WORK.of(mark.workspace):
        await engaged(
            services.db,
            services.published,
            services.clock,
            services.alarm_sync,
            services.notifier,
            mark,
            name,
            properties,
        )


async def opened(request: Request) -> Response:
    """The pixel: the person opens the message. A request for the headers only does not count."""
    mark = await _mark(request, "open")
    if mark is not None and request.method == "GET":
        await _engaged(request, mark, "opened")
    return Response(PIXEL, media_type="image/gif", headers=QUIET)


async def clicked(request: Request) -> Response:
    """Count the click and redirect; an address without a valid signature is refused."""
    url = request.query_params.get("u", "")
    mark = await _mark(request, "click", url)
    if mark is None or not url.lower().startswith(("http://", "https://")):
        return page("This link is not valid", "It may be incomplete.", 404)
    if request.method == "GET":
        await _engaged(request, mark, "clicked", {"url": url})
    return RedirectResponse(url, 302, headers=QUIET)


async def unsubscribe(request: Request) -> Response:
    """Ask before acting, since scanners follow links; a POST acts, from the page or from a mail reader (RFC 8058)."""
    mark = await _mark(request, "unsubscribe")
    if mark is None:
        return page("This link is not valid", "It may be incomplete.", 404)
    if request.method != "POST":
        form = '<form method="post"><button>Unsubscribe</button></form>'  # to wherever this page was found
        return page("Unsubscribe?", "You will not receive these messages any more.", form=form)
    await _engaged(request, mark, "unsubscribed")
    return page("You are unsubscribed", "You will not receive these messages any more.")


def page(title: str, text: str, status: int = 200, form: str = "") -> Response:
    """A short page of ours."""
    return HTMLResponse(PAGE.format(title=escape(title), text=escape(text), form=form), status, headers=QUIET)


def routes() -> list[Route]:
    """The routes of the links; they need no key, because links are signed."""
    return [
        Route("/o/{token}", opened, methods=["GET", "HEAD"]),
        Route("/c/{token}", clicked, methods=["GET", "HEAD"]),
        Route("/u/{token}", unsubscribe, methods=["GET", "HEAD", "POST"]),
    ]
