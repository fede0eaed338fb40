"""The protocol of the machine: events go in, commands come out; outcomes are what a step makes of an event.

Events say what happened (past participles), commands what should be done (imperatives), outcomes what a step
made of an event. All are frozen values without methods, read by pattern matching and never subclassed.
Instants are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from journeys.canvas.filters import Filter

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One person's run through one canvas: small, frozen, all that the machine needs to know.

    `id` names the entry, `person` the person, both opaque. `moved` is the instant of the last event that it heard;
    `begun` the instant at which it came to the step `step`. `wake_at` is the deadline it sleeps to (none: it waits
    for nothing, or has ended). `phase` is the step's own bookmark within a step. `ended` is the reason of its end.
    """

    id: str
    canvas: str
    person: str
    moved: datetime
    entered: datetime
    variant: str | None = None
    step: str | None = None
    begun: datetime | None = None
    wake_at: datetime | None = None
    phase: str = ""
    leaving: str | None = None
    """An exit that takes effect at the end of the step (`release: end_of_step`)."""
    ended: str | None = None
    context: Mapping[str, Any] = field(default_factory=_nothing)
    """Entry properties, and what context steps set; lives until the end of the entry."""
    key: Any = None
    """What the canvas' `key` named when the person entered: a text or a number; None where the canvas has no key."""
    properties: Mapping[str, Any] = field(default_factory=_nothing)
    """`event_properties`: of the event that matched an action path, for the first message after it (CTX-20)."""
    heard: int = 0
    """The number of the last of the person's events that it heard."""


# Events -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The entry begins."""


Kind = Literal["event", "purchase", "message", "attribute", "consent", "identifier", "person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that a person did, or that happened to a message to them; `Happened` is made from it.

    `name` is the event's name, a purchase's product, an engagement (`opened`, `clicked` …), or what changed: an attribute,
    the channel of a consent, an identifier. A change has the values `before` and `after` as properties. `no` counts the
    person's occurrences in the order in which they were stored.
    """

    no: int
    kind: Kind
    name: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=_nothing)
    compared: Mapping[str, Any] = field(default_factory=_nothing)
    """The attributes that triggers compare it with, as they were when it happened; those not kept are read now (ACT-7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An awaited thing happened: it matched the trigger named `label` of the step at which the entry stands."""

    label: str
    occurrence: Occurrence


@dataclass(frozen=True, slots=True)
class Woke:
    """The deadline has come."""


DeliveryOutcome = Literal["sent", "aborted", "unreachable", "invalid", "failed", "withdrawn", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A message of the step is settled: `sent`, or why it was not. `skipped`: a resume after a pause said so."""

    step: str
    outcome: DeliveryOutcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to the last question of the entry. `at`: the instant of an answer that came later, to a `Fetch`."""

    answer: Any
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An exit was met. `at_once` ends the entry now (EXT-5, X1); otherwise it ends at the end of its step."""

    reason: str
    at: datetime
    at_once: bool = True


Event = Entered | Happened | Woke | Delivered | Answered | Left


# Questions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matches:
    """Which is the first of these filters that the person matches now? Answer: its index, or None."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Zones:
    """Which zones count? Answer: `ZonesAnswer`."""


@dataclass(frozen=True, slots=True)
class ZonesAnswer:
    """IANA names; `local` is the company's where the profile has none (DLY-5)."""

    company: str
    local: str


@dataclass(frozen=True, slots=True)
class BestTime:
    """When does the person like to read on this channel (IT-1)? Answer: `BestTimeAnswer`."""

    channel: str


@dataclass(frozen=True, slots=True)
class BestTimeAnswer:
    """`minute` of the local day (0–1439), or None where nothing was learnt yet (IT-3); `zone` is the local one."""

    zone: str
    minute: int | None


@dataclass(frozen=True, slots=True)
class Render:
    """What are the values of these variables? Pairs of (name, type, Liquid source), evaluated top to bottom (CXS-2).

    Answer: a mapping of the names that could be set to their values; the others are left out (CXS-4).
    """

    variables: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class LookBack:
    """What of that which the step listens to has already happened since `since`? Answer: tuple of `Happened`.

    The driver asks it when a step begins to listen, so that nothing falls between the step and the ingestion. Where
    another entry has heard it, `Left` is in the answer instead (ACT-10).
    """

    since: datetime


@dataclass(frozen=True, slots=True)
class OthersWait:
    """Does another entry of the person wait in one of these steps, for the same message (CTL-9)? Answer: whether."""

    steps: frozenset[str]


Question = Matches | Zones | BestTime | Render | LookBack | OthersWait


# Commands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a question with `Answered`. Always the last command of its group."""

    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message of this step is to leave. `key` makes it unique: entry and step, whatever is repeated."""

    step: str
    key: str
    at: datetime
    context: Mapping[str, Any]
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Write attributes to the profile and log events, as the step of that id says (UPD-1).

    `texts`: its rendered Liquid by source, if calls were made; None: a call failed, and the value with it is not
    written. No texts: there are no calls, and the Liquid is rendered within the transaction.
    """

    step: str
    key: str
    at: datetime
    context: Mapping[str, Any] = field(default_factory=_nothing)
    texts: Mapping[str, str | None] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Compute the Liquid of this step, with its calls, outside of any transaction (CXS-5).

    It is answered later, with `Answered`: a mapping as for `Render`, or of texts as in `Update`, or None where the others
    could not be reached.
    """

    step: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Remember a fact of this entry: `entered`, `reached`, `took`, `waits`, `late`, `ended` …, with details."""

    fact: str
    at: datetime
    step: str | None = None
    data: Mapping[str, Any] = field(default_factory=_nothing)


Command = Ask | Send | Update | Fetch | Note


# Outcomes: what a step says ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Go:
    """Leave the step by this exit. `context` is merged into the entry's; `properties` replace its event's."""

    exit: str = "next"
    doing: tuple[Command, ...] = ()
    context: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay until the instant, or until something that the step listens to; `phase` comes back with the entry."""

    until: datetime
    phase: str = ""
    doing: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Stay, and ask a question; the answer comes to `hear` as `Answered`, with the entry in this phase."""

    question: Question
    phase: str = ""
    doing: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The entry ends here, for this reason."""

    reason: str
    doing: tuple[Command, ...] = ()


Outcome = Go | Wait | Query | End
