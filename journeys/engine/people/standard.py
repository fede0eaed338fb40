"""What one attributes object of a request does to a profile: standard attributes, consents, custom attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from journeys.engine.people.attributes import REMOVED, Refused
from journeys.engine.people.attributes import changed as combined

LONGEST_TEXT = 255

COLUMNS = {
    "email": "email", "phone": "phone", "first_name": "first_name", "last_name": "last_name",
    "language": "language", "country": "country", "time_zone": "zone",
}  # fmt: skip
"""Standard attributes that are columns, by their API names."""

STANDARD = frozenset({
    "home_city", "image_url", "gender", "dob", "current_location", "date_of_first_session", "date_of_last_session",
    "marked_email_as_spam_at", "email_open_tracking_disabled", "email_click_tracking_disabled", "facebook", "twitter",
})  # fmt: skip
CONSENTS = {"email_subscribe": "email", "push_subscribe": "push"}
STATES = ("opted_in", "subscribed", "unsubscribed")
CONTROL = frozenset({
    "external_id", "user_alias", "braze_id", "anonymous_id", "_update_existing_only", "_merge_objects",
    "push_token_import", "app_id", "bio", "push_tokens", "subscription_groups", "alias_name", "alias_label",
})  # fmt: skip
GENDERS = ("M", "F", "O", "N", "P")


@dataclass(slots=True)
class Changed:
    """What came of it: the values to store, and what was refused without sinking the rest."""

    columns: dict[str, Any] = field(default_factory=dict)
    standard: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """The attributes whose value is now another (TRK-9)."""


def fatal(given: Mapping[str, Any]) -> str | None:
    """What refuses the whole object (TRK-8), if anything does."""
    for name in CONSENTS:
        if name in given and given[name] is not None and given[name] not in STATES:
            return f"'{name}' must be 'opted_in', 'subscribed' or 'unsubscribed'"
    email = given.get("email")
    if email is not None and _email(email) is None:
        return "The value provided for the 'email' field is not a valid email."
    return None


def apply(profile: Any, given: Mapping[str, Any]) -> Changed:
    """The profile's values after this object. `profile` has the columns, `standard`, `attributes`."""
    changed = Changed(standard=dict(profile.standard), custom=dict(profile.attributes))
    merge = given.get("_merge_objects") is True
    for name, value in given.items():
        if name in CONTROL:
            continue
        if name in COLUMNS:
            _column(profile, changed, name, value)
        elif name in CONSENTS:
            if value is not None:
                changed.consents[CONSENTS[name]] = value
        elif name in STANDARD:
            _standard(changed, name, value)
        else:
            _custom(changed, name, value, merge=merge)
    return changed


def _email(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        return None


def _column(profile: Any, changed: Changed, name: str, value: Any) -> None:
    column = COLUMNS[name]
    if value is not None:
        value = _cleaned(name, value)
        if value is None:
            return  # what cannot be used is ignored, as the API says of these fields
    if getattr(profile, column) != value:
        changed.columns[column] = value
        changed.names.add(name)


def _cleaned(name: str, value: Any) -> str | None:
    """A standard attribute as it is kept; None where the value cannot be used."""
    if not isinstance(value, str) or "\0" in value:
        return None
    match name:
        case "email":
            return _email(value)
        case "phone":
            return e164(value) or value[:LONGEST_TEXT]
        case "time_zone":
            return value if is_zone(value) else None
        case "language":
            return value.lower()[:2] if len(value) >= 2 and value[:2].isalpha() else None
        case "country":
            return value.upper() if len(value) == 2 and value.isalpha() else COUNTRIES.get(value.strip().lower())
    return value[:LONGEST_TEXT]


COUNTRIES = {
    "france": "FR", "germany": "DE", "deutschland": "DE", "united states": "US", "united states of america": "US",
    "usa": "US", "united kingdom": "GB", "great britain": "GB", "spain": "ES", "italy": "IT", "netherlands": "NL",
    "belgium": "BE", "austria": "AT", "switzerland": "CH", "poland": "PL", "portugal": "PT", "ireland": "IE",
    "canada": "CA", "australia": "AU", "japan": "JP", "china": "CN", "india": "IN", "brazil": "BR", "mexico": "MX",
    "sweden": "SE", "norway": "NO", "denmark": "DK", "finland": "FI",
}  # fmt: skip
"""Names of countries that are understood; another name is no country, and the value stays unset."""


def e164(text: str) -> str | None:
    """A phone number in its international form, None where it has none (IDN-8)."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    form = phonenumbers.PhoneNumberFormat.E164
    return phonenumbers.format_number(number, form) if phonenumbers.is_possible_number(number) else None


def is_zone(name: str) -> bool:
    """Whether there is an IANA zone of this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _standard(changed: Changed, name: str, value: Any) -> None:
    if name == "gender" and value is not None and value not in GENDERS:
        return
    if value is None:
        if changed.standard.pop(name, None) is not None:
            changed.names.add(name)
        return
    try:
        value = combined(name, None, value)
    except Refused as refused:
        changed.errors.append(str(refused))
        return
    if changed.standard.get(name) != value:
        changed.standard[name] = value
        changed.names.add(name)


def _custom(changed: Changed, name: str, value: Any, *, merge: bool) -> None:
    before = changed.custom.get(name)
    try:
        after = combined(name, before, value, merge=merge)
    except Refused as refused:
        changed.errors.append(str(refused))
        return
    if after is REMOVED:
        if changed.custom.pop(name, None) is not None:
            changed.names.add(name)
    elif after != before or name not in changed.custom:
        changed.custom[name] = after
        changed.names.add(name)
