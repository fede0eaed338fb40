"""The kinds of definitions besides canvases: segments, templates, catalogs, content blocks, the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from journeys.canvas.canvas import Canvas
from journeys.canvas.catalogs import Catalog
from journeys.canvas.content_blocks import ContentBlock
from journeys.canvas.filters import Filter
from journeys.canvas.frozen_model import Frozen, Many, is_liquid, texts
from journeys.canvas.ownership import Owned
from journeys.canvas.problems import meant, shown, wrong
from journeys.canvas.retention import Retention
from journeys.canvas.steps.base import Id
from journeys.canvas.storable_characters import foreign
from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.canvas.times import ZoneName

FORMAT = 1
"""The format of definitions that this version writes and reads."""

TEMPLATE_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,99}(/[A-Za-z0-9][A-Za-z0-9_-]{0,99})*$"


class Segment(Frozen):
    """A named audience."""

    kind: ClassVar[str] = "segment"
    name: Id
    """The name of the segment."""
    description: str = ""
    """Who is in it, in words."""
    when: Filter
    """Who is in it."""


class Sender(Frozen):
    """The sender of a mail. In a template it may hold Liquid."""

    name: str = ""
    """The name that mails show."""
    address: Annotated[str, Field(pattern=r"^([^@\s<>]+@[^@\s<>]+|.*\{[{%].*)$")]
    """The address that they come from."""


class EmailTemplate(Frozen):
    """A mail: subject and HTML in Liquid; the text part is made from the HTML where left out.

    Comments are taken out of the HTML before its Liquid is read, unless they are to be kept.
    """

    kind: ClassVar[str] = "template"
    name: Annotated[str, Field(pattern=TEMPLATE_NAME)]
    """The name of the template, with slashes for folders."""
    channel: Literal["email"] = "email"
    """The channel."""
    sender: Sender | None = None
    """The sender; that of the workspace where it is left out."""
    subject: Annotated[str, Field(min_length=1)]
    """The subject, in Liquid."""
    preheader: str = ""
    """The line that mail programs show beside the subject, in Liquid."""
    html: Annotated[str, Field(min_length=1)]
    """The HTML, in Liquid."""
    html_comments: Literal["removed", "kept"] = "removed"
    """Whether comments are taken out before Liquid is read."""
    text: str | None = None
    """The text part, in Liquid; made from the HTML where it is left out."""
    owner: Owned = None
    """Who manages it beside this file: `api` leaves what is there alone, `file` takes it back from the API."""

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The Liquid of this template, by the place at which it is written."""
        found: dict[tuple[str | int, ...], str] = {("subject",): self.subject, ("html",): self.html}
        if self.sender is not None:
            written = self.sender.model_dump()
            found.update({("sender", name): text for name, text in written.items() if is_liquid(text)})
        if self.preheader:
            found["preheader",] = self.preheader
        if self.text is not None:
            found["text",] = self.text
        return found


def _header(text: str) -> str:
    found = foreign(text)
    if found and "{" not in text:
        raise wrong("J103", f"a header contains “{found}”; headers take ASCII characters only")
    return text


class WebhookTemplate(Frozen):
    """A call: method, address, headers, and a body that is sent as JSON, or `text` for anything else."""

    kind: ClassVar[str] = "template"
    name: Annotated[str, Field(pattern=TEMPLATE_NAME)]
    """The name of the template, with slashes for folders."""
    channel: Literal["webhook"] = "webhook"
    """The channel."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The method of the call."""
    url: Annotated[str, Field(min_length=1)]
    """The address, in Liquid."""
    headers: dict[str, Annotated[str, AfterValidator(_header)]] = {}
    """Headers by name, in Liquid."""
    body: Any = None
    """A body that is sent as JSON; texts may hold Liquid."""
    text: str | None = None
    """A body that is sent as it is, in Liquid."""

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The Liquid of this template, by the place at which it is written."""
        found: dict[tuple[str | int, ...], str] = {("url",): self.url}
        found.update({("headers", name): value for name, value in self.headers.items()})
        found.update(texts(self.body, ("body",)))
        if self.text is not None:
            found["text",] = self.text
        return found


class ChannelTemplate(Frozen):
    """Content for a channel of another package: its fields, in Liquid, under `content`."""

    kind: ClassVar[str] = "template"
    name: Annotated[str, Field(pattern=TEMPLATE_NAME)]
    """The name of the template, with slashes for folders."""
    channel: Id
    """The channel."""
    content: dict[str, Any]
    """Its fields, in Liquid."""

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The Liquid of this template, by the place at which it is written."""
        return texts(self.content, ("content",))


TEMPLATES: Mapping[str, Any] = {"email": EmailTemplate, "webhook": WebhookTemplate}


def _has_channel(value: Any) -> Any:
    channel = value.get("channel") if isinstance(value, Mapping) else getattr(value, "channel", None)
    if channel is None:
        raise wrong("J102", "the template has no channel", f"one of {', '.join(TEMPLATES)}")
    if isinstance(value, ChannelTemplate) or (isinstance(value, Mapping) and "content" in value):
        return value
    if not isinstance(channel, str) or channel not in TEMPLATES:
        message = f"there is no channel {shown(channel)} for templates"
        raise wrong("J303", message, meant(str(channel), TEMPLATES), at=("channel",))
    return value


def _channel(value: Any) -> str:
    channel = str(value["channel"] if isinstance(value, Mapping) else value.channel)
    return channel if channel in TEMPLATES else "other"


Template = Annotated[
    Annotated[EmailTemplate, Tag("email")]
    | Annotated[WebhookTemplate, Tag("webhook")]
    | Annotated[ChannelTemplate, Tag("other")],
    Discriminator(_channel),
    BeforeValidator(_has_channel),
]


LIMITS = {
    "general": 3600,
    "users.track": 3,
    "subscriptions": 60,
    "preference_centers": 60,
    "preference_centers.update": 60,
    "users": 60,
    "users.external_ids.rename": 60,
    "users.external_ids.remove": 60,
    "broadcast": 60,
    "broadcast.audience": 60,
    "lists": 3600,
    "users.export.ids": 60,
    "users.export.ids.fields": 1,
    "users.track.sync": 60,
    "catalogs": 60,
    "catalogs.fields": 60,
    "catalogs.items": 60,
    "catalogs.item": 60,
}
"""The limits of calls that a workspace may set, and the seconds of the window of each (LIM-3)."""

MOST_CALLS = 10_000_000


def _limits(given: Mapping[str, int]) -> Mapping[str, int]:
    for name in given:
        if name not in LIMITS:
            raise wrong("J101", f"there is no limit “{name}”", meant(name, LIMITS), at=(name,))
    return given


class GlobalControl(Frozen):
    """The global control group: people whom no canvas lets in, to be compared with all the others (GCG-1, GCG-2).

    They are drawn by their random bucket, so that the share stays the same as people come. A canvas that has one of
    `except_tags` lets them in (GCG-3). The share cannot be changed while there is a group: take the group out, publish, and
    then publish another, which is drawn anew (GCG-4).
    """

    share: Annotated[int, Field(ge=1, le=15, strict=True)]
    """Per cent of all people."""
    except_tags: Many[str] = ()
    """Tags of canvases that let them in."""


class WorkspaceSettings(Frozen):
    """A workspace: the company's zone, the default sender of its mails, its tags, its global control group, how long it keeps
    its data, and the limits of calls to its API.

    `limits` says how many calls a window takes, by the name of the limit, where that is not the usual number (LIM-3).
    """

    kind: ClassVar[str] = "workspace"
    name: Id
    """The name of the workspace."""
    zone: ZoneName = "UTC"
    """The time zone of the company."""
    sender: Sender | None = None
    """The sender of mails whose template names none."""
    tags: Many[str] = ()
    """The tags that canvases may have."""
    retention: Retention | None = Field(default=None, exclude_if=lambda given: given is None)
    """How long its data are kept; for ever where it is left out."""
    limits: Annotated[
        dict[str, Annotated[int, Field(ge=1, le=MOST_CALLS, strict=True)]], AfterValidator(_limits)
    ] = Field(default_factory=dict)
    """How many calls a window takes, by the name of the limit."""
    global_control: GlobalControl | None = None
    """People whom no canvas lets in, for comparison; nobody where it is left out."""

    @model_validator(mode="after")
    def _tagged(self) -> Self:
        for place, tag in enumerate(self.global_control.except_tags if self.global_control else ()):
            if self.tags and tag not in self.tags:
                message = f"the workspace has no tag “{tag}”"
                at = ("global_control", "except_tags", place)
                raise wrong("J103", message, meant(tag, self.tags), at=at)
        return self


KINDS: Mapping[str, Any] = {
    "canvas": TypeAdapter(Canvas),
    "segment": TypeAdapter(Segment),
    "template": TypeAdapter(Template),
    "content_block": TypeAdapter(ContentBlock),
    "catalog": TypeAdapter(Catalog),
    "subscription_group": TypeAdapter(SubscriptionGroup),
    "workspace": TypeAdapter(WorkspaceSettings),
}
LIQUID: Mapping[str, tuple[str, ...]] = {
    "template": ("sender", "subject", "preheader", "html", "url", "headers", "body", "text", "content"),
    "content_block": ("content",),
}
"""The keys of a definition under which Liquid stands."""
LATER_KINDS = (
    "campaign", "source", "flag", "caps", "quiet_hours",
    "sending_domain", "attributes",
)  # fmt: skip


def parse(kind: str, body: Any) -> Any:
    """The value of a definition's body.

    Raises pydantic's ValidationError where it has the wrong shape, KeyError where there is no such kind.
    """
    return KINDS[kind].validate_python(body)


def kind_of(value: Any) -> str:
    """The kind of a definition."""
    return "canvas" if isinstance(value, Canvas) else str(value.kind)
