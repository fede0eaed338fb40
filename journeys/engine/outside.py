"""Who answers what a template asks of the world while it is rendered: here the answers are put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from journeys.engine.content.services import Call, Reply, Services


class Calls(Protocol):
    """Makes the calls of Connected Content."""

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Make a call for this workspace, or answer it from a cache. Raises `Aborted` for an unknown credential."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The parts of a process that answer templates. A part that is not there has nothing to give."""

    calls: Calls | None = None

    def services(self, workspace: int) -> Services:
        """The answers for one message: all its fields share them."""
        return Answers(self, workspace)


class Answers(Services):
    """The answers for one message, from the parts of this process."""

    def __init__(self, outside: Outside, workspace: int) -> None:
        super().__init__()
        self._outside = outside
        self._workspace = workspace

    async def connected(self, call: Call) -> Reply:
        """See base class."""
        if self._outside.calls is None:
            return await super().connected(call)
        return await self._outside.calls(self._workspace, call)
