"""The step `message`: sends a message on a channel: now, at the best time of the person, or at a time of day."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from journeys.canvas.events_and_commands import (
    Answered,
    BestTime,
    BestTimeAnswer,
    Delivered,
    End,
    Entry,
    Event,
    Go,
    Outcome,
    Query,
    Send,
    Wait,
    Woke,
    Zones,
    ZonesAnswer,
)
from journeys.canvas.filters import Filter
from journeys.canvas.frozen_model import Later
from journeys.canvas.problems import wrong
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.times import TimeOfDay, clock
from journeys.canvas.wall_clock import on_or_after, plus, wall_of

HELD = timedelta(hours=72)
"""How long a message holds its entry at most, where it holds it at all."""

DAY = timedelta(days=1)


def _moment(value: Any) -> Any:
    return value if value in ("now", "best_time") else clock(value)


Moment = Annotated[
    Literal["now", "best_time"] | time,
    BeforeValidator(_moment),
    PlainSerializer(
        lambda value: value if isinstance(value, str) else value.strftime("%H:%M"), return_type=str
    ),
    WithJsonSchema({"type": "string", "examples": ["now", "best_time", "18:00"]}),
]


class Message(Step):
    """Write to a person on a channel.

    ```yaml
    - {type: message, id: hello, channel: email, template: welcome/hello}
    ```

    `at` is `now` (the default), `best_time` (their best hour on this channel, IT-1 and IT-2; `fallback` where nothing
    was learnt yet, IT-3) or a time of day in their zone. `only_when` is checked once more at the moment of sending
    (VAL-1). With a `subscription_group` it reaches who is subscribed to the group, and nobody else (SUB-3). `on_fail: exit` ends the entry where the message cannot leave (VAL-2); otherwise the entry advances at
    once, whatever becomes of the message (MSG-1). `on_doubt` says what to do if it is unknown whether it was sent.
    """

    type: Literal["message"] = "message"
    """This step type."""
    channel: Annotated[str, Field(min_length=1)]
    """The channel: email, webhook, or one of another package."""
    template: Annotated[str, Field(min_length=1)]
    """The name of the template."""
    at: Moment = "now"
    """When: `now`, `best_time`, or a time of day of the person's."""
    fallback: TimeOfDay | None = None
    """The time of day where the best is not known."""
    subscription_group: Annotated[str, Field(min_length=1)] | None = None
    """The subscription group that it belongs to: it reaches those who are subscribed to it."""
    only_when: Filter | None = None
    """What must hold of the person at the moment of sending."""
    on_fail: Literal["advance", "exit"] = "advance"
    """Where it cannot leave: go on, or leave the canvas. To leave, the entry waits for the outcome."""
    on_doubt: Literal["send", "skip"] = "send"
    """Where it is not known whether it left: send it again, or skip it."""
    outcomes: Later = None
    """Paths by the outcome. Not supported yet."""

    sends: ClassVar[bool] = True

    @model_validator(mode="after")
    def _fallback(self) -> Self:
        if self.fallback is not None and self.at != "best_time":
            raise wrong("J104", "`fallback` is used only with `at: best_time`", at=("fallback",))
        return self

    @property
    def held(self) -> bool:
        """Whether the entry waits for what becomes of the message."""
        return self.on_fail == "exit"  # VAL-2

    def arrive(self, here: Here) -> Outcome:
        """Send now, or find out when. Webhooks leave at once whatever is said (IT-4)."""
        if self.at == "now" or self.channel == "webhook":  # IT-4
            return self._send(here)
        if self.at == "best_time":
            return Query(BestTime(self.channel), phase="when")  # IT-2
        return Query(Zones(), phase="when")

    def hear(self, here: Here, event: Event) -> Outcome | None:
        """The person's time is known, it has come, or the message is settled."""
        match event:
            case Answered(answer=BestTimeAnswer(zone=zone, minute=minute)):
                known = time(minute // 60, minute % 60) if minute is not None else self.fallback  # IT-3
                return self._at(here, known, zone)
            case Answered(answer=ZonesAnswer(local=zone)) if isinstance(self.at, time):
                return self._at(here, self.at, zone)
            case Woke() if here.entry.phase == "held":
                return Go() if not self.held else End("delivery_unknown")
            case Woke():
                return self._send(here)
            case Delivered(outcome=outcome) if here.entry.phase == "held":
                return Go() if outcome in ("sent", "skipped") else End(f"delivery_{outcome}")  # VAL-2
        return None

    def _at(self, here: Here, at: time | None, zone: str) -> Outcome:
        """On the day of arrival, or at that time the next day (IT-2); at once if no time is known."""
        if at is None:  # IT-3
            return self._send(here)
        release = on_or_after(here.now, at, zone)  # IT-2
        return self._send(here) if release <= here.now else Wait(release, phase="when")

    def _send(self, here: Here) -> Outcome:
        entry = here.entry
        send = Send(
            step=self.id, key=here.key, at=here.now, context=entry.context, properties=entry.properties
        )
        if self.held:
            return Wait(plus(here.now, HELD), phase="held", doing=(send,))  # VAL-2
        return Go(doing=(send,))  # MSG-1

    def filters(self) -> list[tuple[tuple[str | int, ...], Filter]]:
        """See base class."""
        return [(("only_when",), self.only_when)] if self.only_when is not None else []

    def next_occurrence(self, entry: Entry, after: datetime, zones: ZonesAnswer) -> datetime | None:
        """See base class. The best time is that which was known when the entry began to wait for it."""
        if entry.phase == "held" or entry.wake_at is None:
            return None
        known = self.at if isinstance(self.at, time) else wall_of(entry.wake_at, zones.local).time()
        return on_or_after(after, known, zones.local)

    def waits_for_others(self, entry: Entry) -> bool:
        """See base class."""
        return entry.phase == "held"

    def longest(self) -> timedelta:
        """See base class."""
        return (DAY if self.at != "now" else timedelta(0)) + (HELD if self.held else timedelta(0))
