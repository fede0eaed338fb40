"""What the simulator says is what happens: the same canvas, people, events and answers give the same paths."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journeys.canvas.events_and_commands import Note
from journeys.canvas.plan import compile
from journeys.engine.audience.match import Person
from journeys.engine.core.simulate import Scenario, run
from journeys.engine.store import Database
from tests.stage import EMAIL, MONDAY, FakeClock, canvas, definitions_of, stage_on

TEXT = (
    canvas(
        """
  - {type: message, id: hello, channel: email, template: hello}
  - {type: delay, id: settle, duration: 1 day}
  - type: action_paths
    id: watch
    within: 3 days
    paths:
      - {name: bought, triggers: [{event: bought, where: [{property: n, more_than: 2}]}], exit_when: window_end}
      - {name: liked, triggers: [{event: liked}], steps: [{type: delay, id: rest, duration: 6 hours}]}
    otherwise: [{type: message, id: again, channel: email, template: hello}]
  - {type: delay, id: morning, calendar_days: 1, at: "09:00", zone: local}
  - type: decision_split
    id: runner
    when: {attribute: sport, equals: running}
    steps: [{type: message, id: run, channel: email, template: hello}]
  - type: experiment_paths
    id: offer
    paths:
      - {name: a, weight: 50, steps: [{type: message, id: a_mail, channel: email, template: hello}]}
      - {name: b, weight: 40, steps: [{type: delay, id: b_wait, weekdays: [friday], at: "10:00", zone: local}]}
    control: {weight: 10, behaviour: exit}
  - {type: message, id: last, channel: email, template: hello}
""",
        more="exits: [{event: stop}, {event: leave, release: end_of_step}]\nconversions: [{name: c, event: bought, within: 7 days}]",
    )
    + EMAIL
)

scripts = st.lists(
    st.tuples(
        st.integers(1, 12 * 24 * 60).map(lambda n: timedelta(minutes=n)),
        st.sampled_from(["bought", "liked", "stop", "leave", "other"]),
        st.integers(0, 5).map(lambda n: {"n": n}),
    ),
    max_size=5,
    unique_by=lambda each: each[0],
)


@given(
    script=scripts,
    sport=st.sampled_from(["running", "none"]),
    zone=st.sampled_from(["Europe/Paris", "Asia/Tokyo", "America/Lima"]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_the_store_goes_where_the_simulator_says(
    db: Database, script: list, sport: str, zone: str
) -> None:
    """Bursts at the alarms, events as they come: the facts are the simulator's lines, instants included."""
    clock = FakeClock(MONDAY)
    stage = await stage_on(db, TEXT, clock=clock)
    plan = compile(definitions_of(TEXT).canvases["story"].value)
    mel = await stage.person(attributes={"sport": sport}, zone=zone)
    [entry] = await stage.enter(mel)
    person = Person(str(mel.id), zone, 0, {}, {"sport": sport})
    scenario = Scenario(company="UTC")
    said = [
        (command.fact, command.step, at)
        for at, _, command in run(
            plan,
            str(mel.id),
            MONDAY,
            scenario,
            profile=person,
            script=sorted(script) or [(timedelta(days=90), "other", {})],
        )
        if isinstance(command, Note)
    ]

    turn = (await stage.burst(entry)).turn
    for after, name, properties in [
        *sorted(script, key=lambda each: each[0]),
        (timedelta(days=40), "other", {}),
    ]:
        while True:  # alarms that ring before the event
            row = await stage.row(entry)
            if row["ended"] or row["alarm_at"] > MONDAY + after:
                break
            object.__setattr__(clock, "at", row["alarm_at"])
            turn = (await stage.burst(entry, turn)).turn
        object.__setattr__(clock, "at", MONDAY + after)
        await stage.happens(mel, name, properties)
        if not (await stage.row(entry))["ended"]:
            turn = (await stage.burst(entry, turn)).turn

    rows = await db.pool.fetch(
        "select fact, step, at from facts where entry = $1 and fact not in ('converted', 'withdrawn') order by no",
        entry,
    )
    assert [(row["fact"], row["step"], row["at"]) for row in rows] == said
