"""The interface of a channel: it takes rendered content, hands it to a provider, and reports the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

Outcome = Literal["sent", "unreachable", "retry", "away", "failed"]


class Content(BaseModel):
    """Finished content: every text is rendered. Channels say by a subclass what they take."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Recipient:
    """The recipient: the address on this channel, and nothing else of the person."""

    address: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of it. `retry`: later, not before `retry_after` seconds; `detail` is for people, without secrets.

    `away`: the provider itself cannot be reached, and nothing was handed over. All messages of the channel wait until it
    can be, and none of them counts as tried.
    `bounced`, with `unreachable`: the address does not exist. Nothing is sent to it any more, whoever has it (EML-8).
    `soft`, with `retry`: the mailbox takes nothing at present, as a full one. It is tried for 72 hours (EML-8).
    """

    outcome: Outcome
    detail: str = ""
    provider_id: str = ""
    retry_after: float | None = None
    bounced: bool = False
    soft: bool = False


class Doubtful(Exception):
    """The provider took the message and did not answer: it may have left."""


@runtime_checkable
class Channel(Protocol):
    """A channel. `deliver` is called once per key; `idempotent` says that the provider does the same key once."""

    name: ClassVar[str]
    idempotent: ClassVar[bool]
    content: ClassVar[type[Content]]
    lanes: int
    """How many deliveries may be under way at once in a process."""

    async def open(self) -> None:
        """Get ready to deliver."""

    async def close(self) -> None:
        """Let go of connections."""

    def address_of(self, profile: Any) -> str | None:
        """The address of a profile on this channel; None if the person cannot be reached on it."""

    async def deliver(self, content: Any, to: Recipient, key: str) -> Receipt:
        """Hand it to the provider. Refusals are receipts; `Doubtful` if the outcome is unknown."""
