"""The gates of a canvas in a test: the engine's own, on what is kept in memory."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from journeys.engine.audience.match import needs
from journeys.engine.audience.operators import same
from journeys.engine.core.gates import Candidate, key_of, period_of, places, refusal
from journeys.engine.entries.admission import Entrant
from journeys.engine.workspaces.published import Publication, Running
from journeys.testing.memory import Memory, MemoryReading


async def refused_by(
    publication: Publication,
    memory: Memory,
    reading: MemoryReading,
    running: Running,
    entrant: Entrant,
    now: datetime,
    run: UUID | None = None,
) -> str | None:
    """The gate that keeps this person out; None: they enter, and have taken a place where the canvas has so many.

    `run`: the one that lets them in, where the places are counted by run.
    """
    profile, canvas = entrant.profile, running.plan.canvas
    mine = [one for one in memory.of(profile.id) if one.entry.canvas == running.name]
    if canvas.key is not None:
        key = key_of(canvas, entrant.context)
        mine = [one for one in mine if same(one.entry.key, key)]
    wanted = needs([canvas.audience] if canvas.audience is not None else [], publication.segments)
    past = await reading.history(
        profile.workspace, {profile.id: (wanted, entrant.at)}, {profile.id: entrant.but}
    )
    candidate = Candidate(
        person=profile.as_person(publication.zone, past[profile.id]),
        at=entrant.at,
        event=entrant.but,
        last=max((one.entry.entered for one in mine), default=None),
        inside=max((one.entry.entered for one in mine if not one.entry.ended), default=None),
        context=entrant.context,
        judged=entrant.judged,
    )
    reason = refusal(publication.opening(running, active=True), candidate)
    limit = canvas.entry_limit
    if reason is not None or limit is None:
        return reason
    period = running.name, period_of(limit, now, publication.zone, run).name
    if not places(limit, memory.places[period], 1):
        return "entry_limit"
    memory.places[period] += 1
    return None
