"""Filters and triggers that can be read and never match, and what to write instead.

They are problems of what is written now. A definition that was published with one earlier still loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from journeys.canvas.change_triggers import AttributeTrigger, ConsentTrigger, said
from journeys.canvas.conditions import Condition, FromAttribute
from journeys.canvas.filters import (
    AllOf,
    AnyOf,
    AttributeFilter,
    ContextFilter,
    EventTrigger,
    MessageFilter,
    MessageTrigger,
    NoneOf,
    Past,
    PropertyFilter,
    PurchaseFilter,
    PurchaseTrigger,
    Times,
)
from journeys.canvas.problems import squashed
from journeys.canvas.times import zone_names
from journeys.canvas.written_instants import instant

Path = tuple[str | int, ...]

CONSENTS: Mapping[str, str] = {"email_subscribe": "email", "push_subscribe": "push"}
"""The names by which consents are set, and the channel of each: they are no attributes."""

GROUPS = "subscription_groups"
"""The name by which states in subscription groups are set."""

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

BEGINNINGS: Mapping[str, tuple[str, str]] = {
    "country": (r"[A-Za-z]{0,2}", "write the code of the country, such as equals: FR"),
    "language": (r"[A-Za-z]{0,2}", "write the code of the language, such as equals: fr"),
    "gender": (r"[MFONPmfonp]?", "write equals: M, F, O, N or P"),
    "phone": (r"\+?[0-9]*", "write the number in its international form, such as +49"),
}
"""The texts with which their values may begin or end; capitals do not matter there."""

TEXTS = frozenset({
    "external_id", "email", "phone", "first_name", "last_name", "language", "country", "time_zone", "home_city",
    "image_url", "gender", "dob", "date_of_first_session", "date_of_last_session", "marked_email_as_spam_at",
})  # fmt: skip
"""Standard attributes whose values are texts."""

TRUTHS = frozenset({"email_open_tracking_disabled", "email_click_tracking_disabled"})
"""Standard attributes whose values are true or false."""

_SQUASHED: Mapping[str, str] = {squashed(name): name for name in TEXTS | TRUTHS}

AMOUNTS = ("price", "quantity")
"""Properties of every purchase, which are numbers."""

LATER_ENGAGEMENTS = ("delivered", "bounced")
ANY = ("any", "*")
EQUALS = ("equals", "not_equals", "one_of", "none_of")
ORDERS = ("more_than", "less_than", "at_least", "at_most")

_LIQUID_NAME = re.compile(r"\$\{([^{}]*)\}")
_HEAD = re.compile(r'"([^"]*)"|([^.\[]*)')


@dataclass(frozen=True, slots=True)
class NeverMatching:
    """A part of a filter or trigger that never matches, or hardly: where it is written in it, why, and what to write."""

    path: Path
    message: str
    hint: str
    code: str = "J111"

    @property
    def warning(self) -> bool:
        """Whether it may be meant so."""
        return self.code.startswith("J9")


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
        case AttributeTrigger() | ConsentTrigger():
            yield from _change(each, path)


def _change(each: AttributeTrigger | ConsentTrigger, path: Path) -> Iterator[NeverMatching]:
    """What never changes, or never to or from such a value."""
    if isinstance(each, AttributeTrigger):
        found = list(_name(each.attribute, (*path, "attribute")))
        head = _head(each.attribute)
        if head in CONSENTS:
            hint = f"write {{consent: {CONSENTS[head]}, changes: true}}"
            found = [replace(one, hint=hint) for one in found]
        elif head == "external_id":
            message = "“external_id” never changes: a person has it from the beginning"
            found.append(NeverMatching((*path, "attribute"), message, "write {person: created}"))
        yield from found
        for word in said(each):
            if word != "changes":
                value = getattr(each, word)
                yield from _type(each.attribute, "equals", value, path, word)
                yield from _form(each.attribute, "equals", value, path, word)
    if "changes_from" in said(each) and "changes_to" in said(each) and each.changes_from == each.changes_to:
        hint = "write changes: true for any change"
        yield NeverMatching((*path, "changes_to"), "this changes to what it was", hint)


def _head(attribute: str) -> str:
    found = _HEAD.match(attribute)
    assert found is not None, "every text begins with an empty one"
    return found[2] if found[1] is None else found[1]


def _past(each: Any, path: Path) -> Iterator[NeverMatching]:
    if isinstance(each, PurchaseFilter | PurchaseTrigger) and each.purchase in ANY:
        message = f"“{each.purchase}” is read as the name of a product"
        yield NeverMatching((*path, "purchase"), message, "write purchase: true for any purchase")
    for place, condition in enumerate(each.where):
        here = (*path, "where", place)
        amount = isinstance(each, PurchaseFilter | PurchaseTrigger) and condition.property in AMOUNTS
        kind, what = "number" if amount else "any", f"“{condition.property}” of a purchase"
        yield from list(no_such_value(condition, kind, what, here)) or _condition(condition, here)
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
        yield from _type(each.attribute, operator, operand, path)
        yield from _form(each.attribute, operator, operand, path)
    if isinstance(each, ContextFilter | PropertyFilter):
        subject = next(iter(type(each).model_fields.keys() & {"context", "property"}))
        yield from _braces(getattr(each, subject), (*path, subject))
    for place, part in enumerate(operand if isinstance(operand, tuple) else (operand,)):
        if isinstance(part, FromAttribute):
            below = (place,) if isinstance(operand, tuple) else ()
            yield from _name(part.attribute, (*path, operator, *below, "attribute"))
    yield from _operand(each, operator, operand, path)


def _name(attribute: str, path: Path) -> Iterator[NeverMatching]:
    found = _HEAD.match(attribute)
    head = _head(attribute)
    yield from _braces(attribute, path)
    if head in TEXTS | TRUTHS and found and found.end() < len(attribute):
        message = f"nothing lies within “{head}”: it is a {'text' if head in TEXTS else 'true or a false'}"
        yield NeverMatching(path, message, f"write attribute: {head}")
    standard = nearly_standard(head)
    if standard is not None:
        message = f"“{head}” is a custom attribute: standard ones are in lower case"
        yield NeverMatching(path, message, f"did you mean “{standard}”?", "J918")
    if head in CONSENTS:
        message = f"there is no attribute “{head}”: a consent is asked for by its channel"
        yield NeverMatching(path, message, f"write {{consent: {CONSENTS[head]}, equals: subscribed}}")
    elif head in CONTROL - {"external_id"}:
        message = f"there is no attribute “{head}”: requests say it, and profiles do not keep it"
        yield NeverMatching(path, message, "a person is asked for by external_id")


def nearly_standard(name: str) -> str | None:
    """The standard attribute that has the same letters as a name that is not its own."""
    standard = _SQUASHED.get(squashed(name))
    return None if standard == name else standard


def _braces(name: str, path: Path) -> Iterator[NeverMatching]:
    """A name that is written as Liquid writes it."""
    found = _LIQUID_NAME.search(name)
    if found is not None:
        yield NeverMatching(
            path, f"“{name[:60]}” is written as in Liquid", f"write the name alone: `{found[1].strip()}`"
        )


def operands(key: str, operand: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The operands, each with its path."""
    if isinstance(operand, tuple):
        for place, part in enumerate(operand):
            yield (*path, key, place), part
    else:
        yield (*path, key), operand


def _type(attribute: str, operator: str, operand: Any, path: Path, key: str = "") -> Iterator[NeverMatching]:
    """Operands of another type than the standard attribute has. `key`: where they stand, if not under the operator."""
    if operator not in (*EQUALS, *ORDERS, "between", "contains"):
        return
    for where, part in operands(key or operator, operand, path):
        if attribute in TEXTS and isinstance(part, bool | int | float):
            hint = f'write "{_said(part)}" in quotes' if operator in EQUALS else "compare it with a text"
            yield NeverMatching(where, f"“{attribute}” is a text, and {_said(part)} is none", hint)
        if (
            attribute in TRUTHS
            and part is not None
            and isinstance(part, str | int | float)
            and not isinstance(part, bool)
        ):
            yield NeverMatching(where, f"“{attribute}” is true or false", "write equals: true")


def _form(attribute: str, operator: str, operand: Any, path: Path, key: str = "") -> Iterator[NeverMatching]:
    """Texts that no value of the standard attribute equals, begins or ends with."""
    fits: Callable[[str], object]
    if attribute == "time_zone" and operator in EQUALS:
        fits, hint = zone_names().__contains__, "write a name such as Europe/Paris"
    elif operator in EQUALS and attribute in FORMS:
        form, hint = FORMS[attribute]
        fits = re.compile(form).fullmatch
    elif operator in ("starts_with", "ends_with") and attribute in BEGINNINGS:
        form, hint = BEGINNINGS[attribute]
        fits = re.compile(form).fullmatch
    else:
        return
    said = (
        "the value"
        if operator in EQUALS
        else "the beginning of"
        if operator == "starts_with"
        else "the end of"
    )
    for where, part in operands(key or operator, operand, path):
        if isinstance(part, str) and not fits(part):
            message = f"“{part[:60]}” is never {said}{' of' if operator in EQUALS else ''} “{attribute}”"
            yield NeverMatching(where, message, hint)


def _operand(each: Condition, operator: str, operand: Any, path: Path) -> Iterator[NeverMatching]:
    """Operands of a type that the operator never holds of, and bounds in the wrong order."""
    if operator in ("starts_with", "ends_with") and isinstance(operand, bool | int | float):
        message = f"`{operator}` compares texts, and {_said(operand)} is none"
        yield NeverMatching((*path, operator), message, f'write "{_said(operand)}" in quotes')
    if operator in ORDERS and isinstance(operand, bool):
        message = f"`{operator}` compares numbers, times or texts, and {_said(operand)} is none of them"
        yield NeverMatching((*path, operator), message, f"write equals: {_said(operand)}")
    if operator in ORDERS and isinstance(operand, str) and instant(operand) is None:
        hint = "write a number without quotes, or a time such as 2027-03-01"
        message = f"“{operand[:60]}” is no number and no time: it is compared with texts, letter by letter"
        yield NeverMatching((*path, operator), message, hint, "J919")
    if each.between is not None:
        yield from _bounds(*each.between, (*path, "between"))


def no_such_value(each: Condition, kind: str, what: str, path: Path) -> Iterator[NeverMatching]:
    """Operands that no value of this kind, where it is `number` or `boolean`, ever equals, exceeds or falls short of."""
    operator = each.operator
    if operator not in (*EQUALS, *ORDERS, "between") or kind not in ("number", "boolean"):
        return
    fits, said = (_number, "a number") if kind == "number" else (_truth, "true or false")
    for where, part in operands(operator, each.operand, path):
        if isinstance(part, str | bool | int | float) and not fits(part):
            hint = "write a number, without quotes" if kind == "number" else "write equals: true"
            yield NeverMatching(where, f"{what} is {said}, and “{_said(part)[:60]}” is none", hint)


def _bounds(low: Any, high: Any, path: Path) -> Iterator[NeverMatching]:
    """Bounds between which nothing lies: of two types, or in the wrong order."""
    either = (low, high)
    if any(isinstance(one, bool) for one in either):
        yield NeverMatching(path, "true and false have no order", "write equals: true")
    elif all(isinstance(one, str | int | float) for one in either) and _number(low) != _number(high):
        message = f"one bound is a number and the other a text: nothing lies between {low} and {high}"
        yield NeverMatching(path, message, "write two numbers, or two texts")
    elif all(map(_number, either)) and low > high:
        yield NeverMatching(
            path, f"the bounds are in the wrong order: {low} is above {high}", f"write [{high}, {low}]"
        )
    elif isinstance(low, str) and isinstance(high, str):
        begin, end = instant(low), instant(high)
        if begin is not None and end is not None and begin > end:
            message = f"the bounds are in the wrong order: {low} is after {high}"
            yield NeverMatching(path, message, f"write [{high}, {low}]")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _said(value: Any) -> str:
    return str(value).lower()
