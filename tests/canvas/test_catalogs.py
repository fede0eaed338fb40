"""Catalogs and content blocks as files: their problems have the place where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.canvas.catalogs import Catalog
from journeys.canvas.yaml_definitions import read_text, write
from journeys.engine.workspaces.validate import validate

SHOES = """kind: catalog
format: 1
name: shoes
fields:
  - {name: id, type: string}
  - {name: title, type: string}
  - {name: price, type: number}
  - {name: tags, type: array}
  - {name: sizes, type: array}
selections:
  - name: cheap
    filters:
      - {field: price, operator: less than, value: 50}
    results_limit: 5
    sort_field: price
    sort_order: asc
"""
FOOTER = """kind: content_block
format: 1
name: footer
content: |
  Yours,
  {{${first_name}}}
"""


def said(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).replace(str(path), "file") for problem in validate([path], {}).problems]


def test_a_catalog_and_a_block_that_are_right_have_no_problems(tmp_path: Path) -> None:
    """CAT-1, CAT-5, B3"""
    assert said(tmp_path, SHOES + "---\n" + FOOTER) == []


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    for text in (SHOES, FOOTER):
        [one], problems = read_text(text)
        [again], more = read_text(write(one.value))

        assert problems == more == []
        assert again.value == one.value


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: shoes", "name: läufer", "file:3:7: J307 a catalog's name may have only letters"),
        (
            "{name: id, type: string}",
            "{name: sku, type: string}",
            "file:5:5: J307 the first field must be “id”",
        ),
        ("title, type: string", "title, type: colour", "file:6:25: J103 “colour” is not allowed for “type”"),
        ("name: title", "name: price", "file:7:12: J307 the field “price” appears twice"),
        (
            "{field: price",
            "{field: prise",
            "file:13:17: J307 the catalog has no field “prise” (did you mean “price”?)",
        ),
        (
            "less than",
            "includes value",
            "file:13:34: J307 “includes value” does not apply to “price”, which is of type number (allowed: equals,",
        ),
        (
            "value: 50",
            "value: cheap",
            "file:13:52: J307 the value of “price”: “cheap” is not a value of type number",
        ),
        ("value: 50", 'value: "{{ broken"', "file:13:52: J307 the value of “price” cannot be read"),
        ("results_limit: 5", "results_limit: 51", "file:14:20: J307 results_limit is a number from 1 to 50"),
        ("sort_field: price", "sort_field: tags", "file:15:17: J307 the items cannot be sorted by “tags”"),
        ("    sort_order: asc\n", "", "file:11:5: J307 sort_field and sort_order are given together"),
        ("sort_order: asc", "sort_odrer: asc", "file:16:5: J101 there is no key “sort_odrer” here"),
    ],
)
def test_what_is_wrong_with_a_catalog_points_into_its_file(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    """CAT-4, CAT-5"""
    assert SHOES.count(old) == 1

    assert any(one.startswith(problem) for one in said(tmp_path, SHOES.replace(old, new))), said(
        tmp_path, SHOES.replace(old, new)
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: footer", "name: foot er", "file:3:7: J308 Content Block name can only contain alphanumeric"),
        ("name: footer", f"name: {'x' * 101}", "file:3:7: J308 Content Block name must not have more"),
        ("Yours,", "{{content_blocks.${footer}}}", "file:4:1: J308 Content Block cannot be referenced"),
        ("{{${first_name}}}", "{{${first_name", "file:6:3: J302 "),
        ("content: |", "state: old\ncontent: |", "file:4:8: J103 “old” is not allowed for “state”"),
    ],
)
def test_what_is_wrong_with_a_block_points_into_its_file(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    """TPL-2, B3"""
    assert any(one.startswith(problem) for one in said(tmp_path, FOOTER.replace(old, new))), said(
        tmp_path, FOOTER.replace(old, new)
    )


def test_a_catalog_of_a_file_has_up_to_a_thousand_fields() -> None:
    """D9, K5"""
    from journeys.canvas.catalogs import CatalogField, faults

    fields = [
        CatalogField(name="id", type="string"),
        *(CatalogField(name=f"f{n}", type="time") for n in range(1000)),
    ]

    assert list(faults(Catalog(name="c", fields=tuple(fields[:1000])))) == []
    assert [one.code for one in faults(Catalog(name="c", fields=tuple(fields)))] == ["too-many-fields"]
