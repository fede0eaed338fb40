"""The examples of the page on catalogs are published, typed and rendered as they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from journeys.canvas.catalogs import OPERATORS
from journeys.engine.content.lint import Setting, lint
from journeys.engine.store import Database
from tests.cli.test_commands import ROOT, journeys
from tests.stage import definitions_of

PAGE = (ROOT / "docs" / "catalogs.md").read_text(encoding="utf-8")
CSV = (
    "id,title,price,sold_out,since,maker,tags\n"
    'a,Able,9.50,false,2026-12-01,"{""name"": ""Fleet""}","[""road""]"\n'
    "b,Bold,cheap,,,,\n"
)


def shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def test_what_the_page_shows_is_published_and_typed(db: Database, tmp_path: Path) -> None:
    """CAT-1, CAT-6, P4: its definitions, and its commands in their order; what a command needs is there."""
    (tmp_path / "all.yaml").write_text("---\n".join(shown("yaml")), encoding="utf-8")
    (tmp_path / "shoes.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "codes.csv").write_text("code\nONE\nTWO\n", encoding="utf-8")
    validated = await journeys("validate", "all.yaml", cwd=tmp_path)
    assert (validated.code, validated.err) == (0, "")
    published = await journeys("publish", "all.yaml", url=db.url, cwd=tmp_path)
    assert (published.code, published.err) == (0, "")

    soon = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    typed = [line for block in shown("sh") for line in block.splitlines() if line.startswith("journeys ")]
    said = {}
    for line in typed:
        words = re.sub(r"\d{4}-\d\d-\d\d", soon, line).split()[1:]
        said[line.split(" --")[0]] = await journeys(*words, url=db.url, cwd=tmp_path)

    assert said["journeys import shoes.csv"].out == "shoes.csv: 2 rows, 1 taken, 1 refused\n"
    assert "b,Bold,cheap" in (tmp_path / "shoes.refused.csv").read_text(encoding="utf-8")
    assert said["journeys promotions import spring codes.csv"].code == 0
    assert re.search(r"spring .* 2 .* 0 ", said["journeys promotions list"].out)
    assert len(said) == len(typed) == 3


def test_its_templates_have_nothing_wrong_with_them() -> None:
    found = definitions_of("---\n".join(shown("yaml")))

    for source in shown("liquid"):
        assert lint(source, Setting("email", found.content_blocks, found.catalogs)) == [], source
    assert len(shown("liquid")) >= 2


def test_its_tables_have_each_type_operator_and_reason() -> None:
    """CAT-5, K5, P3"""
    for type_, operators in OPERATORS.items():
        assert f"| `{type_}` |" in PAGE
        assert all(f"`{operator}`" in PAGE for operator in operators)
    source = (ROOT / "journeys" / "engine" / "sources" / "promotions.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'"(promo_codes_\w+)"', source))
    assert reasons == set(re.findall(r"`(promo_codes_\w+)`", PAGE))
