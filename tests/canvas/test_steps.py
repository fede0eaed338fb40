"""What each step type means, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.events_and_commands import (
    Answered,
    Ask,
    BestTime,
    BestTimeAnswer,
    End,
    Entered,
    Entry,
    Go,
    Happened,
    Matches,
    Note,
    Occurrence,
    Query,
    Send,
    Wait,
    Woke,
    Zones,
    ZonesAnswer,
)
from journeys.canvas.filters import SegmentFilter
from journeys.canvas.plan import compile
from journeys.canvas.steps import (
    STEP_TYPES,
    ActionPaths,
    AudiencePaths,
    Context,
    DecisionSplit,
    Delay,
    ExperimentPaths,
    Message,
)
from journeys.canvas.steps.base import Here
from journeys.canvas.times import days, span, weeks
from journeys.canvas.wall_clock import localized, on_or_after
from journeys.canvas.yaml_definitions import read_text
from journeys.engine.core.machine import advance

UTC_ZONES = ZonesAnswer("UTC", "UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def here(
    step: Any, now: str, *, last: bool = False, phase: str = "", wake_at: datetime | None = None
) -> Here:
    entry = Entry(
        id="e",
        canvas="c",
        person="mel",
        moved=at(now),
        entered=at(now),
        step=step.id,
        begun=at(now),
        phase=phase,
        wake_at=wake_at,
    )
    return Here(entry, at(now), last)


def released(now: str, zones: ZonesAnswer = UTC_ZONES, **form: Any) -> Any:
    """When a delay lets go of who arrives at this instant: an instant, or what else it says."""
    step = Delay(id="d", **form)
    outcome = step.arrive(here(step, now))
    if not isinstance(outcome, Wait | Go | End):
        outcome = step.hear(here(step, now, phase="zones"), Answered(zones))
    return outcome.until if isinstance(outcome, Wait) else outcome


@pytest.mark.parametrize(("rule", "now", "form", "wanted"), [
    ("DLY-1", "2026-10-13T09:35", {"duration": "1 day"}, "2026-10-14T09:35"),
    ("DLY-1", "2026-10-24T22:35", {"duration": "1 day", "zone": "Europe/Paris"}, "2026-10-25T22:35"),
    ("DLY-2", "2026-12-04T07:00", {"duration": "7 days", "at": "08:00"}, "2026-12-11T08:00"),
    ("DLY-2", "2026-12-04T09:00", {"duration": "7 days", "at": "08:00"}, "2026-12-12T08:00"),
    ("DLY-2", "2026-04-13T14:01", {"duration": "1 day", "at": "14:00"}, "2026-04-15T14:00"),
    ("DLY-3", "2026-12-07T21:00", {"calendar_days": 1, "at": "09:00"}, "2026-12-08T09:00"),
    ("DLY-4", "2026-12-07T21:00", {"calendar_days": 1}, "2026-12-08T00:00"),
    ("DLY-6", "2026-12-07T21:00", {"until": "2026-12-09T10:00"}, "2026-12-09T10:00"),
    ("DLY-9", "2026-12-07T21:00", {"weekdays": ["saturday"], "at": "10:00"}, "2026-12-12T10:00"),
    ("DLY-9", "2026-12-08T10:00", {"weekdays": ["monday", "tuesday"], "at": "10:00"}, "2026-12-08T10:00"),
    ("DLY-9", "2026-12-08T10:01", {"weekdays": ["monday", "tuesday"], "at": "10:00"}, "2026-12-14T10:00"),
    ("DLY-6", "2026-12-07T21:00", {"until": "2026-12-09T10:00", "zone": "Europe/Paris"}, "2026-12-09T09:00"),
    ("DLY-6", "2026-12-07T21:00", {"until": "2026-12-09T10:00+02:00", "zone": "Asia/Tokyo"}, "2026-12-09T08:00"),
    ("DLY-10", "2026-12-10T17:00", {"weekdays": ["thursday"], "at": "16:00"}, "2026-12-17T16:00"),
    ("DLY-10", "2026-12-10T15:00", {"weekdays": ["thursday"], "at": "16:00"}, "2026-12-10T16:00"),
])  # fmt: skip
def test_a_delay_lets_go_at_the_instant_that_its_rule_says(
    rule: str, now: str, form: dict[str, Any], wanted: str
) -> None:
    found = released(now, **form)

    assert (at(now) if found == Go() else found) == at(wanted), rule


def test_a_delay_in_local_time_goes_by_the_persons_zone_and_else_by_the_companys() -> None:
    """DLY-5"""
    zones = ZonesAnswer("Europe/Paris", "Asia/Tokyo")

    assert released("2026-12-07T21:00", zones, calendar_days=1, at="09:00", zone="local") == at(
        "2026-12-09T00:00"
    )
    assert released("2026-12-07T21:00", zones, calendar_days=1, at="09:00") == at("2026-12-08T08:00")
    assert released("2026-12-07T21:00", zones, calendar_days=1, at="09:00", zone="America/Lima") == at(
        "2026-12-08T14:00"
    )


def test_whoever_comes_after_the_day_leaves_the_canvas() -> None:
    """DLY-7"""
    assert released("2026-12-13T22:00", until="2026-12-13T19:00") == End("delay_passed")


def test_arriving_late_on_the_day_goes_on_at_once_where_the_author_says_so() -> None:
    """DLY-10"""
    assert released("2026-12-10T17:00", weekdays=["thursday"], at="16:00", when_passed="advance") == Go()


def test_a_delay_as_the_last_step_holds_nobody() -> None:
    """DLY-15"""
    step = Delay(id="d", duration=timedelta(days=3))

    assert step.arrive(here(step, "2026-12-07T09:00", last=True)) == Go()


def test_a_day_is_twenty_four_hours_however_it_is_written() -> None:
    """DLY-1: in YAML, in ISO 8601 and in Python; a week is seven of them."""
    for day in (span("1 day"), span("P1D"), days(1), weeks(1) / 7, span("1 week") / 7):
        assert day == timedelta(hours=24)


def test_the_last_step_is_the_one_after_which_nothing_comes() -> None:
    """DLY-15: whoever comes to a delay there is at the end; one that something follows holds them."""
    hold = {"type": "delay", "duration": "1 day"}
    split = {"type": "decision_split", "id": "s", "when": {"bucket": [0, 1]}}
    plan = compile(
        Canvas.model_validate(
            {
                "name": "c",
                "schedule": {"api": True},
                "steps": [
                    {**hold, "id": "first"},
                    {
                        **split,
                        "steps": [{**hold, "id": "within"}, {**hold, "id": "ends", "then": "end"}],
                        "otherwise": [{**hold, "id": "falls"}],
                    },
                    {**hold, "id": "last"},
                ],
            }
        )
    )
    assert {step: plan.is_last(step) for step in plan.steps} == {
        "first": False, "s": False, "within": False, "ends": True, "falls": False, "last": True,
    }  # fmt: skip
    for step in ("first", "within", "ends", "falls", "last"):
        entry = Entry(
            id="e", canvas="c", person="mel", moved=at("2026-12-07T09:00"), entered=at("2026-12-07T09:00")
        )
        outcome = plan.steps[step].arrive(Here(entry, entry.moved, plan.is_last(step)))
        assert outcome == (Go() if plan.is_last(step) else Wait(at("2026-12-08T09:00"))), step


def test_what_comes_after_the_arrival_moves_no_release() -> None:
    """DLY-16: the zone of the arrival counts, and so does its instant."""
    step = Delay(id="d", calendar_days=1, at="09:00", zone="local")
    plan = compile(
        Canvas(name="c", schedule=Schedule(api=True), steps=(step, Delay(id="e", duration=days(1))))
    )
    entry = Entry(
        id="e", canvas="c", person="mel", moved=at("2026-12-07T10:00"), entered=at("2026-12-07T10:00")
    )
    entry, said = advance(plan, entry, Entered(), entry.moved)
    assert said[-1] == Ask(Zones())
    entry, _ = advance(plan, entry, Answered(ZonesAnswer("UTC", "Europe/Paris")), entry.moved)
    assert entry.wake_at == at("2026-12-08T08:00")

    for later in (at("2026-12-07T20:00"), at("2026-12-08T07:59")):
        for event in (Answered(ZonesAnswer("UTC", "Asia/Tokyo")), Woke()):
            assert advance(plan, entry, event, later) == (entry, ())
    moved, _ = advance(plan, entry, Woke(), at("2026-12-08T08:00"))
    assert moved.step == "e"


def test_a_time_that_the_clock_skips_is_the_first_instant_after_and_one_that_comes_twice_the_first() -> None:
    """ENT-10"""
    assert localized(datetime(2026, 3, 29, 2, 30), "Europe/Paris") == at("2026-03-29T01:00")
    assert localized(datetime(2026, 10, 25, 2, 30), "Europe/Paris") == at("2026-10-25T00:30")


def test_a_message_at_the_best_time_leaves_that_day_or_the_next() -> None:
    """IT-2, IT-3, IT-4"""
    step = Message(id="m", channel="email", template="t", at="best_time", fallback="18:00")
    now = "2026-12-07T14:00"

    def said(minute: int | None) -> Any:
        return step.hear(here(step, now, phase="when"), Answered(BestTimeAnswer("Europe/Paris", minute)))

    assert step.arrive(here(step, now)) == Query(BestTime("email"), phase="when")
    assert said(16 * 60) == Wait(at("2026-12-07T15:00"), phase="when")
    assert said(14 * 60) == Wait(at("2026-12-08T13:00"), phase="when")
    assert said(None) == Wait(at("2026-12-07T17:00"), phase="when")
    hook = Message(id="m", channel="webhook", template="t", at="best_time")
    assert isinstance(hook.arrive(here(hook, now)), Go)


def test_a_message_without_anything_learnt_and_without_a_fallback_leaves_at_once() -> None:
    """IT-3"""
    step = Message(id="m", channel="email", template="t", at="best_time")
    outcome = step.hear(here(step, "2026-12-07T14:00", phase="when"), Answered(BestTimeAnswer("UTC", None)))

    assert isinstance(outcome, Go)
    assert isinstance(outcome.doing[0], Send)


def test_a_message_at_a_time_of_day_waits_for_it_in_the_local_zone() -> None:
    step = Message(id="m", channel="email", template="t", at="18:00")
    outcome = step.hear(
        here(step, "2026-12-07T14:00", phase="when"), Answered(ZonesAnswer("UTC", "Europe/Paris"))
    )

    assert outcome == Wait(at("2026-12-07T17:00"), phase="when")


def action(**more: Any) -> ActionPaths:
    return ActionPaths.model_validate(
        {"id": "a", "within": "1 day", "paths": [{"name": "p", "triggers": [{"event": "x"}], **more}]}
    )


def test_an_exiting_group_leaves_at_the_end_of_the_window_or_at_once() -> None:
    """ACT-8"""
    happened = Happened(
        label="p", occurrence=Occurrence(no=1, kind="event", name="x", at=at("2026-12-07T10:00"))
    )
    end = at("2026-12-08T09:00")
    late = action(exit_when="window_end")

    assert action(exit_when="immediately").hear(
        here(late, "2026-12-07T10:00", phase="watching"), happened
    ) == End("exit_path")
    assert late.hear(here(late, "2026-12-07T10:00", phase="watching", wake_at=end), happened) == Wait(
        end, phase="leaving"
    )
    assert late.hear(here(late, "2026-12-08T09:00", phase="leaving"), Woke()) == End("exit_path")
    assert late.hear(here(late, "2026-12-07T11:00", phase="leaving"), happened) is None


def test_a_split_asks_on_arrival_and_goes_by_the_answer() -> None:
    """DEC-1, DEC-2, AUP-1, AUP-2: groups are asked for in their order; the one that answers is the first that matched."""
    split = DecisionSplit.model_validate({"id": "s", "when": {"bucket": [0, 1]}})
    paths = AudiencePaths.model_validate(
        {
            "id": "s",
            "paths": [{"name": "a", "when": {"bucket": [0, 1]}}, {"name": "b", "when": {"segment": "two"}}],
        }
    )
    one, two = split.when, SegmentFilter(segment="two")

    assert split.arrive(here(split, "2026-12-07T10:00")) == Query(Matches((one,)), phase="asked")
    assert paths.arrive(here(paths, "2026-12-07T10:00")) == Query(Matches((one, two)), phase="asked")
    assert [split.hear(here(split, "2026-12-07T10:00"), Answered(answer)) for answer in (0, None)] == [
        Go("yes"),
        Go("otherwise"),
    ]
    assert [paths.hear(here(paths, "2026-12-07T10:00"), Answered(answer)) for answer in (0, 1, None)] == [
        Go("a"),
        Go("b"),
        Go("otherwise"),
    ]


def test_the_shares_of_an_experiment_are_kept() -> None:
    """EXP-2: the control group's too."""
    step = ExperimentPaths.model_validate(
        {
            "id": "e",
            "paths": [{"name": "a", "weight": 30}, {"name": "b", "weight": 60}],
            "control": {"weight": 10},
        }
    )

    def way(person: str) -> str:
        entry = Entry(
            id="e",
            canvas="c",
            person=person,
            moved=at("2026-12-07T10:00"),
            entered=at("2026-12-07T10:00"),
            step="e",
        )
        outcome = step.arrive(Here(entry, entry.moved, last=False))
        assert isinstance(outcome, Go)
        return outcome.exit

    drawn = [way(f"p{n}") for n in range(5000)]
    for name, share in (("a", 0.3), ("b", 0.6), ("control", 0.1)):
        assert abs(drawn.count(name) / 5000 - share) < 0.03


@pytest.mark.parametrize(("shares", "fits"), [((60, 40), True), ((60, 39), False), ((60, 41), False), ((60, 30, 10), True), ((60, 40, 10), False), ((60, 30, 9), False)])  # fmt: skip
def test_the_shares_of_an_experiment_make_a_hundred(shares: tuple[int, ...], fits: bool) -> None:
    """EXP-2: those of the paths, and the third, the control group's."""
    form: dict[str, Any] = {
        "id": "e",
        "paths": [{"name": "a", "weight": shares[0]}, {"name": "b", "weight": shares[1]}],
    }
    if len(shares) > 2:
        form["control"] = {"weight": shares[2]}

    if fits:
        assert ExperimentPaths.model_validate(form).paths[0].weight == 60
        return
    with pytest.raises(ValidationError, match="the weights add up to"):
        ExperimentPaths.model_validate(form)


def test_the_control_group_of_an_experiment_goes_on_without_its_paths_or_leaves() -> None:
    """EXP-2: as the author says; without a word they go on."""
    tried = Delay(id="tried", duration=timedelta(days=1))
    after = Message(id="after", channel="email", template="t")

    def ends(**control: Any) -> tuple[list[str | None], str]:
        experiment = ExperimentPaths.model_validate(
            {
                "id": "e",
                "paths": [
                    {"name": "a", "weight": 0, "steps": [tried]},
                    {"name": "b", "weight": 0, "steps": []},
                ],
                "control": {"weight": 100, **control},
            }
        )
        plan = compile(Canvas(name="c", schedule=Schedule(api=True), steps=(experiment, after)))
        entry = Entry(
            id="e", canvas="c", person="mel", moved=at("2026-12-07T10:00"), entered=at("2026-12-07T10:00")
        )
        entry, said = advance(plan, entry, Entered(), entry.moved)
        return [
            each.step for each in said if isinstance(each, Note) and each.fact == "reached"
        ], entry.ended or ""

    assert ends() == (["e", "after"], "completed")
    assert ends(behaviour="continue") == (["e", "after"], "completed")
    assert ends(behaviour="exit") == (["e"], "experiment_control")


@pytest.mark.parametrize(("variables", "fits"), [
    ([{"name": f"v{place}", "value": "x"} for place in range(10)], True),
    ([{"name": f"v{place}", "value": "x"} for place in range(11)], False),
    ([], False),
    ([{"name": "Some_Name_1", "value": ""}], True),
    ([{"name": "n" * 100, "value": "x"}], True),
    ([{"name": "n" * 101, "value": "x"}], False),
    ([{"name": "a-b", "value": "x"}], False),
    ([{"name": "a b", "value": "x"}], False),
    ([{"name": "", "value": "x"}], False),
    ([{"name": "x", "value": "x"}, {"name": "x", "value": "y"}], False),
    ([{"name": "x", "value": "v" * 10240}], True),
    ([{"name": "x", "value": "v" * 10241}], False),
])  # fmt: skip
def test_a_context_step_has_up_to_ten_variables(variables: list[dict[str, str]], fits: bool) -> None:
    """CXS-1: names of up to 100 letters, digits and underscores, each once; 10,240 characters a value."""
    form = {"id": "c", "set": variables}
    if fits:
        assert [each.name for each in Context.model_validate(form).set] == [
            each["name"] for each in variables
        ]
        return
    with pytest.raises(ValidationError):
        Context.model_validate(form)


def test_context_variables_that_could_not_be_set_are_left_out() -> None:
    """CXS-4"""
    step = Context.model_validate({"id": "c", "set": [{"name": "x", "value": "1"}]})

    assert step.hear(here(step, "2026-12-07T10:00"), Answered({"x": "1"})) == Go(context={"x": "1"})


@pytest.mark.parametrize("name", STEP_TYPES)
def test_the_example_in_the_docstring_of_every_step_type_loads(name: str) -> None:
    text = (STEP_TYPES[name].__doc__ or "").partition("```yaml")[2].partition("```")[0]
    lines = [line for line in text.split("\n") if line.strip()]
    indent = len(lines[0]) - len(lines[0].lstrip())
    body = "\n".join("  " + line[indent:] for line in lines)
    found, problems = read_text(
        f"kind: canvas\nformat: 1\nname: c\nschedule: {{api: true}}\nsteps:\n{body}\n"
    )

    assert problems == []
    [step] = found[0].value.steps
    assert step.type == name


def test_on_or_after_never_goes_back() -> None:
    from datetime import time

    for hour in range(24):
        now = at(f"2026-03-28T{hour:02d}:30")
        assert now <= on_or_after(now, time(2, 30), "Europe/Paris") <= now + timedelta(hours=26)


@pytest.mark.parametrize(
    "form",
    [{"duration": "0 days"}, {"calendar_days": -1}, {"duration": "731 days"}, {"weekdays": ["monday"]}],
)
def test_a_delay_that_cannot_be_meant_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Delay(id="d", **form)
