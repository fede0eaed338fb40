"""Writes the source of a generated function: lines, unique names, and a table of constants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CHUNK = 16
"""How much work is done at most before it is reported to the rendering."""
DEPTH = 4
"""Loops and captures within each other; what lies deeper is left to the tree (Python allows 20 blocks)."""


@dataclass(slots=True)
class Loop:
    """A loop that is being written: its variable, by the name that the template gave it, and what its body needs."""

    name: str
    item: str
    helper: str
    uses_helper: bool = False
    opaque: bool = False


@dataclass(slots=True)
class Writer:
    """The source so far."""

    awaits: bool
    """Whether the function is to await what makes calls."""
    fixed: frozenset[str] | None = None
    """Names that the template sets. None: not known, because something in it may set any."""
    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    parts: str = "parts"
    outer: list[str] = field(default_factory=list)
    """The texts around it, outermost first."""
    put: str = "put"
    pending: int = 0
    blocks: int = 0
    _depth: int = 1
    _count: int = 0
    _known: dict[tuple[type, Any], str] = field(default_factory=dict)

    def line(self, text: str) -> None:
        """Write a line."""
        self.lines.append("    " * self._depth + text)

    def fresh(self, letter: str) -> str:
        """A new name."""
        self._count += 1
        return f"{letter}{self._count}"

    def constant(self, value: Any) -> str:
        """The name under which the function finds a value."""
        key: tuple[type, Any]
        if isinstance(value, float):
            key = (value.__class__, repr(value))  # 0.0 is equal to -0.0, and printed otherwise
        else:
            key = (value.__class__, value) if isinstance(value, str | int) else (object, id(value))
        if key not in self._known:
            name = self._known[key] = self.fresh("k")
            self.constants[name] = value
        return self._known[key]

    @contextmanager
    def indented(self) -> Iterator[None]:
        """What is written here stands within what was written last."""
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def branch(self) -> Iterator[None]:
        """As `indented`, for what may be passed over."""
        before = self.pending
        with self.indented():
            yield
        self.pending = max(before, self.pending)

    @contextmanager
    def apart(self) -> Iterator[list[str]]:
        """Lines that are kept apart, and not among the others yet."""
        kept: list[str] = []
        lines, self.lines = self.lines, kept
        yield kept
        self.lines = lines

    def work(self, amount: int) -> None:
        """Count work that is to be done; the rendering checks its clock for it."""
        self.pending += amount
        if self.pending >= CHUNK:
            self.line(f"spend({self.pending}, {self.parts})")
            self.pending = 0

    def root(self, name: str) -> str:
        """The value of a name that no loop around sets."""
        read = f"look({self.constant(name)})"
        if self.fixed is None or name in self.fixed:
            return read
        if name not in self.roots:
            self.roots[name] = self.fresh("r")
        return self.roots[name]

    def opaque(self) -> None:
        """What is written next looks at the scope by itself: all loops around must show theirs."""
        for loop in self.loops:
            loop.opaque = True
