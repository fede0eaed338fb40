"""Prepares a message at the moment of sending: checks the conditions and renders the content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.content import Aborted, RenderError, TemplateError
from journeys.engine.content.services import Retry
from journeys.engine.core.limits import refusal
from journeys.engine.delivery.channel import Channel, Content, Recipient
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.message_content import content, sources
from journeys.engine.delivery.tracking_links import Links, Mark
from journeys.engine.fair_threads import work_for
from journeys.engine.people.profiles import History, Profile
from journeys.engine.workspaces.published import Publication
from journeys.engine.workspaces.template_services import MessageServices


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that may leave now. `extras`: what its template said by `message_extras`, for the fact of its sending."""

    content: Content
    to: Recipient
    key: str
    extras: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that does not leave: aborted, unreachable or invalid; a code that says why, and words beside it."""

    outcome: str
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Postponed:
    """A message that is rendered again later: a web service that it waits for failed (C3)."""

    host: str
    status: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that could not be prepared, for a reason that is not its own: it is tried again, as a failed call is."""

    reason: str


async def prepare(
    claimed: Claimed,
    channel: Channel,
    publication: Publication,
    plan: Plan,
    profile: Profile,
    past: History,
    now: datetime,
    base: str,
    services: MessageServices,
    key: Any = None,
) -> Ready | Refused | Postponed:
    """Check once more what must hold, and render. Does not wait if the template makes no calls. `key`: the entry's."""
    work_for(claimed.workspace)
    step = plan.steps[claimed.step]
    assert isinstance(step, Message), "only message steps make dispatches"
    address = channel.address_of(profile)
    refused = refusal(
        plan,
        step,
        profile.as_person(publication.zone, past),
        now,
        reachable=address is not None,
        context=claimed.context,
        segments=publication.segments,
        key=key,
        entry=str(claimed.entry),  # CTL-10
    )
    if refused is not None:
        return Refused(refused.outcome, refused.reason)
    assert address is not None, "a person without an address is refused"
    template = publication.templates.get(step.template)
    if template is None:
        return Refused("aborted", "no_template")
    mark = Mark(claimed.workspace, claimed.person, claimed.entry, claimed.canvas, claimed.step, channel.name)
    links = Links(base, publication.secret, mark)
    values = publication.values(
        profile,
        plan,
        claimed.step,
        claimed.variant,
        claimed.context,
        claimed.properties,
        now,
        dispatch=claimed.key,
        links=links.named(),
        centres={name: links.preferences(name) for name in publication.centres},  # A46
    )
    try:
        values = await services.get_ready(list(sources(template)), values, send_of(claimed), now)  # A46, P2
        made = channel.content.model_validate(
            await content(template, publication, values, links, profile, services)
        )
    except Aborted as aborted:
        return Refused("aborted", aborted.code, aborted.reason)  # LIQ-1, A2
    except Retry as retry:
        return Postponed(urlsplit(retry.url).hostname or "", retry.status)
    except (RenderError, TemplateError) as error:
        return Refused("aborted", error.code, str(error))
    except ValidationError as error:
        text = f"the content is not what the channel takes: {error.error_count()} problems"
        return Refused("aborted", "invalid_content", text)
    return Ready(made, Recipient(address), claimed.key, services.extras)


def send_of(claimed: Claimed) -> str:
    """What promotion codes are charged to: an entry's step, on whichever channels it writes (P2)."""
    return f"{claimed.entry}:{claimed.step}"  # P2
