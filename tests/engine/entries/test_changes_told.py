"""What changed of people is told on: it lets in, ends, moves and converts, by whatever way it came (TRK-9)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from journeys.engine.delivery.engagement import engaged
from journeys.engine.delivery.tracking_links import Mark
from journeys.engine.intake.csv_import import import_file
from journeys.engine.intake.track import track
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.stage import Stage, canvas, stage_on

NONE = NullNotifier()
WAIT = "  - {type: delay, id: w, duration: 10 days}\n  - {type: delay, id: v, duration: 1 day}"


FORMS: list[tuple[str, list[dict[str, Any]], bool]] = [
    ("attribute: plan, changes: true", [{"plan": "free"}], True),  # the first setting counts
    ("attribute: plan, changes_to: pro", [{"plan": "free"}], False),
    ("attribute: plan, changes_to: pro", [{"plan": "free"}, {"plan": "pro"}], True),
    ("attribute: plan, changes_from: null", [{"plan": "free"}], True),
    ("attribute: plan, changes_from: free", [{"plan": "pro"}, {"plan": "team"}], False),
    ("attribute: plan, changes_from: free, changes_to: pro", [{"plan": "free"}, {"plan": "pro"}], True),
    ("attribute: plan, changes_to: null", [{"plan": "free"}, {"plan": None}], True),
    ("attribute: loyalty.tier, changes_to: gold", [{"loyalty": {"tier": "gold", "since": 1}}], True),
    ("attribute: loyalty.tier, changes: true", [{"loyalty": {"since": 1}}], False),
    ("attribute: visits, changes_to: 2", [{"visits": {"inc": 1}}, {"visits": {"inc": 1}}], True),
    ("attribute: country, changes_to: FR", [{"country": "France"}], True),
    ("attribute: dob, changes: true", [{"dob": "1990-12-31"}], True),
    ("attribute: email, changes: true", [{"email": "Mel@Example.com"}], True),
    ("consent: email, changes_to: unsubscribed", [{"email_subscribe": "unsubscribed"}], True),
    (
        "consent: email, changes: true",
        [{"email_subscribe": "subscribed"}],
        False,
    ),  # as before it was said
    ("consent: push, changes_from: opted_in", [{"push_subscribe": "opted_in"}], False),
    (
        "consent: push, changes_from: opted_in",
        [{"push_subscribe": "opted_in"}, {"push_subscribe": "subscribed"}],
        True,
    ),
    ("identifier: email, added: true", [{"email": "mel@example.com"}], True),
    ("identifier: phone, added: true", [{"email": "mel@example.com"}], False),
    ("identifier: phone, added: true", [{"phone": "+4930901820"}], True),
    ("identifier: email, added: true", [{"email": None}], False),
]


async def tracks(stage: Stage, **arrays: Any) -> None:
    parts = (stage.db, stage.published, stage.clock, NONE, NONE, stage.workspace)
    tracked = await track(*parts, arrays)
    assert tracked.errors == []


async def sets(stage: Stage, who: str = "mel", **attributes: Any) -> None:
    await tracks(stage, attributes=[{"external_id": who, **attributes}])


async def inside(stage: Stage) -> list[tuple[str, Any]]:
    """Who is in which canvas, and with what."""
    rows = await stage.db.pool.fetch(
        "select p.external_id, e.canvas, e.context from entries e join people p on p.id = e.person order by 2, 1"
    )
    return [(row["canvas"], row["context"]) for row in rows]


async def told(stage: Stage) -> list[tuple[str, str, Any, Any]]:
    """The changes that were told, in order."""
    rows = await stage.db.pool.fetch(
        "select * from events where kind not in ('event', 'message') order by no"
    )
    return [
        (row["kind"], row["name"], row["properties"].get("before"), row["properties"].get("after"))
        for row in rows
    ]


async def test_who_gets_the_plan_enters_and_is_in_the_audience_of_it(db: Database) -> None:
    """ENT-16, case 3: the audience sees the new value; an attribute that stays lets nobody in (TRK-9)."""
    stage = await stage_on(
        db,
        canvas(
            WAIT, schedule="{attribute: plan, changes: true}", more="audience: {attribute: plan, equals: pro}"
        ),
    )

    await sets(stage, plan="free")
    assert await inside(stage) == []
    await sets(stage, plan="free", size=1)
    await sets(stage, plan="pro")

    assert await inside(stage) == [("story", {"before": "free", "after": "pro"})]
    assert await told(stage) == [
        ("attribute", "plan", None, "free"),
        ("attribute", "plan", "free", "pro"),
    ]


async def test_each_form_of_a_change_lets_in(db: Database) -> None:
    """TRK-9, EXT-2: an unknown person is made by the first call, and their first values count."""
    forms = [
        canvas(WAIT, name=f"c{no}", schedule=f"{{{trigger}}}") for no, (trigger, _, _) in enumerate(FORMS)
    ]
    stage = await stage_on(db, "---\n".join(forms))

    for no, (_, changes, _) in enumerate(FORMS):
        for each in changes:
            await sets(stage, f"p{no}", **each)

    rows = await db.pool.fetch(
        "select canvas, external_id from entries e join people p on p.id = e.person where substr(canvas, 2) = substr(external_id, 2)"
    )
    entered = {row["canvas"] for row in rows}
    wrong = [FORMS[no] for no, (_, _, enters) in enumerate(FORMS) if (f"c{no}" in entered) != enters]
    assert wrong == []


async def test_a_new_person_is_told_of_once_with_the_address_they_are_known_by(db: Database) -> None:
    """TRK-9: first that there is a person, then what they are known by, then what is said of them."""
    stage = await stage_on(
        db,
        canvas(WAIT, schedule="{person: created}", name="a")
        + "---\n"
        + canvas(WAIT, schedule="{identifier: email, added: true}", name="b")
        + "---\n"
        + canvas(WAIT, schedule="{attribute: size, changes: true}", name="c"),
    )

    for size in (1, 1):
        await tracks(stage, attributes=[{"email": "mel@example.com", "size": size}])
    await tracks(stage, events=[{"external_id": "kim", "name": "seen", "time": "2026-12-07T08:00:00Z"}])

    assert [canvas for canvas, _ in await inside(stage)] == ["a", "a", "b", "c"]
    assert await told(stage) == [
        ("person", "created", None, None),
        ("identifier", "email", None, "mel@example.com"),
        ("attribute", "size", None, 1),
        ("person", "created", None, None),
    ]


async def test_changes_of_one_call_are_told_in_order_before_its_events(db: Database) -> None:
    """TRK-9, TRK-3: each change with its values, though they touch one attribute."""
    stage = await stage_on(db, canvas(WAIT, schedule="{attribute: plan, changes: true}"))

    await tracks(
        stage,
        attributes=[{"external_id": "mel", "plan": plan} for plan in ("free", "pro", "pro", None)],
        events=[{"external_id": "mel", "name": "seen", "time": "2026-12-07T08:00:00Z"}],
    )

    rows = await db.pool.fetch("select kind, name, properties from events order by no")
    assert [(row["kind"], row["properties"]) for row in rows] == [
        ("attribute", {"before": None, "after": "free"}),
        ("attribute", {"before": "free", "after": "pro"}),
        ("attribute", {"before": "pro", "after": None}),
        ("event", {}),
    ]


async def test_a_change_moves_who_waits_for_it_and_its_values_are_in_the_message(db: Database) -> None:
    """ACT-4: an action path hears it, at once or looking back."""
    path = (
        "  - {type: action_paths, id: a, within: 3 days, paths: [{name: up, triggers: [{attribute: plan,"
        " changes_from: free, changes_to: pro}], steps: [{type: delay, id: rest, duration: 1 day}]}]}\n"
        "  - {type: delay, id: last, duration: 1 day}"
    )
    stage = await stage_on(db, canvas(path))
    await sets(stage, plan="free")
    mel = await stage.person(external_id="kim", attributes={"plan": "free"})
    [entry] = await stage.enter(mel)

    await sets(stage, "kim", plan="pro")  # before the first burst: the step looks back
    await stage.burst(entry)

    assert await stage.path(entry) == ["a", "rest"]
    assert (await stage.row(entry))["properties"] == {"before": "free", "after": "pro"}


async def test_a_change_ends_entries_and_counts_as_a_conversion(db: Database) -> None:
    """EXT-2, CNV-7: of an open window once."""
    stage = await stage_on(
        db,
        canvas(
            WAIT,
            more="exits: [{consent: email, changes_to: unsubscribed}]\n"
            "conversions: [{name: paid, attribute: plan, changes_to: pro, within: 7 days}]",
        ),
    )
    mel = await stage.person(external_id="mel")
    [entry] = await stage.enter(mel)
    await stage.burst(entry)

    await sets(stage, plan="pro")
    await sets(stage, plan="free")
    await sets(stage, plan="pro")
    await sets(stage, email_subscribe="unsubscribed")

    assert (await stage.row(entry))["ended"] == "exit_event"
    facts = await db.pool.fetch("select data from facts where fact = 'converted'")
    assert [fact["data"]["name"] for fact in facts] == ["paid"]


async def test_consents_are_told_of_all_who_share_the_address(db: Database) -> None:
    """PRF-5, TRK-9: by a call in one transaction; by a link the others hear of it in a later one."""
    stage = await stage_on(
        db, canvas(WAIT, schedule="{consent: email, changes: true}", more="reentry: {after: PT0S}")
    )
    people = [await stage.person(external_id=name, email="us@example.com") for name in ("mel", "kim")]

    await sets(stage, email_subscribe="opted_in")
    assert len(await inside(stage)) == 2
    [entry] = await db.pool.fetch("select id, person from entries where person = $1", people[0].id)
    mark = Mark(stage.workspace, people[0].id, entry["id"], "story", "hello", "email")
    stage.clock.turn(timedelta(hours=1))  # type: ignore[attr-defined]
    for _ in range(2):
        await engaged(db, stage.published, stage.clock, NONE, NONE, mark, "unsubscribed")
    assert len(await inside(stage)) == 3
    assert await stage.hear_derived() == 1

    assert len(await inside(stage)) == 4
    kinds = await db.pool.fetch(
        "select kind, properties->>'after' as after from events where person = $1 order by no", people[0].id
    )
    assert [tuple(row) for row in kinds] == [
        ("consent", "opted_in"),
        ("consent", "unsubscribed"),
        ("message", None),
    ]


async def test_what_a_canvas_changes_is_told_in_order_and_the_chain_is_cut(db: Database) -> None:
    """UPD-1, TRK-9: an attribute of a user update, then its consent, as its events are; nothing where it stays."""
    stage = await stage_on(
        db,
        canvas(
            "  - {type: user_update, id: z, attributes: {plan: pro, email_subscribe: unsubscribed}, events: [{name: done}]}\n"
            "  - {type: user_update, id: a, attributes: {plan: team, size: 3}}\n" + WAIT,
        )
        + "---\n"
        + canvas(WAIT, name="pro", schedule="{attribute: plan, changes_to: pro}")
        + "---\n"
        + canvas(WAIT, name="gone", schedule="{consent: email, changes_to: unsubscribed}")
        + "---\n"
        + canvas(
            "  - {type: user_update, id: u, attributes: {n: {increment: 1}}}\n",
            name="loop",
            schedule="{attribute: n, changes: true}",
            more="reentry: {after: PT0S}",
        ),
    )
    await stage.person(external_id="kim", email="us@example.com")
    mel = await stage.person(external_id="mel", email="us@example.com", attributes={"size": 3})
    [entry] = await stage.enter(mel)
    await stage.burst(entry)
    assert [canvas for canvas, _ in await inside(stage)] == ["story"]

    await stage.hear_derived()

    assert [canvas for canvas, _ in await inside(stage)] == ["gone", "gone", "pro", "story"]
    rows = await db.pool.fetch("select kind, name, hops from events where person = $1 order by no", mel.id)
    assert [tuple(row) for row in rows] == [
        ("attribute", "plan", 1),
        ("event", "done", 1),
        ("attribute", "plan", 1),
        ("consent", "email", 1),
    ]


async def test_a_file_tells_of_changes_and_a_preview_of_none(db: Database, tmp_path: Path) -> None:
    """TRK-9, CSV-7."""
    stage = await stage_on(db, canvas(WAIT, schedule="{attribute: plan, changes_to: pro}"))
    path = tmp_path / "people.csv"
    path.write_text("external_id,plan\nmel,pro\nkim,free\n", encoding="utf-8")
    parts = (stage.db, stage.published, stage.clock, NONE, NONE)

    await import_file(parts, stage.workspace, path, preview=True)
    assert await inside(stage) == []
    for _ in range(2):
        await import_file(parts, stage.workspace, path)

    assert [canvas for canvas, _ in await inside(stage)] == ["story"]


async def test_what_no_canvas_listens_to_is_not_stored_and_costs_no_statement(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRK-9: the same statements as without such canvases; an earlier plan whose entries live on still listens."""
    said: list[str] = []
    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        real = getattr(asyncpg.Connection, name)

        def counting(self: Any, query: str, *args: Any, real: Any = real, **more: Any) -> Any:
            said.append(query)
            return real(self, query, *args, **more)

        monkeypatch.setattr(asyncpg.Connection, name, counting)
    stage = await stage_on(db, canvas(WAIT))

    async def statements() -> int:
        await sets(stage, plan="free", email_subscribe="opted_in")
        said.clear()
        await sets(stage, plan="pro", email_subscribe="subscribed")
        return len(said)

    without = await statements()
    other = await stage_on(db, canvas(WAIT, name="other", schedule="{attribute: tier, changes: true}"))
    stage.published = other.published
    assert await statements() == without
    assert await told(stage) == []

    changed = canvas(WAIT, name="other", schedule="{event: seen}")
    stage.published = (await stage_on(db, changed)).published
    await sets(stage, tier="gold")
    assert await told(stage) == [("attribute", "tier", None, "gold")]


async def test_large_values_are_told_of_as_empty_ones(db: Database) -> None:
    """TRK-9: that there is a list or an object, where it is long."""
    stage = await stage_on(db, canvas(WAIT, schedule="{attribute: shoes, changes: true}"))

    await sets(stage, shoes=[f"shoe {number}" for number in range(400)])
    await sets(stage, shoes=["one"])

    assert await told(stage) == [("attribute", "shoes", None, []), ("attribute", "shoes", [], ["one"])]
