"""Writes the pages of the language: key by key, as Markdown and as a page with a search; and from Braze to here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from inspect import cleandoc
from typing import Any

from pydantic import TypeAdapter

from journeys.canvas import (
    canvas,
    catalogs,
    content_blocks,
    definition_kinds,
    entry_rules,
    filters,
    subscription_groups,
)
from journeys.canvas.conditions import Condition, FromAttribute, FromContext, FromEntry
from journeys.canvas.field_docs import meanings
from journeys.canvas.frozen_model import Frozen
from journeys.canvas.retention import Retention
from journeys.canvas.steps import LATER, OURS
from journeys.canvas.steps.action_paths import ActionPath
from journeys.canvas.steps.audience_paths import AudiencePath
from journeys.canvas.steps.context import Variable
from journeys.canvas.steps.experiment_paths import ExperimentControl, ExperimentPath
from journeys.canvas.steps.user_update import Increment, LoggedEvent

Models = tuple[type[Frozen], ...]
PARTS: dict[str, Models] = {
    "A canvas": (
        canvas.Canvas, canvas.Schedule, canvas.Reentry, entry_rules.EntryLimit, canvas.Exit, canvas.Conversion, canvas.Sending, canvas.Variant,
    ),
    "Steps": (
        *OURS, ActionPath, AudiencePath, ExperimentPath, ExperimentControl, Variable, Increment, LoggedEvent,
    ),
    "Triggers": (
        filters.EventTrigger, filters.PurchaseTrigger, filters.MessageTrigger, filters.AttributeTrigger,
        filters.ConsentTrigger, filters.IdentifierTrigger, filters.PersonTrigger,
    ),
    "Filters": (
        filters.AttributeFilter, filters.ContextFilter, filters.EventFilter, filters.PurchaseFilter,
        filters.MessageFilter, filters.ConsentFilter, filters.SubscriptionFilter, filters.SegmentFilter, filters.BucketFilter,
        filters.AllOf, filters.AnyOf, filters.NoneOf, filters.PropertyFilter, Condition, filters.Times,
        FromContext, FromAttribute, FromEntry,
    ),
    "Other definitions": (
        definition_kinds.Segment, definition_kinds.EmailTemplate, definition_kinds.WebhookTemplate,
        definition_kinds.ChannelTemplate, definition_kinds.Sender, definition_kinds.WorkspaceSettings,
        definition_kinds.GlobalControl, Retention,
        content_blocks.ContentBlock, catalogs.Catalog, catalogs.CatalogField, catalogs.Selection,
        catalogs.SelectionFilter, subscription_groups.SubscriptionGroup,
    ),
}  # fmt: skip
"""The models by chapter, in the order in which a reader meets them."""

RULE = re.compile(r" ?\(((?:[A-Z]{2,3}-\d+|[A-Z]\d+)(?:(?:, | to | and )(?:[A-Z]{2,3}-\d+|[A-Z]\d+))*)\)")
LIMITS = {
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minimum": "from {}",
    "maximum": "to {}", "minItems": "at least {}", "maxItems": "at most {}", "pattern": "`{}`",
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One key of a model."""

    name: str
    kind: str
    default: str
    limits: str
    meaning: str


def keys(model: type[Frozen]) -> Iterator[Key]:
    """The keys of a model, as its schema and its docstrings say them."""
    schema = TypeAdapter(model).json_schema(ref_template="{model}")
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"]]
    said = meanings(model)
    for name, field in schema["properties"].items():
        later = said.get(name, "").endswith("Not supported yet.")
        if name in model.model_fields and not later:
            required = name in schema.get("required", [])
            default = "required" if required else _default(field.get("default"))
            yield Key(name, _kind(field), default, ", ".join(_limits(field)), said.get(name, ""))


def _default(value: Any) -> str:
    if value in (None, "", [], {}):
        return "–"
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value}`"
        if not isinstance(value, dict)
        else "–"
    )


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"[{field['$ref']}](#{field['$ref'].lower()})"
    if "const" in field:
        return f"`{str(field['const']).lower() if isinstance(field['const'], bool) else field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{each}`" for each in field["enum"])
    for several in ("anyOf", "oneOf"):
        if several in field:
            found = dict.fromkeys(_kind(each) for each in field[several] if each.get("type") != "null")
            names = [each for each in found if each]
            if len(names) > 7:
                return "a step" if "[Message](#message)" in names else "a filter"
            return " or ".join(names)
    if field.get("type") == "array":
        within = field.get("items") or next(iter(field.get("prefixItems", [])), {})
        kind = _kind(within) or "values"
        return {"list of a step": "steps", "list of a filter": "filters"}.get(
            f"list of {kind}", f"list of {kind}"
        )
    return {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}.get(
        field.get("type", ""), field.get("type", "value")
    )


def _limits(field: dict[str, Any]) -> Iterator[str]:
    for each in (field, *field.get("anyOf", [])):
        for name, words in LIMITS.items():
            if name in each:
                yield words.format(str(each[name]).replace("|", "\\|"))
        if (match := each.get("examples")) and each.get("type") == "string":
            yield f"such as {', '.join(f'`{one}`' for one in match)}"


def about(model: type[Frozen]) -> tuple[str, str, list[str]]:
    """What a model is, its example in YAML, and the rules that its description cites."""
    text = cleandoc(model.__doc__ or "")
    text = re.split(r"\nExample:\n", text)[0]
    examples = re.findall(r"```yaml\n.*?```", text, re.DOTALL)
    rules = [rule for found in RULE.findall(text) for rule in re.findall(r"[A-Z]+-?\d+", found)]
    words = re.sub(r"```yaml\n.*?```\n*", "", text, flags=re.DOTALL)
    return RULE.sub("", words).strip(), examples[0] if examples else "", list(dict.fromkeys(rules))


def page() -> str:
    """The language, key by key."""
    lines = [
        "# The language, key by key", "",
        "Made by `make docs` from the models that read it. [canvas.html](canvas.html) is the same with a search, for a browser;",
        "`journeys.schema.json` gives it to editors. What is not listed is refused, with the nearest key.", "",
        'A span is a text such as `2 days`, `90 minutes` or `36 hours`; a time of day `"09:00"`; an instant',
        "`2027-03-01T09:00Z`, in company time where it has no offset.", "",
    ]  # fmt: skip
    for chapter, models in PARTS.items():
        lines += [f"## {chapter}", ""]
        for model in models:
            words, example, rules = about(model)
            lines += [f"### {model.__name__}", "", words, ""]
            if example:
                lines += [example, ""]
            if rules:
                lines += [f"Rules: {', '.join(rules)} ([rules](rules/)).", ""]
            lines += ["| key | type | default | limits | meaning |", "|---|---|---|---|---|"]
            lines += [
                f"| `{one.name}` | {one.kind} | {one.default} | {one.limits or '–'} | {one.meaning} |"
                for one in keys(model)
            ]
            lines.append("")
    return "\n".join(lines)


STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
input{font:inherit;width:100%;padding:.5rem;box-sizing:border-box;position:sticky;top:.5rem}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ddd;text-align:left;padding:.3rem .6rem;vertical-align:top}
pre{background:#f4f4f4;padding:.6rem;overflow:auto}[hidden]{display:none}"""
SCRIPT = """const find=document.querySelector('input');find.addEventListener('input',()=>{
const words=find.value.toLowerCase().split(/\\s+/).filter(Boolean);
for(const part of document.querySelectorAll('section')){const head=part.dataset.text;let any=false;
for(const row of part.querySelectorAll('tbody tr')){const text=head+' '+row.textContent.toLowerCase();
row.hidden=!words.every(word=>text.includes(word));any=any||!row.hidden}part.hidden=!any}})"""


def html_page() -> str:
    """The same as one page that stands alone: a search, no network."""
    parts = []
    for chapter, models in PARTS.items():
        for model in models:
            words, example, rules = about(model)
            rows = "".join(
                "<tr>" + "".join(f"<td>{_plain(cell)}</td>" for cell in (
                    f"`{one.name}`", one.kind, one.default, one.limits, one.meaning)) + "</tr>"
                for one in keys(model)
            )  # fmt: skip
            code = (
                f"<pre>{escape(example.removeprefix('```yaml').removesuffix('```').strip())}</pre>"
                if example
                else ""
            )
            more = f"<p>Rules: {', '.join(rules)}</p>" if rules else ""
            text = escape(f"{chapter} {model.__name__}".lower())
            parts.append(
                f'<section id="{model.__name__.lower()}" data-text="{text}"><h2>{model.__name__}</h2>'
                f"<p>{_plain(words)}</p>{code}{more}<table><thead><tr><th>key<th>type<th>default<th>limits<th>meaning"
                f"</tr></thead><tbody>{rows}</tbody></table></section>"
            )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The language of Journeys</title>'
        f"<style>{STYLE}</style><h1>The language, key by key</h1>"
        f'<input type="search" placeholder="search: delay, weekday, revenue …" aria-label="search">{"".join(parts)}'
        f"<script>{SCRIPT}</script></html>\n"
    )


def _plain(text: str) -> str:
    """Markdown of a cell as HTML: code and links."""
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False).replace("\\|", "|"))
    return re.sub(r"\[([^]]*)\]\((#[^)]*)\)", r'<a href="\2">\1</a>', text)


def refused() -> set[str]:
    """What the checks refuse as not supported yet: kinds, step types, subjects of filters, keys and values of keys."""
    from journeys.canvas.field_docs import models

    found = {f"kind {kind}" for kind in definition_kinds.LATER_KINDS}
    found |= {f"step {name}" for name in LATER} | {f"filter {name}" for name in filters.LATER_SUBJECTS}
    for model in models():
        if model.__module__.endswith("incomplete_canvas"):
            continue
        for name, field in model.model_fields.items():
            for each in field.metadata:
                check = getattr(each, "func", None)
                if getattr(check, "__name__", "") == "_absent":
                    found.add(f"{model.__name__}.{name}")
                elif getattr(check, "__qualname__", "").startswith("not_yet."):
                    values = check.__closure__[0].cell_contents
                    found |= {f"{model.__name__}.{name}: {str(value).lower()}" for value in values}
    return found
