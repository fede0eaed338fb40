"""Repeatable random assignment: a hash of names, the same in every process and on every re-entry (VAR-2, EXP-3)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b


def hash_fraction(*names: str) -> float:
    """A number in [0, 1) that depends on these names alone."""
    digest = blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def pick(drawn: float, shares: Mapping[str, float]) -> str:
    """The name whose share, in per cent and in this order, a fraction falls into."""
    place = drawn * 100
    chosen = ""
    for name, share in shares.items():
        if share <= 0:
            continue
        chosen = name
        place -= share
        if place < 0:
            break
    return chosen
