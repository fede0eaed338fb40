"""CSV import of catalog items on a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from journeys.engine.intake.catalog_import import import_items
from journeys.engine.intake.csv_columns import Unusable
from journeys.engine.store import Database
from tests.stage import EMAIL, Stage, canvas, stage_on

SHOES = """
---
kind: catalog
format: 1
name: shoes
fields:
  - {name: id, type: string}
  - {name: title, type: string}
  - {name: price, type: number}
  - {name: sold_out, type: boolean}
  - {name: since, type: time}
  - {name: maker, type: object}
  - {name: tags, type: array}
"""


async def shop(db: Database) -> Stage:
    return await stage_on(
        db, canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL + SHOES
    )


async def stored(db: Database) -> dict[str, Any]:
    return {
        row[0]: row[1] for row in await db.pool.fetch("select id, payload from catalog_items order by id")
    }


async def test_each_cell_becomes_a_value_of_its_fields_type(db: Database, tmp_path: Path) -> None:
    """CAT-6, D10: text stays text, also NULL and what looks like a number; an empty cell changes nothing."""
    stage = await shop(db)
    path = tmp_path / "shoes.csv"
    path.write_text(
        "id,title,price,sold_out,since,maker,tags\n"
        'a,0130,"12.50",TRUE,2026-12-01,"{""name"": ""Fleet""}","[""road"",""new""]"\n'
        'b,NULL,3,false,2026-12-01 10:00:00,,"[]"\n'
        "a,,,,,,\n",
        encoding="utf-8",
    )
    result = await import_items(db, stage.workspace, "shoes", path)

    assert (result.rows, result.taken, result.refusals) == (3, 3, 0)
    assert await stored(db) == {
        "a": {
            "id": "a",
            "title": "0130",
            "price": 12.5,
            "sold_out": True,
            "since": "2026-12-01T00:00:00.000+00:00",
            "maker": {"name": "Fleet"},
            "tags": ["road", "new"],
        },
        "b": {
            "id": "b",
            "title": "NULL",
            "price": 3,
            "sold_out": False,
            "since": "2026-12-01T10:00:00.000+00:00",
            "tags": [],
        },
    }


async def test_wrong_rows_go_into_a_report_that_can_be_mended_and_imported(
    db: Database, tmp_path: Path
) -> None:
    """CAT-2, CAT-6: with line and reason; they sink no other row."""
    stage = await shop(db)
    path, report = tmp_path / "shoes.csv", tmp_path / "refused.csv"
    path.write_text(
        f"id,title,price\na,A,1\n,B,2\nc,C,cheap\nd d,D,4\ne,{'x' * 5001},5\nf,F\ng,G,7\n", encoding="utf-8"
    )
    result = await import_items(db, stage.workspace, "shoes", path, report=report)

    assert (result.rows, result.taken, result.refusals) == (7, 2, 5)
    assert [line for line, _ in result.refused] == [3, 4, 5, 6, 7]
    assert [reason.split(":")[0] for _, reason in result.refused] == [
        "id", "price", "id", "title", "the row has 2 cells, the header 3",
    ]  # fmt: skip
    mended = report.read_text(encoding="utf-8").replace("cheap", "3")
    assert mended.startswith("id,title,price,import_line,import_reason")
    report.write_text(mended, encoding="utf-8")
    again = await import_items(db, stage.workspace, "shoes", report)
    assert again.taken == 1
    assert list(await stored(db)) == ["a", "c", "g"]
    assert (await stored(db))["c"]["price"] == 3


async def test_columns_that_are_not_in_the_file_stay_as_they_are(db: Database, tmp_path: Path) -> None:
    stage = await shop(db)
    path = tmp_path / "shoes.csv"
    for text in ("id,title,price\na,A,1\n", "id,price\na,2\n"):
        path.write_text(text, encoding="utf-8")
        await import_items(db, stage.workspace, "shoes", path)

    assert await stored(db) == {"a": {"id": "a", "title": "A", "price": 2}}


@pytest.mark.parametrize(
    ("catalog", "text", "said"),
    [
        ("shoe", "id\na\n", "there is no catalog “shoe” (did you mean “shoes”?)"),
        ("shoes", "", "is empty"),
        ("shoes", "title,id\nA,a\n", "the first column must be “id”"),
        ("shoes", "id,titel\na,A\n", "the catalog has no field “titel” (did you mean “title”?)"),
        ("shoes", "id,title,title\na,A,A\n", "the column “title” appears twice"),
        ("shoes", ",".join(["id", *("title" for _ in range(1000))]) + "\n", "at most 1000"),
    ],
)
async def test_a_file_that_cannot_be_meant_is_refused_whole(
    db: Database, tmp_path: Path, catalog: str, text: str, said: str
) -> None:
    """CAT-6"""
    stage = await shop(db)
    path = tmp_path / "shoes.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(Unusable) as refused:
        await import_items(db, stage.workspace, catalog, path)
    assert said in str(refused.value)


async def test_a_large_file_streams_and_can_be_stopped_and_carried_on(db: Database, tmp_path: Path) -> None:
    """CAT-6: batch by batch, with progress in bytes."""
    stage = await shop(db)
    path = tmp_path / "shoes.csv"
    path.write_text("id,price\n" + "".join(f"i{n:06},{n}\n" for n in range(20_000)), encoding="utf-8")
    stop, seen = asyncio.Event(), list[int]()

    def progress(done: int) -> None:
        seen.append(done)
        if len(seen) == 5:
            stop.set()

    first = await import_items(db, stage.workspace, "shoes", path, progress=progress, stop=stop)
    assert (first.stopped, first.taken, first.line) == (True, 2500, 2501)
    rest = await import_items(db, stage.workspace, "shoes", path, after_line=first.line)

    assert (rest.taken, rest.stopped) == (17_500, False)
    assert seen == sorted(seen)
    assert 0 < seen[0] < path.stat().st_size
    assert await db.pool.fetchval("select sum((payload->>'price')::int) from catalog_items") == sum(
        range(20_000)
    )


async def test_a_preview_of_items_says_what_would_come_of_them_and_writes_none(
    db: Database, tmp_path: Path
) -> None:
    """CSV-7, CAT-6"""
    stage = await shop(db)
    path, report = tmp_path / "shoes.csv", tmp_path / "refused.csv"
    path.write_text("id,price\na,1\nb,cheap\n" + "".join(f"i{n},{n}\n" for n in range(900)), encoding="utf-8")
    before = await db.pool.fetchval("select count(*) from catalog_items")
    seen = await import_items(db, stage.workspace, "shoes", path, report=report, preview=True)

    assert (seen.rows, seen.taken, seen.refusals) == (500, 499, 1)
    assert await db.pool.fetchval("select count(*) from catalog_items") == before
    assert not report.exists()
