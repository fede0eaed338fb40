"""`/templates/email`: create, update, list and read templates for mails (TPL-4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from journeys.api.content_blocks import managed_by_file, tags_of
from journeys.api.operations import Answered, Asked, Operation
from journeys.api.query_values import Instant
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.canvas.definition_kinds import EmailTemplate
from journeys.engine.content import problems
from journeys.engine.large_requests import apart
from journeys.engine.people.profile_export import instant
from journeys.engine.workspaces import email_templates
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.content_blocks import hold

MOST, USUAL = 1000, 100
"""The maximum number of templates on one list, and the default."""

LONGEST_TITLE = 255
"""Characters of a template's name."""

NOT_INLINE = "'should_inline_css' is kept; the CSS of mails is sent as it is written"

Tags = Annotated[Any, WithJsonSchema({"type": "array", "items": {"type": "string"}})]


class Written(Asked):
    """What a template says, in Liquid."""

    template_name: str | None = None
    subject: str | None = None
    body: str | None = None
    """The HTML."""
    plaintext_body: str | None = None
    """The text part; made from the HTML where it is left out."""
    preheader: str | None = None
    tags: Tags = None
    should_inline_css: bool | None = None


class Edit(Written):
    """A change of a template: what is left out stays as it is. `owner: api` takes over one that a file manages."""

    email_template_id: str
    owner: Literal["api"] | None = None


class Made(Answered):
    """The template by its id, and by the name under which canvases find it."""

    email_template_id: str
    name: str
    notice: str | None = None


class AskedTemplates(Asked):
    """Which templates are asked for, by the time of their last edit."""

    modified_after: Instant | None = None
    modified_before: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = USUAL
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


class Listed(BaseModel):
    """A template in a list. `owner` manages it."""

    email_template_id: str
    template_name: str
    name: str
    owner: Literal["file", "api"]
    created_at: str
    updated_at: str
    tags: list[str]


class Templates(Answered):
    """A list of templates, the oldest first."""

    count: int
    templates: list[Listed]


class AskedTemplate(Asked):
    """Which template is asked for."""

    email_template_id: str


class Whole(Listed, Answered):
    """One template."""

    description: str = ""
    subject: str
    preheader: str
    body: str
    plaintext_body: str
    should_inline_css: bool


async def create(services: Services, key: Key, asked: Written) -> Made:
    """Make a template. Its name for canvases is made of its name here."""
    publication = await services.published.of(key.workspace)
    title = _title(asked.template_name)
    tags = tags_of(asked.tags, publication)
    async with services.db.transaction() as connection:
        await hold(connection, key.workspace)
        name = await email_templates.free_name(connection, key.workspace, title)
        made = await _write(connection, key, asked, {"name": name}, title, tags)
    services.published.forget(key.workspace)
    return made


async def update(services: Services, key: Key, asked: Edit) -> Made:
    """Edit a template: what the call leaves out stays as it is, its name for canvases too."""
    publication = await services.published.of(key.workspace)
    async with services.db.transaction() as connection:
        await hold(connection, key.workspace)
        old = await _known(connection, key, asked.email_template_id)
        if old["owner"] == "file" and asked.owner != "api":  # TPL-4
            raise managed_by_file("template", old["name"])
        title = old["title"] if asked.template_name is None else _title(asked.template_name)
        tags = tuple(old["tags"]) if asked.tags is None else tags_of(asked.tags, publication)
        body = {name: value for name, value in old["body"].items() if name != "owner"}
        inline = old["inline_css"] if asked.should_inline_css is None else asked.should_inline_css
        asked = asked.model_copy(update={"should_inline_css": inline})
        made = await _write(connection, key, asked, body, title, tags)
    services.published.forget(key.workspace)
    return made


async def _write(
    connection: Any,
    key: Key,
    asked: Written,
    body: Mapping[str, Any],
    title: str,
    tags: tuple[str, ...],
) -> Made:
    template = await apart(_template, asked, body)
    if await email_templates.unknown_blocks(connection, key.workspace, list(template.sources().values())):
        raise Refusal(400, "Email must have valid content block names.")
    inline = bool(asked.should_inline_css)
    identity = await email_templates.write(
        connection, key.workspace, template, title=title, tags=tags, inline_css=inline
    )
    return Made(email_template_id=str(identity), name=template.name, notice=NOT_INLINE if inline else None)


def _title(given: str | None) -> str:
    if given is None or not given.strip():
        raise Refusal(400, "Template Name is required")
    if len(given) > LONGEST_TITLE or "\0" in given:
        raise Refusal(400, f"Template Name must be a text of at most {LONGEST_TITLE} characters")
    return given


def _template(asked: Written, body: Mapping[str, Any]) -> EmailTemplate:
    """The template that a body becomes with what a call says. Raises Refusal."""
    given = {
        "subject": asked.subject,
        "html": asked.body,
        "text": asked.plaintext_body,
        "preheader": asked.preheader,
    }
    said = {**body, **{name: value for name, value in given.items() if value is not None}}
    said["text"] = said.get("text") or None
    for name, word in (("subject", "Subject"), ("html", "Body")):
        if not (said.get(name) or "").strip():
            raise Refusal(400, f"{word} is required")
    template = EmailTemplate.model_validate(said)
    for source in template.sources().values():
        if "\0" in source or problems(source):
            raise Refusal(400, "Email contains malformed liquid.")
    return template


async def list_all(services: Services, key: Key, asked: AskedTemplates) -> Templates:
    """A list of templates, by the time of their last edit where the call asks for it."""
    found = await email_templates.listed(
        services.db.pool,
        key.workspace,
        asked.modified_after,
        asked.modified_before,
        asked.limit,
        asked.offset,
    )
    return Templates(count=len(found), templates=[Listed(**_described(row)) for row in found])


async def info(services: Services, key: Key, asked: AskedTemplate) -> Whole:
    """One template."""
    row = await _known(services.db.pool, key, asked.email_template_id)
    body = row["body"]
    return Whole(
        **_described(row),
        subject=body["subject"],
        preheader=body.get("preheader", ""),
        body=body["html"],
        plaintext_body=body.get("text") or "",
        should_inline_css=row["inline_css"],
    )


async def _known(connection: Any, key: Key, id_: str) -> email_templates.Known:
    found = await email_templates.known(connection, key.workspace, id_)
    if found is None:
        raise Refusal(404, "The workspace has no Email Template with this ID.")
    return found


def _described(row: email_templates.Known) -> dict[str, Any]:
    return {
        "email_template_id": str(row["id"]),
        "template_name": row["title"],
        "name": row["name"],
        "owner": row["owner"],
        "created_at": instant(row["created"]),
        "updated_at": instant(row["edited"]),
        "tags": row["tags"],
    }


def _operation(
    word: str, method: str, summary: str, asks: Any, answers: Any, work: Any, status: int
) -> Operation[Any]:
    return Operation(
        method=method,
        path=f"/templates/email/{word}",
        summary=summary,
        permission=f"templates.email.{word}",
        asks=asks,
        answers=answers,
        work=work,
        status=status,
    )


OPERATIONS = (
    _operation("create", "POST", "Make a template for mails", Written, Made, create, 201),
    _operation("update", "POST", "Edit a template for mails", Edit, Made, update, 200),
    _operation("list", "GET", "Templates for mails", AskedTemplates, Templates, list_all, 200),
    _operation("info", "GET", "One template for mails", AskedTemplate, Whole, info, 200),
)
