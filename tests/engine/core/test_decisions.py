"""Gates, routing and limits as pure functions: who gets in, who hears an event, what may leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from journeys.canvas.canvas import Conversion
from journeys.canvas.events_and_commands import Answered, Ask, Entered, Entry, Occurrence, OthersWait, Woke
from journeys.canvas.plan import Plan, compile
from journeys.canvas.steps import Message
from journeys.engine.audience.match import Person, Said
from journeys.engine.core import limits
from journeys.engine.core.gates import Candidate, key_of, opening, refusal, seen
from journeys.engine.core.machine import advance
from journeys.engine.core.routing import Hears, OpenEntry, Window, brings_in, credited, decide
from journeys.engine.core.simulate import Scenario, run, simulate
from tests.stage import EMAIL, canvas, definitions_of

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PARIS = ZoneInfo("Europe/Paris")
MAIL = "  - {type: message, id: hello, channel: email, template: hello, only_when: {attribute: vip, equals: true}}"
WAIT = """
  - {type: action_paths, id: watch, within: 1 day, paths: [{name: p, triggers: [{event: ping}, {event: pong}]}]}
"""


def plan_of(steps: str, **given: str) -> Plan:
    return compile(definitions_of(canvas(steps, **given) + EMAIL).canvases["story"].value)


def person(*events: Occurrence, consents: dict[str, str] | None = None, **attributes: Any) -> Person:
    past: dict[tuple[str, str], list[Occurrence]] = {}
    for event in events:
        past.setdefault((event.kind, event.name), []).append(event)
    return Person("mel", custom=attributes, history=past, consents=consents or {})


def event(name: str, no: int = 7, at: datetime = NOW, **properties: Any) -> Occurrence:
    return Occurrence(no=no, kind="event", name=name, at=at, properties=properties)


# Gates -----------------------------------------------------------------------------------------------------------

DAYS = "{event: ping, starts: 2026-12-07T10:00:00, ends: 2026-12-08T10:00:00+00:00}"


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW - SECOND, "entry_window"),
        (NOW, None),
        (NOW + timedelta(hours=25) - SECOND, None),
        (NOW + timedelta(hours=25), "entry_window"),
    ],
)
def test_the_entry_window_takes_its_first_instant_and_not_its_last_in_company_time(
    at: datetime, reason: str | None
) -> None:
    """ENT-12: ten o'clock in Paris is nine in UTC; with an offset it is what the offset says."""
    door = opening(plan_of(MAIL, schedule=DAYS), PARIS)

    assert refusal(door, Candidate(person=person(), at=at)) == reason


def test_what_happened_before_the_first_publication_brings_nobody_in() -> None:
    """ENT-17: an event does not; a call that names a person has no instant but its own."""
    door = opening(plan_of(MAIL, schedule="{event: ping}"), PARIS, since=NOW)

    assert refusal(door, Candidate(person=person(), at=NOW - SECOND, event=7)) == "before_launch"
    assert refusal(door, Candidate(person=person(), at=NOW, event=7)) is None
    assert refusal(door, Candidate(person=person(), at=NOW - SECOND)) is None


@pytest.mark.parametrize(
    ("reentry", "after", "reason"),
    [
        ("", timedelta(days=900), "already_entered"),
        ("reentry: {after: 2 days}", timedelta(days=2) - SECOND, "reentry_window"),
        ("reentry: {after: 2 days}", timedelta(days=2), None),
        ("reentry: {after: 0 days}", SECOND / 2, "reentry_window"),
        ("reentry: {after: 0 days}", SECOND, None),
    ],
)
def test_who_was_in_comes_again_only_after_the_window(
    reentry: str, after: timedelta, reason: str | None
) -> None:
    """CTL-1, CTL-2, CTL-3, ENT-18."""
    door = opening(plan_of(MAIL, more=reentry), PARIS)

    assert refusal(door, Candidate(person=person(), at=NOW + after, last=NOW)) == reason


@pytest.mark.parametrize(
    ("reentry", "reasons"),
    [
        ("reentry: {after: 2 days, overlap: false}", ["reentry_window", "still_inside", None]),
        ("reentry: {after: 2 days}", ["reentry_window", None, None]),
        ("reentry: after_maximum_duration", [None, None, None]),
    ],
)
def test_that_a_person_may_come_again_and_that_they_have_left_are_two_gates(
    reentry: str, reasons: list[str | None]
) -> None:
    """CTL-4, CTL-5: within the window, after it while they are inside, and after they left."""
    door = opening(plan_of(MAIL, more=reentry), PARIS)
    soon, late = timedelta(days=1), timedelta(days=2)
    candidates = [
        Candidate(person=person(), at=NOW + after, last=NOW, inside=inside)
        for after, inside in ((soon, NOW), (late, NOW), (late, None))
    ]

    assert [refusal(door, each) for each in candidates] == reasons


def test_the_audience_does_not_count_the_event_that_brings_the_person() -> None:
    """ENT-16."""
    door = opening(plan_of(MAIL, more="audience: {event: ping}"), PARIS)
    once, twice = person(event("ping")), person(event("ping", 3), event("ping"))

    assert refusal(door, Candidate(person=once, at=NOW, event=7)) == "audience"
    assert refusal(door, Candidate(person=twice, at=NOW, event=7)) is None
    assert refusal(door, Candidate(person=once, at=NOW)) is None


def test_a_canvas_that_is_not_active_lets_nobody_in_whatever_else_keeps_them_out() -> None:
    door = opening(plan_of(MAIL, more="audience: {event: ping}"), PARIS, active=False)

    assert refusal(door, Candidate(person=person(), at=NOW, last=NOW)) == "not_active"


SEEN = [
    ({"schedule": DAYS}, {"at": NOW - SECOND}, "entry_window",
     {"came": NOW - SECOND, "starts": NOW, "ends": NOW + timedelta(hours=25)}),
    ({}, {"at": NOW - 2 * SECOND, "event": 7}, "before_launch",
     {"came": NOW - 2 * SECOND, "launched": NOW - SECOND}),
    ({}, {"at": NOW, "last": NOW - SECOND}, "already_entered", {"entered": NOW - SECOND}),
    ({"more": "reentry: {after: 2 days}"}, {"at": NOW, "last": NOW - SECOND}, "reentry_window",
     {"entered": NOW - SECOND, "again_from": NOW - SECOND + timedelta(days=2)}),
    ({"more": "reentry: {after: 0 days, overlap: false}"}, {"at": NOW, "last": NOW - SECOND, "inside": NOW - SECOND},
     "still_inside", {"inside_since": NOW - SECOND}),
    ({"more": "key: context.a.b"}, {"at": NOW, "context": {"a": {"b": [1]}}}, "no_key",
     {"key": "context.a.b", "saw": [1]}),
    ({"more": "key: context.a"}, {"at": NOW, "last": NOW - SECOND, "context": {"a": "k"}}, "already_entered",
     {"entered": NOW - SECOND, "key": "k"}),
    ({"more": "audience: {event: ping}"}, {"at": NOW, "event": 7}, "audience",
     {"filter": "event ping", "saw": {"times": 0}}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "who", "gate", "saw"), SEEN)
def test_each_gate_says_what_it_saw(
    given: dict[str, str], who: dict[str, Any], gate: str, saw: dict[str, Any]
) -> None:
    door = opening(plan_of(MAIL, **given), PARIS, since=NOW - SECOND)
    candidate = Candidate(person=person(event("ping")), **who)

    assert refusal(door, candidate) == gate
    assert seen(door, candidate, gate) == saw


def test_a_gate_that_looks_at_nothing_saw_nothing() -> None:
    door = opening(plan_of(MAIL), PARIS)
    for gate in ("not_active", "audience"):
        assert seen(door, Candidate(person=person(), at=NOW), gate) == {}


KEYS = [
    ({"a": "x"}, "x"), ({"a": 7}, 7), ({"a": 2.5}, 2.5), ({}, None), ({"a": None}, None), ({"a": True}, None),
    ({"a": ""}, None), ({"a": "x" * 255}, "x" * 255), ({"a": "x" * 256}, None), ({"a": ["x"]}, None),
]  # fmt: skip


@pytest.mark.parametrize(("context", "key"), KEYS)
def test_a_key_is_a_text_or_a_number_and_who_has_none_stays_out(context: dict[str, Any], key: Any) -> None:
    """CTL-5: with one a person may be inside by another, so `last` and `inside` are told of those with the same one."""
    plan = plan_of(MAIL, more="key: context.a\nreentry: {after: 0 days}")
    who = Candidate(person=person(), at=NOW, context=context)

    assert key_of(plan.canvas, context) == key
    assert refusal(opening(plan, PARIS), who) == ("no_key" if key is None else None)
    again = replace(who, last=NOW - SECOND, inside=NOW - SECOND)
    assert refusal(opening(plan, PARIS), again) == ("no_key" if key is None else "still_inside")
    assert key_of(plan_of(MAIL).canvas, context) is None


# Routing ---------------------------------------------------------------------------------------------------------


def waiting(plan: Plan, identity: str = "e", **more: Any) -> OpenEntry:
    entry = Entry(
        id=identity, canvas="story", person="mel", moved=NOW, entered=NOW, variant="all", step="watch", begun=NOW,
        wake_at=NOW + timedelta(days=1), phase="watching", **more,
    )  # fmt: skip
    return OpenEntry(plan, entry)


def test_an_entry_that_waits_hears_what_its_step_listens_to_within_the_window() -> None:
    """ACT-11: by the label of the first trigger that it meets."""
    plan = plan_of(WAIT)

    for at, heard in ((NOW - SECOND, False), (NOW, True), (NOW + timedelta(days=1), False)):
        [after], decided = decide([waiting(plan)], event("pong", at=at), person())
        assert after == waiting(plan)
        assert decided == ([Hears("e", "watch", "p")] if heard else [])
    assert decide([waiting(plan)], event("other"), person())[1] == []


def test_an_exit_comes_before_a_wait_and_only_after_the_entry() -> None:
    """EXT-4."""
    plan = plan_of(WAIT, more="exits: [{event: ping}]")

    [after], decided = decide([waiting(plan)], event("ping"), person())
    assert (after.leaves, after.gone, after.entry.ended) == ("exit_event", True, "exit_event")
    assert [[note.fact for note in one.notes] for one in decided if not isinstance(one, Hears)] == [["ended"]]
    assert decide([after], event("pong"), person()) == ([after], [])
    early = event("ping", at=NOW - SECOND)
    assert decide([waiting(plan)], early, person()) == ([waiting(plan)], [])


def test_who_leaves_at_the_end_of_the_step_still_hears_and_can_leave_at_once() -> None:
    """X1."""
    plan = plan_of(WAIT, more="exits: [{event: bye, release: end_of_step}, {event: stop}]")

    [leaving], _ = decide([waiting(plan)], event("bye"), person())
    assert (leaving.leaves, leaving.gone, leaving.entry.leaving) == ("exit_event", False, "exit_event")
    assert decide([leaving], event("ping"), person())[1] == [Hears("e", "watch", "p")]
    assert decide([leaving], event("bye"), person()) == ([leaving], [])
    [gone], _ = decide([leaving], event("stop"), person())
    assert gone.gone


def test_of_entries_of_one_canvas_at_one_step_the_first_hears_and_the_others_leave_at_once() -> None:
    """ACT-9, ACT-10: one that was to leave at the end of its step too."""
    plan = plan_of(WAIT, more="exits: [{event: bye, release: end_of_step}]")
    [leaving], _ = decide([waiting(plan, "c")], event("bye"), person())

    after, decided = decide([waiting(plan, "a"), waiting(plan, "b"), leaving], event("ping"), person())

    assert [one.leaves for one in after] == [None, "deduplicated", "deduplicated"]
    assert [one.gone for one in after] == [False, True, True]
    assert decided[0] == Hears("a", "watch", "p")


def test_while_a_pause_lasts_an_entry_hears_what_comes_after_its_deadline_unless_another_is_surely_in_time() -> (
    None
):
    """ACT-4, ACT-9: whether it was in time, the resume says."""
    plan, late = plan_of(WAIT), event("ping", at=NOW + timedelta(days=1))
    passed = [replace(waiting(plan, identity), movable=True) for identity in ("a", "b")]
    ahead = replace(passed[0], entry=replace(passed[0].entry, id="c", wake_at=NOW + timedelta(days=2)))

    after, decided = decide(passed, late, person())
    assert ([one.leaves for one in after], decided[0]) == ([None, "deduplicated"], Hears("a", "watch", "p"))
    after, decided = decide([*passed, ahead], late, person())
    assert [one.leaves for one in after] == ["deduplicated", "deduplicated", None]
    assert decided[0] == Hears("c", "watch", "p")
    after, decided = decide([waiting(plan, "d"), ahead], late, person())
    assert ([one.leaves for one in after], decided) == ([None, None], [Hears("c", "watch", "p")])


def test_a_completed_entry_loses_its_unsent_messages_by_an_exit_and_hears_nothing() -> None:
    """What the messages carry is what the exit's filter sees."""
    plan = plan_of(WAIT, more="exits: [{event: stop, where: [{property: id, equals: {context: id}}]}]")
    done = replace(waiting(plan), unsent=[{"id": 1}, {"id": 2}])

    assert decide([done], event("ping"), person()) == ([done], [])
    assert decide([done], event("stop", id=3), person()) == ([done], [])
    [after], [left] = decide([done], event("stop", id=2), person())
    assert (after.gone, after.entry, left.entry) == (True, done.entry, "e")


def test_a_conversion_is_credited_once_to_the_latest_window_that_is_open() -> None:
    """X7, X8, CNV-7."""
    bought = Conversion.model_validate({"name": "bought", "event": "order", "within": "1 day"})
    day = timedelta(days=1)
    late = Window("late", "story", bought, NOW, NOW + day)
    early = Window("early", "story", bought, NOW - day, NOW + day)
    other = Window("other", "else", bought, NOW - day, NOW + day)

    assert credited([late, early, other], event("order"), person()) == [late, other]
    assert credited([replace(late, credited=True), early], event("order"), person()) == []
    assert credited([late, early], event("order", at=NOW - SECOND), person()) == [early]
    assert credited([late], event("order", at=NOW + day), person()) == []
    assert credited([late], event("ping"), person()) == []


def test_what_compares_with_the_key_is_heard_by_the_entry_that_has_it() -> None:
    """CTL-5, X8: waits, exits of entries and of unsent messages, and conversions, the latest of those that fit."""
    own = "where: [{property: order, equals: {entry: key}}]"
    steps = f"""
  - {{type: action_paths, id: watch, within: 1 day, paths: [{{name: p, triggers: [{{event: ping, {own}}}]}}]}}
"""
    more = f"key: context.order\nexits: [{{event: stop, {own}}}]"
    plan = plan_of(steps, more=more)
    entries = [waiting(plan, name, key=key) for name, key in (("a", 1), ("b", 2), ("c", "2"))]

    assert decide(entries, event("ping", order=2), person())[1] == [Hears("b", "watch", "p")]
    assert [one.leaves for one in decide(entries, event("stop", order=1), person())[0]] == [
        "exit_event",
        None,
        None,
    ]
    done = [replace(one, unsent=[{}]) for one in entries]
    assert [one.leaves for one in decide(done, event("stop", order="2"), person())[0]] == [
        None,
        None,
        "exit_event",
    ]
    paid = Conversion.model_validate({
        "name": "paid", "event": "paid", "within": "1 day", "where": [{"property": "order", "equals": {"entry": "key"}}],
    })  # fmt: skip
    windows = [
        Window(name, "story", paid, NOW, NOW + timedelta(days=1), key=key)
        for name, key in (("c", 2), ("b", 1), ("a", 1))
    ]
    assert [one.entry for one in credited(windows, event("paid", order=1), person())] == ["b"]
    assert credited(windows, event("paid", order=3), person()) == []


def test_an_occurrence_brings_people_into_the_canvas_whose_trigger_it_meets() -> None:
    plan = plan_of(MAIL, schedule="{event: ping, where: [{property: n, more_than: 2}]}")

    assert brings_in(plan, event("ping", n=3), person())
    assert not brings_in(plan, event("ping", n=2), person())
    assert not brings_in(plan_of(MAIL), event("ping", n=3), person())


# Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "state", "leaves"),
    [
        ("subscribed", None, True),
        ("subscribed", "subscribed", True),
        ("subscribed", "opted_in", True),
        ("subscribed", "unsubscribed", False),
        ("opted_in", None, False),
        ("opted_in", "subscribed", False),
        ("opted_in", "opted_in", True),
        ("all", "unsubscribed", True),
    ],
)
def test_consent_is_what_the_canvas_asks_for(wanted: str, state: str | None, leaves: bool) -> None:
    """SUB-1: who said nothing is subscribed; what is said of another channel does not count."""
    plan = plan_of(MAIL, more=f"send: {{subscription: {wanted}}}")
    consents = {"sms": "unsubscribed"} | ({"email": state} if state else {})
    found = limits.refusal(plan, mail_of(plan), person(consents=consents, vip=True), NOW)

    assert found == (None if leaves else limits.Refusal("unreachable", f"not_{wanted}"))


def mail_of(plan: Plan) -> Message:
    step = plan.steps["hello"]
    assert isinstance(step, Message)
    return step


def test_what_keeps_a_message_back_is_told_in_its_order() -> None:
    """VAL-1, MSG-1: without an address, without consent, not for this person."""
    plan = plan_of(MAIL)
    step, nobody = mail_of(plan), person(consents={"email": "unsubscribed"})

    def told(who: Person, **more: bool) -> str:
        found = limits.refusal(plan, step, who, NOW, **more)
        return found.reason if found else ""

    assert told(nobody, reachable=False) == "no_address"
    assert told(nobody) == "not_subscribed"
    assert told(person()) == "only_when"
    assert told(person(vip=True)) == ""


def test_a_message_of_a_subscription_group_reaches_who_is_subscribed_to_it_and_not_gone_from_the_channel() -> (
    None
):
    """SUB-3, CNS-2: whatever the canvas asks for."""
    plan = plan_of(
        MAIL.replace("only_when", "subscription_group: news, only_when"), more="send: {subscription: all}"
    )
    news = {"news": Said("email", "subscribed")}
    people = [
        replace(person(vip=True), subscriptions=news),
        replace(person(vip=True, consents={"email": "unsubscribed"}), subscriptions=news),
        replace(person(vip=True), subscriptions={"news": Said("email", "unsubscribed")}),
        replace(person(vip=True), subscriptions={"other": Said("email", "subscribed")}),
        person(vip=True),
    ]

    found = [limits.refusal(plan, mail_of(plan), one, NOW) for one in people]
    assert found == [None, *[limits.Refusal("unreachable", "not_in_group")] * 4]
    assert [limits.in_a_group(plan, "email", one) for one in people] == [True, *[False] * 4]
    assert limits.groups_asked(plan, "email") == ("news",)
    assert limits.in_a_group(plan_of(MAIL), "email", person())


def test_an_address_that_does_not_exist_or_marked_a_mail_as_spam_is_not_written_to() -> None:
    """EML-8, CNS-4: who marked one as spam gets what is sent to all; the address of another channel does not count."""
    plan = plan_of(MAIL)
    all_of_them = plan_of(MAIL, more="send: {subscription: all}")
    gone = replace(person(vip=True), bounced=frozenset({"email"}))
    spam = replace(person(vip=True), standard={"marked_email_as_spam_at": "2026-12-01"})
    other = replace(person(vip=True), bounced=frozenset({"sms"}))

    def told(of: Plan, who: Person) -> str | None:
        found = limits.refusal(of, mail_of(of), who, NOW)
        return None if found is None else found.reason

    assert [told(plan, one) for one in (gone, spam, other)] == ["hard_bounced", "marked_as_spam", None]
    assert [told(all_of_them, one) for one in (gone, spam, other)] == ["hard_bounced", None, None]


def test_the_condition_of_a_message_sees_what_this_entry_was_sent() -> None:
    """CTL-10"""
    plan = plan_of(MAIL.replace("{attribute: vip, equals: true}", "{message: opened, step: hello}"))
    said = {"canvas": "story", "step": "hello", "dispatch": "e1/hello"}
    mel = person(replace(event("opened", **said), kind="message"))

    found = [limits.refusal(plan, mail_of(plan), mel, NOW, entry=entry) for entry in ("e1", "e2", None)]
    assert found == [None, limits.Refusal("invalid", "only_when"), None]


# The simulator ---------------------------------------------------------------------------------------------------


def test_the_simulator_counts_whom_the_gates_refuse_and_which_messages_do_not_leave() -> None:
    plan = plan_of(MAIL, more="audience: {attribute: size, more_than: 38}")
    people = [
        replace(person(**given), id=name, consents=consents)
        for name, given, consents in (
            ("small", {"size": 36, "vip": True}, {}),
            ("plain", {"size": 40}, {}),
            ("silent", {"size": 40, "vip": True}, {"email": "unsubscribed"}),
            ("vip", {"size": 40, "vip": True}, {}),
        )
    ]

    report = simulate(plan, people, starts=NOW)

    assert dict(report.refused) == {"audience": 1}
    assert dict(report.unsent) == {("hello", "only_when"): 1, ("hello", "not_subscribed"): 1}
    assert report.ended["completed"] == 3


def test_an_entry_that_a_message_holds_hears_in_the_simulator_why_it_does_not_leave() -> None:
    held = MAIL.replace("only_when", "on_fail: exit, only_when")
    lines = list(run(plan_of(held), "mel", NOW, Scenario(), profile=person()))

    said = [(command.fact, command.data.get("reason")) for _, _, command in lines if hasattr(command, "fact")]
    assert ("invalid", "only_when") in said
    assert said[-1][0] == "ended"
    assert said[-1][1] != "completed"


def test_in_the_simulator_each_comes_with_a_key_of_their_own() -> None:
    """Real people too, and what a message asks for may compare with it."""
    steps = MAIL.replace("{attribute: vip, equals: true}", "{attribute: order, equals: {entry: key}}")
    plan = plan_of(steps, more="key: context.a.b")
    people = [replace(person(order=name), id=name) for name in ("mel", "zoe")]
    people.append(replace(person(order="mel"), id="ann"))

    report = simulate(plan, people, starts=NOW)
    assert (sum(report.entered.values()), report.sent["hello"], dict(report.unsent)) == (
        3,
        3,
        {("hello", "only_when"): 1},
    )
    assert sum(simulate(plan, 10, starts=NOW).entered.values()) == 10


# Messages for which two would wait ----------------------------------------------------------------------------------

AGAIN = "reentry: {after: 0 days}"
MEETING = """
  - {type: delay, id: long, duration: 2 days}
  - {type: context, id: sets, set: [{name: a, type: text, value: b}]}
  - {type: user_update, id: marks, attributes: {a: 1}}
  - {type: message, id: hello, channel: email, template: hello, at: "22:00"}
  - {type: delay, id: short, duration: 1 day}
  - {type: decision_split, id: split, when: {bucket: [0, 9]}}
  - {type: message, id: other, channel: email, template: hello}
  - {type: delay, id: last, duration: 1 day}
"""


def test_entries_meet_in_the_steps_in_which_they_wait_for_one_message() -> None:
    """CTL-9: of canvases by API, without keys, in which a person may be several times."""
    both, other = frozenset({"long", "hello"}), frozenset({"other"})
    wanted = {"long": both, "hello": both, "other": other}

    assert plan_of(MEETING, more=AGAIN).same_message == wanted
    for given in (
        {},
        {"more": AGAIN, "schedule": "{event: ping}"},
        {"more": f"{AGAIN}\nkey: context.a"},
        {"more": "reentry: {after: 0 days, overlap: false}"},
    ):
        assert plan_of(MEETING, **given).same_message == {}


@pytest.mark.parametrize("others", [True, False])
def test_an_entry_that_is_to_wait_asks_whether_another_does_and_is_dropped_then(others: bool) -> None:
    """CTL-9: and not at a wait that leads to no message."""
    plan = plan_of(MEETING, more=AGAIN)
    entry = Entry(id="e", canvas="story", person="mel", moved=NOW, entered=NOW)
    entry, commands = advance(plan, entry, Entered(), NOW)
    assert commands[-1] == Ask(OthersWait(frozenset({"long", "hello"})))

    after, said = advance(plan, entry, Answered(others), NOW)
    assert [getattr(command, "fact", None) for command in said] == ["ended" if others else "waits"]
    if others:
        assert (after.ended, after.wake_at) == ("already_waiting", None)
        return
    assert (after.phase, after.wake_at) == ("", NOW + timedelta(days=2))
    split = replace(after, step="other", phase="", wake_at=NOW + timedelta(days=1))
    _, said = advance(plan, replace(split, step="short"), Woke(), NOW + timedelta(days=1))
    assert not any(isinstance(command, Ask) and isinstance(command.question, OthersWait) for command in said)


# How long an entry lasts --------------------------------------------------------------------------------------------

SEASON = """
  - type: decision_split
    id: fast
    when: {attribute: vip, equals: true}
    steps: [{type: delay, id: short, duration: 2 days, then: end}]
  - {type: delay, id: season, until: 2026-12-20T09:00, zone: local}
  - {type: delay, id: after, duration: 3 days}
"""


DELAY = "{type: delay, id: %s, duration: %s}"
SPLIT = "  - {type: decision_split, id: s, when: {bucket: [0, 1]}, steps: [%s], otherwise: [%s]}\n"


@pytest.mark.parametrize(
    ("steps", "longest"),
    [
        ("  - {type: message, id: m, channel: email, template: hello}", timedelta(0)),
        ("  - {type: message, id: m, channel: email, template: hello, at: best_time}", timedelta(days=1)),
        ("  - {type: message, id: m, channel: email, template: hello, on_fail: exit}", timedelta(hours=72)),
        (WAIT, timedelta(days=1)),
        ("  - {type: delay, id: d, duration: 2 days, at: '09:00'}", timedelta(days=3)),
        ("  - {type: delay, id: d, calendar_days: 2}", timedelta(days=3)),
        ("  - {type: delay, id: d, weekdays: [monday], at: '09:00'}", timedelta(days=7)),
        (SPLIT % (DELAY % ("a", "1 day"), DELAY % ("b", "4 days")), timedelta(days=4)),
        (SPLIT % (DELAY % ("a", "4 days"), DELAY % ("b", "1 day")), timedelta(days=4)),
        (SPLIT % (DELAY % ("a", "4 days"), DELAY % ("b", "1 day")) + "  - " + DELAY % ("c", "2 days"), timedelta(days=6)),
        (SPLIT % (DELAY % ("a", "1 day"), DELAY % ("b", "4 days")) + "  - " + DELAY % ("c", "2 days"), timedelta(days=6)),
    ],
)  # fmt: skip
def test_the_maximum_duration_is_that_of_the_longest_path(steps: str, longest: timedelta) -> None:
    """CTL-6: all that can be waited on it, added up; of ways that meet again the longer one counts."""
    assert plan_of(steps, more="reentry: after_maximum_duration").longest_from(NOW) == longest


@pytest.mark.parametrize(
    ("entered", "longest"),
    [
        (NOW, timedelta(days=16, hours=12)),
        (NOW + timedelta(days=10), timedelta(days=6, hours=12)),
        (NOW + timedelta(days=20), timedelta(days=3)),
    ],
)
def test_a_delay_until_an_instant_lasts_as_long_as_that_lies_ahead(
    entered: datetime, longest: timedelta
) -> None:
    """CTL-6: local time is reached last twelve hours west of UTC; whoever comes later is not held by it."""
    plan = plan_of(SEASON, more="reentry: after_maximum_duration")

    assert plan.longest_from(entered) == longest
    door = opening(plan, PARIS)
    again = Candidate(person=person(), at=entered + longest, last=entered)
    assert refusal(door, again) is None
    assert refusal(door, replace(again, at=again.at - SECOND)) == "reentry_window"
