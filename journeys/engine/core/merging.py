"""What becomes of two people who are one: whose values stay, why a merge is declined, who is meant by an address. Pure.

The one who stays is “kept”, the one who goes is “gone”.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from journeys.canvas.written_instants import instant

COLUMNS = ("email", "phone", "first_name", "last_name", "language", "country", "zone")
"""The standard attributes that a profile has in columns of their own."""

EARLIEST = frozenset({"date_of_first_session"})
LATEST = frozenset({"date_of_last_session", "marked_email_as_spam_at"})
UNITED = frozenset({"push_tokens"})
UNFORMATTED = "unformatted_phone"
"""The number of a person that has no international form; it is their number all the same."""

STATES = ("subscribed", "opted_in", "unsubscribed")
"""The stronger the later: what is said against messages wins, and what is said for them over what nobody said."""

Priority = Literal["identified", "unidentified", "most_recently_updated", "least_recently_updated"]
Declined = Literal["both_phones_invalid", "global_control_group"]


@dataclass(frozen=True, slots=True)
class Values:
    """What is known of a person: `columns` by the names of COLUMNS, other standard attributes, custom ones."""

    columns: Mapping[str, str | None]
    standard: Mapping[str, Any]
    custom: Mapping[str, Any]
    bucket: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody whom an address or a number may mean."""

    person: Any
    identified: bool
    updated: datetime


def merged_values(kept: Values, gone: Values) -> Values:
    """The values of the one who stays (IDN-14): their own, and those of the other for what they have none of.

    The bucket is that of the one who stays (IDN-10).

    Example:
        >>> mel = Values({"email": "mel@example.com"}, {}, {"color": "red"})
        >>> merged_values(mel, Values({"email": None}, {"gender": "F"}, {"color": "blue", "size": 38})).custom
        {'color': 'red', 'size': 38}
    """
    columns = {
        name: value if value is not None else gone.columns.get(name) for name, value in kept.columns.items()
    }
    standard = {
        name: _one(name, kept.standard.get(name), gone.standard.get(name))
        for name in (*kept.standard, *(name for name in gone.standard if name not in kept.standard))
    }
    if kept.columns.get("phone") is not None:
        standard.pop(UNFORMATTED, None)
    elif kept.standard.get(UNFORMATTED) is not None:
        columns["phone"] = None
    elif gone.columns.get("phone") is not None:
        standard.pop(UNFORMATTED, None)
    custom = {**gone.custom, **kept.custom}  # IDN-14
    order = (*kept.custom, *(name for name in gone.custom if name not in kept.custom))
    return Values(columns, standard, {name: custom[name] for name in order}, kept.bucket)


def _one(name: str, kept: Any, gone: Any) -> Any:
    if kept is None or gone is None:
        return gone if kept is None else kept
    if name in UNITED and isinstance(kept, Sequence) and isinstance(gone, Sequence):
        return [*kept, *(each for each in gone if each not in kept)]  # IDN-14
    if name in EARLIEST | LATEST:
        instants = {one: instant(one) for one in (kept, gone)}
        known = {one: at for one, at in instants.items() if at is not None}
        if len(known) == len({kept, gone}):
            chosen = min if name in EARLIEST else max
            return chosen(known, key=lambda one: known[one])  # IDN-14
    return kept


def declined(kept: Values, gone: Values, held_out: Collection[int]) -> Declined | None:
    """Why two people stay two (IDN-16); None where they become one. `held_out`: the buckets of the global control group."""
    if all(one.standard.get(UNFORMATTED) is not None for one in (kept, gone)):  # IDN-16
        return "both_phones_invalid"
    if kept.bucket in held_out or gone.bucket in held_out:  # IDN-16
        return "global_control_group"
    return None


def meant(candidates: Collection[Candidate], priorities: Sequence[Priority]) -> Any | None:
    """The one of these people who is meant: each priority narrows them down; None unless one is left (IDN-28)."""
    left = list(candidates)
    for priority in priorities:
        match priority:
            case "identified":
                left = [one for one in left if one.identified]
            case "unidentified":
                left = [one for one in left if not one.identified]
            case "most_recently_updated":
                left = [one for one in left if one.updated == max(each.updated for each in left)]
            case _:
                left = [one for one in left if one.updated == min(each.updated for each in left)]
    return left[0].person if len(left) == 1 else None  # IDN-28


def wrong_priorities(given: Any) -> str | None:
    """What is wrong with a `prioritization` (IDN-28); None where it is right, and where there is none."""
    known = ("identified", "unidentified", "most_recently_updated", "least_recently_updated")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(one, str) and one in known for one in given):
        return f"'prioritization' must be an array of {', '.join(known)}"
    if {"identified", "unidentified"} <= set(given):
        return "'prioritization' must not have both 'identified' and 'unidentified'"
    return None
