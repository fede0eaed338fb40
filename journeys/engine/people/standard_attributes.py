"""Applies an attributes object of a request to a profile: standard attributes, consents, custom attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from journeys.canvas.never_matching import CONSENTS, CONTROL, GROUPS, TRUTHS
from journeys.canvas.problems import squashed
from journeys.canvas.storable_characters import storable
from journeys.canvas.written_instants import instant, read
from journeys.engine.people import code_lists
from journeys.engine.people.attributes import REMOVED, Refused
from journeys.engine.people.attributes import changed as combined

LONGEST_ADDRESS = 500
"""Characters of a text that is looked at as an e-mail address; one that is kept is shorter still."""
MOST_BYTES = 1024 * 1024
"""Bytes, as JSON, that the custom attributes of a person may have in all."""

COLUMNS = {
    "email": "email", "phone": "phone", "first_name": "first_name", "last_name": "last_name",
    "language": "language", "country": "country", "time_zone": "zone",
}  # fmt: skip
"""Standard attributes that are columns, by their API names."""

STANDARD = frozenset({
    "home_city", "image_url", "gender", "dob", "current_location", "date_of_first_session", "date_of_last_session",
    "marked_email_as_spam_at", "email_open_tracking_disabled", "email_click_tracking_disabled", "facebook", "twitter",
    "push_tokens",
})  # fmt: skip
TIMES = frozenset({"date_of_first_session", "date_of_last_session", "marked_email_as_spam_at"})
ARRAYS = frozenset({"push_tokens"})
GROUP_STATES = ("subscribed", "unsubscribed")
OBJECTS = frozenset({"facebook", "twitter"})
STATES = ("opted_in", "subscribed", "unsubscribed")
_encode = msgspec.json.Encoder().encode
GENDERS = ("M", "F", "O", "N", "P")
UNFORMATTED = "unformatted_phone"
"""Where a phone number is kept that has no international form; nothing can be sent to it (IDN-8)."""


@dataclass(slots=True)
class Changed:
    """What came of it: the values to store, and what was refused without sinking the rest."""

    columns: dict[str, Any] = field(default_factory=dict)
    standard: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    """States in subscription groups, by the names or ids that were said."""
    errors: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """The attributes whose value is now another (TRK-9)."""
    written: bool = True
    """Whether it is written at all: of an object that is refused whole nothing is."""


def fatal(given: Mapping[str, Any]) -> list[str]:
    """All that refuses the whole object (TRK-8)."""
    found = [
        f"'{name}' must be 'opted_in', 'subscribed' or 'unsubscribed'"  # TRK-8
        for name in CONSENTS
        if given.get(name) is not None and given[name] not in STATES
    ]
    email = given.get("email")
    if email is not None and address(email) is None:  # TRK-8
        found.append("The value provided for the 'email' field is not a valid email.")
    return found


@dataclass(frozen=True, slots=True)
class _Nobody:
    """A profile without anything."""

    standard: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> None:
        return None


def faults(given: Mapping[str, Any]) -> list[str]:
    """All that is wrong with an object, whoever it is about: what refuses it whole, and what it would lose."""
    return [*fatal(given), *apply(_Nobody(), given, written=False).errors]


def look_alikes(given: Mapping[str, Any]) -> list[str]:
    """What to say of names that are no standard attributes, and hardly meant to be others: `Country`, `firstName`."""
    found = []
    for name in given:
        meant = _SQUASHED.get(squashed(name)) if len(name) <= LONGEST_STANDARD else None
        if meant is not None and meant != name:
            found.append(f"'{name}' is a custom attribute; did you mean '{meant}'?")
    return found


_SQUASHED = {
    squashed(name): name
    for name in (*COLUMNS, *CONSENTS, *STANDARD, *CONTROL, GROUPS)
    if not name.startswith("_")
}
LONGEST_STANDARD = 40


def apply(profile: Any, given: Mapping[str, Any], *, written: bool = True) -> Changed:
    """The profile's values after this object. `profile` has the columns, `standard`, `attributes`."""
    changed = Changed(standard=dict(profile.standard), custom=dict(profile.attributes), written=written)
    merge = given.get("_merge_objects") is True
    room = MOST_BYTES - len(_encode(changed.custom))
    for name, value in given.items():
        if name in CONTROL:
            continue
        try:
            if name in COLUMNS:
                _column(profile, changed, name, value)
            elif name in CONSENTS:
                if value is not None:
                    changed.consents[CONSENTS[name]] = value
            elif name == GROUPS:
                _subscriptions(changed, value)
            elif name in STANDARD:
                _keep(changed, changed.standard, name, REMOVED if value is None else _standard(name, value))
            else:
                combination = combined(name, changed.custom.get(name), value, merge=merge)
                room = _room_after(room, name, changed.custom.get(name), combination)
                _keep(changed, changed.custom, name, combination)
        except Refused as refused:
            changed.errors.append(str(refused))  # ATT-1
    return changed


def _room_after(room: int, name: str, before: Any, after: Any) -> int:
    """The bytes that are left once an attribute has another value. Raises `Refused` where it would not fit."""
    old = 0 if before is None else len(_encode(before)) + len(name)
    new = 0 if after is REMOVED else len(_encode(after)) + len(name)
    if new > old and new - old > room:
        raise Refused(
            f"'{name}' was not written: the attributes of a person have at most {MOST_BYTES // 1024} KB in all"
        )
    return room + old - new


def address(written: Any) -> str | None:
    """An e-mail address as it is kept, in lower case; None for what is none.

    Example:
        >>> address(" Mel@Example.com "), address("mel@")
        ('mel@example.com', None)
    """
    if not isinstance(written, str) or len(written) > LONGEST_ADDRESS:
        return None
    try:
        found = validate_email(written.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return found.normalized.lower()  # IDN-5


def e164(written: str) -> str | None:
    """A phone number in its international form, None where it has none (IDN-8).

    Example:
        >>> e164("+49 30 901820"), e164("030 901820")
        ('+4930901820', None)
    """
    try:
        number = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return None
    form = phonenumbers.PhoneNumberFormat.E164
    # IDN-8
    return phonenumbers.format_number(number, form) if phonenumbers.is_possible_number(number) else None


def _keep(changed: Changed, place: dict[str, Any], name: str, value: Any) -> None:
    if value is REMOVED:
        if place.pop(name, None) is not None:
            changed.names.add(name)
    elif name not in place or place[name] != value or type(place[name]) is not type(value):  # TRK-9
        place[name] = value
        changed.names.add(name)


def _column(profile: Any, changed: Changed, name: str, value: Any) -> None:
    """What cannot be a country becomes none; what cannot be a language or a zone is ignored, as clients expect (1.4)."""
    column = COLUMNS[name]
    if value is not None and not isinstance(value, str):
        raise Refused(f"'{name}' must be a string")
    if name == "phone":
        value = _phone(changed, value)
    elif value is not None:
        written, value = value, _cleaned(name, value)
        if value is None and name != "email":
            done = "the person has none now" if name == "country" else "it was not changed"
            said = f"'{name}' has a value that is not known, '{storable(written[:40])}'"
            changed.errors.append(f"{said}: {done}" if changed.written else said)
        if value is None and name != "country":
            return
    if getattr(profile, column) != value:  # TRK-9
        changed.columns[column] = value
        changed.names.add(name)


def _subscriptions(changed: Changed, value: Any) -> None:
    """Note the states; what is wrong with one leaves the others alone (TRK-5)."""
    if value is not None and not isinstance(value, list):
        raise Refused(f"'{GROUPS}' must be an array of objects")
    for one in value or ():
        match one:
            case {"subscription_group_id": str() as group, "subscription_state": str() as state}:
                if state in GROUP_STATES:
                    changed.subscriptions[group] = state
                else:
                    changed.errors.append("'subscription_state' must be 'subscribed' or 'unsubscribed'")
            case _:
                said = "must have 'subscription_group_id' and 'subscription_state'"
                changed.errors.append(f"an object in '{GROUPS}' {said}")


def _phone(changed: Changed, value: str | None) -> str | None:
    number = None if value is None else e164(value)
    raw = None if value is None or number is not None else _text("phone", value)
    _keep(changed, changed.standard, UNFORMATTED, REMOVED if raw is None else raw)  # IDN-8
    return number


def _cleaned(name: str, value: str) -> str | None:
    """A standard attribute as it is kept; None where the value cannot be used."""
    match name:
        case "email":
            return address(value)
        case "time_zone":
            return code_lists.zone(value)
        case "language":
            return code_lists.language(value)
        case "country":
            return code_lists.country(value)
    return _text(name, value)


def _text(name: str, value: str) -> str:
    return str(combined(name, None, value))


def _standard(name: str, value: Any) -> Any:
    if name == "gender":
        return _gender(value)
    if name == "dob":
        return _birthday(value)
    if name == "current_location":
        return _location(value)
    if name in TIMES:
        if instant(value) is None:
            raise Refused(f"'{name}' must be an ISO 8601 datetime")
    elif name in TRUTHS:
        if not isinstance(value, bool):
            raise Refused(f"'{name}' must be true or false")
    elif not isinstance(value, list if name in ARRAYS else dict if name in OBJECTS else str):
        raise Refused(
            f"'{name}' must be {'an array' if name in ARRAYS else 'an object' if name in OBJECTS else 'a string'}"
        )
    return combined(name, None, value)


def _gender(value: Any) -> str:
    if value not in GENDERS:
        raise Refused(f"'gender' must be one of {', '.join(GENDERS)}")
    return str(value)


def _birthday(value: Any) -> str:
    found = read(value) if isinstance(value, str) else None  # ATT-6
    if found is None:
        raise Refused("'dob' must be a date such as 1990-12-31")
    return found.date().isoformat()


def _location(value: Any) -> dict[str, float]:
    match value:
        case {"longitude": int() | float() as longitude, "latitude": int() | float() as latitude}:
            if -180 <= longitude <= 180 and -90 <= latitude <= 90:
                return {"longitude": float(longitude), "latitude": float(latitude)}
    raise Refused("'current_location' must be an object with 'longitude' and 'latitude'")
