"""The machine's promises, for any canvas, person and order of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from journeys.canvas.canvas import Canvas, Exit, Schedule, Variant
from journeys.canvas.events_and_commands import (
    Answered,
    Ask,
    Delivered,
    Entered,
    Entry,
    Fetch,
    Happened,
    Left,
    Matches,
    Note,
    Occurrence,
    Send,
    Update,
    Woke,
    ZonesAnswer,
)
from journeys.canvas.filters import EventTrigger, SegmentFilter
from journeys.canvas.plan import compile
from journeys.canvas.steps import (
    ActionPath,
    ActionPaths,
    Context,
    Delay,
    ExperimentPath,
    ExperimentPaths,
    Increment,
    LoggedEvent,
    Message,
    UserUpdate,
)
from journeys.canvas.steps.context import Variable
from journeys.engine.core.drive import Case, drive
from journeys.engine.core.machine import BOUNDARY, advance
from journeys.engine.core.simulate import Probabilities, Scenario, run, simulate
from tests.strategies import canvases, examples

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
DAY = timedelta(days=1)

scripts = st.lists(
    st.tuples(
        st.integers(0, 40 * 24 * 3600).map(lambda n: timedelta(seconds=n)),
        st.sampled_from(["order_completed", "stop", "later", "article_liked"]),
        st.just({"category": "running"}),
    ),
    max_size=6,
)


def entry(plan: object, **more: object) -> Entry:
    return Entry(id="e", canvas="c", person="mel", moved=NOW, entered=NOW, **more)  # type: ignore[arg-type]


def canvas(*steps: object, **more: object) -> Canvas:
    return Canvas(name="c", schedule=Schedule(api=True), steps=steps, **more)  # type: ignore[arg-type]


@given(canvases(), st.integers(0, 9), scripts)
@settings(max_examples=examples(120))
def test_every_entry_ends_and_nothing_is_sent_after_it(made: Canvas, seed: int, script: list) -> None:
    """Time never runs backwards, each message is said once, and after the end nothing is said at all."""
    plan = compile(made)
    lines = list(run(plan, "mel", NOW, Scenario(seed), script=script))

    instants = [at for at, _, _ in lines]
    assert instants == sorted(instants)
    ends = [
        place for place, (_, _, said) in enumerate(lines) if isinstance(said, Note) and said.fact == "ended"
    ]
    assert ends == [len(lines) - 1]
    keys = [said.key for _, _, said in lines if isinstance(said, Send | Update)]
    assert len(keys) == len(set(keys))
    reached = [said.step for _, _, said in lines if isinstance(said, Note) and said.fact == "reached"]
    order = {step: place for place, step in enumerate(plan.steps)}
    assert reached == sorted(set(reached), key=lambda step: order[step or ""])


@given(canvases(), st.integers(0, 9), scripts)
@settings(max_examples=examples(60))
def test_the_same_inputs_give_the_same_path(made: Canvas, seed: int, script: list) -> None:
    plan = compile(made)
    once = [(at, said) for at, _, said in run(plan, "mel", NOW, Scenario(seed), script=script)]

    assert once == [
        (at, said) for at, _, said in run(compile(made), "mel", NOW, Scenario(seed), script=script)
    ]


@given(canvases(), st.integers(0, 5))
@settings(max_examples=examples(40))
def test_many_are_driven_as_one_by_one(made: Canvas, seed: int) -> None:
    """The driver asks in groups; nobody's path depends on who goes along."""
    plan = compile(made)
    scenario = Scenario(seed)

    def cases(names: list[str]) -> list[Case]:
        return [
            Case(
                plan,
                Entry(id=f"e-{name}", canvas=made.name, person=name, moved=NOW, entered=NOW),
                [Entered()],
                clock=NOW + 30 * DAY,
            )
            for name in names
        ]

    def play(several: list[Case]) -> list[Entry]:
        course, answers = drive(several), None
        while True:
            try:
                said = course.send(answers)  # type: ignore[arg-type]
            except StopIteration:
                return [case.entry for case in several]
            answers = {}
            for case, commands in said:
                for command in commands:
                    if isinstance(command, Ask):
                        answers[case.entry.id] = scenario.answer(plan, case.entry, command.question, None)

    names = ["a", "b", "c", "d"]
    assert play(cases(names)) == [play(cases([name]))[0] for name in names]


def test_two_entries_of_one_person_move_one_after_the_other() -> None:
    """One entry of a person per round, so that the second sees what the first did."""
    plan = compile(
        canvas(
            UserUpdate(id="u", attributes={"a": 1}),
            Delay(id="d", duration=DAY),
            Message(id="m", channel="email", template="t"),
        )
    )
    cases = [
        Case(
            plan, Entry(id=f"e{n}", canvas="c", person="mel", moved=NOW, entered=NOW), [Entered()], clock=NOW
        )
        for n in range(2)
    ]
    rounds = [[case.entry.id for case, _ in said] for said in drive(cases)]

    assert all(len(set(names)) == 1 for names in rounds)


@given(
    st.lists(
        st.tuples(st.integers(0, 2 * 86400), st.sampled_from(["woke", "happened", "delivered"])), max_size=8
    )
)
def test_nothing_but_time_ends_a_delay(events: list[tuple[int, str]]) -> None:
    """DLY-1, DLY-16: the release is fixed on arrival."""
    plan = compile(canvas(Delay(id="d", duration=2 * DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    for after, kind in sorted(events):
        at = NOW + timedelta(seconds=after)
        event = {
            "woke": Woke(),
            "happened": Happened(label="x", occurrence=Occurrence(no=1, kind="event", name="x", at=at)),
            "delivered": Delivered(step="d", outcome="sent", at=at),
        }[kind]
        state, _ = advance(plan, state, event, at)
        assert (state.step == "m" or state.ended is not None) == (
            after >= 2 * 86400 and kind == "woke"
        ) or state.ended == "completed"

    assert state.ended or state.wake_at == NOW + 2 * DAY


def test_an_entry_that_has_ended_hears_nothing_more() -> None:
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    ended = entry(plan, ended="completed", step="m")

    for event in (Entered(), Woke(), Left(reason="x", at=NOW), Answered(1)):
        assert advance(plan, ended, event, NOW) == (ended, ())


def test_an_exit_at_once_ends_the_entry_and_erases_what_it_carried() -> None:
    """EXT-5, CTX-3"""
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan, context={"a": 1}), Entered(), NOW)
    state, said = advance(plan, state, Left(reason="exit_event", at=NOW + DAY / 2), NOW + DAY / 2)

    assert (state.ended, state.wake_at, dict(state.context), state.moved) == (
        "exit_event",
        None,
        {},
        NOW + DAY / 2,
    )
    assert said == (Note(fact="ended", at=NOW + DAY / 2, step="d", data={"reason": "exit_event"}),)


def test_an_exit_at_the_end_of_the_step_lets_the_delay_end_first() -> None:
    """X1: `release: end_of_step`; the first reason counts."""
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    state, said = advance(plan, state, Left(reason="first", at=NOW, at_once=False), NOW)
    assert (state.leaving, state.ended, said) == ("first", None, ())
    state, _ = advance(plan, state, Left(reason="second", at=NOW, at_once=False), NOW)
    state, said = advance(plan, state, Woke(), NOW + DAY)

    assert state.ended == "first"
    assert not any(isinstance(command, Send) for command in said)


def test_an_audience_exit_is_judged_at_each_boundary_between_steps() -> None:
    """EXT-1, EXT-6: at the end of the delay, not within it."""
    made = canvas(
        Delay(id="d", duration=DAY),
        Message(id="m", channel="email", template="t"),
        exits=(Exit(audience=SegmentFilter(segment="s")),),
    )
    plan = compile(made)
    state, said = advance(plan, entry(plan), Entered(), NOW)
    assert state.phase == BOUNDARY
    assert said[-1] == Ask(Matches((SegmentFilter(segment="s"),)))
    state, said = advance(plan, state, Answered(None), NOW)
    assert (state.step, state.phase, state.wake_at) == ("d", "", NOW + DAY)
    state, said = advance(plan, state, Woke(), NOW + DAY)
    assert (state.step, state.phase) == ("m", BOUNDARY)
    left, said = advance(plan, state, Answered(0), NOW + DAY)
    assert left.ended == "exit_audience"
    assert [type(command) for command in said] == [Note]
    stayed, said = advance(plan, state, Answered(None), NOW + DAY)
    assert stayed.ended == "completed"
    assert any(isinstance(command, Send) for command in said)


def test_control_goes_no_step_and_keeps_its_variant() -> None:
    """VAR-4, CNV-9"""
    made = Canvas(
        name="c",
        schedule=Schedule(api=True),
        variants=(
            Variant(name="nobody", weight=0, steps=(Message(id="m", channel="email", template="t"),)),
            Variant(name="control", weight=100, control=True),
        ),
    )
    state, said = advance(compile(made), entry(made), Entered(), NOW)

    assert (state.variant, state.ended, state.step) == ("control", "control", None)
    assert [command.fact for command in said if isinstance(command, Note)] == ["entered", "ended"]


def test_where_nothing_follows_the_entry_ends() -> None:
    """GEN-3: after the last step, and on a path that leads nowhere; else it goes on."""
    split = ExperimentPaths(
        id="s",
        paths=(
            ExperimentPath(name="a", weight=50, then="end"),
            ExperimentPath(name="b", weight=50, steps=(Message(id="m", channel="email", template="t"),)),
        ),
    )
    plan = compile(canvas(split, Message(id="last", channel="email", template="t")))

    def ends(person: str) -> tuple[str | None, list[str | None], list[str]]:
        state, said = advance(plan, replace(entry(plan), person=person), Entered(), NOW)
        steps = [command.step for command in said if isinstance(command, Send)]
        return (
            state.ended,
            steps,
            [
                command.data["reason"]
                for command in said
                if isinstance(command, Note) and command.fact == "ended"
            ],
        )

    assert ends("p0") == ("completed", [], ["completed"])
    assert ends("p1") == ("completed", ["m", "last"], ["completed"])


def test_entering_twice_changes_nothing() -> None:
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW)

    assert advance(plan, state, Entered(), NOW + DAY) == (state, ())


def test_now_is_never_earlier_than_the_last_event() -> None:
    """A late event does not turn the entry's clock back."""
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW - DAY)

    assert (state.moved, state.begun, state.wake_at) == (NOW, NOW, NOW + DAY)


def test_a_settled_message_of_another_step_is_not_for_this_one() -> None:
    plan = compile(
        canvas(
            Message(id="m", channel="email", template="t", on_fail="exit"),
            Delay(id="d", duration=DAY),
            Message(id="n", channel="email", template="t"),
        )
    )
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    assert (state.phase, state.wake_at) == ("held", NOW + timedelta(hours=72))
    assert advance(plan, state, Delivered(step="n", outcome="failed", at=NOW), NOW) == (state, ())
    state, _ = advance(plan, state, Delivered(step="m", outcome="sent", at=NOW), NOW + timedelta(hours=1))

    assert (state.step, state.begun) == ("d", NOW + timedelta(hours=1))


def test_a_message_that_cannot_leave_ends_the_entry_where_the_author_says_so() -> None:
    """VAL-2"""
    plan = compile(
        canvas(
            Message(id="m", channel="email", template="t", on_fail="exit"),
            Delay(id="d", duration=DAY),
            Message(id="n", channel="email", template="t"),
        )
    )
    state, _ = advance(plan, entry(plan), Entered(), NOW)

    assert (
        advance(plan, state, Delivered(step="m", outcome="invalid", at=NOW), NOW)[0].ended
        == "delivery_invalid"
    )
    assert advance(plan, state, Woke(), NOW + timedelta(hours=72))[0].ended == "delivery_unknown"


@pytest.mark.parametrize(("second", "kept"), [
    (None, {"k": 1}),
    (Occurrence(no=8, kind="event", name="y", at=NOW, properties={"j": 2}), {"j": 2}),
    (Occurrence(no=8, kind="event", name="y", at=NOW), {}),
    (Occurrence(no=8, kind="purchase", name="p", at=NOW, properties={"price": 3}), {"price": 3}),
    (Occurrence(no=8, kind="message", name="clicked", at=NOW, properties={"step": "m"}), {}),
    (Occurrence(no=8, kind="message", name="opened", at=NOW, properties={"step": "m"}), {}),
])  # fmt: skip
def test_the_properties_of_an_earlier_path_survive_a_later_one_through_its_otherwise_alone(
    second: Occurrence | None, kept: dict[str, object]
) -> None:
    """CTX-20, CTX-22"""

    def watching(name: str) -> ActionPaths:
        path = ActionPath(name="p", triggers=(EventTrigger(event="x"),))
        return ActionPaths(id=name, within=DAY, paths=(path,))

    message = Message(id="last", channel="email", template="t")
    plan = compile(canvas(watching("a"), watching("b"), message))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    first = Occurrence(no=7, kind="event", name="x", at=NOW, properties={"k": 1})
    state, _ = advance(plan, state, Happened(label="p", occurrence=first), NOW)
    then = Woke() if second is None else Happened(label="p", occurrence=second)
    _, said = advance(plan, state, then, NOW + DAY)

    assert [dict(command.properties) for command in said if isinstance(command, Send)] == [kept]


def test_the_matched_events_properties_serve_the_first_message_after_it_and_no_other() -> None:
    """CTX-20, CTX-21"""
    path = ActionPath(
        name="p",
        triggers=(EventTrigger(event="x"),),
        steps=(
            Message(id="m", channel="email", template="t"),
            Message(id="n", channel="email", template="t"),
        ),
    )
    plan = compile(canvas(ActionPaths(id="a", within=DAY, paths=(path,))))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    happened = Happened(
        label="p", occurrence=Occurrence(no=7, kind="event", name="x", at=NOW, properties={"k": 1})
    )
    state, said = advance(plan, state, happened, NOW)

    sends = [command for command in said if isinstance(command, Send)]
    assert [dict(send.properties) for send in sends] == [{"k": 1}, {}]
    assert (state.heard, state.ended) == (7, "completed")
    assert Note(fact="took", at=NOW, step="a", data={"path": "p"}) in said


def test_the_way_through_an_experiment_is_noted_with_the_instant_of_the_arrival_at_it() -> None:
    """Not of the entry; and a delay on the way does not move it."""
    paths = tuple(
        ExperimentPath(name=name, weight=50, steps=(Delay(id=f"d_{name}", duration=2 * DAY),))
        for name in "ab"
    )
    experiment = ExperimentPaths(id="e", within=5 * DAY, paths=paths)
    last = Message(id="m", channel="email", template="t")
    plan = compile(canvas(Delay(id="before", duration=3 * DAY), experiment, last))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    state, said = advance(plan, state, Woke(), NOW + 3 * DAY)

    noted = [one for one in said if isinstance(one, Note) and (one.fact, one.step) == ("took", "e")]
    assert [one.at for one in noted] == [NOW + 3 * DAY]
    assert state.wake_at == NOW + 5 * DAY
    for within in (DAY / 2, 31 * DAY):
        with pytest.raises(ValidationError, match="1 to 30 days"):
            ExperimentPaths(id="e", within=within, paths=paths)


def test_an_alarm_more_than_five_minutes_late_takes_the_clock_and_says_so() -> None:
    plan = compile(
        canvas(
            Delay(id="d", duration=DAY),
            Delay(id="e", duration=DAY),
            Message(id="m", channel="email", template="t"),
        )
    )
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    for late, expected in (
        (timedelta(minutes=4), NOW + DAY),
        (timedelta(minutes=6), NOW + DAY + timedelta(minutes=6)),
    ):
        case = Case(plan, state, [], clock=NOW + DAY + late)
        said = [command for round_ in drive([case]) for _, commands in round_ for command in commands]
        assert case.entry.begun == expected
        assert any(isinstance(command, Note) and command.fact == "late" for command in said) == (
            late > timedelta(minutes=5)
        )


def test_a_listening_step_waits_a_grace_longer_for_events_on_their_way() -> None:
    plan = compile(
        canvas(
            ActionPaths(
                id="a", within=DAY, paths=(ActionPath(name="p", triggers=(EventTrigger(event="x"),)),)
            ),
            Message(id="m", channel="email", template="t"),
        )
    )
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    case = Case(plan, state, [], clock=NOW + DAY, grace=timedelta(seconds=1))

    assert case.alarm() == NOW + DAY + timedelta(seconds=1)
    assert list(drive([case])) == []
    assert case.entry == state


def test_a_simulation_of_many_adds_up() -> None:
    plan = compile(
        canvas(
            Message(id="m", channel="email", template="t"),
            Delay(id="d", duration=DAY),
            Message(id="n", channel="email", template="t"),
        )
    )
    report = simulate(plan, 50, starts=NOW, seed=3)

    assert (report.people, report.sent["m"], report.sent["n"], report.ended["completed"]) == (50, 50, 50, 50)
    assert report.days["n", 1] == 50


def test_an_entry_carries_the_instant_that_it_last_moved_at() -> None:
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW + DAY)
    assert (state.moved, state.begun, state.wake_at) == (NOW + DAY, NOW + DAY, NOW + 2 * DAY)

    leaving, _ = advance(plan, state, Left(reason="exit_event", at_once=False, at=NOW), NOW + DAY * 1.5)
    assert leaving.moved == NOW + DAY * 1.5


def test_a_step_begins_with_neither_the_alarm_nor_the_phase_of_the_one_before() -> None:
    """CTX-1: and with what a context step has set, which stays for the rest of the way."""
    plan = compile(
        canvas(
            Delay(id="d", duration=DAY, at=time(9)),
            Context(id="c", set=(Variable(name="size", type="text", value="42"),)),
            Message(id="m", channel="email", template="t", at="best_time"),
        )
    )
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    state, _ = advance(plan, state, Answered(answer=ZonesAnswer("UTC", "UTC")), NOW)
    assert state.wake_at is not None
    state, said = advance(plan, state, Woke(), state.wake_at)
    assert isinstance(said[-1], Ask)
    assert (state.step, state.wake_at) == ("c", None)
    state, said = advance(plan, state, Answered(answer={"size": "42"}), state.moved)
    assert (state.step, state.context) == ("m", {"size": "42"})


ASKS = Context(
    id="ask",
    set=(Variable(name="size", value="{% connected_content https://a.example :save r %}{{ r.size }}"),),
)


def test_a_step_that_asks_others_ends_the_burst_and_goes_on_with_the_answer_at_its_instant() -> None:
    """CXS-5: what comes after it counts from when the answer came, not from when the entry asked."""
    plan = compile(canvas(ASKS, Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    case = Case(plan, entry(plan), [Entered()], clock=NOW)
    said = [command for group in drive([case]) for _, commands in group for command in commands]

    assert [command for command in said if isinstance(command, Fetch)] == [
        Fetch(step="ask", key="e/ask", at=NOW)
    ]
    assert (case.entry.step, case.entry.phase, case.alarm()) == ("ask", "asked", NOW + timedelta(hours=72))
    again = Case(plan, case.entry, [Answered({"size": "42"}, NOW + DAY / 24)], clock=NOW + DAY / 24)
    list(drive([again]))
    assert (again.entry.step, again.entry.context) == ("d", {"size": "42"})
    assert again.entry.wake_at == NOW + DAY / 24 + DAY


def test_an_entry_whose_question_nobody_answers_ends() -> None:
    """X5, CXS-4: because the asking was given up, or, should even that be lost, at the end of its patience."""
    plan = compile(canvas(ASKS, Message(id="m", channel="email", template="t")))
    asked, _ = advance(plan, entry(plan), Entered(), NOW)
    assert asked.wake_at is not None

    for event, at in ((Answered(None, NOW + DAY), NOW + DAY), (Woke(), asked.wake_at)):
        ended, _ = advance(plan, asked, event, at)
        assert (ended.ended, ended.moved) == ("unanswered", at)
    assert plan.longest_from(NOW) == timedelta(hours=72)


SIZE = "{% connected_content https://a.example :save r %}{{ r.size }}"
KEEPS = UserUpdate(
    id="keep",
    attributes={"size": SIZE, "n": Increment(increment=1)},
    events=(LoggedEvent(name="sized", properties={"by": "{{ context.${who} }}"}),),
)


def test_an_update_that_asks_others_waits_for_the_answer_and_is_made_with_it_once() -> None:
    """UPD-3, UPD-2: at the answer's instant, with what the entry carries, and under the key that repeats have too."""
    plan = compile(canvas(KEEPS, Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    asked, said = advance(plan, entry(plan, context={"who": "mel"}), Entered(), NOW)
    assert [each for each in said if isinstance(each, Fetch | Update)] == [
        Fetch(step="keep", key="e/keep", at=NOW)
    ]
    assert (asked.step, asked.phase, asked.wake_at) == ("keep", "asked", NOW + timedelta(hours=72))

    later = NOW + DAY / 24
    texts = {SIZE: "42", "{{ context.${who} }}": "mel"}
    kept, said = advance(plan, asked, Answered(texts, later), later)
    [update] = [each for each in said if isinstance(each, Update)]
    assert update == Update(step="keep", key="e/keep", at=later, context={"who": "mel"}, texts=texts)
    assert (kept.step, kept.wake_at) == ("d", later + DAY)
    assert advance(plan, kept, Answered(texts, later), later) == (kept, ())


def test_an_update_whose_texts_cannot_be_made_writes_nothing_and_the_entry_goes_on() -> None:
    """UPD-8"""
    plan = compile(canvas(KEEPS, Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    asked, _ = advance(plan, entry(plan), Entered(), NOW)
    went, said = advance(plan, asked, Answered({}, NOW), NOW)

    assert went.step == "d"
    assert not any(isinstance(each, Update) for each in said)


def test_an_update_that_nobody_answers_ends_the_entry_and_writes_nothing() -> None:
    """X5, UPD-3"""
    plan = compile(canvas(KEEPS, Message(id="m", channel="email", template="t")))
    asked, _ = advance(plan, entry(plan), Entered(), NOW)
    assert asked.wake_at is not None

    for event, at in ((Answered(None, NOW + DAY), NOW + DAY), (Woke(), asked.wake_at)):
        ended, said = advance(plan, asked, event, at)
        assert (ended.ended, ended.moved) == ("unanswered", at)
        assert not any(isinstance(each, Update) for each in said)
    assert plan.longest_from(NOW) == timedelta(hours=72)


@pytest.mark.parametrize(
    ("update", "asks"),
    [
        (KEEPS, True),
        (UserUpdate(id="u", attributes={"a": ["x", {"b": SIZE}]}), True),
        (UserUpdate(id="u", events=(LoggedEvent(name="e", properties={"a": {"b": (SIZE,)}}),)), True),
        (UserUpdate(id="u", attributes={"a": "{{content_blocks.${foot}}}"}), True),
        (UserUpdate(id="u", attributes={"a": "promotion", "b": "{{ ${first_name} }}", "c": 1}), False),
        (UserUpdate(id="u", attributes={"promotion": Increment(increment=2), "b": None}), False),
    ],
)
def test_an_update_asks_others_where_any_of_its_liquid_does(update: UserUpdate, asks: bool) -> None:
    """UPD-3: at any depth; one that asks nobody is done at once."""
    plan = compile(
        canvas(update, Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t"))
    )
    state, said = advance(plan, entry(plan, context={"a": 1}), Entered(), NOW)

    assert (update.needs_network, state.step) == (asks, update.id if asks else "d")
    assert [type(each) for each in said if isinstance(each, Fetch | Update)] == [Fetch if asks else Update]


def test_an_exit_does_not_wait_for_an_answer() -> None:
    plan = compile(canvas(ASKS, Message(id="m", channel="email", template="t")))
    asked, _ = advance(plan, entry(plan), Entered(), NOW)
    left, _ = advance(plan, asked, Left(reason="exit_event", at=NOW + DAY / 2), NOW + DAY / 2)

    assert left.ended == "exit_event"
    assert advance(plan, left, Answered({"size": "42"}, NOW + DAY), NOW + DAY) == (left, ())


def test_recorded_answers_are_heard_again_and_others_are_drawn() -> None:
    """The simulator asks nobody: what was answered is said to it, or it is made up."""
    plain = Context(id="plain", set=(Variable(name="word", value="{{ ${first_name} }}"),))
    plan = compile(canvas(ASKS, KEEPS, plain, Message(id="m", channel="email", template="t")))

    def kept(scenario: Scenario) -> list[dict[str, object]]:
        return [
            dict(said.texts) for _, _, said in run(plan, "mel", NOW, scenario) if isinstance(said, Update)
        ]

    def sent(scenario: Scenario) -> list[dict[str, object]]:
        lines = run(plan, "mel", NOW, scenario)
        return [dict(said.context) for _, _, said in lines if isinstance(said, Send)]

    recorded = {"ask": {"size": "42"}, "plain": {"word": "Mel"}, "keep": {SIZE: "43"}}
    assert kept(Scenario(values=recorded)) == [{SIZE: "43"}]
    assert (
        kept(Scenario(values={**recorded, "keep": {}}))
        == kept(Scenario(values={**recorded, "keep": None}))
        == []
    )
    assert kept(Scenario(probabilities=Probabilities(answered=1))) == [{SIZE: "", "{{ context.${who} }}": ""}]
    assert sent(Scenario(values=recorded)) == [{"size": "42", "word": "Mel"}]
    assert sent(Scenario(values={"ask": None})) == []
    assert sent(Scenario(values={"plain": {"word": "Mel"}}, probabilities=Probabilities(answered=1))) == [
        {"word": "Mel"}
    ]
    report = simulate(plan, 300, starts=NOW, probabilities=Probabilities(answered=0.5))
    assert 190 < report.ended["unanswered"] < 260, "three of four: it asks twice"
    assert report.ended["unanswered"] + report.ended["completed"] == 300


def test_what_comes_before_the_start_changes_nothing() -> None:
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    happened = Happened(label="x", occurrence=Occurrence(no=1, kind="event", name="x", at=NOW))

    assert advance(plan, entry(plan), happened, NOW) == (entry(plan), ())


def test_an_alarm_before_its_time_and_one_that_nobody_set_change_nothing() -> None:
    """DLY-1: the release is an instant; a step that has asked the world waits for no alarm."""
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    waiting, _ = advance(plan, entry(plan), Entered(), NOW)
    assert advance(plan, waiting, Woke(), NOW + DAY / 2) == (waiting, ())

    asks = compile(
        canvas(Delay(id="d", duration=DAY, at=time(9)), Message(id="m", channel="email", template="t"))
    )
    asking, said = advance(asks, entry(asks), Entered(), NOW)
    assert isinstance(said[-1], Ask)
    assert (asking.wake_at, asking.phase) == (None, "zones")
    assert advance(asks, asking, Woke(), NOW + 9 * DAY) == (asking, ())


def test_crossing_a_boundary_begins_the_step_with_no_phase() -> None:
    """EXT-5: the audience exit is judged before the step, and leaves nothing behind in it."""
    plan = compile(
        canvas(
            Message(id="m", channel="email", template="t"),
            Delay(id="d", duration=DAY),
            Message(id="n", channel="email", template="t"),
            exits=(Exit(audience=SegmentFilter(segment="gone")),),
        )
    )
    state, said = advance(plan, entry(plan), Entered(), NOW)
    assert said[-1] == Ask(Matches(plan.audience_exits))
    assert state.phase == BOUNDARY
    sent, said = advance(plan, state, Answered(answer=None), NOW + DAY)
    assert [type(one) for one in said] == [Note, Send, Ask]
    assert (sent.step, sent.phase, sent.moved) == ("d", BOUNDARY, NOW + DAY)
    rests, _ = advance(plan, sent, Answered(answer=None), NOW + DAY)
    assert (rests.phase, rests.wake_at) == ("", NOW + 2 * DAY)
    going, _ = advance(plan, rests, Woke(), NOW + 2 * DAY)
    assert (going.step, going.phase, going.wake_at) == ("n", BOUNDARY, None)


def test_what_has_ended_keeps_nothing_that_it_carried() -> None:
    """CTX-3: context and properties are erased with the end, and so are phase, alarm and a pending exit."""
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    carried = {"context": {"a": 1}, "properties": {"b": 2}, "phase": "listening", "leaving": "exit_event"}
    state = entry(plan, variant="main", step="d", wake_at=NOW + DAY, **carried)
    ended, said = advance(plan, state, Left(reason="exit_message", at_once=True, at=NOW), NOW)

    assert [command.data for command in said if isinstance(command, Note)] == [{"reason": "exit_message"}]
    assert (ended.wake_at, ended.phase, ended.leaving) == (None, "", None)
    assert (ended.context, ended.properties) == ({}, {})


def test_the_first_exit_that_waits_for_the_end_of_a_step_gives_the_reason() -> None:
    plan = compile(canvas(Delay(id="d", duration=DAY), Message(id="m", channel="email", template="t")))
    state, _ = advance(plan, entry(plan), Entered(), NOW)
    for reason in ("exit_event", "exit_message"):
        state, said = advance(plan, state, Left(reason=reason, at_once=False, at=NOW), NOW)
        assert said == ()

    assert (state.leaving, state.ended) == ("exit_event", None)


def test_an_event_after_the_deadline_is_not_for_the_step() -> None:
    """ACT-4: what happens at or after the window's end is not heard in it; what happened before the arrival is not either."""
    plan = compile(
        canvas(
            ActionPaths(
                id="a",
                within=2 * DAY,
                paths=(ActionPath(name="bought", triggers=(EventTrigger(event="x"),)),),
            ),
            Message(id="m", channel="email", template="t"),
        )
    )
    for after, path in ((-1, "otherwise"), (1, "bought"), (3, "otherwise")):
        happened = Happened(
            label="bought", occurrence=Occurrence(no=1, kind="event", name="x", at=NOW + after * DAY)
        )
        case = Case(plan, entry(plan), [Entered()], clock=NOW)
        _play(case)
        assert case.alarm() == case.entry.wake_at
        case.unheard, case.clock = [happened], NOW + 4 * DAY
        took = [one.data["path"] for one in _play(case) if isinstance(one, Note) and one.fact == "took"]
        assert took == [path]
        assert case.alarm() is None


def _play(case: Case) -> list[object]:
    course, answers = drive([case]), None
    told: list[object] = []
    while True:
        try:
            said = course.send(answers)
        except StopIteration:
            return told
        answers = {}
        for each, commands in said:
            told.extend(commands)
            for command in commands:
                if isinstance(command, Ask):
                    answers[each.entry.id] = ()


NOON = NOW + timedelta(hours=3)


def paused(*steps: object, skip: object = (NOW + DAY, NOW + 3 * DAY), unheard: object = ()) -> Case:
    """Somebody at the first of these steps since nine o'clock, on the fourth day, after a pause of the second and third."""
    plan = compile(canvas(*steps))
    first = next(iter(plan.steps))
    here = entry(plan, variant="all", step=first, begun=NOW, wake_at=NOON + DAY, phase="watching")
    return Case(plan, here, unheard, NOW + 3 * DAY + timedelta(hours=1), skip=skip)  # type: ignore[arg-type]


def told(case: Case) -> list[tuple[str, str | None, datetime]]:
    """The messages and facts that it says, by their instants; a message that leaves is `Send`."""
    said = [command for round_ in drive([case]) for _, commands in round_ for command in commands]
    return [
        ("send" if isinstance(one, Send) else one.fact, one.step, one.at)
        for one in said
        if isinstance(one, Send) or (isinstance(one, Note) and one.fact in ("late", "withdrawn", "ended"))
    ]


def test_what_an_entry_would_have_sent_in_a_time_that_is_skipped_is_withdrawn_and_it_goes_on_as_if_on_time() -> (
    None
):
    """STA-2, STA-3: the next message keeps its instant; nothing is late for the pause."""
    steps = (
        Delay(id="d", duration=DAY),
        Message(id="first", channel="email", template="t"),
        Delay(id="e", duration=DAY + timedelta(hours=22)),
        Message(id="second", channel="email", template="t"),
        Delay(id="f", duration=DAY),
        Message(id="third", channel="email", template="t"),
    )
    case = paused(*steps)
    assert told(case) == [
        ("withdrawn", "first", NOON + DAY),
        ("send", "second", NOON + 3 * DAY - timedelta(hours=2)),
    ]
    assert (case.entry.step, case.entry.wake_at) == ("f", NOON + 4 * DAY - timedelta(hours=2))

    late = paused(*steps, skip=None)
    assert told(late) == [("late", "d", late.clock), ("send", "first", late.clock)]


def test_a_message_that_holds_its_entry_and_is_skipped_lets_it_go() -> None:
    """VAL-2: it could leave; it was not to."""
    case = paused(
        Delay(id="d", duration=DAY),
        Message(id="m", channel="email", template="t", on_fail="exit"),
        Delay(id="e", duration=30 * DAY),
        Message(id="n", channel="email", template="t"),
    )
    assert told(case) == [("withdrawn", "m", NOON + DAY)]
    assert (case.entry.step, case.entry.begun) == ("e", NOON + DAY)


def test_what_a_person_did_in_a_time_that_is_skipped_is_heard_at_its_instant_and_its_message_is_not_sent() -> (
    None
):
    """STA-3: within the window, which did not move."""
    path = ActionPath(
        name="liked",
        triggers=(EventTrigger(event="liked"),),
        steps=(Message(id="thanks", channel="email", template="t"),),
    )
    steps = (ActionPaths(id="watch", within=DAY + timedelta(hours=3), paths=(path,)), Delay(id="e", duration=30 * DAY), Message(id="m", channel="email", template="t"))  # fmt: skip
    for hours, step in ((1, "thanks"), (4, None)):
        at = NOW + DAY + timedelta(hours=hours)
        what = Happened(label="liked", occurrence=Occurrence(no=1, kind="event", name="liked", at=at))
        case = paused(*steps, unheard=[what])
        assert told(case) == ([("withdrawn", step, at)] if step else [])
        assert (case.entry.step, case.entry.begun) == ("e", min(at, NOON + DAY))
