"""Entry by API for named people; repeated calls admit no one twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from journeys.canvas.filters import Filter
from journeys.canvas.storable_characters import storable
from journeys.engine.clock import Clock
from journeys.engine.core.life import LETS_IN
from journeys.engine.entries.admission import Admission, Entrant, admit
from journeys.engine.entries.audience_reading import matching
from journeys.engine.intake.idempotency import Reply, claim, fill
from journeys.engine.intake.shared_addresses import sharing
from journeys.engine.intake.track import NO_SUCH_ID, Written, write
from journeys.engine.intake.track_objects import Objects, read
from journeys.engine.large_requests import apart
from journeys.engine.people.identity import Identifier
from journeys.engine.people.known_names import note
from journeys.engine.ports import AlarmSync, Notifier, tell
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication, Published, Running

CONTEXT_LIMIT = 50 * 1024
"""Bytes that a context may have (CTX-1)."""

IDENTIFIERS = ("external_id", "user_alias", "braze_id", "anonymous_id")
"""Among a recipient's attributes they mean nothing: the recipient is named beside them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recipient of a call."""

    who: Identifier
    context: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] | None = None
    existing_only: bool = True


@dataclass(slots=True)
class Triggered:
    """How many entered, and whom the canvas refused."""

    status: str = "active"
    """The canvas' own, when they came."""
    entered: int = 0
    refused: list[tuple[UUID, str]] = field(default_factory=list)
    unknown: list[Identifier] = field(default_factory=list)
    """Unknown recipients."""
    remarks: list[dict[str, Any]] = field(default_factory=list)
    """What was refused of the recipients' attributes, and keys that mean nothing."""
    earlier: Reply | None = None
    """The answer that was given earlier to a call with this key: then nothing was done now."""


class WrongRecipient(ValueError):
    """The attributes of a recipient cannot be written. `index` counts the recipients from 0."""

    def __init__(self, index: int, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(f"recipients[{index}]: {reason}")


@dataclass(slots=True)
class Trigger:
    """The parts that a trigger needs."""

    db: Database
    published: Published
    clock: Clock
    alarm_sync: AlarmSync
    notifier: Notifier

    async def named(
        self,
        publication: Publication,
        running: Running,
        dispatch_id: str,
        recipients: Sequence[Wanted],
        audience: Filter | None,
        reply: Reply | None = None,
        remarks: Sequence[dict[str, Any]] = (),
    ) -> Triggered:
        """Let named people in. Their attributes are written first (ENT-23); who is named twice counts once (ENT-24).

        Of several recipients that are the same person, the last one's context counts. `remarks` are what there is to
        say of the call already. With a `reply` that was given
        earlier nothing is done, and it is in the result. Raises `WrongRecipient`.
        """
        once = {wanted.who: wanted for wanted in recipients}  # ENT-24
        objects = await apart(attributes_of, recipients)
        others = [*once, *await sharing(self.db.pool, publication.workspace, objects.items)]

        async def work(connection: Any) -> Triggered | tuple[Written, Admission, Triggered]:
            earlier = await claim(connection, reply)
            if earlier is not None:
                return Triggered(earlier=earlier)
            written = await write(connection, publication, self.published, self.clock, objects, others)
            # ENT-24
            people = {written.people[who]: wanted for who, wanted in once.items() if who in written.people}
            strangers = [who for who in once if who not in written.people]
            known = [written.profiles[person] for person in people]
            at = self.clock.now()
            welcome = await matching(connection, publication, audience, known, at)  # ENT-22, ENT-23
            entrants = [
                Entrant(
                    profile=one,
                    admission_key=f"api:{dispatch_id}",
                    at=at,
                    context=dict(people[one.id].context),  # CTX-1
                )
                for one in welcome
            ]
            admission = await admit(
                connection, publication, self.published, running, self.clock, entrants, together=True
            )
            told = storable([*remarks, *_remarks(recipients, written.tracked.warnings)])
            if reply is not None:
                notice = notice_of(admission.status, recipients, strangers)
                await fill(connection, reply, {**reply.body, **more_said(notice, told)})
            result = Triggered(
                admission.status, len(admission.entries), admission.refused, strangers, list(told)
            )
            return written, admission, result

        done = await self.db.anew(work)
        if isinstance(done, Triggered):
            return done
        written, admission, result = done
        self.alarm_sync.sync(written.routed.pending_alarms)
        tell(admission, self.alarm_sync, self.notifier)
        await note(self.db, publication.workspace, written.tracked.names)
        return result


def status_notice(status: str) -> str | None:
    """What a call is told whose canvas lets nobody in, or lets no one begin (STA-5); None where it does."""
    if status == "active":
        return None
    if status in LETS_IN:
        return f"the canvas is {status}: who enters begins when it is resumed"
    return f"the canvas is {'a draft' if status == 'draft' else status}: no one enters"


def unknown_notice(recipients: Sequence[Wanted], strangers: Collection[Identifier]) -> str | None:
    """The notice for a call with unknown recipients; None if all are known."""
    places = [str(index) for index, wanted in enumerate(recipients) if wanted.who in strangers]
    if not places:
        return None
    return f"unknown recipients {', '.join(places)} (counted from 0): they did not enter"


def notice_of(
    status: str, recipients: Sequence[Wanted] = (), strangers: Collection[Identifier] = ()
) -> str | None:
    """The notice of an answer: of the canvas' status, and of unknown recipients; None if there is nothing to say."""
    notices = [status_notice(status), unknown_notice(recipients, strangers)]
    return "; ".join(each for each in notices if each) or None


def more_said(notice: str | None, remarks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What an answer says beside what each says."""
    return {**({"notice": notice} if notice else {}), **({"errors": list(remarks)} if remarks else {})}


def _remarks(recipients: Sequence[Wanted], warnings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is said of the recipients' attributes, in their order, by the places of the recipients in the call."""
    places = [index for index, one in enumerate(recipients) if one.attributes is not None]
    found = [
        {"type": each["type"], "input_array": "recipients", "index": places[each["index"]]}
        for each in warnings
        if each["type"] != NO_SUCH_ID  # the notice tells them
    ]
    return sorted(found, key=lambda each: each["index"])


def attributes_of(recipients: Sequence[Wanted]) -> Objects:
    """The attributes of the recipients as objects of `/users/track`. Raises `WrongRecipient`."""
    saying = [(index, one) for index, one in enumerate(recipients) if one.attributes is not None]
    objects = read({"attributes": [_object(one) for _, one in saying]})
    for error in objects.errors:
        raise WrongRecipient(saying[error["index"]][0], error["type"])
    return objects


def _object(wanted: Wanted) -> dict[str, Any]:
    sort, value = wanted.who.sort, wanted.who.value
    name: dict[str, Any] = {sort: value}
    if sort == "user_alias":
        label, alias = wanted.who.alias
        name = {"user_alias": {"alias_label": label, "alias_name": alias}}
    attributes = {key: each for key, each in (wanted.attributes or {}).items() if key not in IDENTIFIERS}
    return {**attributes, **name, "_update_existing_only": wanted.existing_only}
