"""Catalog items and promotion codes from the command line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journeys.engine.store import Database
from journeys.engine.workspaces.publishing import workspace_of
from tests import forked
from tests.canvas.test_catalogs import FOOTER, SHOES
from tests.cli.test_commands import journeys


async def test_a_catalog_is_published_and_filled_from_a_file(db: Database, tmp_path: Path) -> None:
    """CAT-1, CAT-6: what is wrong is said by line; a type is for good."""
    (tmp_path / "shoes.yaml").write_text(SHOES + "---\n" + FOOTER, encoding="utf-8")
    (tmp_path / "shoes.csv").write_text("id,title,price\na,Able,9.50\nb,Bold,cheap\n", encoding="utf-8")
    published = await journeys("publish", "shoes.yaml", url=db.url, cwd=tmp_path)
    imported = await journeys("import", "shoes.csv", "--catalog", "shoes", url=db.url, cwd=tmp_path)

    assert published.out.count("new ") >= 2
    assert (imported.code, imported.out) == (1, "shoes.csv: 2 rows, 1 taken, 1 refused\n")
    assert "line 3: price: “cheap” is not a value of type number" in imported.err
    assert "all refused rows: shoes.refused.csv" in imported.err
    (tmp_path / "shoes.yaml").write_text(
        SHOES.replace("{name: title, type: string}", "{name: title, type: time}")
    )
    refused = await journeys("publish", "shoes.yaml", url=db.url, cwd=tmp_path)
    assert refused.code == 1
    assert "the field “title” of the catalog “shoes” is of type string, which cannot change" in refused.err
    unknown = await journeys("import", "shoes.csv", "--catalog", "shoos", url=db.url, cwd=tmp_path)
    assert (unknown.code, "did you mean “shoes”?" in unknown.err) == (2, True)


async def test_an_import_of_items_is_stopped_by_ctrl_c_and_carried_on(db: Database, tmp_path: Path) -> None:
    """CAT-6: the batch at hand is finished; what was said to go on with comes to the whole file."""
    rows = 30_000
    (tmp_path / "shoes.yaml").write_text(SHOES, encoding="utf-8")
    lines = "".join(f"i{n},{'Able' if n else ''},{n if n != 7 else 'cheap'}\n" for n in range(rows))
    (tmp_path / "shoes.csv").write_text("id,title,price\n" + lines, encoding="utf-8")
    await journeys("publish", "shoes.yaml", url=db.url, cwd=tmp_path)

    words = ("import", "shoes.csv", "--catalog", "shoes")
    process = await forked.python(
        *("-m", "journeys", *words),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "DATABASE_URL": db.url, "COLUMNS": "160"},
        cwd=tmp_path,
    )
    async with asyncio.timeout(60):
        while not await db.pool.fetchval("select count(*) from catalog_items"):
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = [each.decode() for each in await process.communicate()]

    assert (process.returncode, "Traceback" in err) == (130, False)
    stopped = re.search(r"stopped after line (\d+): continue with --after-line \1", err)
    assert stopped is not None
    line = int(stopped[1])
    assert out == f"shoes.csv: {line - 1:,} rows, {line - 2:,} taken, 1 refused\n"
    assert line - 2 == await db.pool.fetchval("select count(*) from catalog_items") < rows - 1
    assert "i7,Able,cheap,9," in (tmp_path / "shoes.refused.csv").read_text(encoding="utf-8")

    rest = await journeys(*words, "--after-line", str(line), url=db.url, cwd=tmp_path)
    assert (rest.code, rest.out) == (
        0,
        f"shoes.csv: {rows + 1 - line:,} rows, {rows + 1 - line:,} taken, 0 refused\n",
    )
    assert await db.pool.fetchval("select count(*) from catalog_items") == rows - 1


async def test_a_list_of_codes_is_filled_from_a_file_and_shown(db: Database, tmp_path: Path) -> None:
    """P4"""
    (tmp_path / "shoes.yaml").write_text(SHOES, encoding="utf-8")
    await journeys("publish", "shoes.yaml", url=db.url, cwd=tmp_path)
    (tmp_path / "codes.csv").write_text(f"code,note\nONE,x\nTWO,y\nONE,z\n{'x' * 201},w\n", encoding="utf-8")
    ends = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    words = ("promotions", "import", "spring", "codes.csv", "--expires")

    filled = await journeys(*words, ends, url=db.url, cwd=tmp_path)
    assert (filled.code, filled.out) == (
        1, f"spring: 3 codes read, 2 new; the list expires {ends} 00:00 UTC\n",
    )  # fmt: skip
    assert "line 5: a code has 1 to 200 characters" in filled.err
    shown = await journeys("promotions", "list", url=db.url, cwd=tmp_path)
    assert "spring" in shown.out
    for wrong in ("soon", "2020-01-01", "2099-01-01"):
        assert (await journeys(*words, wrong, url=db.url, cwd=tmp_path)).code == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "codes.csv has no codes"),
        (b"code\n\n", "codes.csv has no codes"),
        (b"x" * 201, "line 1: a code has 1 to 200 characters"),
        (b"\x89PNG\r\n\x1a\nabc\n", "codes.csv is not a text file"),
        ("code\nONE\n".encode("utf-16"), "codes.csv is not a text file"),
    ],
)
async def test_a_file_without_codes_makes_no_list(
    db: Database, tmp_path: Path, given: bytes, told: str
) -> None:
    """P3, P4: a list without codes would abort every message that names it."""
    (tmp_path / "shoes.yaml").write_text(SHOES, encoding="utf-8")
    await journeys("publish", "shoes.yaml", url=db.url, cwd=tmp_path)
    (tmp_path / "codes.csv").write_bytes(given)
    ends = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"

    refused = await journeys(
        "promotions", "import", "n4", "codes.csv", "--expires", ends, url=db.url, cwd=tmp_path
    )

    assert (refused.code, refused.out, told in refused.err) == (2, "", True), refused
    assert await db.pool.fetchval("select count(*) from promotion_lists") == 0


async def test_an_import_can_be_seen_before_it_is_done(db: Database, tmp_path: Path) -> None:
    """CSV-7: `--preview` shows the first rows and what would come of them, and writes nothing."""
    await workspace_of(db, "default")
    (tmp_path / "people.csv").write_text("external_id,email,size\nmel,mel@example.com,38\nzoe,nowhere,39\n")
    said = await journeys("import", "people.csv", "--preview", url=db.url, cwd=tmp_path)

    assert said.code == 1
    assert '{"email": "mel@example.com", "size": 38, "external_id": "mel"}' in said.out
    assert "the first 2 rows, 1 would be taken (1 people would be created, 0 would be updated), 1 would be refused" in " ".join(said.out.split())  # fmt: skip
    assert "nothing was written" in said.out
    assert "line 3: The value provided for the 'email' field is not a valid email." in said.err
    assert await db.pool.fetchval("select count(*) from people") == 0
    assert [each.name for each in tmp_path.iterdir()] == ["people.csv"]
