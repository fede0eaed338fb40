"""Turns the errors of pydantic into problems, each with the line and column where it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from journeys.canvas.canvas import Canvas, Conversion, Exit, Reentry, Schedule, Sending, Variant
from journeys.canvas.catalogs import Catalog, CatalogField, Selection, SelectionFilter
from journeys.canvas.conditions import OPERATORS
from journeys.canvas.content_blocks import ContentBlock
from journeys.canvas.definition_kinds import (
    TEMPLATES,
    ChannelTemplate,
    GlobalControl,
    Segment,
    Sender,
    WorkspaceSettings,
)
from journeys.canvas.entry_rules import EntryLimit
from journeys.canvas.filters import _FILTERS, _TRIGGERS, PropertyFilter, Times
from journeys.canvas.problems import Problem, foreign_character, intended, meant, shown
from journeys.canvas.retention import Retention
from journeys.canvas.source_positions import Path, Places
from journeys.canvas.steps import (
    STEP_TYPES,
    ActionPath,
    AudiencePath,
    ExperimentControl,
    ExperimentPath,
    LoggedEvent,
    Variable,
)
from journeys.canvas.subscription_groups import SubscriptionGroup

AT_KEYS = ("J101", "J104", "J108", "J109")
"""These speak of a key; the others of its value."""

FILTERED = ("when", "audience", "only_when", "all", "any", "none", "triggers")
"""Under these keys stand filters and triggers: what is wrong with one as a whole names its subject last."""

Loc = tuple[str | int, ...]


def shape_problems(
    error: ValidationError,
    root: Any,
    data: Any,
    places: Places,
    *,
    below: Path = (),
) -> list[Problem]:
    """What pydantic found, in our words, each at its place.

    `root`: the model of `data`, or the kind of a definition; `below`: where in `data` that stands which was read.
    """
    problems = []
    details = error.errors(include_url=False)
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    strange: dict[Loc, list[str]] = {}
    for detail in details:
        if detail["type"] == "extra_forbidden":
            strange.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    for detail in details:
        loc = detail["loc"]
        if detail["type"] == "too_short" and loc in outer:
            continue  # its elements are there, and wrong
        if detail["type"] == "missing" and _is_meant(strange.get(loc[:-1], ()), str(loc[-1])):
            continue  # it is there under a name that is nearly right
        path, rest = _path(data, (*below, *loc))
        problems.append(_problem(detail, root, data, path, rest, places))
    return distinct(problems)


def distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Each once, by its place: pydantic says some of them more than once."""
    unique = {problem.identity: problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: problem.where)


def _is_meant(words: Iterable[str], name: str) -> bool:
    """Whether one of these words stands for a key."""
    return any(intended(word, [name]) is not None for word in words)


def _path(data: Any, loc: Loc) -> tuple[Path, Loc]:
    """The path in the data that a location means (it names union members too), and what is not there."""
    path: Path = ()
    node = data
    rest: Loc = ()
    for place, part in enumerate(loc):
        onward = loc[place + 1] if place + 1 < len(loc) else None
        if (
            isinstance(node, Mapping)
            and part in node
            and _leads(node[part], onward)
            and not _is_tag(path, part, onward)
        ):
            node, path, rest = node[part], (*path, part), ()
            continue
        if isinstance(node, list | tuple) and isinstance(part, int) and part < len(node):
            node, path, rest = node[part], (*path, part), ()
            continue
        rest = (*rest, part)
    return path, rest


def _is_tag(path: Path, part: str | int, onward: str | int | None) -> bool:
    name = next((each for each in reversed(path) if isinstance(each, str)), "")
    return onward is None and name in FILTERED and part in _FILTERS


def _leads(value: Any, onward: str | int | None) -> bool:
    """Whether a location can go on into this value; if not, its part was the name of a union's member."""
    if onward is None:
        return True
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and isinstance(onward, int))


def _problem(detail: Any, root: Any, data: Any, path: Path, rest: Loc, places: Places) -> Problem:
    sort, where = detail["type"], places.where(path)
    context = detail.get("ctx", {})
    last = str(path[-1]) if path else (root if isinstance(root, str) else root.__name__)
    names = (part for part in reversed(path) if isinstance(part, str))  # of an item of a list, the list's
    key = last if sort == "invalid_key" else next(names, last)
    if sort.startswith("J"):
        exact = (*path, *context.get("at", ()))
        where = places.where(exact, key=sort in AT_KEYS and (sort == "J108" or len(exact) > len(path)))
        return Problem(sort, where, context.get("message", detail["msg"]), context.get("hint", ""))
    if sort == "extra_forbidden":
        return unknown_key(root, data, path, places)
    if sort == "missing":
        return _missing(last, rest, where, detail["input"])
    if sort in ("literal_error", "enum"):
        words = [
            {"True": "true", "False": "false"}.get(word, word)
            for word in (
                each.strip(" '") for each in str(context.get("expected", "")).replace(" or ", ", ").split(",")
            )
        ]
        return Problem(
            "J103",
            where,
            f"{shown(detail['input'])} is not allowed for “{key}”",
            meant(str(detail["input"]), words),
        )
    if sort == "string_pattern_mismatch":
        message = f"{shown(detail['input'])} is not a valid {key}"
        hint = PATTERNS.get(key, "letters, digits, - and _, a letter first")
        return Problem(
            "J110", where, message, hint + foreign_character(str(detail["input"])).replace(" ", "; ", 1)
        )
    if sort in ("too_long", "too_short"):
        bound = context.get("max_length", context.get("min_length"))
        if sort == "too_long":
            where = places.where((*path, bound))
        most = "at most" if sort == "too_long" else "at least"
        return Problem(
            "J404", where, f"“{key}” has {context.get('actual_length')} elements; {most} {bound} are allowed"
        )
    return Problem(
        "J100", where, f"“{key}”: {_plain(sort, context, detail)}", _instead(sort, last, detail["input"])
    )


def unknown_key(root: Any, data: Any, path: Path, places: Places) -> Problem:
    """The problem of a key that its mapping does not have: not yet, or not at all."""
    owner, key, where = owner_of(root, data, path[:-1]), str(path[-1]), places.where(path, key=True)
    beside = ["kind", "format"] if len(path) == 1 and isinstance(root, str) else []
    known = [*owner.model_fields, *beside] if owner else []
    near = intended(key, known)
    hint = f"did you mean “{near}”?{foreign_character(key)}" if near else meant(key, known)
    if key in OPERATORS and "changes_to" in known and {"attribute", "consent"} & _at(data, path[:-1]).keys():
        hint = "a change is listened to: write changes_to, changes_from or changes: true"
    if not near and _goes_on(data, path, places):
        hint = f"put the text in quotes, if “{key}” belongs to the one before it"
    return Problem("J101", where, f"there is no key “{key}” here", hint)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _goes_on(data: Any, path: Path, places: Places) -> bool:
    """Whether a key without a value stands on one line after a text: `{equals: Hello, you}`."""
    data = _at(data, path[:-1])
    earlier = list(data)[: list(data).index(path[-1])]
    if data[path[-1]] is not None or not earlier or not isinstance(data[earlier[-1]], str):
        return False
    return places.where((*path[:-1], earlier[-1]), key=True).line == places.where(path, key=True).line


def _missing(last: str, rest: Loc, where: Any, given: Any) -> Problem:
    name = rest[-1] if rest else last
    if isinstance(name, int):
        return Problem(
            "J100", where, f"“{last}” takes a list of two values, not of {len(given)}", "write [from, to]"
        )
    return Problem("J102", where, f"the key “{name}” is missing")


PATTERNS: Mapping[str, str] = {"address": "write somebody@example.com"}
"""How texts are written that are no names or ids."""

WANTED = {
    "string_type": "a text was expected",
    "int_type": "a whole number was expected",
    "int_parsing": "a whole number was expected",
    "int_from_float": "a whole number was expected",
    "float_type": "a number was expected",
    "float_parsing": "a number was expected",
    "bool_type": "true or false was expected",
    "bool_parsing": "true or false was expected",
    "tuple_type": "a list was expected",
    "list_type": "a list was expected",
    "dict_type": "a mapping of keys to values was expected",
    "model_type": "a mapping of keys to values was expected",
    "model_attributes_type": "a mapping of keys to values was expected",
    "invalid_key": "a text was expected as key",
    "none_required": "it is not allowed here",
    "string_too_short": "a text that is not empty was expected",
    "string_too_long": "the text is too long",
}


def _plain(sort: str, context: Mapping[str, Any], detail: Any) -> str:
    if sort in WANTED:
        return (
            f"{WANTED[sort]}, not {shown(detail['input'])}"
            if sort not in ("string_too_short", "string_too_long")
            else WANTED[sort]
        )
    bounds = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt", "less_than": "lt"}
    if sort in bounds:
        word = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}[bounds[sort]]
        return f"it must be {word} {context[bounds[sort]]:g}"
    return str(detail["msg"])


def _instead(sort: str, last: str, given: Any) -> str:
    """What to write where a value is of another form than was expected."""
    if last == "then" and not isinstance(given, str):
        return "`then` names the step to go to; the steps of a branch stand under `steps`"
    if sort in ("tuple_type", "list_type"):
        if last in EXAMPLES or isinstance(given, Mapping):
            return EXAMPLES.get(last, f"write {last}: [{{…}}], or - before each")
        return "" if given is None else f"write {last}: [{shown(given)[1:-1]}]"
    if sort in ("dict_type", "model_type", "model_attributes_type") and isinstance(given, list):
        return "write it without [ ] or -"
    return EXAMPLES.get(last, "") if sort in ("dict_type", "model_type", "model_attributes_type") else ""


EXAMPLES: Mapping[str, str] = {
    "where": "write where: [{property: category, equals: running}]",
    "schedule": "write schedule: {event: signed_up}",
    "times": "write times: {at_least: 3}",
    "paths": "write paths: [{name: …}]",
    "triggers": "write triggers: [{event: order_completed}]",
    "exits": "write exits: [{event: order_completed}]",
    "steps": "write steps: [{type: …, id: …}], or - before each",
}


OWNERS: Mapping[str, Any] = {
    "schedule": Schedule, "exits": Exit, "conversions": Conversion, "send": Sending, "variants": Variant,
    "set": Variable, "events": LoggedEvent, "times": Times, "where": PropertyFilter, "reentry": Reentry,
    "control": ExperimentControl, "sender": Sender, "fields": CatalogField, "selections": Selection,
    "filters": SelectionFilter, "retention": Retention, "global_control": GlobalControl, "entry_limit": EntryLimit,
}  # fmt: skip
PATHS: Mapping[str, Any] = {
    "action_paths": ActionPath,
    "audience_paths": AudiencePath,
    "experiment_paths": ExperimentPath,
}
ROOTS: Mapping[str, Any] = {
    "canvas": Canvas, "segment": Segment, "content_block": ContentBlock, "catalog": Catalog,
    "subscription_group": SubscriptionGroup, "workspace": WorkspaceSettings,
}  # fmt: skip


def owner_of(root: Any, data: Any, path: Path) -> Any:
    """The model of the mapping at this path; None where it is of none that is known."""
    if not path:
        return root if not isinstance(root, str) else _template(data) if root == "template" else ROOTS[root]
    node, parents = data, []
    for part in path:
        parents.append(node)
        node = node[part]
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    if not isinstance(node, Mapping):
        return None
    if node.get("type") in STEP_TYPES and name != "set":
        return STEP_TYPES[node["type"]]
    if name == "paths":
        owner = next(
            (one for one in reversed(parents) if isinstance(one, Mapping) and one.get("type") in PATHS), None
        )
        return PATHS[str(owner["type"])] if owner else None
    if name in OWNERS:
        return OWNERS[name]
    subjects: Mapping[str, type[Any]] = _TRIGGERS if name == "triggers" else _FILTERS
    return next((model for subject, model in subjects.items() if subject in node), None)


def _template(data: Any) -> Any:
    return ChannelTemplate if "content" in data else TEMPLATES.get(data.get("channel"))
