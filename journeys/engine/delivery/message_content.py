"""Renders the fields of a template, by channel. All fields of a message share one set of answers to calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from journeys.canvas.definition_kinds import ChannelTemplate, EmailTemplate, Template, WebhookTemplate
from journeys.engine.content import (
    RenderError,
    TemplateError,
    Values,
    compile,
    compile_html,
    text_part,
    without_comments,
)
from journeys.engine.content import Template as Compiled
from journeys.engine.content.html_reading import begin_of_body
from journeys.engine.content.services import Retry, Services
from journeys.engine.content.thread_offloading import THREADS
from journeys.engine.delivery.tracking_links import Links
from journeys.engine.people.profiles import Profile
from journeys.engine.workspaces.published import Publication


def makes_calls(template: Template) -> bool:
    """Whether rendering it makes calls, and so may take a while."""
    try:
        return any(compile(source).needs_async for source in sources(template))
    except TemplateError:
        return False


def sources(template: Template) -> Iterator[str]:
    """The Liquid that is run for a message: not what stands in comments of a mail's HTML (L8)."""
    removed = isinstance(template, EmailTemplate) and template.html_comments == "removed"
    for path, source in template.sources().items():
        yield without_comments(source) if removed and path == ("html",) else source


async def content(
    template: Template,
    publication: Publication,
    values: Values,
    links: Links,
    profile: Profile,
    services: Services,
) -> Mapping[str, Any]:
    """The rendered fields of a template.

    Raises `Aborted`; `RenderError` and `TemplateError`, whose texts begin with the field that they are about; and `Retry`, but only where no field aborted (A4, C3).
    """
    fields = _Fields(values, services)
    match template:
        case EmailTemplate():
            made = await _email(template, publication, links, profile, fields)
        case WebhookTemplate():
            made = {
                "method": template.method,
                "url": (await fields.text("url", template.url)).strip(),
                "headers": await fields.all("headers", template.headers),
                "json_body": await fields.all("body", template.body),
                "text": None if template.text is None else await fields.text("text", template.text),
            }
        case ChannelTemplate():
            made = await fields.all("", template.content)
        case _:
            raise AssertionError(f"unknown template: {template!r}")
    if services.retry is not None:
        raise services.retry  # C3
    return made


class _Fields:
    """Renders the fields of one message. One that waits for a web service stops no other: one of those may abort."""

    def __init__(self, values: Values, services: Services) -> None:
        self._values = values
        self._services = services

    async def text(self, name: str, source: str, compiler: Callable[[str], Compiled] = compile) -> str:
        """A field."""
        if "{" not in source and compiler is compile:
            return source  # as most names of senders
        try:
            return await compiler(source).render_async(self._values, self._services)
        except Retry:  # A4, C3: the services keep it
            return ""
        except (RenderError, TemplateError) as error:
            error.args = (f"{name}, {error}",)  # E5
            raise

    async def all(self, name: str, value: Any) -> Any:
        """A value with all texts within it rendered. `name`: the field that it is; nothing for all fields together."""
        if isinstance(value, str):
            return await self.text(name, value)
        if isinstance(value, Mapping):
            return {key: await self.all(f"{name}.{key}".lstrip("."), part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [await self.all(f"{name}.{place}", part) for place, part in enumerate(value)]
        return value


async def _email(
    template: EmailTemplate, publication: Publication, links: Links, profile: Profile, fields: _Fields
) -> Mapping[str, Any]:
    sender = template.sender or (publication.settings.sender if publication.settings else None)
    if sender is None:
        raise RenderError("neither the template nor the workspace has a sender")
    compiler = compile_html if template.html_comments == "removed" else compile  # L8
    html = await fields.text("html", template.html, compiler)
    preheader = await fields.text("preheader", template.preheader) if template.preheader else ""
    name, address = sender.name, sender.address
    if template.sender is not None:
        name = await fields.text("sender.name", name)
        address = (await fields.text("sender.address", address)).strip()
    text = None if template.text is None else await fields.text("text", template.text)
    counted = partial(
        links.rewritten,
        clicks=not profile.standard.get("email_click_tracking_disabled"),
        opens=not profile.standard.get("email_open_tracking_disabled"),
    )
    parts = partial(_parts, html, text, preheader, counted)
    html, text = parts() if len(html) < LONG else await THREADS.run(parts)
    return {
        "sender_name": name,
        "sender": address,
        "subject": await fields.text("subject", template.subject),
        "html": html,
        "text": text,
        "unsubscribe": links.unsubscribe,
    }


LONG = 20_000
"""Characters of HTML that are gone through in a thread, so that the event loop is not held."""


def _parts(html: str, text: str | None, preheader: str, counted: Callable[[str], str]) -> tuple[str, str]:
    """The HTML as it is sent, and the text part: both from one rendering, unless the text has a template of its own (L9)."""
    text = text_part(html) if text is None else text
    if preheader:
        begin = begin_of_body(html)
        hidden = f'<div style="display:none;max-height:0;overflow:hidden">{preheader}</div>'
        html = html[:begin] + hidden + html[begin:]
    return counted(html), text
