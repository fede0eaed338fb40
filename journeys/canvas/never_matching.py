"""Filters and triggers that can be read and never match, and what to write instead.

They are problems of what is written now. A definition that was published with one earlier still loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from journeys.canvas.conditions import Condition, FromAttribute
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    EventTrigger,
    MessageFilter,
    MessageTrigger,
    NoneOf,
    Past,
    PurchaseFilter,
    PurchaseTrigger,
    Times,
)

Path = tuple[str | int, ...]

CONSENTS: Mapping[str, str] = {"email_subscribe": "email", "push_subscribe": "push"}
"""The names by which consents are set, and the channel of each: they are no attributes."""

CONTROL = frozenset({
    "external_id", "user_alias", "braze_id", "anonymous_id", "_update_existing_only", "_merge_objects",
    "push_token_import", "app_id", "bio", "alias_name", "alias_label",
})  # fmt: skip
"""Keys of requests that are never stored as attributes."""

FORMS: Mapping[str, tuple[str, str]] = {
    "country": (r"[A-Z]{2}", "write the code of the country, such as FR"),
    "language": (r"[a-z]{2}", "write the code of the language, such as fr"),
    "gender": (r"[MFONP]", "write M, F, O, N or P"),
    "email": (r"[^A-Z]*", "addresses are kept in lower case"),
    "phone": (r"\+[0-9]+", "write the number in its international form, such as +4930901820"),
}
"""How standard attributes are kept: texts of another form equal none of their values."""

LATER_ENGAGEMENTS = ("delivered", "bounced")
ANY = ("any", "*")
EQUALS = ("equals", "not_equals", "one_of", "none_of")
ORDERS = ("more_than", "less_than", "at_least", "at_most")

_HEAD = re.compile(r'"([^"]*)"|([^.\[]*)')


@dataclass(frozen=True, slots=True)
class NeverMatching:
    """A part of a filter or trigger that never matches: where it is written in it, why, and what to write."""

    path: Path
    message: str
    hint: str
    code: str = "J111"


def never_matching(each: Any, path: Path = ()) -> Iterator[NeverMatching]:
    """What in a filter or trigger can never match. `path`: where it is written."""
    match each:
        case AllOf(all=several) | AnyOf(any=several) | NoneOf(none=several):
            for place, inner in enumerate(several):
                yield from never_matching(inner, (*path, next(iter(type(each).model_fields)), place))
        case MessageFilter() | MessageTrigger():
            if each.message in LATER_ENGAGEMENTS:
                message = f"`message: {each.message}` is not supported yet: nothing reports it"
                yield NeverMatching((*path, "message"), message, "use sent, opened or clicked", "J108")
            if each.campaign is not None:
                message = "`campaign` is not supported yet"
                yield NeverMatching((*path, "campaign"), message, "remove it", "J108")
        case Condition():
            yield from _condition(each, path)
        case Past() | EventTrigger() | PurchaseTrigger():
            yield from _past(each, path)


def _past(each: Any, path: Path) -> Iterator[NeverMatching]:
    if isinstance(each, PurchaseFilter | PurchaseTrigger) and each.purchase in ANY:
        message = f"“{each.purchase}” is read as the name of a product"
        yield NeverMatching((*path, "purchase"), message, "write purchase: true for any purchase")
    for place, condition in enumerate(each.where):
        yield from _condition(condition, (*path, "where", place))
    times = getattr(each, "times", None)
    if times is not None and _impossible(times):
        message = "nothing can be done fewer than 0 times"
        yield NeverMatching((*path, "times"), message, "write equals: 0 for never")


def _impossible(times: Times) -> bool:
    return (
        (times.equals is not None and times.equals < 0)
        or (times.at_most is not None and times.at_most < 0)
        or (times.less_than is not None and times.less_than <= 0)
    )


def _condition(each: Condition, path: Path) -> Iterator[NeverMatching]:
    operator, operand = each.operator, each.operand
    if isinstance(each, AttributeFilter):
        yield from _name(each.attribute, (*path, "attribute"))
        if operator in EQUALS and each.attribute in FORMS:
            yield from _form(each.attribute, operator, operand, path)
    for place, part in enumerate(operand if isinstance(operand, tuple) else (operand,)):
        if isinstance(part, FromAttribute):
            below = (place,) if isinstance(operand, tuple) else ()
            yield from _name(part.attribute, (*path, operator, *below, "attribute"))
    yield from _operand(each, operator, operand, path)


def _name(attribute: str, path: Path) -> Iterator[NeverMatching]:
    found = _HEAD.match(attribute)
    assert found is not None, "every text begins with an empty one"
    head = found[2] if found[1] is None else found[1]
    if head in CONSENTS:
        message = f"there is no attribute “{head}”: a consent is asked for by its channel"
        yield NeverMatching(path, message, f"write {{consent: {CONSENTS[head]}, equals: subscribed}}")
    elif head in CONTROL - {"external_id"}:
        message = f"there is no attribute “{head}”: requests say it, and profiles do not keep it"
        yield NeverMatching(path, message, "a person is asked for by external_id")


def _form(attribute: str, operator: str, operand: Any, path: Path) -> Iterator[NeverMatching]:
    form, hint = FORMS[attribute]
    several = isinstance(operand, tuple)
    for place, part in enumerate(operand if several else (operand,)):
        if isinstance(part, str) and not re.fullmatch(form, part):
            message = f"“{part[:60]}” is never the value of “{attribute}”"
            yield NeverMatching((*path, operator, place) if several else (*path, operator), message, hint)


def _operand(each: Condition, operator: str, operand: Any, path: Path) -> Iterator[NeverMatching]:
    """Operands of a type that the operator never holds of, and bounds in the wrong order."""
    if operator in ("starts_with", "ends_with") and isinstance(operand, bool | int | float):
        message = f"`{operator}` compares texts, and {_said(operand)} is none"
        yield NeverMatching((*path, operator), message, f'write "{_said(operand)}" in quotes')
    if operator in ORDERS and isinstance(operand, bool):
        message = f"`{operator}` compares numbers, times or texts, and {_said(operand)} is none of them"
        yield NeverMatching((*path, operator), message, f"write equals: {_said(operand)}")
    if each.between is not None:
        low, high = each.between
        if _number(low) and _number(high) and low > high:
            message = f"the bounds are in the wrong order: {low} is above {high}"
            yield NeverMatching((*path, "between"), message, f"write [{high}, {low}]")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(value: Any) -> str:
    return str(value).lower()
