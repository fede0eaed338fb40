"""The report of a simulation: what became of the people, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from journeys.canvas.events_and_commands import Command, Entry, Note, Send

Line = tuple[datetime, Entry, Command]
"""A command, with its instant and the entry after it."""


@dataclass(slots=True)
class Report:
    """What became of the simulated people."""

    people: int = 0
    entered: Counter[str] = field(default_factory=Counter)
    """By variant."""
    reached: Counter[str] = field(default_factory=Counter)
    """By step."""
    refused: Counter[str] = field(default_factory=Counter)
    """Who did not enter, by the gate's reason."""
    unsent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages that did not leave, by step and reason."""
    took: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By step and path."""
    sent: Counter[str] = field(default_factory=Counter)
    """Messages by step."""
    days: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Messages by step and day after the entry."""
    ended: Counter[str] = field(default_factory=Counter)
    """By reason."""
    converted: Counter[str] = field(default_factory=Counter)
    """Made-up people by the conversions that they made."""
    longest: timedelta = timedelta(0)

    @property
    def messages(self) -> int:
        """All messages that were sent."""
        return sum(self.sent.values())


def count(report: Report, lines: Iterator[Line], starts: datetime) -> None:
    """Add one person's way to the report."""
    for at, _, command in lines:
        if isinstance(command, Send):
            report.sent[command.step] += 1
            report.days[command.step, (at - starts).days] += 1
        elif isinstance(command, Note):
            match command.fact:
                case "entered":
                    report.entered[command.data["variant"]] += 1
                case "refused":
                    report.refused[command.data["reason"]] += 1
                case "aborted" | "unreachable" | "invalid":
                    report.unsent[command.step or "", command.data["reason"]] += 1
                case "reached":
                    report.reached[command.step or ""] += 1
                case "took":
                    report.took[command.step or "", command.data["path"]] += 1
                case "ended":
                    report.ended[command.data["reason"]] += 1
                    report.longest = max(report.longest, at - starts)
