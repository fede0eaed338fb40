"""What goes wrong in canvases by the clock: a context that nothing fills, a re-entry that shuts people out of the next time."""

from __future__ import annotations

import pytest

from journeys import Canvas, Delay, Schedule, days
from journeys.canvas.check import check
from journeys.canvas.source_positions import Places
from journeys.canvas.steps.base import Here, Step
from journeys.canvas.yaml_definitions import read_text

DAILY = '{every: day, at: "09:00"}'
SETS = """  - type: context
    id: sets
    set: [{name: n, type: number, value: "1"}, {name: yes_no, type: boolean, value: "true"}, {name: word, value: "a"}]
"""


def said(steps: str, schedule: str = DAILY, more: str = "reentry: never") -> list[str]:
    text = f"kind: canvas\nformat: 1\nname: c\nschedule: {schedule}\n{more}\nsteps:\n{steps}\n"
    [found], problems = read_text(text, "c.yaml")
    assert problems == []
    return [
        f"{one.code} {one.where.line}:{one.where.column} {one.message} ({one.hint})"
        for one in check(found.value, found.places)
    ]


def split(when: str) -> str:
    return f"  - {{type: decision_split, id: s, when: {when}}}"


WAIT = "  - {type: delay, id: d, duration: 1 day}"
FILTERS = [
    "{context: x, exists: false}",
    "{attribute: a, equals: {context: x.y}}",
    "{attribute: a, one_of: [1, {context: x}]}",
    "{all: [{any: [{none: [{context: 'x[].y', equals: 1}]}]}]}",
    "{event: e, where: [{property: p, equals: {context: x}}]}",
]


@pytest.mark.parametrize("when", FILTERS)
def test_a_context_that_nothing_fills_is_a_problem_of_a_canvas_by_the_clock(when: str) -> None:
    """Who comes by the clock brings none along; by an event or the API anything may come."""
    [problem] = said(split(when))
    assert problem.startswith("J111 7:")
    assert "nothing fills the context variable “x”" in problem and "set it in a context step" in problem
    [problem] = said(SETS + split(when))
    assert "allowed: n, word, yes_no" in problem
    assert said(split(when), "{event: e}") == said(split(when), "{api: true}") == []
    assert said(SETS.replace("word", "x") + split(when)) == []


def test_exits_and_conversions_of_a_canvas_by_the_clock_read_what_its_steps_set() -> None:
    more = "reentry: never\nexits: [{event: e, where: [{property: p, equals: {context: x}}]}]"
    [problem] = said(WAIT, more=more)
    assert problem.startswith("J111 6:50 nothing fills")


def test_the_key_of_a_canvas_by_the_clock_is_never_there() -> None:
    """CTL-5: without a key nobody enters."""
    [problem] = said(WAIT, more="reentry: never\nkey: context.order")
    assert problem.startswith("J111 6:6") and "nobody enters" in problem
    assert said(WAIT, "{api: true}", "key: context.order") == []


class Fetches(Step):
    """A step of another package, which may fill the context."""

    type: str = "fetches"

    def arrive(self, here: Here) -> object:  # type: ignore[override]
        """Not run here."""
        raise AssertionError


def test_a_step_of_another_package_may_fill_the_context() -> None:
    [found], _ = read_text(
        f"kind: canvas\nformat: 1\nname: c\nschedule: {DAILY}\nreentry: never\nsteps:\n{split(FILTERS[0])}\n"
    )
    canvas = found.value
    assert len(check(canvas, found.places)) == 1
    more = canvas.model_copy(update={"steps": (Fetches(id="f"), *canvas.steps)})
    assert check(more, Places("c", 0)) == []


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("{context: n, equals: ten}", "“n” is a number, and “ten” is none (write a number, without quotes)"),
        ("{context: n, between: [a, b]}", "is a number, and “"),
        ("{context: n, one_of: [1, true]}", "“n” is a number, and “true” is none"),
        ("{context: yes_no, equals: 'true'}", "“yes_no” is true or false, and “true” is none"),
        ("{context: n, equals: 10}", ""),
        ("{context: n, equals: null}", ""),
        ("{context: n, contains: a}", ""),
        ("{context: yes_no, equals: true}", ""),
        ("{context: word, equals: 10}", ""),
        ("{context: n.deep, equals: ten}", ""),
    ],
)
def test_a_context_variable_is_compared_with_what_it_is_read_as(when: str, what: str) -> None:
    problems = said(SETS + split(when))
    assert [what in one for one in problems] == [True] * bool(what) * (2 if "between" in when else 1)


def test_a_variable_of_two_types_is_compared_with_either() -> None:
    twice = SETS + SETS.replace("id: sets", "id: again").replace("type: number", "type: text")
    assert said(twice + split("{context: n, equals: ten}")) == []


@pytest.mark.parametrize(
    ("schedule", "more", "what"),
    [
        (DAILY, "", "J920 4:19 who has entered once never enters again"),
        (DAILY, "reentry: never", ""),
        ('{every: day, at: "09:00", times: 1}', "", ""),
        ("{at_launch: true}", "", ""),
        (DAILY, "reentry: after_maximum_duration", ""),
        (DAILY, "reentry: {after: 1 day}", "write {after: 20 hours}"),
        (DAILY, "reentry: {after: 23 hours}", ""),
        (DAILY, "reentry: {after: 30 days}", ""),
        (
            '{every: week, weekdays: [monday], at: "09:00"}',
            "reentry: {after: 7 days}",
            "write {after: 6 days}",
        ),
        ('{every: week, weekdays: [monday], at: "09:00"}', "reentry: {after: 6 days}", ""),
        (
            '{every: week, weekdays: [sunday, monday, thursday], at: "09:00"}',
            "reentry: {after: 1 day}",
            "when the clock goes forward",
        ),
        ('{every: month, days: [1], at: "09:00"}', "reentry: {after: 30 days}", "after a short month"),
        ('{every: month, days: [1], at: "09:00"}', "reentry: {after: 27 days}", ""),
        ('{every: month, days: [1, 15], at: "09:00"}', "reentry: {after: 14 days}", ""),
    ],
)
def test_a_schedule_that_repeats_says_whom_its_rule_of_re_entry_keeps_out_of_the_next_time(
    schedule: str, more: str, what: str
) -> None:
    """CTL-3, ENT-6: a day of the window has 24 hours, one of the clock has 23 once a year."""
    problems = said(WAIT, schedule, more)
    assert [what in one for one in problems] == [True] * bool(what)
    assert all(one.startswith("J920 ") for one in problems)


def test_a_canvas_in_python_is_told_the_same() -> None:
    canvas = Canvas(
        name="c", schedule=Schedule(every="day", at="09:00"), steps=[Delay(id="d", duration=days(1))]
    )
    assert [one.code for one in check(canvas, Places("c", 0))] == ["J920"]
