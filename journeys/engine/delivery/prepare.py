"""What must hold at the moment of sending, and the content that is handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from journeys.canvas.filters import Filter
from journeys.canvas.kinds import ChannelTemplate, EmailTemplate, WebhookTemplate
from journeys.canvas.plan import Plan
from journeys.canvas.steps import Message
from journeys.engine.audience.match import matches
from journeys.engine.content import (
    Aborted,
    RenderError,
    TemplateError,
    Values,
    compile,
    render_value,
    strip_for_text,
)
from journeys.engine.delivery.claim import Claimed
from journeys.engine.delivery.links import Links, Mark
from journeys.engine.delivery.port import Channel, Content, Recipient
from journeys.engine.people.profiles import History, Profile
from journeys.engine.published import Publication


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that may leave now."""

    content: Content
    to: Recipient
    key: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that does not leave: aborted, unreachable or invalid, and why."""

    outcome: str
    reason: str


def prepare(
    claimed: Claimed,
    channel: Channel,
    publication: Publication,
    plan: Plan,
    profile: Profile,
    past: History,
    now: datetime,
    base: str,
) -> Ready | Refused:
    """Check once more what must hold, and render."""
    step = plan.steps[claimed.step]
    assert isinstance(step, Message), "only message steps make dispatches"
    running = publication.running.get(claimed.canvas)
    if running is not None and running.status != "active":
        return Refused("aborted", "canvas_stopped")
    address = channel.address_of(profile)
    if address is None:
        return Refused("unreachable", "no_address")
    if not _agreed(plan, profile, channel.name):
        return Refused("unreachable", f"not_{plan.canvas.send.subscription}")
    if step.only_when is not None and not _valid(step.only_when, claimed, publication, profile, past, now):
        return Refused("invalid", "only_when")
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
        links={"set_user_to_unsubscribed_url": links.unsubscribe, "unsubscribe_url": links.unsubscribe},
    )
    try:
        made = channel.content.model_validate(content(template, publication, values, links, profile))
    except Aborted as aborted:
        return Refused("aborted", aborted.reason)
    except (RenderError, TemplateError) as error:
        return Refused("aborted", f"{error.code}: {error}")
    except ValidationError as error:
        return Refused(
            "aborted", f"the content is not what the channel takes: {error.error_count()} problems"
        )
    return Ready(made, Recipient(address), claimed.key)


def _agreed(plan: Plan, profile: Profile, channel: str) -> bool:
    """Whether her consent allows it (SUB-1). A webhook tells a server, not her."""
    wanted = plan.canvas.send.subscription
    state = profile.consents.get(channel, "subscribed")
    if wanted == "all" or channel == "webhook":
        return True
    return state == "opted_in" or (wanted == "subscribed" and state == "subscribed")


def _valid(
    only_when: Filter,
    claimed: Claimed,
    publication: Publication,
    profile: Profile,
    past: History,
    now: datetime,
) -> bool:
    person = profile.as_person(publication.zone, past)
    return matches(
        only_when,
        person,
        now=now,
        context=claimed.context,
        segments=publication.segments,
        canvas=claimed.canvas,
    )


def content(
    template: Any, publication: Publication, values: Values, links: Links, profile: Profile
) -> Mapping[str, Any]:
    """The rendered fields of a template. Raises `Aborted`, `RenderError`, `TemplateError`."""
    match template:
        case EmailTemplate():
            return _email(template, publication, values, links, profile)
        case WebhookTemplate():
            return {
                "method": template.method,
                "url": render_value(template.url, values).strip(),
                "headers": {name: render_value(text, values) for name, text in template.headers.items()},
                "json_body": rendered(template.body, values),
                "text": None if template.text is None else render_value(template.text, values),
            }
        case ChannelTemplate():
            return {name: rendered(part, values) for name, part in template.content.items()}
    raise AssertionError(f"there is no other template: {template!r}")


def rendered(value: Any, values: Values) -> Any:
    """A value with all texts within it rendered."""
    if isinstance(value, str):
        return render_value(value, values)
    if isinstance(value, Mapping):
        return {name: rendered(part, values) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(part, values) for part in value]
    return value


def _email(
    template: EmailTemplate, publication: Publication, values: Values, links: Links, profile: Profile
) -> Mapping[str, Any]:
    sender = template.sender or (publication.settings.sender if publication.settings else None)
    if sender is None:
        raise RenderError("neither the template nor the workspace has a sender")
    text = template.text if template.text is not None else strip_for_text(template.html)
    html = compile(template.html).render(values)
    if template.preheader:
        preheader = render_value(template.preheader, values)
        html = f'<div style="display:none;max-height:0;overflow:hidden">{preheader}</div>{html}'
    return {
        "sender_name": sender.name,
        "sender": sender.address,
        "subject": render_value(template.subject, values),
        "html": html if profile.standard.get("email_click_tracking_disabled") else links.rewritten(html),
        "text": render_value(text, values),
        "unsubscribe": links.unsubscribe,
    }
