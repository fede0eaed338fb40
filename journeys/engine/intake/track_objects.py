"""Checks the objects of `/users/track` one by one: whom they are about, what they say, or why they are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeys.canvas.never_matching import CONTROL
from journeys.canvas.written_instants import instant
from journeys.engine.intake.half_characters import Unreadable
from journeys.engine.intake.unknown_keys import unknown_keys
from journeys.engine.people.attributes import Refused, countable, kept_properties
from journeys.engine.people.carts import violation
from journeys.engine.people.code_lists import CURRENCIES
from journeys.engine.people.identity import Identifier
from journeys.engine.people.standard_attributes import address, e164, fatal, faults, look_alikes

ARRAYS = ("attributes", "events", "purchases")
"""In the order in which they are applied (TRK-3)."""

CALLERS = ("api_key", "partner", "app_group_id")
"""Keys beside the arrays that other clients send, and that say nothing of people."""

NO_IDENTIFIER = "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
NO_EMAIL = "The value provided for the 'email' field is not a valid email."
NO_PHONE = "'phone' must be a phone number with its country code"
_EITHER = CONTROL | {"email", "phone", "prioritization", "time", "properties", "event_id"}
KEYS = {
    "events": _EITHER | {"name"},
    "purchases": _EITHER | {"product_id", "currency", "price", "quantity"},
}
"""What an event and a purchase may say; of attributes all other keys are custom ones."""
PLACES = {"events": "an event", "purchases": "a purchase"}
LONGEST_NAME = 255
MOST_REMARKS = 20
"""Refused parts of one object that are told one by one."""
LONGEST_IDENTIFIER = 997
"""Bytes, in UTF-8, of which a character has at most so many:"""
MOST_BYTES_OF_ONE = 4


@dataclass(
    slots=True, kw_only=True
)  # not frozen, which makes them three times as slowly: there are very many
class Item:
    """An object that is taken. `at` is the instant as it was sent; `event_id` the sender's own id of an event."""

    array: str
    index: int
    given: Mapping[str, Any]
    who: Identifier
    anonymous: Identifier | None
    """The anonymous person who is said to be the same (IDN-12)."""
    makes: bool
    """Whether an unknown person is made (IDN-7, D2)."""
    name: str = ""
    at: datetime | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    event_id: str | None = None


@dataclass(slots=True)
class Objects:
    """What a request says: the items taken, their number by array, and what is wrong with others, or parts of them."""

    items: list[Item] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)


def remarks(array: str, index: int, texts: Sequence[str]) -> list[dict[str, Any]]:
    """What is said of the parts of an object: of very many the first, and how many more there are."""
    told = [remark(array, index, text) for text in texts[:MOST_REMARKS]]
    if len(texts) > MOST_REMARKS:
        told.append(remark(array, index, f"and {len(texts) - MOST_REMARKS} more remarks on this object"))
    return told


def beside(keys: Iterable[str]) -> list[dict[str, Any]]:
    """What is said of keys beside the arrays: of none of their objects."""
    found = unknown_keys(keys, (*ARRAYS, *CALLERS), "this request")
    return [{"type": text} for text in found[:MOST_REMARKS]]


def remark(array: str, index: int, text: str) -> dict[str, Any]:
    """What is said of an object in the answer (TRK-5)."""
    return {"type": text, "input_array": array, "index": index}


def read(body: Mapping[str, Any], *, alike: bool = True) -> Objects:
    """Judge every object of the three arrays. One that is not valid does not affect others.

    All that is wrong with an object is told. `alike`: so are attributes whose names look like standard ones.
    """
    found = Objects()
    for array in ARRAYS:
        given = body.get(array)
        if given is None:
            continue
        found.taken[array] = 0
        for index, each in enumerate(given):
            try:
                item, warnings = _item(array, index, each)
            except Refused as refused:
                texts = [*refused.args, *_unknown(array, each)[:MOST_REMARKS]]
                found.errors += [remark(array, index, text) for text in texts]  # TRK-5
                continue
            if alike and array == "attributes":
                warnings += look_alikes(item.given)
            found.taken[array] += 1  # TRK-4
            found.items.append(item)
            if warnings:
                found.warnings += remarks(array, index, warnings)
    return found


def _unknown(array: str, given: Any) -> list[str]:
    known = KEYS.get(array)
    if known is None or not isinstance(given, dict) or given.keys() <= known:
        return []
    return unknown_keys(given, known, PLACES[array])


def _item(array: str, index: int, given: Any) -> tuple[Item, list[str]]:
    if isinstance(given, Unreadable):
        raise Refused(given.reason)
    if not isinstance(given, dict):
        raise Refused(f"each object in '{array}' must be a JSON object")
    warnings: list[str] = []
    said: dict[str, Any] = {}
    if array == "attributes":
        if fatal(given):
            raise Refused(*faults(given))
    else:
        said, warnings = _PARTS[array](given)
        warnings += _unknown(array, given)  # TRK-5
        said["at"] = instant(given.get("time"))
        if said["at"] is None:
            raise Refused("'time' must be an ISO 8601 datetime")  # EVT-1
    who = identifier_of(given)
    if isinstance(who, str):
        raise Refused(who)
    if ignored := _ignored(given):
        warnings.append(ignored)
    anonymous = given.get("anonymous_id") if who.sort == "external_id" else None
    if anonymous is not None and (wrong := misnamed("anonymous_id", anonymous)):
        warnings.append(f"{wrong}; it was ignored")
        anonymous = None
    return Item(
        array=array,
        index=index,
        given=given,
        who=who,
        anonymous=None if anonymous is None else Identifier("anonymous_id", anonymous),  # IDN-12
        makes=_makes(given, who),
        **said,
    ), warnings


def misnamed(key: str, value: Any) -> str | None:
    """Why this cannot be a name, under this key: it is some text without U+0000, and as long as an index takes."""
    if not isinstance(value, str):
        return f"'{key}' must be a string"
    if value == "":
        return f"'{key}' must not be empty"
    if "\0" in value:
        return f"'{key}' must not contain the character U+0000"
    if len(value) * MOST_BYTES_OF_ONE > LONGEST_IDENTIFIER and len(value.encode()) > LONGEST_IDENTIFIER:
        return f"'{key}' must not be longer than {LONGEST_IDENTIFIER} bytes"
    return None


def identifier_of(given: Mapping[str, Any]) -> Identifier | str:
    """Who an object is about (IDN-5, IDN-6), or what is wrong with it.

    An external id is stronger than an alias, a `braze_id`, an anonymous id, an e-mail address, a phone number.
    """
    if given.get("external_id") is not None:  # IDN-6
        return _identifier("external_id", given["external_id"])
    alias = given.get("user_alias")
    if alias is not None:
        names = (alias.get("alias_label"), alias.get("alias_name")) if isinstance(alias, Mapping) else ()
        if not names or None in names:
            return "'user_alias' must be an object with 'alias_name' and 'alias_label'"
        for key, name in zip(("alias_label", "alias_name"), names, strict=True):
            if wrong := misnamed(key, name):
                return f"'user_alias' cannot be used: {wrong}"
            if "\x1f" in str(name):
                return f"'user_alias' cannot be used: '{key}' must not contain the character U+001F"
        return Identifier("user_alias", f"{names[0]}\x1f{names[1]}")  # IDN-6
    for sort in ("braze_id", "anonymous_id"):  # IDN-6
        if given.get(sort) is not None:
            return _identifier(sort, given[sort])
    if given.get("email") is not None:  # IDN-5
        email = address(given["email"])
        return Identifier("email", email) if email else NO_EMAIL
    if given.get("phone") is not None:  # IDN-5
        phone = e164(given["phone"]) if isinstance(given["phone"], str) else None
        return Identifier("phone", phone) if phone else NO_PHONE
    return NO_IDENTIFIER


def _identifier(sort: Any, value: Any) -> Identifier | str:
    if wrong := misnamed(sort, value):
        return wrong
    return Identifier(sort, value.lower() if sort == "braze_id" else value)


def _ignored(given: Mapping[str, Any]) -> str | None:
    """What to say of a weaker identifier beside a stronger one (IDN-6)."""
    strong = [sort for sort in ("external_id", "user_alias", "braze_id") if given.get(sort) is not None]
    return f"'{strong[1]}' was ignored because '{strong[0]}' is present" if len(strong) > 1 else None


def _makes(given: Mapping[str, Any], who: Identifier) -> bool:
    existing = given.get("_update_existing_only")
    if who.sort == "braze_id" or existing is True:  # IDN-7
        return False
    return existing is False if who.sort == "user_alias" else True  # IDN-7, D2


def _name(given: Mapping[str, Any], key: str) -> str:
    name = given.get(key)
    if name is None or name == "":
        raise Refused(f"'{key}' is required")
    if isinstance(name, str) and len(name) > LONGEST_NAME:
        raise Refused(f"'{key}' must not be longer than {LONGEST_NAME} characters")
    if wrong := misnamed(key, name):
        raise Refused(wrong)
    return str(name)


def _properties(given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, list[str]]:
    """The properties that are kept, the event's id (`event_id`, else the property `$insert_id`), and what was not."""
    properties = given.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        raise Refused("'properties' must be an object")
    kept, warnings = kept_properties(properties)
    own = given.get("event_id", properties.get("$insert_id"))  # EVT-5
    own = None if own is None or own == "" else str(own)
    if own is not None and "\0" in own:
        raise Refused("'event_id' must not contain the character U+0000")
    return kept, own, warnings


def _event(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    name = _name(given, "name")
    properties, event_id, warnings = _properties(given)
    if wrong := violation(name, properties):
        raise Refused(wrong)
    return {"name": name, "properties": properties, "event_id": event_id}, warnings


def _purchase(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """PUR-1. Price, currency and quantity become properties of the purchase."""
    name = _name(given, "product_id")
    currency, price, quantity = given.get("currency"), given.get("price"), given.get("quantity")
    if not isinstance(currency, str) or currency.upper() not in CURRENCIES:  # PUR-1
        raise Refused("'currency' must be an ISO 4217 code")
    if isinstance(price, bool) or not isinstance(price, int | float) or not countable(price):  # PUR-1
        raise Refused("'price' must be a number")
    quantity = 1 if quantity is None else quantity  # PUR-1
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= 100:  # PUR-1
        raise Refused("'quantity' must be an integer between 1 and 100")
    properties, event_id, warnings = _properties(given)
    properties |= {"price": price, "currency": currency.upper(), "quantity": quantity}
    return {"name": name, "properties": properties, "event_id": event_id}, warnings


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[str]]]] = {
    "events": _event,
    "purchases": _purchase,
}
