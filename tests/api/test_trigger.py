"""Entry by API: whom a call names, what it may contain, and that a repetition admits no one twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.canvas.filters import AttributeFilter
from journeys.engine.entries import run_pages
from journeys.engine.entries.admission import admit
from journeys.engine.entries.run_pages import MOST_TRIES, RunPages
from journeys.engine.intake.api_audience import UnusableAudience, audience_of
from journeys.engine.intake.broadcasts import take_over_broadcasts
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.run_control import control, run_of, runs_of
from tests.api.parts import STORY, Door
from tests.stage import MONDAY, canvas, definitions_of, see_to_runs, stage_on

ROUTE = "/canvas/trigger/send"
BY_EVENT = "---\n" + canvas(
    "  - {type: delay, id: w, duration: 1 day}", name="other", schedule="{event: joined}"
)
FOR_RUNNERS = "---\n" + canvas(
    "  - {type: delay, id: w, duration: 1 day}", name="runners_only", more="audience: {segment: runners}"
)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    stage = await stage_on(db, STORY + BY_EVENT + FOR_RUNNERS)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def people(door: Door, **attributes: list[Any]) -> None:
    """One person for each value of the attribute: p0, p1 …"""
    [(name, values)] = attributes.items()
    objects = [{"external_id": f"p{n}", name: value} for n, value in enumerate(values)]
    for start in range(0, len(objects), 75):
        answer = await door.post("/users/track", {"attributes": objects[start : start + 75]})
        assert answer.status_code == 201


async def carry_on(door: Door) -> int:
    """See to the runs as a worker does; returns how many entered."""
    return await see_to_runs(door.stage.db, door.stage.published, door.stage.clock)


async def entered(door: Door) -> list[str]:
    rows = await door.stage.db.pool.fetch(
        "select external_id from entries e join people p on p.id = e.person order by external_id"
    )
    return [row[0] for row in rows]


async def sends(door: Door, body: Any, **headers: str) -> Any:
    answer = await door.post(ROUTE, {"canvas_id": "story", **body}, **headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def to(*names: str, **more: Any) -> dict[str, Any]:
    return {"recipients": [{"external_user_id": name, **more} for name in names]}


async def test_a_canvas_is_named_by_its_name_or_its_id(door: Door) -> None:
    """7.1"""
    await people(door, x=[1, 2])
    running = (await door.stage.published.of(door.stage.workspace)).running["story"]
    await sends(door, to("p0"))
    said = await sends(door, {**to("p1"), "canvas_id": str(running.id)})

    assert await entered(door) == ["p0", "p1"]
    assert sorted(said) == ["dispatch_id", "message"]


async def test_attributes_are_written_before_the_audience_is_judged(door: Door) -> None:
    """ENT-22, ENT-23: recipients and the call's audience and the canvas' audience must all agree."""
    await people(door, sport=["none", "none", "running"])
    becomes = {"external_user_id": "p0", "attributes": {"sport": "running", "n": {"inc": 1}}}
    others = [{"external_user_id": "p1"}, {"external_user_id": "p2"}]
    await sends(door, {"canvas_id": "runners_only", "recipients": [becomes, *others]})
    await sends(door, {"recipients": [becomes, *others], "audience": {"attribute": "n", "at_least": 1}})

    assert await entered(door) == ["p0", "p0", "p2"]
    reasons = await door.stage.db.pool.fetch("select gate from refusals")
    assert [row[0] for row in reasons] == ["audience"]


async def test_a_broadcast_lets_in_whom_its_audience_and_that_of_the_canvas_contain(door: Door) -> None:
    """ENT-22"""
    await people(door, sport=["running", "running", "none"])
    await people(door, n=[1, 2, 1])
    await sends(
        door, {"canvas_id": "runners_only", "broadcast": True, "audience": {"attribute": "n", "equals": 1}}
    )
    await carry_on(door)

    assert await entered(door) == ["p0"]


async def test_unknown_people_enter_only_where_they_may_be_made(door: Door) -> None:
    """7.1: `send_to_existing_only` is true unless it is said otherwise."""
    await sends(door, to("nobody", attributes={"x": 1}))
    await sends(door, to("new", attributes={"first_name": "New"}, send_to_existing_only=False))
    await sends(door, {"recipients": [{"email": "x@example.com", "prioritization": ["identified"]}]})

    assert await entered(door) == ["new"]
    assert (await door.profile("new"))["first_name"] == "New"
    assert await door.profile("nobody") is None


def told(index: int, *texts: str) -> list[dict[str, Any]]:
    return [{"type": text, "input_array": "recipients", "index": index} for text in texts]


async def test_what_is_dropped_of_a_recipient_is_told(door: Door) -> None:
    """ENT-23, TRK-5: of their attributes as `/users/track` tells it, and of keys that mean nothing; again by its key."""
    await people(door, x=[1, 2, 3])
    wrong = {
        "country": "FRA",
        "time_zone": "Mars/City",
        "Country": "FR",
        "vip": True,
        "n\0": 1,
        "external_id": "z",
    }
    body = {
        "recipients": [
            {"external_user_id": "p0"},
            {"external_user_id": "p1", "contxt": {"a": 1}, "attributes": {"x": 3}},
            {"external_user_id": "p2", "attributes": wrong},
        ],
        "Context": {"a": 1},
    }
    for _ in range(2):
        said = await sends(door, body, **{"Idempotency-Key": "k"})
        assert said["errors"] == [
            {"type": "'Context' is no key of this call and was ignored; did you mean 'context'?"},
            *told(1, "'contxt' is no key of a recipient and was ignored; did you mean 'context'?"),
            *told(
                2,
                "'external_id' is no attribute and was ignored: it names a recipient",
                "'Country' is a custom attribute; did you mean 'country'?",
                "'country' has a value that is not known, 'FRA': the person has none now",
                "'time_zone' has a value that is not known, 'Mars/City': it was not changed",
                "attribute names must not contain the character U+0000; 'n…' was not written",
            ),
        ]
    assert await entered(door) == ["p0", "p1", "p2"]
    assert (await door.profile("p2"))["attributes"] == {"x": 3, "Country": "FR", "vip": True}


async def test_a_broadcast_tells_the_keys_that_a_call_does_not_have(door: Door) -> None:
    """Again by its key."""
    for _ in range(2):
        said = await sends(door, {"broadcast": True, "audiense": {}}, **{"Idempotency-Key": "k"})
        assert said["errors"] == [
            {"type": "'audiense' is no key of this call and was ignored; did you mean 'audience'?"}
        ]


async def test_one_person_under_two_names_is_one_recipient(door: Door) -> None:
    """ENT-24"""
    await door.post("/users/track", {"attributes": [{"external_id": "mel", "email": "mel@example.com"}]})
    mel = await door.profile("mel")
    names = [{"external_user_id": "mel"}, {"email": "Mel@example.com"}, {"braze_id": str(mel["id"])}]
    await sends(door, {"recipients": [{**name, "context": {"n": n}} for n, name in enumerate(names)]})

    assert await entered(door) == ["mel"]


async def test_the_older_name_of_the_context_is_understood(door: Door) -> None:
    """7.1"""
    await people(door, x=[1])
    await sends(
        door, {**to("p0", canvas_entry_properties={"b": 2}), "canvas_entry_properties": {"a": 1, "b": 1}}
    )

    assert await door.stage.db.pool.fetchval("select context from entries") == {"a": 1, "b": 2}


async def test_a_call_for_a_canvas_that_does_not_run_says_so_and_enters_nobody(door: Door) -> None:
    """STA-5, case 129: 201 with a notice, whatever this process still holds of the canvas."""
    await people(door, x=[1])
    stage = door.stage
    await stage.published.of(stage.workspace)
    for word, status in (("stop", "stopped"), ("archive", "archived"), ("restore", "a draft")):
        if word == "restore":
            await publish(stage.db, "default", definitions_of(STORY), restore=True)
        else:
            await change(stage.db, stage.workspace, "story", word, at=stage.clock.now())  # type: ignore[arg-type]
        notice = f"the canvas is {status}: no one enters"

        assert (await sends(door, to("p0")))["notice"] == notice
        assert (await sends(door, {"broadcast": True}))["notice"] == notice
        for _ in range(2):
            assert (await sends(door, to("p0"), **{"Idempotency-Key": status}))["notice"] == notice
            key = f"{status} for all"
            assert (await sends(door, {"broadcast": True}, **{"Idempotency-Key": key}))["notice"] == notice
    assert await entered(door) == []
    assert await stage.db.pool.fetchval("select count(*) from runs") == 0


async def test_a_call_for_a_paused_canvas_says_so_and_whoever_it_names_waits_for_the_resume(
    door: Door,
) -> None:
    """STA-5: a broadcast is recorded, and held."""
    await people(door, x=[1, 2])
    stage = door.stage
    await stage.published.of(stage.workspace)
    await change(stage.db, stage.workspace, "story", "pause", at=stage.clock.now())
    notice = "the canvas is paused: who enters begins when it is resumed"

    for _ in range(2):
        assert (await sends(door, to("p0"), **{"Idempotency-Key": "k"}))["notice"] == notice
    assert (await sends(door, {"broadcast": True}))["notice"] == notice
    assert await entered(door) == ["p0"]
    assert await stage.db.pool.fetchval("select step from entries") is None
    assert await carry_on(door) == 0
    await change(stage.db, stage.workspace, "story", "resume", at=stage.clock.now())
    await carry_on(door)
    assert await entered(door) == ["p0", "p1"]


async def test_calls_with_one_key_that_race_do_their_work_once(door: Door) -> None:
    """`Idempotency-Key`: attributes too, which is why the answer is stored with the work."""
    await people(door, x=[1])
    body = to("p0", attributes={"n": {"inc": 1}})
    answers = await asyncio.gather(*(sends(door, body, **{"Idempotency-Key": "k"}) for _ in range(8)))

    assert len({answer["dispatch_id"] for answer in answers}) == 1
    assert (await door.profile("p0"))["attributes"] == {"x": 1, "n": 1}
    assert await entered(door) == ["p0"]


async def test_the_order_of_the_keys_of_a_body_makes_it_no_other_body(door: Door) -> None:
    """`Idempotency-Key`: another body under it is a 422."""
    await people(door, x=[1])
    one = {"canvas_id": "story", "context": {"a": 1, "b": 2}, **to("p0")}
    other = {**to("p0"), "context": {"b": 2, "a": 1}, "canvas_id": "story"}
    key = {"Idempotency-Key": "k"}
    assert await sends(door, one, **key) == await sends(door, other, **key)

    refused = await door.post(ROUTE, {**one, "context": {"a": 2}}, **key)
    assert (refused.status_code, "another body" in refused.json()["message"]) == (422, True)
    assert (await door.post(ROUTE, one, **{"Idempotency-Key": "k" * 256})).status_code == 400


async def test_a_key_may_be_used_anew_after_24_hours_and_in_another_workspace(
    door: Door, db: Database
) -> None:
    """`Idempotency-Key`: kept 24 hours, by workspace."""
    await people(door, x=[1])
    key = {"Idempotency-Key": "k"}
    first = await sends(door, to("p0"), **key)
    stage = await stage_on(db, STORY, workspace="elsewhere")
    elsewhere = await create_key(db, stage.workspace, "test", ["*"])
    other = await door.post(ROUTE, {"canvas_id": "story", **to("p0")}, key=elsewhere, **key)
    assert other.json()["dispatch_id"] != first["dispatch_id"]
    assert await entered(door) == ["p0"]

    door.stage.clock.turn(timedelta(hours=25))  # type: ignore[attr-defined]
    await db.pool.execute("update replies set stored = stored - interval '25 hours'")
    assert (await sends(door, to("p0"), **key))["dispatch_id"] != first["dispatch_id"]
    assert await entered(door) == ["p0", "p0"]


async def test_a_refused_call_keeps_no_answer(door: Door) -> None:
    """What failed may be sent again, mended, under the same key."""
    key = {"Idempotency-Key": "k"}
    wrong = to("p0", attributes={"email": "no"}, send_to_existing_only=False)
    refused = await door.post(ROUTE, {"canvas_id": "story", **wrong}, **key)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("recipients[0]: The value provided for the 'email' field")

    await sends(door, to("p0", attributes={"x": 1}, send_to_existing_only=False), **key)
    assert await entered(door) == ["p0"]


async def test_a_canvas_of_another_workspace_is_not_there(door: Door, db: Database) -> None:
    """The wall between workspaces."""
    stage = await stage_on(
        db, canvas("  - {type: delay, id: w, duration: 1 day}", name="theirs"), workspace="b"
    )
    running = (await stage.published.of(stage.workspace)).running["theirs"]

    for name in ("theirs", str(running.id)):
        answer = await door.post(ROUTE, {"canvas_id": name, **to("p0")})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Invalid Canvas ID")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"canvas_id": "stori"}, "did you mean “story”?"),
        ({"canvas_id": None}, "'canvas_id' is the name or the id"),
        ({"canvas_id": "other", "broadcast": True}, "is not triggered by API"),
        ({"broadcast": "yes"}, "'broadcast' must be true or false"),
        (
            {"recipients": [{"user_alias": {"alias_name": "x"}}]},
            "recipients[0]: 'user_alias' must be an object",
        ),
        (to("漢" * 1_300), "recipients[0]: 'external_user_id' must not be longer than 997 bytes"),
        (to("a\0"), "recipients[0]: 'external_user_id' must not contain the character U+0000"),
        ({"recipients": [{"x": 1}]}, "recipients[0]: it names no person; 'external_user_id'"),
        ({"recipients": [{"external_user_id": "a", "send_to_existing_only": False}]}, "needs 'attributes'"),
        (
            {
                "recipients": [
                    {
                        "user_alias": {"alias_name": "x", "alias_label": "y"},
                        "attributes": {},
                        "send_to_existing_only": False,
                    }
                ]
            },
            "cannot be used with an alias",
        ),
        ({**to("p0"), "context": {"a": "x" * 60_000}}, "'context' is larger than 50 KB"),
        ({**to("p0"), "context": {"a": "\0"}}, "U+0000"),
        ({**to("p0", context=[1])}, "recipients[0]: 'context' must be an object"),
        (
            {"broadcast": True, "audience": {"attribute": "x", "equals": "{{ y }}"}},
            "Liquid is not run in an audience, and “{{ y }}” stays as it is",
        ),
        (
            {
                **to("p0"),
                "audience": {"any": [{"event": "e", "where": [{"property": "{% x %}", "equals": 1}]}]},
            },
            "Liquid is not run in an audience, and “{% x %}”",
        ),
        (
            {
                "broadcast": True,
                "audience": {
                    "AND": [
                        {
                            "custom_attribute": {
                                "custom_attribute_name": "x",
                                "comparison": "equals",
                                "value": "{{y}}",
                            }
                        }
                    ]
                },
            },
            "Liquid is not run in an audience, and “{{y}}”",
        ),
        (
            {"broadcast": True, "audience": {"segment": "runers"}},
            "there is no segment “runers”; known: runners",
        ),
        ({"broadcast": True, "audience": {"context": "x", "equals": 1}}, "context of an entry"),
        ({"broadcast": True, "audience": {"AND": []}}, "AND and OR take a list of filters"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_what_would_help(door: Door, body: Any, said: str) -> None:
    """7.1: 400, and nobody enters."""
    answer = await door.post(ROUTE, {"canvas_id": "story", **body})

    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert await entered(door) == []


async def test_a_broadcast_of_many_pages_goes_on_after_a_crash_where_it_was(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page is one transaction; a page that was committed and not noted is run again and enters nobody twice."""
    monkeypatch.setattr(run_pages, "PAGE", 20)
    await people(door, sport=["running"] * 90)
    await sends(door, {"broadcast": True, "audience": {"segment": "runners"}, "context": {"a": 1}})
    real = RunPages._page
    pages = 0

    async def crashing(self: Any, *args: Any) -> Any:
        nonlocal pages
        pages += 1
        done = await real(self, *args)
        if pages == 3:
            raise ConnectionError("the process dies after the commit")
        return done

    monkeypatch.setattr(RunPages, "_page", crashing)
    with pytest.raises(ConnectionError):
        await carry_on(door)
    assert len(await entered(door)) == 60
    await carry_on(door)

    assert len(await entered(door)) == len(set(await entered(door))) == 90
    row = await door.stage.db.pool.fetchrow("select state, members, entered from runs")
    assert tuple(row) == ("done", 90, 90)


@pytest.mark.parametrize(
    "value", [[f"{n}" * 200 for n in range(8)], [[]] * 3_000], ids=["as it is", "compressed"]
)
async def test_a_page_of_a_broadcast_ends_early_where_its_people_have_much_to_read(
    door: Door, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    """What is read at once is bounded in bytes, and everybody enters once all the same."""
    monkeypatch.setattr(run_pages, "MOST_BYTES", 4_000)
    await people(door, x=[1] * 7 + [value] * 12 + [1] * 7)
    await sends(door, {"broadcast": True})
    taken: list[int] = []
    real = RunPages._page

    async def noting(self: Any, look: Any, people: Any, error: Any = None) -> Any:
        taken.append(len(people))
        return await real(self, look, people, error)

    monkeypatch.setattr(RunPages, "_page", noting)
    await carry_on(door)

    assert len(taken) >= 12 // 3, "three heavy ones at most, however many light ones stand between them"
    assert len(await entered(door)) == len(set(await entered(door))) == 26


async def test_one_person_who_cannot_be_let_in_stops_no_other(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """She is noted with the reason."""
    await people(door, x=[1, 2, 3])
    poison = (await door.profile("p1"))["id"]

    async def failing(*given: Any, **more: Any) -> Any:
        if any(entrant.profile.id == poison for entrant in given[-1]):
            raise ValueError("a template that eats its reader")
        return await admit(*given, **more)

    monkeypatch.setattr(run_pages, "admit", failing)
    await sends(door, {"broadcast": True})
    await carry_on(door)

    assert await entered(door) == ["p0", "p2"]
    [row] = await door.stage.db.pool.fetch("select person, gate, seen from refusals")
    assert (row["person"], row["gate"]) == (poison, "failed")
    assert row["seen"] == {"error": "ValueError: a template that eats its reader"}


async def test_a_broadcast_sees_people_as_they_are_when_it_comes_to_them(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attribute that is written between the look and the lock is not lost."""
    await people(door, x=[1])
    seen: list[Any] = []

    async def looking(*given: Any, **more: Any) -> Any:
        seen.extend(entrant.profile.attributes for entrant in given[-1])
        return await admit(*given, **more)

    real = RunPages._pages

    async def slow(self: Any, *args: Any) -> Any:
        await door.post("/users/track", {"attributes": [{"external_id": "p0", "x": 2}]})
        return await real(self, *args)

    monkeypatch.setattr(run_pages, "admit", looking)
    monkeypatch.setattr(RunPages, "_pages", slow)
    await sends(door, {"broadcast": True})
    await carry_on(door)

    assert seen == [{"x": 2}]


async def test_a_broadcast_whose_canvas_was_taken_away_ends(door: Door) -> None:
    await sends(door, {"broadcast": True})
    await door.stage.db.pool.execute("update runs set canvas = 'gone'")
    await carry_on(door)

    row = await door.stage.db.pool.fetchrow("select state, reason from runs")
    assert tuple(row) == ("stopped", "there is no canvas “gone”")


async def test_a_broadcast_that_fails_every_time_is_set_aside_and_holds_up_no_other(door: Door) -> None:
    """SND-11: however many there are, and whatever is wrong with them; an operator sees why, and lets it go on."""
    await people(door, x=[1, 2, 3])
    door.services.limits.changed = {"broadcast.audience": 100}
    for _ in range(20):
        await sends(door, {"broadcast": True})
    db, workspace = door.stage.db, door.stage.workspace
    await db.pool.execute('update runs set audience = \'{"attribute": "x", "matches": "(?=a)"}\'')
    good = (await sends(door, {"broadcast": True}))["dispatch_id"]

    assert await carry_on(door) == 3, "the good one, after all of them"
    for _ in range(MOST_TRIES - 1):
        assert await carry_on(door) == 0

    found = await runs_of(db, workspace)
    assert {one.state for one in found if str(one.id) != good} == {"set_aside"}
    assert all("look-around" in str(one.reason) for one in found if str(one.id) != good)
    again = next(one.id for one in found if str(one.id) != good)
    await db.pool.execute("update runs set audience = null where id = $1", again)
    resumed = await control(db, workspace, str(again), "resume")
    assert resumed.state == "running"
    assert await db.pool.fetchval("select told < turn from alarms where id = $1", again), (
        "a worker hears of it"
    )
    await carry_on(door)
    assert (await run_of(db, workspace, str(again))).state == "done"


async def test_a_broadcast_of_a_former_version_goes_on_as_a_run_and_lets_nobody_in_twice(door: Door) -> None:
    await people(door, x=[1, 2, 3])
    identity = (await sends(door, to("p0")))["dispatch_id"]
    db, workspace = door.stage.db, door.stage.workspace
    await db.pool.execute(
        "insert into broadcasts (workspace, id, canvas, context) values ($1, $2, 'story', '{}')",
        workspace,
        UUID(identity),
    )
    assert await take_over_broadcasts(db, NullNotifier()) == 1
    assert await take_over_broadcasts(db, NullNotifier()) == 0
    await carry_on(door)

    assert await entered(door) == ["p0", "p1", "p2"]
    assert await db.pool.fetchval("select count(*) from alarms") == 0, "nobody waits, and the run is over"


def connected(comparison: str, value: Any = None, name: str = "x") -> dict[str, Any]:
    return {"custom_attribute": {"custom_attribute_name": name, "comparison": comparison, "value": value}}


YESTERDAY = (MONDAY - timedelta(hours=30)).isoformat()
TOMORROW = (MONDAY + timedelta(hours=30)).isoformat()


@pytest.mark.parametrize(
    ("audience", "values", "who"),
    [
        (connected("equals", "a"), ["a", "b", None], ["p0"]),
        (connected("not_equal", "a"), ["a", "b", None], ["p1", "p2"]),
        (connected("exists"), ["a", None], ["p0"]),
        (connected("does_not_exist"), ["a", None], ["p1"]),
        (connected("matches_regex", "^a"), ["ab", "ba"], ["p0"]),
        (connected("does_not_match_regex", "^a"), ["ab", "ba", None], ["p1"]),
        (connected("includes_value", "a"), [["a", "b"], ["c"]], ["p0"]),
        (connected("does_not_include_value", "a"), [["a", "b"], ["c"]], ["p1"]),
        (connected("greater_than", 1), [1, 2], ["p1"]),
        (connected("greater_than_or_equal_to", 1), [0, 1, 2], ["p1", "p2"]),
        (connected("less_than", 1), [0, 1], ["p0"]),
        (connected("less_than_or_equal_to", 1), [0, 1, 2], ["p0", "p1"]),
        (connected("less_than_x_days_ago", 2), [YESTERDAY, TOMORROW, "2020-01-01"], ["p0"]),
        (connected("greater_than_x_days_ago", 2), [YESTERDAY, TOMORROW, "2020-01-01"], ["p2"]),
        (connected("less_than_x_days_in_the_future", 2), [YESTERDAY, TOMORROW, "2030-01-01"], ["p1"]),
        (connected("greater_than_x_days_in_the_future", 2), [YESTERDAY, TOMORROW, "2030-01-01"], ["p2"]),
        (connected("before", MONDAY.isoformat()), [YESTERDAY, TOMORROW], ["p0"]),
        (connected("after", MONDAY.isoformat()), [YESTERDAY, TOMORROW], ["p1"]),
        ({"AND": [connected("exists"), {"OR": [connected("equals", 1), connected("equals", 3)]}]}, [1, 2, 3], ["p0", "p2"]),
        ({"any": [{"attribute": "x", "equals": 1}]}, [1, 2], ["p0"]),
        ({"any": [{"attribute": "x", "equals": 1}, {"attribute": "Country", "equals": "FR"}]}, [1, 2], ["p0"]),
        ({}, [1, 2], ["p0", "p1"]),
    ],
)  # fmt: skip
async def test_an_audience_may_be_written_in_either_way(
    door: Door, audience: Any, values: list[Any], who: list[str]
) -> None:
    """SND-11, SND-12"""
    await people(door, x=values)
    await sends(door, {"broadcast": True, "audience": audience})
    await carry_on(door)

    assert await entered(door) == who


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        (connected("resembles", 1), "“resembles” is not a comparison of x; known: after, before"),
        (connected("less_than_x_days_ago", "two"), "a number of days was expected"),
        ({"custom_attribute": {"comparison": "exists"}}, "needs 'custom_attribute_name'"),
        (
            {"last_used_app": {"comparison": "after", "value": "2026-12-01"}},
            "is not supported yet",
        ),
        ({"email_subscription_status": {"comparison": "was", "value": "opted_in"}}, "is or is_not"),
        ({"attribute": "email_subscribe", "equals": "opted_in"}, "{consent: email, equals: subscribed}"),
        (connected("equals", "opted_in", name="email_subscribe"), "{consent: email, equals: subscribed}"),
        ({"any": [{"purchase": "any"}]}, "write purchase: true"),
        ({"message": "delivered"}, "is not supported yet"),
        (
            {"any": [{"attribute": "x", "equals": 1}, {"context": "x", "equals": 1}]},
            "the context of an entry",
        ),
        ({"colour": "red"}, "colour"),
        ("runners", "a filter is a mapping"),
        (connected("matches_regex", "("), "pattern"),
        (connected("matches_regex", "(?!a)b"), "a look-around"),
        (connected("does_not_match_regex", r"(a)\1"), "a back-reference"),
    ],
)
def test_an_audience_that_means_nothing_is_refused(audience: Any, said: str) -> None:
    """SND-12, SEG-8, CTX-14"""
    with pytest.raises(UnusableAudience, match=said.replace("(", r"\(")):
        audience_of(audience, now=MONDAY, segments={})


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        ({"any": [{"attribute": "a", "equals": no} for no in range(600)]}, "more than 500"),
        ({"all": [{"event": "e", "where": [{"property": "p", "equals": 1}] * 600}]}, "more than 500"),
        ({"any": [connected("matches_regex", f"a{no}") for no in range(11)]}, "more than 10 patterns"),
        ({"any": [{"attribute": "a", "matches": f"a{no}"} for no in range(11)]}, "more than 10 patterns"),
        ({"any": [{"event": "e", "where": [{"property": "p", "matches": "x"}] * 11}]}, "more than 10 patterns"),
        ({"any": [{"attribute": "a", "one_of": list(range(256))}] * 400}, "larger than 50 KB"),
        ({"attribute": "a\0", "equals": 1}, "U\\+0000"),
        ({"attribute": "a", "equals": "\0"}, "U\\+0000"),
        ({"attribute": "a", "equals": 10**400}, "too large"),
        (connected("less_than_x_days_ago", 1e300), "number of days"),
        *[({"attribute": "a", name: None}, "has no operand") for name in ("one_of", "none_of", "between", "more_than", "contains", "matches", "exists", "before", "within_last")],
    ],
)  # fmt: skip
def test_what_an_audience_may_ask_for_is_bounded(audience: Any, said: str) -> None:
    """SND-12: in number, in bytes, in patterns; everybody is judged by all of it."""
    with pytest.raises(UnusableAudience, match=said):
        audience_of(audience, now=MONDAY, segments={})


def test_a_name_with_a_dot_is_one_name() -> None:
    """A custom attribute may be called so; in our language it stands in quotes."""
    found = audience_of(connected("equals", 1, name="a.b"), now=MONDAY, segments={})

    assert isinstance(found, AttributeFilter)
    assert found.attribute == '"a.b"'
