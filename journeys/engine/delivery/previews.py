"""Renders a message for a person to be looked at: nothing is stored, sent, charged or counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.definition_kinds import EmailTemplate
from journeys.canvas.plan import Plan, compile, walk
from journeys.canvas.steps import Message
from journeys.engine.audience.match import needs
from journeys.engine.content import Aborted, RenderError, TemplateError
from journeys.engine.content.services import Retry
from journeys.engine.core.limits import refusal
from journeys.engine.delivery.message_content import content, sources
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.delivery.tracking_links import Links, Mark
from journeys.engine.people.profiles import Profile, history
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.template_services import Calls, MessageServices, TemplateServices

SHOWN_APART = ("html", "text", "unsubscribe")


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as it would leave, field by field; `refused`: why it would not."""

    fields: Mapping[str, Any]
    html: str | None = None
    text: str | None = None
    refused: str = ""


class _Uncounted(Links):
    """Links that count nothing: those of the mail stay as they are, and our own are signed with a key that nobody has."""

    def rewritten(self, html: str, *, clicks: bool = True, opens: bool = True) -> str:
        """See base class."""
        del clicks, opens
        return html


class _Uncharged(MessageServices):
    """Answers that charge no promotion code."""

    async def _charged(
        self, db: Database, snippets: Iterable[str], send: str, now: datetime
    ) -> Mapping[str, str]:
        del db, send, now
        return {snippet: f"CODE-OF-{snippet}" for snippet in snippets}


async def previewed(
    db: Database,
    publication: Publication,
    template_name: str,
    profile: Profile,
    now: datetime,
    properties: Mapping[str, Any],
    calls: Calls | None = None,
) -> Preview:
    """A template for a person now, as the first step that sends it would. `properties`: of the event that brings them in.

    Without `calls` web services are not called: they answer nothing.
    """
    template = publication.templates[template_name]
    plan, step = _sender(publication, template_name, template.channel)
    mark = Mark(publication.workspace, profile.id, uuid4(), plan.canvas.name, step.id, template.channel)
    links = _Uncounted(PublicSettings().public_url.rstrip("/"), token_bytes(32), mark)
    variant = next(
        (arm.name for arm in plan.canvas.arms if any(each.id == step.id for each in walk(arm.steps))), None
    )
    values = publication.values(
        profile,
        plan,
        step.id,
        variant,
        properties,
        properties,
        now,
        dispatch=mark.dispatch,
        links=links.named(),
        centres={name: links.preferences(name) for name in publication.centres},
    )
    services = _Uncharged(TemplateServices.of(db, calls), publication, profile.id)
    kept = await _kept(db, publication, plan, step, profile, now, properties)
    try:
        values = await services.get_ready(list(sources(template)), values, mark.dispatch, now)
        made = dict(await content(template, publication, values, links, profile, services))
    except Aborted as aborted:
        return Preview({}, refused=f"{aborted.code}: {aborted.reason}")
    except Retry as retry:
        host = urlsplit(retry.url).hostname
        said = f"{host} answered {retry.status}" if calls else f"it waits for {host}, which --call calls"
        return Preview({}, refused=said)
    except (RenderError, TemplateError) as error:
        return Preview({}, refused=f"{error.code}: {error}")
    fields = {name: value for name, value in made.items() if name not in SHOWN_APART and value is not None}
    if isinstance(template, EmailTemplate):
        return Preview(fields, made["html"], made["text"], kept)
    return Preview(fields, text=made.get("text"), refused=kept)


def _sender(publication: Publication, template: str, channel: str) -> tuple[Plan, Message]:
    """The first step that sends this template; one of a canvas of its own where none does."""
    for _, running in sorted(publication.running.items()):
        for step in running.plan.steps.values():
            if isinstance(step, Message) and step.template == template:
                return running.plan, step
    step = Message(id="preview", channel=channel, template=template)
    return compile(Canvas(name="preview", schedule=Schedule(api=True), steps=(step,))), step


async def _kept(
    db: Database,
    publication: Publication,
    plan: Plan,
    step: Message,
    profile: Profile,
    now: datetime,
    context: Mapping[str, Any],
) -> str:
    """Why it would not leave, as consent and the message's own condition say."""
    filters = [each for _, each in step.filters()]
    asked = {profile.id: (needs(filters, publication.segments), now)}
    past = (await history(db.pool, publication.workspace, asked)).get(profile.id)
    found = refusal(
        plan,
        step,
        profile.as_person(publication.zone, past),
        now,
        reachable=step.channel != "email" or profile.email is not None,
        context=context,
        segments=publication.segments,
    )
    return "" if found is None else f"{found.outcome}: {found.reason}"
