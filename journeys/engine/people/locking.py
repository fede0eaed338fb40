"""Locks on people, where one that another holds must not hold up what is done together."""

from __future__ import annotations

SOON, LATER = 0.05, 0.2
"""Seconds after which what met a lock is tried again together with others, and once more: most locks are short."""

TRYING, TRYING_IN_ALL = 8, 16
"""So many of a workspace, and of all, are tried again soon: each keeps a slot of the worker meanwhile."""

BRIEFLY = "set local lock_timeout = '3s'"
"""How long whoever waits alone waits for a lock, before something else has a turn."""

ALONE, ALONE_IN_ALL = 3, 6
"""So many of a workspace, and of all, wait at once for a lock, each with a connection."""


class Locked(Exception):
    """Somebody else has locked the person for longer than one waits, or too many wait already: come again."""
