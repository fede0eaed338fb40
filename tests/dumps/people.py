"""Who is in a dump, in which canvas since when, and what they do before and after: by lots that are always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

NOW = datetime(2026, 3, 25, 10, 42, tzinfo=UTC)
"""The instant of the dump: four days before the clocks of Europe change."""

SOON = NOW + timedelta(minutes=3)
"""When the first of those who sleep should wake."""

REPLIES = {"/running": {"size": 44}, "/tennis": {"size": 41}, "/again": {"shoe": "slipper"}}
"""What is answered to the canvas that asks others."""

ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", None]

POOLS: dict[str, list[tuple[str, int]]] = {
    "letter": [("stop", 1), ("leave", 2), ("bought", 3), ("opened", 5), ("other", 1)],
    "watch": [("bought", 4), ("liked", 5), ("seen", 1), ("stop", 1), ("returned", 2), ("other", 1)],
    "offer": [("gone", 2), ("bought", 3), ("other", 1)],
    "ticket": [("leave", 2), ("session_start", 3), ("other", 1)],
}
"""What people in a canvas do, and how often one of these things rather than another."""


@dataclass
class Someone:
    """A person of the dump: the columns of the profile, and what they did and will do."""

    id: UUID
    columns: dict[str, Any]
    unsubscribed: bool = False
    does: list[tuple[datetime, str, str, dict[str, Any]]] = field(default_factory=list)
    """When, of which kind, by which name, with which properties."""
    entries: list[dict[str, Any]] = field(default_factory=list)

    def did(self, at: datetime, name: str, **properties: Any) -> None:
        """Each thing that a person does has seconds of its own, so that none falls together with an alarm."""
        kind = "message" if name == "opened" else "event"
        self.does.append((at + timedelta(seconds=7 * (len(self.does) + 1)), kind, name, properties))

    def only(self, at: datetime | None = None, name: str = "", **properties: Any) -> None:
        """Before the dump they do nothing but this, or nothing."""
        later = [each for each in self.does if each[0] > NOW]
        self.does = []
        if at is not None:
            self.did(at, name, **properties)
        self.does += later

    def told(self) -> dict[str, Any]:
        """What a simulator must know of them."""
        does = sorted((at.isoformat(), *what) for at, *what in self.does)
        known = {"id": str(self.id), **self.columns, "unsubscribed": self.unsubscribed}
        return {**known, "entries": self.entries, "does": does}


@dataclass
class Making:
    """The people, and who enters what when."""

    chance: Random
    people: list[Someone] = field(default_factory=list)
    enters: list[tuple[datetime, Someone, str, dict[str, Any]]] = field(default_factory=list)

    def someone(self, *, reachable: bool = False) -> Someone:
        """A new person. `reachable`: has an address and wants to hear, though the address may refuse a message."""
        chance, number = self.chance, len(self.people)
        attributes: dict[str, Any] = {"sport": chance.choice(["running", "tennis", "chess"])}
        if chance.random() < 0.3:
            attributes["loyalty"] = {"tier": chance.choice(["gold", "silver"])}
        if chance.random() < 0.6:
            attributes["visits"] = chance.randrange(6)
        if chance.random() < 0.08:
            attributes["paused"] = True
        refusal = chance.choices(["", ".refuses.ticket", ".refuses.receipt"], [86, 6, 8])[0]
        columns = {
            "external_id": f"p{number}",
            "email": f"p{number}{refusal if reachable else ''}@example.com",
            "first_name": chance.choice(["Ada", "Bo", "Chloé", "Dai", None]),
            "zone": chance.choice(ZONES),
            "language": chance.choice(["en", "fr", "ja"]),
            "country": chance.choice(["FR", "US", "IN"]),
            "bucket": chance.randrange(10_000),
            "attributes": attributes,
        }
        one = Someone(UUID(int=chance.getrandbits(128), version=4), columns)
        if not reachable and chance.random() < 0.06:
            columns["email"] = None
        one.unsubscribed = not reachable and chance.random() < 0.06
        self.people.append(one)
        return one

    def enter(self, one: Someone, canvas: str, at: datetime) -> None:
        """Let somebody in, four of five with something that the entry carries along."""
        shoe = self.chance.choice(["red", "blue", "green", "black", None])
        self.enters.append((at, one, canvas, {"shoe": shoe} if shoe else {}))

    def many(self, count: int, canvas: str, halves: Sequence[int]) -> list[Someone]:
        """People who entered so many half days before midnight; most of them do something, before or after."""
        found = []
        for _ in range(count):
            one = self.someone(reachable=canvas == "ticket")
            if canvas in ("offer", "ticket"):
                for _ in range(self.chance.randrange(4)):
                    one.did(self.slot(-20, -13), "session_start")
            self.enter(one, canvas, midnight(-self.chance.choice(halves) / 2))
            first = (
                0 if canvas == "offer" else -4
            )  # 0.1 may take for a session what was done before a best time
            for _ in range(self.chance.choice([0, 0, 1, 1, 2, 3])):
                self.happens(one, canvas, self.slot(first, 12))
            found.append(one)
        return found

    def slot(self, first: int, last: int) -> datetime:
        """One of the two times of a day at which things happen."""
        at = self.chance.choice([timedelta(hours=6, minutes=17), timedelta(hours=15, minutes=47)])
        return midnight(self.chance.randrange(first, last)) + at

    def happens(self, one: Someone, canvas: str, at: datetime) -> None:
        """Something that somebody does."""
        names, weights = zip(*POOLS.get(canvas, [("other", 1)]), strict=True)
        match self.chance.choices(names, weights)[0]:
            case "bought":
                one.did(at, "bought", n=self.chance.randrange(6), total=self.chance.randrange(5, 90))
            case "liked":
                one.did(at, "liked", colour=self.chance.choice(["green", "blue"]))
            case "returned":
                one.did(at, "returned", shoe=self.chance.choice(["red", "blue"]))
            case "opened":
                one.did(at, "opened", canvas="letter", step="hello", channel="email")
            case name:
                one.did(at, name)


def midnight(days: float) -> datetime:
    """So many days after the midnight before the dump."""
    return NOW.replace(hour=0, minute=0) + timedelta(days=days)


def answers(one: Someone, canvas: str, context: dict[str, Any]) -> dict[str, Any]:
    """What the context steps of a canvas come to."""
    attributes = one.columns["attributes"]
    if canvas == "ticket":
        return {"count": {"visits": attributes.get("visits", 0) + 1, "shoe": context.get("shoe", "classic")}}
    if canvas == "asking":
        size = REPLIES.get(f"/{attributes['sport']}", {}).get("size")
        asked = {"size": size, "shoe": f"size {size}"} if size else {"shoe": "size unknown"}
        return {"ask": asked, "ask_again": {"shoe": "slipper"}}
    return {}


@dataclass
class Groups:
    """Who is treated apart from the others, all of them with nothing else that they do before the dump."""

    unheard: list[Someone]
    """They have just done something that their entries have not heard."""
    stopped: list[Someone]
    """They have just left, and Temporal does not know."""
    at_last: list[tuple[str, Someone]]
    """They enter at the instant of the dump: what a step logs is not heard yet, a question not answered, a message held."""
    unbegun: list[Someone]
    """They have just been let in, and nobody has begun with them."""


def everybody(making: Making) -> Groups:
    """The people, canvas by canvas. How many are in a canvas, and since when, says at which of its steps they stand."""
    making.many(150, "letter", range(5, 13))
    making.many(95, "letter", range(5))
    making.many(215, "watch", range(8))
    making.many(200, "offer", range(8))
    making.many(160, "ticket", range(8))
    making.many(35, "warm", range(6))
    making.many(10, "ripe", range(5))
    liked, unheard, stopped, pausing = (
        making.many(count, "watch", range(2, 4)) for count in (25, 40, 10, 25)
    )
    leaving, ripened = making.many(12, "letter", range(2, 4)), making.many(15, "ripe", range(2, 4))
    for one in (*unheard, *stopped):
        one.only()
    for one in liked:
        one.only(NOW - timedelta(minutes=25), "liked", colour="green")
    for one in leaving:
        one.only(NOW - timedelta(minutes=25), "leave")
    for one in pausing:  # these and the next wake together
        one.only(SOON - timedelta(hours=6), "liked", colour="blue")
    for one in ripened:
        one.only(SOON - timedelta(hours=3), "ripened")
    warm = [making.someone() for _ in range(30)]
    for one in warm:
        making.enter(one, "ripe", midnight(-1))
    at_last = [("warm", one) for one in warm]
    at_last += [("asking", making.someone()) for _ in range(25)]
    at_last += [("ticket", making.someone(reachable=True)) for _ in range(25)]
    return Groups(unheard, stopped, at_last, [making.someone() for _ in range(15)])
