"""Tells the keys of a request that mean nothing where they stand: what is said under them is lost."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from journeys.canvas.problems import squashed

MOST_HINTS = 20
"""Unknown keys of one object for which the nearest known one is looked for."""

LONGEST = 40
"""Characters of a key that is compared with known ones, and that are told of it."""


def unknown_keys(given: Iterable[str], known: Collection[str], place: str) -> list[str]:
    """What to say of each key that is not known in such an object, with the known key that is likely meant.

    Example:
        >>> unknown_keys(["name", "propertys", "x"], ["name", "properties"], "an event")
        ["'propertys' is no key of an event and was ignored; did you mean 'properties'?", "'x' is no key of an event and was ignored"]
    """
    found: list[str] = []
    for name in given:
        if name in known:
            continue
        near = _nearest(name, known) if len(name) <= LONGEST and len(found) < MOST_HINTS else None
        hint = f"; did you mean '{near}'?" if near else ""
        told = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
        found.append(f"'{told}' is no key of {place} and was ignored{hint}")
    return found


def _nearest(name: str, known: Iterable[str]) -> str | None:
    plain = {squashed(each): each for each in sorted(known)}
    near = difflib.get_close_matches(squashed(name), plain, 1, cutoff=0.75)
    return plain[near[0]] if near else None
