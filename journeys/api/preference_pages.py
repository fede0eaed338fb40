"""The hosted preference centre: a page that a person opens by a signed link, and whose form is saved (PFC-2)."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from journeys.api.links import QUIET, page
from journeys.api.services import Services
from journeys.engine.content import Aborted, RenderError, TemplateError, Values, compile
from journeys.engine.delivery.tracking_links import Forged, PreferenceLink
from journeys.engine.intake.preferences import save_preferences
from journeys.engine.large_requests import apart
from journeys.engine.people.merged import merged_into
from journeys.engine.people.profiles import Profile, load
from journeys.engine.workspaces.liquid_values import page_values
from journeys.engine.workspaces.preference_centres import (
    UnknownField,
    pages_to_show,
    submitted,
    with_fields,
)
from journeys.engine.workspaces.published import Publication, Unknown

LARGEST_FORM = 64 * 1024
MOST_FIELDS = 1000
UNREADABLE = (UnknownField, Aborted, RenderError, TemplateError)
"""A page that was changed, or a group that went, since it was made."""
STRICT = {**QUIET, "content-security-policy": "script-src 'none'; object-src 'none'; frame-ancestors 'none'"}
"""A page needs no script, and what a profile says can bring none in."""


async def preferences(request: Request) -> Response:
    """Show the page of a centre; a POST saves what its form says, and shows the confirmation."""
    services: Services = request.app.state.services
    token = request.path_params["token"]
    try:
        publication = await services.published.of(PreferenceLink.peek(token).workspace)
        link = PreferenceLink.read(publication.secret, token)
    except (Forged, Unknown):
        return _invalid()
    shown = await pages_to_show(services.db.pool, link.workspace, link.centre, publication.groups)
    profile = await _profile(services, link)
    if shown is None or profile is None:
        return _invalid()
    try:
        source, fields = with_fields(shown.page, publication.groups)
        if request.method != "POST":
            return await _shown(services, publication, source, profile, token)
        form = await _form(request)
        if form is None:
            return page("This form is too large", "Nothing was saved.", 413)
        said = submitted(fields, form)
        saved = await save_preferences(services.db, publication, services.clock, link.person, *said)
    except UNREADABLE:
        return page("This page cannot be shown", "Please try again later.", 404)
    try:
        confirmation, _ = with_fields(shown.confirmation, publication.groups)
        return await _shown(services, publication, confirmation, saved or profile, token)
    except UNREADABLE:
        return page("Your choice is saved", "It holds from now on.")


def _invalid() -> Response:
    return page("This link is not valid", "It may be incomplete.", 404)


async def _profile(services: Services, link: PreferenceLink) -> Profile | None:
    """Whose page it is, or who they are now."""
    pool = services.db.pool
    now = (await merged_into(pool, link.workspace, [link.person])).get(link.person, link.person)
    return (await load(pool, link.workspace, [now], consents=True)).get(now)


async def _form(request: Request) -> dict[str, str] | None:
    """The form; None where it is too large. Of a field that is there twice the last counts."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_FORM:
            return None
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return None


async def _shown(
    services: Services, publication: Publication, source: str, profile: Profile, token: str
) -> Response:
    values = page_values(profile, publication.groups.values(), token, services.clock.now())
    return HTMLResponse(await apart(partial(_rendered, source), values), headers=STRICT)


def _rendered(source: str, values: Values) -> str:
    return compile(source).render(values)


def routes() -> list[Route]:
    """The route of the pages; it needs no key, because links are signed."""
    return [Route("/p/{token}", preferences, methods=["GET", "HEAD", "POST"])]
