"""Canvases and their numbers, as programs read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.people.profiles import Profile
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.canvas_report import report_of
from journeys.engine.workspaces.publishing import publish
from tests.api.parts import Door
from tests.api.test_lists import read
from tests.stage import EMAIL, MONDAY, FakeClock, Stage, canvas, definitions_of, stage_on

WELCOME = """
kind: canvas
format: 1
name: welcome
description: The first mails
tags: [spring]
schedule: {api: true}
reentry: {after: 0 days}
conversions:
  - {name: bought, event: order, within: 7 days, revenue: total}
variants:
  - name: mailed
    weight: 50
    steps:
      - {type: message, id: hello, channel: email, template: hello}
      - type: decision_split
        id: again
        when: {attribute: vip, equals: true}
        steps: [{type: message, id: thanks, channel: email, template: hello}]
        otherwise: [{type: delay, id: pause, duration: 30 days}]
      - {type: delay, id: last, duration: 30 days}
  - {name: kept_out, weight: 50, control: true}
"""
OTHERS = (
    canvas("  - {type: delay, id: w, duration: 1 day}", name="joiners", schedule="{event: joined}")
    + """
---
kind: canvas
format: 1
name: weekly
schedule: {every: week, weekdays: [monday], at: "09:00", starts: 2026-12-01}
steps:
  - {type: delay, id: w, duration: 1 day}
---
kind: workspace
format: 1
name: default
tags: [spring]
"""
)
TEXT = WELCOME + EMAIL + "---\n" + OTHERS


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, TEXT)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def test_canvases_are_listed_as_they_were_made_and_archived_ones_where_asked_for(door: Door) -> None:
    """XPT-11"""
    listed = (await read(door, "/canvas/list"))["canvases"]
    assert sorted(each["name"] for each in listed) == ["joiners", "weekly", "welcome"]
    welcome = next(each for each in listed if each["name"] == "welcome")
    running = (await door.stage.published.of(door.stage.workspace)).running["welcome"]
    assert (welcome["id"], welcome["tags"]) == (str(running.id), ["spring"])
    assert welcome["last_edited"].endswith("Z")
    turned = (await read(door, "/canvas/list", sort_direction="desc", page=0))["canvases"]
    assert {each["name"] for each in turned} == {each["name"] for each in listed}
    assert (await read(door, "/canvas/list", page=1))["canvases"] == []
    assert (await read(door, "/canvas/list", **{"last_edit.time[gt]": "2100-01-01T00:00:00Z"}))[
        "canvases"
    ] == []
    assert len((await read(door, "/canvas/list", **{"last_edit.time[gt]": "2020-01-01"}))["canvases"]) == 3

    await change(door.stage.db, door.stage.workspace, "joiners", "archive", at=MONDAY, who="test")
    assert len((await read(door, "/canvas/list"))["canvases"]) == 2
    assert len((await read(door, "/canvas/list", include_archived="True"))["canvases"]) == 3


async def test_a_canvas_is_told_with_its_variants_its_steps_and_their_messages(door: Door) -> None:
    """XPT-12"""
    by_name = await read(door, "/canvas/details", canvas_id="welcome")
    running = (await door.stage.published.of(door.stage.workspace)).running["welcome"]
    assert await read(door, "/canvas/details", canvas_id=str(running.id)) == by_name

    told = (
        "name",
        "description",
        "tags",
        "channels",
        "archived",
        "draft",
        "enabled",
        "schedule_type",
        "teams",
    )
    assert [by_name[key] for key in told] == [
        "welcome", "The first mails", ["spring"], ["email"], False, False, True, "api_triggered", [],
    ]  # fmt: skip
    assert by_name["variants"] == [
        {"name": "mailed", "id": "mailed", "first_step_ids": ["hello"], "first_step_id": "hello"},
        {"name": "kept_out", "id": "kept_out", "first_step_ids": []},
    ]
    steps = {step["id"]: step for step in by_name["steps"]}
    assert list(steps) == list(running.plan.steps)
    assert steps["hello"]["next_step_ids"] == ["again"]
    assert steps["hello"]["messages"]["hello"]["channel"] == "email"
    assert steps["hello"]["messages"]["hello"]["subject"] == "Hello {{${first_name}}}"
    assert sorted(path["next_step_id"] for path in steps["again"]["next_paths"]) == ["pause", "thanks"]
    assert (steps["pause"]["type"], steps["pause"]["messages"], steps["pause"]["channels"]) == (
        "delay",
        {},
        [],
    )
    assert "first_entry" not in by_name
    types = {
        name: (await read(door, "/canvas/details", canvas_id=name))["schedule_type"]
        for name in ("joiners", "weekly")
    }
    assert types == {"joiners": "action_based", "weekly": "time_based"}
    refused = await read(door, "/canvas/details", 400, canvas_id="welcom")
    assert refused == {"message": "Invalid Canvas ID: did you mean “welcome”?"}


async def eight(stage: Stage, day: int) -> list[Profile]:
    """Four people of either variant."""
    plan = (await stage.published.of(stage.workspace)).running["welcome"].plan
    by_variant: dict[str, list[Profile]] = {"mailed": [], "kept_out": []}
    while any(len(some) < 4 for some in by_variant.values()):
        person = await stage.person(email=f"p{day}-{uuid4()}@example.com")
        by_variant[plan.variant_of(str(person.id)).name].append(person)
    return [person for some in by_variant.values() for person in some[:4]]


async def lived(door: Door, mailbox: Mailbox) -> None:
    """Two days of a canvas: on each four people enter by either variant; some of the first open, click and buy on the second."""
    stage, clock = door.stage, door.stage.clock
    assert isinstance(clock, FakeClock)
    channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))
    people = []
    for day in range(2):
        some = await eight(stage, day)
        people += some
        for entry in await stage.enter(*some, name="welcome"):
            await stage.burst(entry)
        await stage.deliver(channel)
        clock.turn(timedelta(days=1 - day))
    sent = await stage.db.pool.fetch(
        "select person, dispatch from facts where fact = 'sent' order by no limit 2"
    )
    by_id = {person.id: person for person in people}
    for row, times in zip(sent, (2, 1), strict=True):
        said = {"canvas": "welcome", "step": "hello", "dispatch": row["dispatch"]}
        for _ in range(times):
            await stage.happens(by_id[row["person"]], "opened", said, kind="message")
        await stage.happens(by_id[row["person"]], "order", {"total": 10.5})
    await stage.happens(by_id[sent[0]["person"]], "clicked", {"canvas": "welcome", "step": "hello", "dispatch": sent[0]["dispatch"]}, kind="message")  # fmt: skip


async def test_the_numbers_of_a_canvas_are_those_of_its_report_day_by_day(
    door: Door, mailbox: Mailbox
) -> None:
    """XPT-13, XPT-14"""
    await lived(door, mailbox)
    stage = door.stage
    report = await report_of(stage.db, stage.workspace, "welcome", (await stage.published.of(stage.workspace)).running["welcome"].plan)  # fmt: skip
    asked = {
        "canvas_id": "welcome",
        "length": 3,
        "include_variant_breakdown": "true",
        "include_step_breakdown": True,
    }

    series = (await read(door, "/canvas/data_series", **asked))["data"]
    whole = (await read(door, "/canvas/data_summary", **asked))["data"]

    assert (series["name"], [each["time"] for each in series["stats"]]) == (
        "welcome",
        ["2026-12-06", "2026-12-07", "2026-12-08"],
    )
    assert dict(report.entered) == {"mailed": 8, "kept_out": 8}
    assert [each["total_stats"]["entries"] for each in series["stats"]] == [0, 8, 8]
    assert [each["total_stats"]["conversions"] for each in series["stats"]] == [0, 0, 2]
    assert [each["total_stats"]["conversions_by_entry_time"] for each in series["stats"]] == [0, 2, 0]
    assert [each["total_stats"]["revenue"] for each in series["stats"]] == [0.0, 0.0, 21.0]
    entries: Counter[str] = Counter()
    for each in series["stats"]:
        entries.update({name: stats["entries"] for name, stats in each["variant_stats"].items()})
    assert dict(entries) == dict(report.entered)
    hello = next(step for step in report.steps if step.step == "hello")
    [mails] = whole["step_stats"]["hello"]["messages"]["email"]
    assert (mails["sent"], mails["unique_opens"], mails["unique_clicks"]) == (
        hello.sent,
        hello.opened,
        hello.clicked,
    )
    assert (mails["opens"], mails["clicks"], mails["bounces"], mails["delivered"]) == (3, 1, 0, hello.sent)
    assert whole["total_stats"] == {
        "revenue": 21.0, "conversions": 2, "conversions_by_entry_time": 2, "entries": 16,
    }  # fmt: skip
    assert whole["step_stats"]["hello"]["conversions"] == 2
    assert whole["step_stats"]["pause"] == {
        "name": "pause", "revenue": 0.0, "conversions": 0, "conversions_by_entry_time": 0, "messages": {},
    }  # fmt: skip
    details = await read(door, "/canvas/details", canvas_id="welcome")
    assert (details["first_entry"][:10], details["last_entry"][:10]) == ("2026-12-07", "2026-12-08")

    plain = (
        await read(door, "/canvas/data_series", canvas_id="welcome", starting_at="2026-12-08T00:00:00Z")
    )["data"]
    assert [set(each) for each in plain["stats"]] == [{"time", "total_stats"}]


async def test_steps_of_former_versions_are_counted_where_asked_for(door: Door, mailbox: Mailbox) -> None:
    """XPT-13"""
    await lived(door, mailbox)
    stage = door.stage
    await publish(stage.db, "default", definitions_of(TEXT.replace("id: hello,", "id: first,")))
    stage.published.forget(stage.workspace)

    steps = {}
    for word in ("false", "true"):
        asked = {
            "canvas_id": "welcome",
            "length": 3,
            "include_step_breakdown": "true",
            "include_deleted_step_data": word,
        }
        steps[word] = set((await read(door, "/canvas/data_summary", **asked))["data"]["step_stats"])
    assert "first" in steps["false"]
    assert steps["true"] - steps["false"] == {"hello"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "'length' or 'starting_at' is required"),
        ({"length": 15}, "'length': Input should be less than or equal to 14"),
        ({"starting_at": "2026-11-01"}, "'starting_at' must be at most 14 days before 'ending_at'"),
        ({"starting_at": "2026-12-09"}, "'starting_at' must be at most 14 days before 'ending_at'"),
        (
            {"length": 1, "include_step_breakdown": "maybe"},
            "'include_step_breakdown': Input should be a valid boolean",
        ),
    ],
)
async def test_days_that_cannot_be_meant_are_refused(door: Door, asked: Any, said: str) -> None:
    """XPT-13"""
    assert await read(door, "/canvas/data_series", 400, canvas_id="welcome", **asked) == {"message": said}
