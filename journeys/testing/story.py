"""What became of a person in a test: the path, the facts, the messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from journeys.engine.delivery.channel import Content
from journeys.testing.memory import Caught

UNSENT = ("aborted", "unreachable", "invalid", "failed", "withdrawn")
LATE = ("late", "late_event")
_LINK = re.compile(r"<a\s[^<>]*?href\s*=\s*([\"'])(.*?)\1", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of an entry: `reached`, `took`, `waits`, `sent`, `ended` …, its step, its instant, and details."""

    fact: str
    step: str | None
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The reason that it gives; nothing where it gives none."""
        return str(self.data.get("reason", ""))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion that was credited to an entry, and to the step of the last message before it."""

    name: str
    at: datetime
    step: str | None
    variant: str
    revenue: str | None = None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message as its provider was given it. `content` has all of its fields, whatever the channel is."""

    channel: str
    canvas: str
    step: str
    at: datetime
    to: str
    key: str
    content: Content
    extras: Mapping[str, str]

    @classmethod
    def of(cls, caught: Caught) -> SentMessage:
        """What was caught, as tests see it."""
        mark = caught.mark
        return cls(
            mark.channel,
            mark.canvas,
            mark.step,
            caught.at,
            caught.to,
            caught.key,
            caught.content,
            caught.extras,
        )

    def _field(self, name: str) -> Any:
        if name not in type(self.content).model_fields:
            raise AttributeError(f"a message on the channel “{self.channel}” has no {name}")
        return getattr(self.content, name)

    @property
    def subject(self) -> str:
        """The subject of a mail."""
        return str(self._field("subject"))

    @property
    def html(self) -> str:
        """The HTML of a mail, with its links counted."""
        return str(self._field("html"))

    @property
    def text(self) -> str:
        """The text part of a mail; the text of a webhook's body where it is no JSON."""
        return str(self._field("text") or "")

    @property
    def body(self) -> Any:
        """The body of a webhook: its JSON, or its text."""
        found = self._field("json_body")
        return self._field("text") if found is None else found

    @property
    def url(self) -> str:
        """The address that a webhook calls."""
        return str(self._field("url"))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of a webhook."""
        found: Mapping[str, str] = self._field("headers")
        return found

    @property
    def links(self) -> Sequence[str]:
        """The addresses that the links of a mail lead to, as its author wrote them."""
        return [_author_address(unescape(url)) for _, url in _LINK.findall(self.html)]

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.channel} to {self.to}: {getattr(self.content, 'subject', self.step)}"


def _author_address(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("u", [url])[0] if "/c/" in url else url


@dataclass(frozen=True, slots=True)
class Story:
    """One entry of a person, or that they never entered. Printed, it is the entry's facts line by line.

    `path`: the steps that it reached; `choices`: the way it took at each branching step; `end`: the reason of its end,
    None while it goes on; `refused`: where they never entered, the gate that kept them out at the last try; None of an entry.
    """

    person: str
    canvas: str
    entered: datetime | None = None
    variant: str | None = None
    end: str | None = None
    refused: str | None = None
    facts: Sequence[Fact] = ()
    messages: Sequence[SentMessage] = ()
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> list[str]:
        """The steps that it reached, in order."""
        return [each.step for each in self.facts if each.fact == "reached" and each.step is not None]

    @property
    def choices(self) -> dict[str, str]:
        """The path or branch that it took, by step."""
        return {
            each.step: str(each.data["path"])
            for each in self.facts
            if each.fact == "took" and each.step is not None
        }

    @property
    def ended_at(self) -> datetime | None:
        """The instant of its end."""
        return next((each.at for each in self.facts if each.fact == "ended"), None)

    @property
    def conversions(self) -> list[Conversion]:
        """What was credited to it."""
        return [
            Conversion(
                str(each.data["name"]),
                each.at,
                each.step,
                str(each.data["variant"]),
                each.data.get("revenue"),
            )
            for each in self.facts
            if each.fact == "converted"
        ]

    @property
    def unsent(self) -> list[Fact]:
        """The messages that did not leave, with the reason of each."""
        return [each for each in self.facts if each.fact in UNSENT]

    @property
    def late(self) -> list[Fact]:
        """What came too late: alarms, and events that came after the step that listened to them was left."""
        return [each for each in self.facts if each.fact in LATE]

    def reached(self, step: str) -> datetime:
        """The instant at which it reached a step. Raises LookupError where it did not."""
        found = next((each.at for each in self.facts if each.fact == "reached" and each.step == step), None)
        if found is None:
            raise LookupError(f"{self.person} did not reach “{step}”; the path is {self.path}")
        return found

    def message(self, step: str) -> SentMessage:
        """The message of a step. Raises LookupError where none was sent."""
        found = next((each for each in self.messages if each.step == step), None)
        if found is None:
            why = next((f": {each.fact}, {each.reason}" for each in self.unsent if each.step == step), "")
            raise LookupError(f"{self.person} was sent no message of “{step}”{why}")
        return found

    def __str__(self) -> str:
        if self.entered is None:
            return f"{self.person} did not enter {self.canvas}" + (
                f": {self.refused}" if self.refused else ""
            )
        lines = [
            f"{each.at.isoformat()} {each.fact:<10} {each.step or '':<20} "
            + ", ".join(f"{name}: {value}" for name, value in each.data.items())
            for each in self.facts
        ]
        return "\n".join([f"{self.person} in {self.canvas}", *(line.rstrip() for line in lines)])
