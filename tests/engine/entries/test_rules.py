"""Who comes in, who leaves, what counts, and what is sent: rule by rule, on a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Links, Mark
from journeys.engine.entries import admission
from journeys.engine.entries.event_recording import NewEvent, record
from journeys.engine.intake.track import track
from journeys.engine.people.profiles import load, lock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.liquid_values import typed
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on

DAY = timedelta(days=1)
WAIT = "  - {type: delay, id: wait, duration: 3 days}\n  - {type: message, id: m, channel: email, template: hello}"
APART = WAIT.replace("\n", "\n  - {type: decision_split, id: s, when: {bucket: [0, 9999]}}\n")
MAIL = "  - {type: message, id: m, channel: email, template: hello}"


async def entries(stage: Stage) -> list[Any]:
    return list(await stage.db.pool.fetch("select * from entries order by entered, id"))


async def refusals(stage: Stage) -> list[str]:
    rows = await stage.db.pool.fetch("select gate, times from refusals order by at, person")
    return [row["gate"] for row in rows for _ in range(row["times"])]


def turn(stage: Stage, span: timedelta) -> None:
    stage.clock.turn(span)  # type: ignore[attr-defined]


async def by_event(db: Database, more: str = "", steps: str = WAIT) -> Stage:
    stage = await stage_on(db, canvas(steps, schedule="{event: ping}", more=more) + EMAIL)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    return stage


async def test_the_audience_does_not_count_the_event_that_brings_somebody_in(db: Database) -> None:
    """ENT-16: a first-timer is not yet in the audience of those who did it."""
    stage = await by_event(db, "audience: {event: ping}\nreentry: {after: 0 days}")
    mel = await stage.person()
    await stage.happens(mel, "ping")
    assert (await entries(stage), await refusals(stage)) == ([], ["audience"])
    turn(stage, timedelta(seconds=5))
    await stage.happens(mel, "ping")
    assert len(await entries(stage)) == 1


async def test_what_happened_before_the_launch_or_outside_the_window_enters_nobody(db: Database) -> None:
    """ENT-12, ENT-17"""
    stage = await stage_on(
        db,
        canvas(
            WAIT,
            schedule="{event: ping, starts: '2026-12-07T09:30', ends: '2026-12-07T10:00'}",
            more="reentry: {after: 0 days}",
        )
        + EMAIL,
    )
    await db.pool.execute("update canvases set published = $1", MONDAY)
    mel = await stage.person()
    for minutes in (-5, 10, 45, 60):
        await stage.happens(mel, "ping", at=MONDAY + timedelta(minutes=minutes))

    assert [row["entered"] - MONDAY for row in await entries(stage)] == [timedelta(minutes=45)]
    assert await refusals(stage) == ["entry_window", "entry_window", "entry_window"]
    await db.pool.execute("update canvases set published = $1", MONDAY + DAY)
    stage.published.forget(stage.workspace)
    await db.pool.execute("update workspaces set revision = revision + 1")
    await stage.happens(await stage.person(), "ping", at=MONDAY + timedelta(minutes=50))
    assert sorted(await refusals(stage)) == ["before_launch", *["entry_window"] * 3]


async def test_at_most_one_entry_within_a_second_and_two_after_it(db: Database) -> None:
    """ENT-18, CTL-4, CTX-1, CTX-2: concurrent entries, each with its own context."""
    stage = await by_event(db, "reentry: {after: 0 days}")
    mel = await stage.person()
    for milliseconds in (0, 500, 1100):
        await stage.happens(
            mel, "ping", {"n": milliseconds}, at=MONDAY + timedelta(milliseconds=milliseconds)
        )

    assert [row["context"] for row in await entries(stage)] == [{"n": 0}, {"n": 1100}]


async def test_delays_count_from_the_instant_of_the_event(db: Database) -> None:
    """ENT-19: a backdated event makes a delay that has already passed."""
    stage = await by_event(db)
    mel = await stage.person()
    await stage.happens(mel, "ping", at=MONDAY - timedelta(hours=4))
    [row] = await entries(stage)

    assert row["wake_at"] == MONDAY - timedelta(hours=4) + 3 * DAY


async def test_a_delay_in_local_time_goes_by_the_companys_zone_where_a_person_has_none(db: Database) -> None:
    """DLY-5"""
    steps = f"  - {{type: delay, id: d, calendar_days: 1, at: '09:00', zone: local}}\n{WAIT}"
    text = canvas(steps) + "---\n{kind: workspace, format: 1, name: default, zone: Asia/Tokyo}\n" + EMAIL
    stage = await stage_on(db, text)
    wanted = {None: "2026-12-08T00:00+00:00", "America/Lima": "2026-12-08T14:00+00:00"}
    for entry in await stage.enter(*[await stage.person(zone=zone) for zone in wanted]):
        await stage.burst(entry)

    assert [row["wake_at"].isoformat("T", "minutes") for row in await entries(stage)] == list(wanted.values())


async def test_without_re_entry_a_person_enters_once_though_no_message_reached_them(db: Database) -> None:
    """CTL-1"""
    stage = await by_event(db)
    mel = await stage.person()
    await stage.happens(mel, "ping")
    turn(stage, 90 * DAY)
    await stage.happens(mel, "ping")

    assert (len(await entries(stage)), await refusals(stage)) == (1, ["already_entered"])


async def test_a_re_entry_window_is_elapsed_time(db: Database) -> None:
    """CTL-3: thirty days of 24 hours, not a month of the calendar."""
    stage = await by_event(db, "reentry: {after: 30 days}")
    mel = await stage.person()
    await stage.happens(mel, "ping")
    for days, count in ((28, 1), (30, 2)):
        turn(stage, MONDAY + days * DAY - stage.clock.now())
        await stage.happens(mel, "ping")
        assert len(await entries(stage)) == count


async def test_after_the_maximum_duration_a_person_may_enter_again(db: Database) -> None:
    """CTL-6: the longest path, here three days."""
    stage = await by_event(db, "reentry: after_maximum_duration")
    mel = await stage.person()
    await stage.happens(mel, "ping")
    for days, count in ((2, 1), (3, 2)):
        turn(stage, MONDAY + days * DAY - stage.clock.now())
        await stage.happens(mel, "ping")
        assert len(await entries(stage)) == count


async def test_only_what_happens_after_the_entry_ends_it(db: Database) -> None:
    """EXT-4, EXT-3, CTX-3: types must agree, "5" is not 5; with the end the context is erased."""
    stage = await stage_on(
        db,
        canvas(WAIT, more="exits: [{event: bought, where: [{property: shoe, equals: {context: shoe}}]}]")
        + EMAIL,
    )
    mel = await stage.person()
    [entry] = await stage.enter(mel, shoe=5)
    await stage.happens(mel, "bought", {"shoe": 5}, at=MONDAY - timedelta(hours=1))
    await stage.happens(mel, "bought", {"shoe": "5"}, at=MONDAY + timedelta(seconds=1))
    row = await stage.row(entry)
    assert (row["ended"], row["context"]) == (None, {"shoe": 5})
    await stage.happens(mel, "bought", {"shoe": 5}, at=MONDAY + timedelta(seconds=2))
    row = await stage.row(entry)
    assert (row["ended"], row["context"], row["ended_at"]) == (
        "exit_event",
        {},
        MONDAY + timedelta(seconds=2),
    )


CONVERT = "reentry: {after: 0 days}\nexits: [{event: bought}]\nconversions: [{name: buys, event: bought, within: 7 days, revenue: total}, {name: reads, event: read, within: 1 day}]"


async def conversions(stage: Stage) -> list[tuple[Any, ...]]:
    rows = await stage.db.pool.fetch(
        "select c.name, c.at, c.step, c.revenue, e.entered from conversions c join entries e on e.id = c.entry where c.at is not null order by c.at, e.entered"
    )
    return [
        (row["name"], row["at"] - MONDAY, row["step"], row["revenue"], row["entered"] - MONDAY)
        for row in rows
    ]


async def test_a_conversion_counts_once_for_the_latest_entry_within_its_deadline_and_after_an_exit_too(
    db: Database,
) -> None:
    """CNV-4, CNV-7, X7, X8, EXT-10, ANA-1: measured from the entry; before any message it belongs to no step."""
    stage = await stage_on(db, canvas(APART, more=CONVERT) + EMAIL)
    mel = await stage.person()
    await stage.enter(mel)
    turn(stage, DAY)
    await stage.enter(mel)
    turn(stage, DAY)
    await stage.happens(mel, "bought", {"total": 99.5})
    await stage.happens(mel, "bought", {"total": 1})
    await stage.happens(mel, "read")
    turn(stage, 9 * DAY)
    await stage.happens(mel, "bought", {"total": 5})

    assert await conversions(stage) == [("buys", 2 * DAY, None, "99.5", DAY)]
    assert {row["ended"] for row in await entries(stage)} == {"exit_event"}


async def test_a_late_event_counts_for_the_entry_that_was_the_latest_when_it_happened(db: Database) -> None:
    """X8: at the event's own time; a later entry takes nothing from an earlier one."""
    stage = await stage_on(db, canvas(WAIT, more=CONVERT) + EMAIL)
    mel = await stage.person()
    await stage.enter(mel)
    turn(stage, 2 * DAY)
    await stage.enter(mel)
    turn(stage, DAY)
    await stage.happens(mel, "bought", {"total": 7}, at=MONDAY + DAY)
    await stage.happens(mel, "bought", {"total": 8})

    assert await conversions(stage) == [
        ("buys", DAY, None, "7", timedelta(0)),
        ("buys", 3 * DAY, None, "8", 2 * DAY),
    ]


@pytest.mark.parametrize("late", [False, True])
async def test_a_conversion_belongs_to_the_latest_message_before_it(
    db: Database, mailbox: Mailbox, late: bool
) -> None:
    """ANA-1, ANA-2: one before the first message, one after each; told of at once, or all of them at the end."""
    steps = "\n".join(
        f"  - {{type: message, id: m{n}, channel: email, template: hello}}\n  - {{type: delay, id: d{n}, duration: 2 days}}"
        for n in range(3)
    )
    goals = ", ".join(f"{{name: c{n}, event: opens{n}, within: 20 days}}" for n in range(4))
    stage = await stage_on(
        db,
        canvas("  - {type: delay, id: first, duration: 2 days}\n" + steps, more=f"conversions: [{goals}]")
        + EMAIL,
    )
    mel = await stage.person(email="mel@example.com")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    happened = []
    for n in range(4):
        turn(stage, DAY)
        happened.append((f"opens{n}", stage.clock.now()))
        if not late:
            await stage.happens(mel, f"opens{n}")
        turn(stage, DAY)
        await stage.burst(entry, 9)
        await post(stage, mailbox)
    for name, at in happened if late else ():
        await stage.happens(mel, name, at=at)

    found = await db.pool.fetch("select name, step from conversions order by name")
    assert [tuple(row) for row in found] == [("c0", None), ("c1", "m0"), ("c2", "m1"), ("c3", "m2")]


async def test_an_exit_at_once_takes_effect_though_one_at_the_end_of_the_step_came_before(
    db: Database,
) -> None:
    """EXT-5, X1: in one request or in two."""
    more = "exits: [{event: soft, release: end_of_step}, {event: hard}]"
    stage = await stage_on(db, canvas(WAIT, more=more) + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    await stage.enter(mel, zoe)
    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await lock(connection, stage.workspace, [mel.id])
        news = [
            NewEvent(profile=mel, kind="event", name=name, at=stage.clock.now())
            for name in ("soft", "hard", "soft")
        ]
        await record(connection, publication, stage.published, stage.clock, news)
    await stage.happens(zoe, "soft")
    await stage.happens(zoe, "hard")

    assert [(row["ended"], row["leaving"]) for row in await entries(stage)] == [("exit_event", None)] * 2


async def test_control_converts_and_gets_no_message(db: Database) -> None:
    """CNV-9, VAR-4, VAR-1"""
    text = canvas("", more="conversions: [{name: buys, event: bought, within: 7 days}]").replace(
        "steps:\n",
        "variants:\n  - {name: control, weight: 100, control: true}\n  - name: main\n    weight: 0\n    steps: [{type: message, id: m, channel: email, template: hello}]\n",
    )
    stage = await stage_on(db, text + EMAIL)
    mel = await stage.person()
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    await stage.happens(mel, "bought")

    assert (await stage.row(entry))["ended"] == "control"
    assert await stage.dispatches() == []
    assert len(await conversions(stage)) == 1


async def test_splits_and_groups_go_by_what_is_so_on_arrival(db: Database) -> None:
    """DEC-1, DEC-2, AUP-1, AUP-2: attributes, segments, what was done by then, and what the entry carries.

    Of several groups that match, the first in their order counts.
    """
    steps = """
  - {type: delay, id: before, duration: 1 day}
  - type: audience_paths
    id: tier
    paths:
      - {name: carried, when: {context: tier, equals: gold}, steps: [{type: delay, id: to_carried, duration: 1 day}]}
      - {name: rich, when: {segment: rich}, steps: [{type: delay, id: to_rich, duration: 1 day}]}
      - {name: late, when: {event: ping, within_last: 1 hour}, steps: [{type: delay, id: to_late, duration: 1 day}]}
    otherwise: [{type: delay, id: to_others, duration: 1 day}]
  - {type: decision_split, id: s, when: {attribute: points, more_than: 5}, steps: [{type: delay, id: to_yes, duration: 1 day}], otherwise: [{type: delay, id: to_no, duration: 1 day}]}
  - {type: delay, id: last, duration: 1 day}
"""
    rich = "---\nkind: segment\nformat: 1\nname: rich\nwhen: {attribute: points, more_than: 5}\n"
    stage = await stage_on(db, canvas(steps) + rich)
    people = [await stage.person(attributes={"points": points}) for points in (9, 9, 1, 1)]
    found = [
        (await stage.enter(person, tier=tier))[0]
        for person, tier in zip(people, ("gold", "tin", "tin", "tin"), strict=True)
    ]
    await stage.happens(people[3], "ping")  # a day before the arrival: too early for the third group
    turn(stage, DAY - timedelta(minutes=5))
    for person in people[:3]:
        await stage.happens(person, "ping")
    turn(stage, timedelta(minutes=5))
    for entry in found:
        await stage.burst(entry)
    turn(stage, DAY)
    for entry in found:
        await stage.burst(entry, 2)

    assert [(await stage.path(entry))[2] for entry in found] == [
        "to_carried",
        "to_rich",
        "to_late",
        "to_others",
    ]
    assert [(await stage.path(entry))[4] for entry in found] == ["to_yes", "to_yes", "to_no", "to_no"]


async def test_one_thing_that_would_move_several_entries_moves_the_earliest_that_it_fits(
    db: Database,
) -> None:
    """ACT-9, ACT-10, ACT-11: the others end as deduplicated; one that it does not fit stays; the first group counts."""
    steps = """
  - type: action_paths
    id: a
    within: 2 days
    paths:
      - {name: one, triggers: [{event: ping, where: [{property: n, equals: {context: n}}]}]}
      - {name: two, triggers: [{event: ping, where: [{property: n, equals: {context: n}}]}]}
  - {type: delay, id: wait, duration: 1 day}
  - {type: delay, id: last, duration: 1 day}
"""
    stage = await stage_on(db, canvas(steps, more="reentry: {after: 0 days}") + EMAIL)
    mel = await stage.person()
    found = []
    for n in (1, 1, 2):
        found += await stage.enter(mel, n=n)
        turn(stage, timedelta(seconds=5))
    for entry in found:
        await stage.burst(entry)
    await stage.happens(mel, "ping", {"n": 1})
    await stage.burst(found[0], 2)

    assert [(await stage.row(entry))["step"] for entry in found] == ["wait", "a", "a"]
    assert [(await stage.row(entry))["ended"] for entry in found] == [None, "deduplicated", None]
    took = await db.pool.fetchval("select data->>'path' from facts where fact = 'took'")
    assert took == "one"


async def test_a_user_update_is_seen_by_the_steps_after_it_and_its_events_are_heard_later(
    db: Database,
) -> None:
    """UPD-1, UPD-2, UPD-3, UPD-5, UPD-8, CXS-1, CXS-2"""
    from journeys.engine.entries.derived_events import route_derived_events

    steps = """
  - {type: context, id: c, set: [{name: a, type: number, value: "{{ custom_attribute.${n} | plus: 1 }}"}, {name: b, value: "{{ context.${a} }}!"}, {name: no, type: number, value: "abc"}]}
  - {type: user_update, id: u, attributes: {reader: true, n: {increment: 2}, said: "{{ context.${b} }}"}, events: [{name: finished, properties: {by: "{{ context.${b} }}", shoe: {sizes: [38]}}}]}
  - {type: user_update, id: aborts, attributes: {never: "{% abort_message('no') %}"}}
  - {type: decision_split, id: s, when: {attribute: reader, equals: true}, steps: [{type: delay, id: yes_, duration: 1 day}]}
  - {type: delay, id: last, duration: 1 day}
"""
    follow = "\n---\n" + canvas(WAIT, name="follow", schedule="{event: finished}")
    stage = await stage_on(db, canvas(steps) + EMAIL + follow)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    mel = await stage.person(attributes={"n": 1})
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    assert await stage.path(entry) == ["c", "u", "aborts", "s", "yes_"]
    assert await db.pool.fetchval("select attributes from people where id = $1", mel.id) == {
        "n": 3,
        "reader": True,
        "said": "2!",
    }
    assert ("not_updated", "c") in await stage.facts(entry)
    assert ("update_failed", "aborts") in await stage.facts(entry)
    assert await route_derived_events(db, stage.published, stage.clock, NullNotifier(), NullNotifier()) == 1
    [_, other] = await entries(stage)
    assert (other["canvas"], other["hops"], other["entered"]) == ("follow", 1, MONDAY)
    assert other["context"] == {"by": "2!", "shoe": {"sizes": [38]}}


def test_a_list_is_json_or_texts_between_commas() -> None:
    """CTX-7"""
    assert typed("list", '["a", {"b": 1}]') == ["a", {"b": 1}]
    assert typed("list", "a, b ,c") == ["a", "b", "c"]
    with pytest.raises(ValueError, match="not a list"):
        typed("list", '{"a": 1}')


async def test_attributes_of_a_request_are_written_before_its_events_are_heard(db: Database) -> None:
    """ENT-20: so what the request makes of the person lets them in, and events within it see it."""
    stage = await by_event(db, "audience: {attribute: tier, equals: gold}")
    events = [{"external_id": name, "name": "ping", "time": MONDAY.isoformat()} for name in ("mel", "ann")]
    attributes = [{"external_id": "mel", "tier": "gold"}, {"external_id": "ann", "tier": "tin"}]
    await track(
        db, stage.published, stage.clock, NullNotifier(), NullNotifier(), stage.workspace,
        {"events": events, "attributes": attributes},
    )  # fmt: skip

    entered = "select p.external_id from entries e join people p on p.id = e.person"
    assert await db.pool.fetch(entered) == [("mel",)]
    assert await refusals(stage) == ["audience"]


async def test_a_context_step_has_what_came_with_the_entry_as_context_and_no_event_properties(
    db: Database,
) -> None:
    """CTX-1, CTX-20, CTX-21: neither after an entry by event, nor between an action path and its message."""
    both = '[{name: %s, value: "{{ context.${k} }}/{{ event_properties.${k} }}"}]'
    steps = f"""
  - {{type: context, id: first, set: {both % "at_entry"}}}
  - type: action_paths
    id: watch
    within: 1 day
    paths:
      - name: one
        triggers: [{{event: liked}}]
        steps:
          - {{type: context, id: between, set: {both % "on_path"}}}
          - {{type: message, id: m, channel: email, template: hello}}
  - {{type: delay, id: end_, duration: 1 day}}
  - {{type: user_update, id: u, attributes: {{done: true}}}}
"""
    stage = await by_event(db, steps=steps)
    mel = await stage.person()
    await stage.happens(mel, "ping", {"k": "ping"})
    [row] = await entries(stage)
    await stage.burst(row["id"])
    await stage.happens(mel, "liked", {"k": "liked"})
    await stage.burst(row["id"], 2)

    [row] = await entries(stage)
    assert row["context"] == {"k": "ping", "at_entry": "ping/", "on_path": "ping/"}
    assert await db.pool.fetchval("select properties from dispatches") == {"k": "liked"}


async def test_a_chain_of_events_that_canvases_make_is_cut_after_twenty(db: Database) -> None:
    """An event that a canvas makes may bring somebody into a canvas that makes it; a fact says where it was cut."""
    from journeys.engine.entries.derived_events import route_derived_events

    text = canvas(
        "  - {type: user_update, id: u, events: [{name: again}]}",
        schedule="{event: again}",
        more="reentry: {after: 0 days}\nworkflow: when_waiting",
    )
    stage = await stage_on(db, text)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    await stage.happens(await stage.person(), "again")
    for _ in range(40):
        turn(stage, timedelta(seconds=2))
        await db.pool.execute("update echoes set at = $1", stage.clock.now())
        if not await route_derived_events(db, stage.published, stage.clock, NullNotifier(), NullNotifier()):
            break

    assert len(await entries(stage)) == 20
    assert await db.pool.fetchval("select count(*) from facts where fact = 'hops_exceeded'") == 1


async def post(stage: Stage, mailbox: Mailbox) -> list[tuple[str, str]]:
    """Drain the mail, and say what became of each message: fact and reason."""
    email = Email(SmtpSettings(port=mailbox.port))
    async with DeliveryWorker(
        stage.db,
        stage.published,
        stage.clock,
        NullNotifier(),
        NullNotifier(),
        {"email": email},
        public_url="https://j.example",
    ) as delivery_worker:
        while await delivery_worker.drain_once("email"):
            pass
    rows = await stage.db.pool.fetch(
        "select fact, data from facts where fact in ('sent', 'aborted', 'unreachable', 'invalid', 'failed') order by no"
    )
    return [(row["fact"], row["data"].get("reason", "")) for row in rows]


async def sent_to(
    db: Database,
    mailbox: Mailbox,
    *,
    steps: str = MAIL,
    more: str = "",
    email: str | None = "mel@example.com",
    consent: str | None = None,
    template: str = EMAIL,
) -> tuple[Stage, list[tuple[str, str]]]:
    stage = await stage_on(db, canvas(steps, more=more) + template)
    mel = await stage.person(email=email, first_name="Mel")
    if consent:
        await db.pool.execute(
            "insert into consents values ($1, $2, 'email', $3, now())", stage.workspace, mel.id, consent
        )
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    assert (await stage.row(entry))["ended"] == "completed"  # it advances whatever becomes of the message
    return stage, await post(stage, mailbox)


async def test_consent_is_judged_at_the_moment_of_sending_and_keeps_nobody_out(
    db: Database, mailbox: Mailbox
) -> None:
    """SUB-1, MSG-1"""
    _, said = await sent_to(db, mailbox, consent="unsubscribed")

    assert said == [("unreachable", "not_subscribed")]
    assert mailbox.mails == []


async def test_opted_in_only_keeps_the_merely_subscribed_from_mail(db: Database, mailbox: Mailbox) -> None:
    """SUB-1"""
    _, said = await sent_to(db, mailbox, consent="subscribed", more="send: {subscription: opted_in}")

    assert said == [("unreachable", "not_opted_in")]


async def test_all_reaches_the_unsubscribed_too(db: Database, mailbox: Mailbox) -> None:
    _, said = await sent_to(db, mailbox, consent="unsubscribed", more="send: {subscription: all}")

    assert said == [("sent", "")]


async def test_without_an_address_nobody_is_written_to(db: Database, mailbox: Mailbox) -> None:
    """MSG-1: the entry ends as any other."""
    _, said = await sent_to(db, mailbox, email=None)

    assert said == [("unreachable", "no_address")]


async def test_what_must_hold_at_the_moment_of_sending_is_checked_once_more(
    db: Database, mailbox: Mailbox
) -> None:
    """VAL-1"""
    _, said = await sent_to(
        db,
        mailbox,
        steps="  - {type: message, id: m, channel: email, template: hello, only_when: {attribute: ready, equals: true}}",
    )

    assert said == [("invalid", "only_when")]


async def test_a_template_that_aborts_sends_nothing_and_its_reason_is_remembered(
    db: Database, mailbox: Mailbox
) -> None:
    """LIQ-1, E5: a code, and the template's words beside it."""
    _, said = await sent_to(
        db,
        mailbox,
        template=EMAIL.replace(
            "<p>Dear", "{% if ${first_name} == 'Mel' %}{% abort_message('no Mels') %}{% endif %}<p>Dear"
        ),
    )

    assert said == [("aborted", "liquid_abort_message")]
    assert await db.pool.fetchval("select data->>'text' from facts where fact = 'aborted'") == "no Mels"
    assert mailbox.mails == []


async def test_a_template_that_cannot_be_rendered_is_never_sent(db: Database, mailbox: Mailbox) -> None:
    """E3, E5"""
    _, said = await sent_to(db, mailbox, template=EMAIL.replace("<p>Dear", "{{ 1 | divided_by: 0 }}<p>Dear"))

    assert said == [("aborted", "template_parse_error")]
    assert mailbox.mails == []


async def test_an_unsubscription_stops_the_next_mail_and_leaves_the_canvas(
    db: Database, mailbox: Mailbox
) -> None:
    """The link's act: consent, the event, and the exit, in one transaction."""
    steps = (
        MAIL
        + "\n  - {type: delay, id: wait, duration: 1 day}\n  - {type: message, id: n, channel: email, template: hello}"
    )
    stage = await stage_on(db, canvas(steps, more="exits: [{message: unsubscribed}]") + EMAIL)
    mel = await stage.person(email="mel@example.com", first_name="Mel")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    assert await post(stage, mailbox) == [("sent", "")]
    mark = Mark(stage.workspace, mel.id, entry, "story", "m", "email")
    await engaged(db, stage.published, stage.clock, NullNotifier(), NullNotifier(), mark, "unsubscribed")

    assert (await stage.row(entry))["ended"] == "exit_event"
    assert await db.pool.fetchval("select state from consents where person = $1", mel.id) == "unsubscribed"


async def test_links_in_a_mail_are_counted_and_lead_where_the_author_pointed(
    db: Database, mailbox: Mailbox
) -> None:
    """Rewritten and signed; ours and the unsubscribe link are left alone; a pixel stands at the end."""
    stage, said = await sent_to(db, mailbox)
    assert said == [("sent", "")]
    html = mailbox.mails[0].html
    publication = await stage.published.of(stage.workspace)
    [row] = await entries(stage)
    links = Links(
        "https://j.example",
        publication.secret,
        Mark(stage.workspace, row["person"], row["id"], "story", "m", "email"),
    )

    assert f'href="{links.click("https://example.com/a?b=1&c=2")}"'.replace("&", "&amp;") in html
    assert f'href="{links.unsubscribe}"' in html
    assert f'<img src="{links.pixel}"' in html
    assert mailbox.mails[0].message["List-Unsubscribe"] == f"<{links.unsubscribe}>"
    assert "mel@example.com" not in html


@pytest.mark.parametrize("opens", [None, False, True])
@pytest.mark.parametrize("clicks", [None, False, True])
async def test_who_is_not_to_be_tracked_is_not_in_what_they_chose_and_in_nothing_else(
    db: Database, mailbox: Mailbox, opens: bool | None, clicks: bool | None
) -> None:
    """1.4: the pixel by one flag, the links by the other; the way out stays in any case."""
    stage = await stage_on(db, canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL)
    chosen = {"email_open_tracking_disabled": opens, "email_click_tracking_disabled": clicks}
    said = {name: value for name, value in chosen.items() if value is not None}
    body = {"attributes": [{"external_id": "mel", "email": "mel@example.com", **said}]}
    await track(db, stage.published, stage.clock, NullNotifier(), NullNotifier(), stage.workspace, body)
    [mel] = await load(db.pool, stage.workspace, await db.pool.fetchval("select array_agg(id) from people"))
    [entry] = await stage.enter((await load(db.pool, stage.workspace, [mel]))[mel])
    await stage.burst(entry)
    await post(stage, mailbox)

    html = mailbox.mails[0].html
    assert ("/o/" in html) is not bool(opens)
    assert ("/c/" in html) is not bool(clicks)
    assert ('href="https://example.com/a?b=1&amp;c=2"' in html) is bool(clicks)
    assert "https://j.example/u/" in html


ONE_RENDERING = """
---
kind: template
format: 1
name: hello
channel: email
sender: {name: "{{${first_name}}}’s Desk", address: "{{${first_name} | downcase}}@example.com"}
subject: Hello
preheader: "For {{${first_name}}}"
html: |
  <!DOCTYPE html>
  <html><head><title>t</title>{% assign shop = 'Acme' %}</head><body class="a>b">
  <p>{% random 1000000000 %} {{ shop }} &#123;&#123; 1 | nope &#125;&#125; <a href="https://a.example/?x=1&currency=EUR">go</a></p>
  <table><tr><td>Runner</td><td>59.90</td></tr></table> {{${set_user_to_unsubscribed_url}}}
  </body></html>
"""


async def test_one_rendering_feeds_both_parts_of_a_mail(db: Database, mailbox: Mailbox) -> None:
    """L9: what the head assigns is there in both, braces that the HTML shows are text; the preheader begins the body."""
    _, said = await sent_to(db, mailbox, template=ONE_RENDERING)
    assert said == [("sent", "")]
    [mail] = mailbox.mails
    shown = mail.html.split("<p>")[1].split(" <a")[0]

    assert str(mail.message["From"]) == "Mel’s Desk <mel@example.com>"
    assert shown.endswith(" Acme &#123;&#123; 1 | nope &#125;&#125;")
    assert mail.text.startswith(
        f"{shown.split()[0]} Acme {{{{ 1 | nope }}}} go (https://a.example/?x=1&currency=EUR)"
    )
    assert "Runner 59.90" in mail.text
    assert mail.html.startswith("<!DOCTYPE html>")
    assert (
        '<body class="a>b"><div style="display:none;max-height:0;overflow:hidden">For Mel</div>' in mail.html
    )
    assert "u=https%3A%2F%2Fa.example%2F%3Fx%3D1%26currency%3DEUR" in mail.html


async def test_a_canvas_that_fails_over_somebody_stops_neither_the_event_nor_another_canvas(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never: one person's failure that stops another's. The event is stored, the fact says what went wrong."""
    text = canvas(WAIT, name="broken", schedule="{event: ping}") + "---\n"
    text += canvas(WAIT, name="sound", schedule="{event: ping}") + EMAIL
    stage = await stage_on(db, text)
    await db.pool.execute("update canvases set published = $1", MONDAY - DAY)
    mel, zoe = await stage.person(), await stage.person()
    real = admission.new_entry

    def born(publication: Any, running: Any, clock: Any, entrant: Any, change: int, identity: Any) -> Any:
        if running.name == "broken" and entrant.profile.id == mel.id:
            raise OverflowError("date value out of range")
        return real(publication, running, clock, entrant, change, identity)

    monkeypatch.setattr(admission, "new_entry", born)
    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await lock(connection, stage.workspace, sorted([mel.id, zoe.id]))
        news = [NewEvent(profile=one, kind="event", name="ping", at=stage.clock.now()) for one in (mel, zoe)]
        await record(connection, publication, stage.published, stage.clock, news)

    came = {(row["canvas"], row["person"]) for row in await entries(stage)}
    assert came == {("broken", zoe.id), ("sound", mel.id), ("sound", zoe.id)}
    assert await refusals(stage) == ["failed"]
    assert await db.pool.fetchval("select count(*) from events where name = 'ping'") == 2
