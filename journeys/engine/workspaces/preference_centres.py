"""Preference centres in the store, and what their pages say: HTML with Liquid, and fields with fixed names (PFC-1, PFC-2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.canvas.subscription_groups import SubscriptionGroup, group_of
from journeys.engine.people.identity import uuid_of
from journeys.engine.workspaces.definition_rows import raise_revision

DEFAULT = "default"
"""The centre that `${preference_center_url}` leads to. Where none of this name was made, it is made of the groups."""

GLOBAL = "email_global_state"
"""The name of the field for the state on e-mail."""

MAKE = """
insert into preference_centres (workspace, name, id, title, page, confirmation, state) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (workspace, name) do nothing returning *
"""
EDIT = """
update preference_centres set title = coalesce($3, title), page = coalesce($4, page),
    confirmation = coalesce($5, confirmation), state = coalesce($6, state), edited = now()
where workspace = $1 and id = $2 returning *
"""
LIST = "select * from preference_centres where workspace = $1 order by created, name"
BY_ID = "select * from preference_centres where workspace = $1 and id = $2"
BY_NAME = "select * from preference_centres where workspace = $1 and name = $2 and state = 'active'"


@dataclass(frozen=True, slots=True)
class Centre:
    """A preference centre."""

    workspace: int
    name: str
    id: UUID
    title: str
    page: str
    confirmation: str
    state: str
    created: datetime
    edited: datetime


async def make(
    connection: Any, workspace: int, name: str, title: str, page: str, confirmation: str, state: str
) -> Centre | None:
    """A new centre; None where there is one of that name. Within a transaction."""
    await raise_revision(connection, workspace)
    row = await connection.fetchrow(MAKE, workspace, name, uuid7(), title, page, confirmation, state)
    return _centre(row)


async def edit(connection: Any, workspace: int, centre: str, **values: str | None) -> Centre | None:
    """Another `title`, `page`, `confirmation` or `state`; None where there is no such centre. Within a transaction."""
    said = [values.get(name) for name in ("title", "page", "confirmation", "state")]
    await raise_revision(connection, workspace)
    return _centre(await connection.fetchrow(EDIT, workspace, uuid_of(centre), *said))


async def centres(connection: Any, workspace: int) -> list[Centre]:
    """The centres of a workspace, the oldest first."""
    return [Centre(**row) for row in await connection.fetch(LIST, workspace)]


async def centre_by_id(connection: Any, workspace: int, centre: str) -> Centre | None:
    """A centre by its id."""
    return _centre(await connection.fetchrow(BY_ID, workspace, uuid_of(centre)))


@dataclass(frozen=True, slots=True)
class Pages:
    """What a centre shows: its page, and the confirmation after its form is saved."""

    page: str
    confirmation: str


async def pages_to_show(
    connection: Any, workspace: int, name: str, groups: Mapping[str, SubscriptionGroup]
) -> Pages | None:
    """Those of an active centre; of `default` they are made of the groups for e-mail where none of this name was made."""
    found = await connection.fetchrow(BY_NAME, workspace, name)
    if found is not None:
        return Pages(found["page"], found["confirmation"])
    return Pages(default_page(groups.values()), DEFAULT_CONFIRMATION) if name == DEFAULT else None


def _centre(row: Any) -> Centre | None:
    return None if row is None else Centre(**row)


FIELD = re.compile(r"\{%-?\s*form_field_name\s+:(\w+)(?:\s+([\w-]+))?\s*-?%\}")


class UnknownField(ValueError):
    """A page names a field that there is not; the text says which."""


def with_fields(page: str, groups: Mapping[str, SubscriptionGroup]) -> tuple[str, dict[str, str | None]]:
    """A page with the names of its fields in place of `form_field_name`, and the fields: the group of each, None: e-mail.

    The names are fixed, so they are written before the template is read. Raises `UnknownField`.

    Example:
        >>> with_fields('<input name="{% form_field_name :email_global_state %}">', {})
        ('<input name="email_global_state">', {'email_global_state': None})
    """
    fields: dict[str, str | None] = {}

    def named(found: re.Match[str]) -> str:
        kind, word = found[1], found[2]
        if kind == GLOBAL and word is None:
            fields[GLOBAL] = None
            return GLOBAL
        group = group_of(groups, word) if kind == "subscription_group" and word is not None else None
        if group is None:
            raise UnknownField(
                f"{found[0]} names no field: write :email_global_state, or :subscription_group and a group"
            )
        name = f"subscription_group_{group.api_id}"
        fields[name] = group.name
        return name

    return FIELD.sub(named, page), fields


def submitted(fields: Mapping[str, str | None], form: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """What a form says: the state on e-mail, if the page asks for it, and the states in the groups that it asks for.

    A checkbox that is not checked is not in the form: its state is `unsubscribed`. That of e-mail is `opted_in` where it
    is checked, unless its value is a state (PFC-2).
    """
    consent: str | None = None
    states: dict[str, str] = {}
    for name, group in fields.items():
        value = form.get(name)
        if group is not None:
            states[group] = "unsubscribed" if value in (None, "unsubscribed") else "subscribed"
        elif value in ("subscribed", "unsubscribed"):
            consent = value
        else:
            consent = "unsubscribed" if value is None else "opted_in"  # PFC-2
    return consent, states


DEFAULT_TITLE = "What would you like to hear?"
_HEAD = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{DEFAULT_TITLE}</title><style>body{{font:18px/1.5 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1rem}}
button{{font:inherit;padding:.5rem 1.5rem}} label{{display:block;margin:.5rem 0}}</style>"""
DEFAULT_CONFIRMATION = f"""{_HEAD}<h1>Your choice is saved</h1>
<p>It holds for {{{{${{email_address}} | escape}}}} from now on.</p></html>"""


def default_page(groups: Iterable[SubscriptionGroup]) -> str:
    """A page with a checkbox for each group for e-mail, and one for e-mail as a whole. It needs no script."""
    boxes = [
        _box(
            f":subscription_group {one.api_id}", f"'{one.api_id}'", "subscribed", one.description or one.name
        )
        for one in groups
        if one.channel == "email"
    ]
    return f"""{_HEAD}<h1>{DEFAULT_TITLE}</h1><p>For {{{{${{email_address}} | escape}}}}</p>
<form method="post" action="{{{{preference_center_submit_url}}}}">
{"".join(boxes)}{_box(f":{GLOBAL}", "'email_global'", "unsubscribed", "E-mail at all", checked="unless")}
<button>Save</button></form></html>"""


def _box(field: str, state: str, value: str, label: str, checked: str = "if") -> str:
    name = state.strip("'")
    when = f"{{% {checked} subscribed_state.${{{name}}} == '{value}' %}}checked{{% end{checked} %}}"
    return (
        f'<label><input type="checkbox" name="{{% form_field_name {field} %}}" value="on" {when}> {{% raw %}}'
        f"{escape(label)}{{% endraw %}}</label>\n"
    )
