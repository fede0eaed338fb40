"""People in a trial: what they do, at which instant, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from journeys.canvas.events_and_commands import Kind
from journeys.canvas.times import span
from journeys.engine.core.changes import Change
from journeys.engine.people.attributes import Refused, kept_properties
from journeys.engine.people.profiles import Profile
from journeys.engine.people.standard_attributes import apply, fatal
from journeys.engine.people.subscriptions import subscribing
from journeys.testing.memory import Caught, Held
from journeys.testing.story import Fact, SentMessage, Story
from journeys.testing.timeline import SCRIPT, After, Instant
from journeys.testing.world import World


class Impossible(AssertionError):
    """The test asks for what cannot be, such as that a person opens a message that they were not sent."""


class Run(Protocol):
    """Runs the trial."""

    def __call__(self, *, until: Instant | After | None = None) -> object:
        """Up to an instant, or to the end."""


class TrialPerson:
    """A person in a trial. What they do is planned, and happens when the trial is run.

    Each takes the span `after` the start of the trial, or an instant `at`; without either it happens at the start. What
    happens before the start is their past: nobody hears it.
    """

    def __init__(self, world: World, profile: Profile, run: Run) -> None:
        self._world = world
        self._profile = profile
        self._run = run

    @property
    def name(self) -> str:
        """The external id."""
        return self._profile.external_id or str(self._profile.id)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes as they stand now, standard and custom."""
        return {**self._profile.attributes, **self._profile.standards}

    @property
    def consents(self) -> Mapping[str, str]:
        """The states of subscription that they said, by channel."""
        return dict(self._profile.consents)

    def does(
        self,
        event: str,
        properties: Mapping[str, Any] | None = None,
        *,
        after: After | None = None,
        at: Instant | None = None,
        arrives: After | None = None,
        **more: Any,
    ) -> TrialPerson:
        """An event, with properties. `arrives`: so long after it happened it is heard of."""
        return self._occurs("event", event, {**(properties or {}), **more}, after, at, arrives)

    def buys(
        self,
        product: str,
        *,
        price: float,
        currency: str = "EUR",
        quantity: int = 1,
        after: After | None = None,
        at: Instant | None = None,
        arrives: After | None = None,
        **properties: Any,
    ) -> TrialPerson:
        """A purchase."""
        said = {**properties, "price": price, "currency": currency, "quantity": quantity}
        return self._occurs("purchase", product, said, after, at, arrives)

    def _occurs(
        self,
        kind: Kind,
        name: str,
        properties: Mapping[str, Any],
        after: After | None,
        at: Instant | None,
        arrives: After | None,
    ) -> TrialPerson:
        try:
            kept, remarks = kept_properties(properties)
        except Refused as refused:
            raise ValueError(f"{name}: {refused}") from refused
        if remarks:
            raise ValueError(f"{name}: {'; '.join(remarks)}")
        happened = self._world.timeline.moment(after, at)

        async def act() -> None:
            await self._world.happens(self._profile, kind, name, kept, happened)

        return self._plans(happened if arrives is None else happened + span(arrives), act)

    def sets(
        self,
        attributes: Mapping[str, Any] | None = None,
        *,
        after: After | None = None,
        at: Instant | None = None,
        **more: Any,
    ) -> TrialPerson:
        """Attributes change, as by `/users/track`."""
        given = {**(attributes or {}), **more}

        async def act() -> None:
            for profile, change in self.write(given):
                await self._world.changed(profile, change)

        return self._plans(self._world.timeline.moment(after, at), act)

    def appears(self, *, after: After | None = None, at: Instant | None = None) -> TrialPerson:
        """They are created: what listens to `{person: created}`, and to the address that they are known by, hears it."""

        async def act() -> None:
            for change in self._world.publication.watched.appeared(self._profile.values):
                await self._world.changed(self._profile, change)

        return self._plans(self._world.timeline.moment(after, at), act)

    def enters(
        self,
        canvas: str | None = None,
        *,
        after: After | None = None,
        at: Instant | None = None,
        **context: Any,
    ) -> TrialPerson:
        """The API lets them into a canvas, with entry properties."""
        name = self._world.canvas(canvas)
        if self._world.publication.running[name].plan.canvas.schedule.api is None:
            raise Impossible(f"the API lets no one into “{name}”: its schedule is another")
        moment = self._world.timeline.moment(after, at)
        key = f"api:{moment.isoformat()}:{next(self._world.numbers)}"

        async def act() -> None:
            await self._world.enters(self._profile, name, context, key)

        return self._plans(moment, act)

    def opens(self, step: str, *, after: After | None = None, at: Instant | None = None) -> TrialPerson:
        """They open the last message of this step that they were sent."""
        return self._engages("opened", step, {}, after, at)

    def clicks(
        self, step: str, url: str | None = None, *, after: After | None = None, at: Instant | None = None
    ) -> TrialPerson:
        """They click on a link of the last message of this step; on its first, where no address is given."""
        return self._engages("clicked", step, {"url": url}, after, at)

    def unsubscribes(
        self, step: str, *, after: After | None = None, at: Instant | None = None
    ) -> TrialPerson:
        """They unsubscribe by the link of the last message of this step."""
        return self._engages("unsubscribed", step, {}, after, at)

    def _engages(
        self,
        name: str,
        step: str,
        properties: Mapping[str, Any],
        after: After | None,
        at: Instant | None,
    ) -> TrialPerson:
        moment = self._world.timeline.moment(after, at)

        async def act() -> None:
            sent = self._world.sent(self._profile.id, list(self._world.publication.running), step)
            if not sent:
                raise Impossible(
                    f"{self.name} was sent no message of “{step}” by {moment.isoformat()}: it cannot be {name}"
                )
            said = {"url": _clicked(sent[-1], properties["url"])} if "url" in properties else properties
            await self._world.engages(sent[-1], name, said)

        return self._plans(moment, act)

    def _plans(self, at: datetime, act: Callable[[], Any]) -> TrialPerson:
        if at < self._world.timeline.clock.now():
            raise Impossible(
                f"the trial has got to {self._world.timeline.clock.now().isoformat()}: nothing can be planned for {at.isoformat()}"
            )
        self._world.timeline.plan(at, act, SCRIPT)
        return self

    def write(self, given: Mapping[str, Any]) -> list[tuple[Profile, Change]]:
        """Write attributes now. Returns what canvases listen to of that, and of whom.

        Raises ValueError where one is none that a profile takes.
        """
        wrong = fatal(given)
        changed = None if wrong else apply(self._profile, given)
        if changed is None or changed.errors:
            raise ValueError("; ".join(wrong or (changed.errors if changed else ())))
        watched, profile = self._world.publication.watched, self._profile
        before = watched.values(changed.names, profile.values)
        for column, value in changed.columns.items():
            setattr(profile, column, value)
        profile.standard, profile.attributes = changed.standard, changed.custom
        after = watched.values(changed.names, profile.values)
        told = [(profile, change) for change in watched.changes(before, after)]
        for channel, state in changed.consents.items():
            told += self._world.shares(profile, channel, state)
        now = self._world.timeline.clock.now()
        said, unknown = subscribing(self._world.publication.groups, 0, profile.id, changed.subscriptions, now)
        if unknown:
            raise ValueError("; ".join(unknown))
        for one in said:
            self._world.memory.subscribe(one.person, one.name, one.channel, one.state)
        return told

    # What became of them ---------------------------------------------------------------------------------------

    def run(self, *, until: Instant | After | None = None) -> Story:
        """Run the trial, and tell what became of this person in the first of its canvases."""
        self._run(until=until)
        return self.story

    @property
    def story(self) -> Story:
        """Their last entry into the first canvas of the trial; where there is none, that they did not enter."""
        return self.stories()[-1]

    def refusals(self, canvas: str | None = None) -> list[str]:
        """The gates that kept them out of a canvas, of each try that was refused, the earliest first."""
        name = self._world.canvas(canvas)
        return [
            str(each.data.get("reason"))
            for each in self._world.memory.facts
            if each.person == self._profile.id and each.canvas == name and each.fact == "refused"
        ]

    def stories(self, canvas: str | None = None) -> list[Story]:
        """All their entries into a canvas, the earliest first; where there are none, that they did not enter."""
        name, memory = self._world.canvas(canvas), self._world.memory
        mine = [one for one in memory.of(self._profile.id) if one.entry.canvas == name]
        if not mine:
            refused = next(reversed(self.refusals(name)), None)
            return [Story(self.name, name, refused=refused)]
        return [self._told(one) for one in mine]

    def _told(self, one: Held) -> Story:
        memory, entry = self._world.memory, one.entry
        return Story(
            person=self.name,
            canvas=entry.canvas,
            entered=entry.entered,
            variant=entry.variant,
            end=entry.ended,
            facts=[Fact(each.fact, each.step, each.at, each.data) for each in memory.facts_of(one.id)],
            messages=[SentMessage.of(each) for each in memory.caught if each.mark.entry == one.id],
            context=dict(entry.context),
        )


def _clicked(caught: Caught, url: str | None) -> str:
    links = [each for each in SentMessage.of(caught).links if each.startswith("http")]
    if url is None and links:
        return links[0]
    if url not in links:
        raise Impossible(f"the message of “{caught.mark.step}” has no link to {url}; it has {links}")
    return url
