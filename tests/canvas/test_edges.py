"""Rare forms of definitions, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from journeys.canvas import installed_packages, steps
from journeys.canvas.assignment import pick
from journeys.canvas.canvas import Canvas, Conversion, Exit, Schedule
from journeys.canvas.check import check
from journeys.canvas.conditions import FromAttribute
from journeys.canvas.definition_kinds import parse
from journeys.canvas.events_and_commands import Entry, Happened, Occurrence
from journeys.canvas.filters import AllOf, AttributeFilter, EventFilter, EventTrigger, Filter, SegmentFilter
from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.canvas.problems import CODES, Problem, Where, nearest
from journeys.canvas.schema import schema, text
from journeys.canvas.segment_check import check_segment, rounds_of
from journeys.canvas.shape_problems import _plain, owner_of
from journeys.canvas.source_positions import Places
from journeys.canvas.steps import (
    ActionPaths,
    AudiencePaths,
    Context,
    DecisionSplit,
    Delay,
    ExperimentPaths,
    Message,
    Step,
    UserUpdate,
)
from journeys.canvas.steps.action_paths import ActionPath
from journeys.canvas.steps.audience_paths import AudiencePath
from journeys.canvas.steps.base import Here
from journeys.canvas.steps.context import Variable
from journeys.canvas.steps.experiment_paths import ExperimentControl, ExperimentPath
from journeys.canvas.times import clock, instant, span, zone
from journeys.canvas.wall_clock import localized
from journeys.canvas.yaml_definitions import read_file, read_text, write
from journeys.engine.audience.match import Needs, Past, Person, heard, needs
from journeys.engine.audience.operators import holds, lookup
from journeys.engine.core.best_time import learn
from journeys.engine.core.simulate import simulate

HEAD = "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\n"
NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
M = "  - {type: message, id: m, channel: email, template: t}\n"


def problems(text: str) -> list[str]:
    _, found = read_text(text, "f.yaml")
    assert all(one.code in CODES and 1 <= one.where.line <= text.count("\n") + 1 for one in found)
    return [f"{one.code}: {one.message} ({one.hint})" for one in found]


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        (
            "  - {type: action_paths, id: a, since: entry, paths: [{name: b, triggers: [{event: x}]}]}",
            "J108",
            "since: entry",
        ),
        (
            "  - {type: delay, id: d, until: 2027-01-01T09:00, at: '10:00'}",
            "J104",
            "`at` cannot be used with it",
        ),
        ("  - {type: delay, id: d, duration: [1]}", "J107", "a span was expected"),
        ("  - {type: delay, id: d, duration: 1 day, at: noon}", "J107", "not a time of day"),
        ("  - {type: delay, id: d, until: whenever}", "J107", "not an instant"),
        ("  - {type: delay, id: d, until: [1]}", "J107", "not an instant"),
        (
            "  - {type: experiment_paths, id: e, randomized: true, paths: [{name: a, weight: 100}]}",
            "J108",
            "randomized: true",
        ),
        (
            "  - {type: experiment_paths, id: e, within: 1 hour, paths: [{name: a, weight: 50}, {name: b, weight: 50}]}",
            "J403",
            "1 to 30 days",
        ),
        (
            "  - {type: message, id: m, channel: email, template: t, outcomes: {failed: []}}",
            "J108",
            "`outcomes`",
        ),
        (
            "  - {type: message, id: m, channel: email, template: t, fallback: '09:00'}",
            "J104",
            "`at: best_time`",
        ),
        ("  - {type: user_update, id: u}", "J104", "attributes, events, or both"),
        (
            "  - {type: context, id: c, set: [{name: a, type: text, value: x}, {name: a, type: text, value: y}]}",
            "J206",
            "set twice",
        ),
        ("  - just a text", "J100", "step"),
        ("  - {type: in_app_control, id: x}", "J105", "no step type"),
        ("  - {id: x}", "J102", "has no type"),
        (
            "  - {type: decision_split, id: s, when: {attribute: a, equals: {profile: b}}}",
            "J100",
            "an operand",
        ),
        ("  - {type: decision_split, id: s, when: {attribute: a, equals: [1, 2]}}", "J100", "an operand"),
        (
            "  - {type: decision_split, id: s, when: {attribute: a, equals: {context: 5}}}",
            "J100",
            "a name was expected",
        ),
        ("  - {type: decision_split, id: s, when: {event: a, times: {}}}", "J104", "exactly one comparison"),
        ("  - {type: decision_split, id: s, when: [a]}", "J109", "is a mapping"),
        ("  - {type: decision_split, id: s, when: {catalog: a}}", "J10", ""),
        ("  - {type: experiment_paths, id: e, paths: [{name: a, weight: 100, wight: 1}]}", "J101", "weight"),
        ("  - {type: delay, id: end, duration: 1 day}\n" + M, "J110", "ends the entry"),
        (
            "  - {type: audience_paths, id: s, paths: [{name: next, when: {attribute: a, equals: 1}}]}\n" + M,
            "J110",
            "a reserved word",
        ),
        ("  - {type: experiment_paths, id: e, paths: [{name: a, weight: 0}]}", "J", ""),
        (
            "  - {type: experiment_paths, id: e, paths: [{name: a, weight: -1}, {name: b, weight: 99}]}",
            "J100",
            "at least",
        ),
        ("  - {type: decision_split, id: s, when: {in_canvas: a}}", "J108", "not supported yet"),
        ("  - {type: delay, id: d, duration: 1 day, at: '10:00', zone: [a]}", "J106", "company, local, or"),
        (
            "  - {type: context, id: c, set: [{name: a, type: text, value: x, valu: y}]}",
            "J101",
            "did you mean “value”?",
        ),
        (
            "  - {type: context, id: c, set: [{name: a b, type: text, value: x}]}",
            "J110",
            "letters, digits",
        ),
        ("  - {type: experiment_paths, id: e, paths: [{name: a, weight: 1000}]}", "J100", "at most 100"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_with_a_code_and_a_reason(
    written: str, code: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"{HEAD}steps:\n{written}\n")
    found = load([path]).problems
    assert any(one.code.startswith(code) and words in f"{one.message} {one.hint}" for one in found), found


@pytest.mark.parametrize("kind", [Canvas, ActionPaths, Conversion])
def test_what_is_no_mapping_is_refused_by_the_models_themselves(kind: Any) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(5)


def test_a_then_that_goes_forward_is_right_and_an_exit_by_a_message_names_a_step(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        f"{HEAD}exits: [{{message: opened, step: n}}]\nsteps:\n"
        "  - {type: decision_split, id: s, when: {attribute: a, equals: 1}, steps: "
        "[{type: delay, id: d, duration: 1 day, then: m}]}\n"
        f"  - {{type: delay, id: e, duration: 1 day}}\n{M}"
    )
    assert [(one.code, one.where.line) for one in load([path]).problems] == [("J207", 5)]


def test_checks_of_a_canvas_alone_do_not_ask_for_segments() -> None:
    canvas = Canvas(
        name="c",
        schedule=Schedule(api=True),
        exits=(Exit(audience=SegmentFilter(segment="somewhere")),),
        steps=(Message(id="m", channel="email", template="t"),),
    )
    assert check(canvas, Places("f.yaml", 1)) == []
    assert canvas.workflow_mode == "always"


def test_a_zone_that_is_not_a_place_is_refused_where_a_place_is_wanted() -> None:
    with pytest.raises(ValidationError, match="is not the name of a zone here"):
        parse("workspace", {"name": "w", "zone": "local"})


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_numbers_that_no_database_holds_are_refused(number: str) -> None:
    step = f"  - {{type: user_update, id: u, attributes: {{a: {{increment: {number}}}}}}}"
    assert [one[:23] for one in problems(f"{HEAD}steps:\n{step}\n")] == ["J100: a number was expe"]


def test_keys_that_are_not_there_are_named_even_where_none_is_near() -> None:
    step = "  - {type: user_update, id: u, attributes: {a: {increment: 1, by: 2}}}"
    assert [one[:5] for one in problems(f"{HEAD}steps:\n{step}\n")] == ["J101:"]
    assert owner_of("canvas", {"steps": [5]}, ("steps", 0)) is None
    assert _plain("date_parsing", {}, {"msg": "so"}) == "so"


def test_the_schedule_is_judged_before_there_is_an_entry(tmp_path: Path) -> None:
    """CTX-14"""
    path = tmp_path / "c.yaml"
    path.write_text(
        "kind: canvas\nformat: 1\nname: c\nschedule:\n  event: x\n  where: [{property: a, equals: {context: b}}]\n"
        f"steps:\n{M}"
    )
    assert [one.code for one in load([path]).problems] == ["J209"]


def test_a_segment_has_no_context_and_does_not_contain_itself_by_others() -> None:
    segments: dict[str, Any] = {
        "a": AllOf(all=(SegmentFilter(segment="b"),)),
        "b": AllOf(
            all=(SegmentFilter(segment="c"), SegmentFilter(segment="d"), SegmentFilter(segment="gone"))
        ),
        "c": SegmentFilter(segment="a"),
        "d": SegmentFilter(segment="d"),
        "e": SegmentFilter(segment="d"),
    }
    places = Places("f.yaml", 3)

    def said(name: str) -> list[str]:
        return [
            f"{one.code}: {one.message} {one.hint}"
            for one in check_segment(name, segments[name], places, segments, rounds_of(segments))
        ]

    assert "contains itself, through “b”" in said("a")[0]
    assert any("gone" in one for one in said("b"))
    assert said("e") == []
    context = parse("segment", {"name": "x", "when": {"context": "a", "equals": 1}}).when
    assert [one.code for one in check_segment("x", context, places, segments, {})] == ["J209"]
    near = AllOf(all=(SegmentFilter(segment="aa"),))
    assert (
        "did you mean “a”?"
        in check_segment("x", near, places, {"a1": segments["e"], "a": segments["e"]}, {})[0].hint
    )


def test_a_place_that_is_not_known_is_the_nearest_around_it() -> None:
    places = Places("f.yaml", 9, values={("a",): (3, 5)}, keys={("a",): (3, 2)})

    assert str(places.where(("a", "b", 0))) == "f.yaml:3:5"
    assert str(places.where(("a",), key=True)) == "f.yaml:3:2"
    assert str(places.where(("z",))) == "f.yaml:1:1"
    assert str(places.within(("a",), 2, 7)) == "f.yaml:3:2"  # a folded text: its lines are not the file's


def test_yaml_in_other_clothes_reads_the_same() -> None:
    """Empty documents, merged keys, dates, instants, numbers, sets and block literals that begin with blank lines."""
    text = (
        "---\n---\nkind: canvas\nformat: 1\nname: c\nschedule: &s {api: true}\n"
        "exits: [{event: x}]\nsteps:\n"
        "  - &one {type: delay, id: d, until: 2027-01-01T09:00:00}\n"
        "  - {<<: *one, id: e, until: 2027-01-02}\n" + M
    )
    definitions, found = read_text(text)
    assert found == []
    assert [step.until for step in definitions[0].value.steps[:2]] == [
        datetime(2027, 1, 1, 9),
        datetime(2027, 1, 2),
    ]
    template = "kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://example.com\ntext: |\n\n  hello\n    you\n"
    definitions, found = read_text(template)
    assert found == []
    assert definitions[0].value.text == "\nhello\n  you\n"
    for strange in ("text: |\n", "text: !!set {a, b}", "text: !!binary aGVsbG8=", "text: 1.5", "[text]: x"):
        assert all(
            one[:4] in ("J100", "J101", "J002", "J102")
            for one in problems(template.split("text")[0] + strange)
        )


def test_what_is_nested_without_end_is_refused() -> None:
    assert problems("- " * 3000)[0].startswith("J007")
    assert problems("".join(f"{' ' * n}a:\n" for n in range(600)))[0].startswith("J007")


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (6 * 2**20))
    assert "larger than" in read_file(large)[1][0].message
    assert "cannot be read" in read_file(tmp_path / "none.yaml")[1][0].message
    for source, said in {
        "x = (": "not Python",
        "x = 5": "no definition",
        "raise ValueError('so')": "so",
    }.items():
        (tmp_path / "one.py").write_text(source)
        assert said in load([tmp_path / "one.py"]).problems[0].message
    assert "cannot be read" in load([tmp_path / "none.py"]).problems[0].message


def test_a_header_of_a_webhook_holds_ascii_where_it_is_not_liquid() -> None:
    hook = {"name": "w", "channel": "webhook", "url": "https://example.com"}
    with pytest.raises(
        ValidationError, match="a header contains “ë”; headers take ASCII characters only"
    ) as failed:
        parse("template", {**hook, "headers": {"X-A": "plain", "X-B": "Zoë"}})
    assert [error["loc"][-2:] for error in failed.value.errors()] == [("headers", "X-B")]
    encoded = {"X-B": "{{ 'Zoë' | url_encode }}"}
    assert parse("template", {**hook, "headers": encoded}).headers == encoded


def test_templates_name_their_places() -> None:
    """Each text that Liquid is in has a place of its own."""
    webhook = {
        "name": "w",
        "channel": "webhook",
        "url": "https://example.com/{{x}}",
        "headers": {"X-A": "{{y}}"},
        "body": {"a": ["{{z}}", 5]},
    }
    assert set(parse("template", webhook).sources()) == {("url",), ("headers", "X-A"), ("body", "a", 0)}
    text = {"name": "w", "channel": "webhook", "url": "https://example.com", "text": "{{x}}"}
    assert parse("template", text).sources()["text",] == "{{x}}"
    mail = {
        "name": "m",
        "channel": "email",
        "sender": {"address": "a@example.com"},
        "subject": "s",
        "html": "h",
        "text": "t",
        "preheader": "p",
    }
    assert set(parse("template", mail).sources()) == {("subject",), ("html",), ("text",), ("preheader",)}
    other = {"name": "o", "channel": "pigeon", "content": {"song": ["{{coo}}"]}}
    assert parse("template", other).sources() == {("content", "song", 0): "{{coo}}"}
    with pytest.raises(ValidationError, match="has no channel"):
        parse("template", {"name": "o"})


def test_a_filter_takes_256_values_and_a_pattern_in_which_case_does_not_matter() -> None:
    """SEG-8"""
    validated = TypeAdapter(Filter).validate_python
    assert len(validated({"attribute": "a", "one_of": list(range(256))}).operand) == 256
    with pytest.raises(ValidationError, match="at most 256"):
        validated({"attribute": "a", "one_of": list(range(257))})
    assert holds("matches", ["RUNNING shoes"], "running", NOW)


def test_operators_at_their_edges() -> None:
    """FLT: texts that are instants are compared as instants; null is what is not there."""
    assert holds("more_than", ["2026-12-07T10:00:00+01:00"], "2026-12-07T08:59:00Z", NOW)
    assert holds("after", [datetime(2026, 12, 8)], "2026-12-07", NOW)
    assert not holds("after", ["not a time of day"], "2026-12-07", NOW)
    assert holds("equals", [None], None, NOW)
    assert not holds("equals", [5], None, NOW)
    assert lookup({"a": [{"b": 1}, {"b": 2}]}, "a[].b") == [1, 2]


def test_what_segments_need_is_gathered_once() -> None:
    seen = EventFilter(event="x", within_last=timedelta(days=2))
    segments: dict[str, Any] = {
        "a": AllOf(all=(seen, SegmentFilter(segment="a"), SegmentFilter(segment="none")))
    }
    found = needs([SegmentFilter(segment="a")], segments)

    assert found == Needs({("event", "x"): Past(timedelta(days=2), 2)})


def test_operands_in_python_may_be_instants_and_attributes() -> None:
    instant_of = AttributeFilter(attribute="a", after=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
    assert instant_of.operand == "2026-01-01T00:00:00+00:00"
    from_profile = TypeAdapter(Filter).validate_python({"attribute": "a", "equals": {"attribute": "b"}})
    assert from_profile.operand == FromAttribute(attribute="b")


def test_steps_hear_only_what_concerns_them() -> None:
    here = Here(Entry(id="e", canvas="c", person="p", moved=NOW, entered=NOW), NOW, False)
    condition = AttributeFilter(attribute="a", equals=1)
    what = Happened(occurrence=Occurrence(no=1, kind="event", name="x", at=NOW), label="x")
    for step in (
        AudiencePaths(id="a", paths=(AudiencePath(name="x", when=condition),)),
        Context(id="c", set=(Variable(name="v", type="text", value="x"),)),
        DecisionSplit(id="d", when=condition),
        Message(id="m", channel="email", template="t"),
        UserUpdate(id="u", attributes={"a": 1}),
        Step(id="s", type="none"),
    ):
        assert step.hear(here, what) is None
        assert step.longest() >= timedelta(0)


def test_steps_that_come_from_elsewhere_are_found_by_their_entry_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moon = EntryPoint("moon", "journeys.canvas.steps:Delay", "journeys.steps")
    monkeypatch.setattr(
        installed_packages, "entry_points", lambda group: [moon] if group == "journeys.steps" else []
    )

    assert steps._all()["moon"] is Delay


def test_a_path_that_waits_tells_how_long() -> None:
    paths = ActionPaths(
        id="a",
        within=timedelta(days=3),
        paths=(ActionPath(name="b", triggers=(EventTrigger(event="x"),)),),
    )
    assert paths.longest() == timedelta(days=3)


def test_until_with_an_offset_asks_for_no_zone_and_a_control_group_may_leave() -> None:
    """EXP-2, DLY-16: both go to the end as the lot and the instant say."""
    message = Message(id="m", channel="email", template="t")
    until = Delay(id="d", until=NOW + timedelta(hours=3))
    experiment = ExperimentPaths(
        id="e",
        paths=(ExperimentPath(name="a", weight=25), ExperimentPath(name="b", weight=25)),
        control=ExperimentControl(weight=50, behaviour="exit"),
    )
    update = UserUpdate(id="u", attributes={"a": 1})
    canvas = Canvas(name="c", schedule=Schedule(api=True), steps=(until, experiment, update, message))
    told: list[int] = []
    report = simulate(compile(canvas), 1200, starts=NOW, progress=told.append)

    assert told == [500, 1000, 1200]
    assert report.ended["experiment_control"] + report.sent["m"] == 1200
    assert abs(report.sent["m"] - 600) < 100
    assert {place: count for place, count in report.days.items() if place[0] == "m"} == {
        ("m", 0): report.sent["m"]
    }


def test_a_script_is_heard_by_exits_and_by_what_waits_for_it() -> None:
    """What meets no trigger changes nothing; what meets an exit ends it (EXT-1)."""
    waits = ActionPaths(
        id="a",
        within=timedelta(days=3),
        paths=(ActionPath(name="b", triggers=(EventTrigger(event="x"),)),),
    )
    message = Message(id="m", channel="email", template="t")
    leaving = Exit(event="gone")
    canvas = Canvas(name="c", schedule=Schedule(api=True), exits=(leaving,), steps=(waits, message))
    hour = timedelta(hours=1)

    def ends(*names: str) -> list[str]:
        script = [(hour * (n + 1), name, {}) for n, name in enumerate(names)]
        return list(simulate(compile(canvas), 1, starts=NOW, script=script).ended)

    assert ends("y", "gone") == ["exit_event"]
    assert ends("y", "x", "gone") == ["completed"]
    step = compile(canvas).steps["a"]
    heard_by = heard(step, Occurrence(no=1, kind="event", name="y", at=NOW), Person("p"))
    assert heard_by is None


def test_lots_of_no_weight_win_nothing() -> None:
    assert pick(0.999999, {"a": 0, "b": 99.9}) == "b"
    assert pick(0.5, {}) == ""


def test_instants_spans_and_zones_of_python() -> None:
    assert span(timedelta(days=1)) == timedelta(days=1)
    assert instant(date(2026, 1, 2)) == datetime(2026, 1, 2)
    assert instant("2026-01-02T09:00+01:00") == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert localized(NOW, "Europe/Paris") == NOW
    for wrong, call in (("Mars/Phobos", zone), ("../etc", zone), ("9am", clock), ("soon", instant)):
        with pytest.raises(Exception, match=r"zone|time of day|instant"):
            call(wrong)


def test_a_problem_is_also_read_by_programs() -> None:
    problem = Problem("J101", Where("f.yaml", 2, 3), "so", "do")
    assert json.loads(json.dumps(problem.as_json()))["code"] == "J101"
    assert (problem.warning, Problem("J901", Where("f"), "x").warning) == (False, True)
    assert nearest("Best-Time", ["best_time"]) == "best_time"
    assert json.loads(text()) == schema()


def test_texts_of_any_kind_are_written_so_that_they_read_back() -> None:
    for said in ("a\nb\n", "\nfirst", "a\r\nb", " x\ny", "on", "1", "plain", "a: b"):
        value = parse("template", {"name": "w", "channel": "webhook", "url": "https://e.com", "text": said})
        definitions, found = read_text(write(value))
        assert found == []
        assert definitions[0].value == value


def test_a_simulation_of_given_people_uses_what_is_known_of_them() -> None:
    """SIM: filters look at the people given; progress is told."""
    split = DecisionSplit(
        id="d",
        when=AttributeFilter(attribute="vip", equals=True),
        steps=(Message(id="m", channel="email", template="t"),),
    )
    plan = compile(Canvas(name="c", schedule=Schedule(api=True), steps=(split,)))
    people = [Person(f"p{n}", custom={"vip": n == 0}) for n in range(3)]
    told: list[int] = []
    report = simulate(plan, people, starts=NOW, progress=told.append)

    assert (report.people, report.sent["m"], told) == (3, 1, [3])


def test_the_best_time_is_learnt_from_sessions_and_this_channels_messages() -> None:
    """IT-1"""
    history = {
        ("event", "session_start"): [Occurrence(no=1, kind="event", name="session_start", at=NOW)],
        ("message", "opened"): [
            Occurrence(
                no=no,
                kind="message",
                name="opened",
                at=NOW + timedelta(hours=6),
                properties={"channel": "sms"},
            )
            for no in (2, 3)
        ],
    }
    assert learn(Person("p", history=history), "email") == 9 * 60
    assert learn(Person("p", history=history), "sms") == 15 * 60
    assert learn(Person("p"), "email") is None


def test_the_best_time_is_learnt_from_nothing_else_that_happens_to_be_known() -> None:
    """IT-1: several people's questions share one read of the past, so it holds what others are asked for."""
    past = {
        (kind, name): [Occurrence(no=1, kind=kind, name=name, at=NOW, properties={"channel": "email"})]
        for kind, name in (("event", "bought"), ("message", "sent"), ("purchase", "session_start"))
    }
    assert learn(Person("p", history=past), "email") is None


def test_limits_of_calls_are_those_that_there_are() -> None:
    """LIM-3"""
    assert parse("workspace", {"name": "shop", "limits": {"general": 10}}).limits == {"general": 10}
    with pytest.raises(ValidationError, match="there is no limit “genral”"):
        parse("workspace", {"name": "shop", "limits": {"genral": 10}})


def test_what_a_later_version_brings_is_refused_and_may_be_left_out() -> None:
    steps = [steps_of("delay")]
    with pytest.raises(ValidationError, match="is not supported yet"):
        Canvas(name="c", schedule=Schedule(api=True), steps=steps, existing="include")  # type: ignore[arg-type]
    assert Canvas(name="c", schedule=Schedule(api=True), steps=steps, existing="skip").existing == "skip"


def steps_of(kind: str) -> dict[str, str]:
    return {"type": kind, "id": "d", "duration": "1 day"}


def test_a_day_without_quotes_is_a_day() -> None:
    text = "kind: segment\nformat: 1\nname: s\nwhen: {attribute: a, after: 2026-12-01}\n"
    [one], problems = read_text(text)
    assert problems == []
    assert one.value.when.after == "2026-12-01"  # type: ignore[union-attr]


def test_a_value_with_the_tag_of_a_text_is_a_text() -> None:
    text = "kind: segment\nformat: 1\nname: s\nwhen: {attribute: a, equals: !!str 5}\n"
    [one], problems = read_text(text)
    assert problems == []
    assert one.value.when.equals == "5"  # type: ignore[union-attr]
