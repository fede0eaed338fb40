"""Pages of people who match a filter: nobody twice, nobody left out, by the indexes that there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pydantic import TypeAdapter

from journeys.canvas.filters import Filter
from journeys.engine.people import finding
from journeys.engine.people.audience_sql import to_sql
from journeys.engine.people.finding import page_of
from journeys.engine.store import Database
from tests.stage import MONDAY, canvas, stage_on

FILTER: TypeAdapter[Any] = TypeAdapter(Filter)
CANVAS = canvas("  - {type: delay, id: w, duration: 1 day}")

PEOPLE = """
insert into people (workspace, id, shard, bucket, email, attributes)
select $1, gen_random_uuid(), n % 1024, n % 10000, 'p' || n || '@example.com', jsonb_build_object('n', n, 'plan', (array['free', 'pro'])[1 + (n % 100 = 0)::int])
from generate_series(1, $2::int) n
"""
EVENTS = """
insert into events (workspace, person, shard, kind, name, at, properties)
select p.workspace, p.id, p.shard, 'event', (array['bought', 'liked', 'session_start'])[1 + k % 3], $2::timestamptz - k * interval '1 day', '{}'
from people p, generate_series(1, 6) k where p.workspace = $1 and p.bucket % 4 = 0
"""
CONSENTS = """
insert into consents select workspace, id, 'email', (array['opted_in', 'unsubscribed'])[1 + bucket % 2], now() from people
where workspace = $1 and bucket % 5 = 0
"""


async def filled(db: Database, many: int) -> int:
    stage = await stage_on(db, CANVAS)
    await db.pool.execute(PEOPLE, stage.workspace, many)
    await db.pool.execute(EVENTS, stage.workspace, MONDAY)
    await db.pool.execute(CONSENTS, stage.workspace)
    for table in ("people", "events", "consents"):
        await db.pool.execute(f"analyze {table}")
    return stage.workspace


async def all_pages(db: Database, workspace: int, what: Any, **options: Any) -> list[list[UUID]]:
    pages, after = [], None
    for _ in range(1000):
        given = {"most": 50, "most_bytes": 2**30, **options}
        page = await page_of(db.pool, workspace, what, now=MONDAY, after=after, **given)
        pages.append(list(page.people))
        assert page.unsure is None or [one.id for one in page.unsure] == list(page.people)
        after = page.after
        if after is None:
            return pages
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        (None, "true"),
        ({"attribute": "plan", "equals": "pro"}, "attributes->>'plan' = 'pro'"),
        ({"attribute": "plan", "equals": "none"}, "false"),
        ({"attribute": "n", "at_most": 137}, "(attributes->>'n')::int <= 137"),
        ({"attribute": "plan", "matches": "p.o"}, "true"),
    ],
)
@pytest.mark.parametrize(("window", "most"), [(1, 1), (7, 3), (100, 50), (20_000, 50)])
async def test_the_pages_have_everybody_who_matches_once_in_order(
    db: Database, monkeypatch: pytest.MonkeyPatch, written: Any, condition: str, window: int, most: int
) -> None:
    """However many people are looked at for one of them; and those of another workspace never."""
    monkeypatch.setattr(finding, "WINDOW", window)
    workspace = await filled(db, 300)
    await db.pool.execute(PEOPLE, workspace + 1, 20)
    what = None if written is None else FILTER.validate_python(written)

    pages = await all_pages(db, workspace, what, most=most)

    wanted = await db.pool.fetch(
        f"select id from people where workspace = $1 and {condition} order by id", workspace
    )
    assert [one for page in pages for one in page] == [row["id"] for row in wanted]
    assert all(len(page) <= most for page in pages)
    assert what is None or len(pages) >= 300 // window, "no more people are looked at for a page"


async def test_a_page_ends_where_its_people_are_large(db: Database) -> None:
    """The last of them may pass the bound; what follows is on the next page."""
    workspace = await filled(db, 30)
    large = "update people set attributes = attributes || jsonb_build_object('long', repeat(md5(bucket::text), 100)) where workspace = $1"
    await db.pool.execute(large, workspace)
    what = FILTER.validate_python({"attribute": "n", "at_least": 1})

    for some in (what, None):
        pages = await all_pages(db, workspace, some, most_bytes=5000)
        assert [len(page) for page in pages if page] == [2] * 15
        pages = await all_pages(db, workspace, some, most_bytes=1)
        assert [len(page) for page in pages if page] == [1] * 30


async def test_of_people_with_large_attributes_fewer_are_looked_at(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whom the filter does not ask for attributes count as nothing."""
    monkeypatch.setattr(finding, "MOST_STORED", 1)
    workspace = await filled(db, 60)

    for written, least in (({"attribute": "plan", "equals": "none"}, 60), ({"bucket": [9999, 9999]}, 1)):
        pages = await all_pages(db, workspace, FILTER.validate_python(written))
        assert pages == [[]] * least


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


async def test_people_are_found_by_the_indexes_that_there_are(db: Database) -> None:
    """Of 20,000 people: by an address, by what they did lately, by what they agreed to; no table is read whole."""
    workspace = await filled(db, 20_000)
    middle = await db.pool.fetchval(
        "select id from people where workspace = $1 order by id offset 10000 limit 1", workspace
    )
    bound = await db.pool.fetchval(finding.BOUND, workspace, middle, 1000, 2**30, True)
    cases: list[tuple[Any, str]] = [
        ({"attribute": "email", "equals": "p77@example.com"}, "people_email"),
        ({"attribute": "plan", "equals": "pro"}, "people_pkey"),
        ({"event": "bought", "within_last": "3 days"}, "kind_name_at"),
        ({"none": [{"event": "bought", "within_last": "3 days"}]}, "kind_name_at"),
        ({"event": "bought", "times": {"at_least": 2}}, "kind_name_at"),
        ({"consent": "email", "equals": "opted_in"}, "consents_pkey"),
        ({"consent": "email", "not_equals": "unsubscribed"}, "consents_pkey"),
    ]
    for written, index in cases:
        said = to_sql(FILTER.validate_python(written), now=MONDAY, first=6)
        assert said.exact
        query = f"explain (analyze, format json) {finding._page(said.text, 'p.id')}"
        answer = await db.pool.fetchval(query, workspace, middle, bound, 500, 2**22, *said.parameters)
        plan = (msgspec.json.decode(answer) if isinstance(answer, str) else answer)[0]["Plan"]
        looked = list(nodes(plan))
        assert any(index in str(node.get("Index Name")) for node in looked), written
        for node in looked:
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            assert "Relation Name" not in node or node["Node Type"] != "Seq Scan" or read == 0, written
            assert read <= 1000, f"{written}: at most those who are looked at, at once"
