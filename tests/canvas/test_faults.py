"""Catalogs, selections and content blocks: each fault has the code that clients know."""

from __future__ import annotations

from typing import Any

import pytest

from journeys.canvas import content_blocks
from journeys.canvas.catalogs import MOST_FILTERS, Catalog, CatalogField, Selection, SelectionFilter, faults
from journeys.canvas.content_blocks import ContentBlock

ID = CatalogField(name="id", type="string")
FIELDS = (
    ID,
    *(
        CatalogField(name=name, type=type_)
        for name, type_ in (("a", "array"), ("b", "array"), ("o", "object"))
    ),
)
LONG = "x" * 251


def selection(**given: Any) -> Catalog:
    return Catalog(name="c", fields=FIELDS, selections=(Selection(**{"name": "s", **given}),))


def ask(field: str, operator: Any = "includes value") -> SelectionFilter:
    return SelectionFilter(field=field, operator=operator, value="x")


@pytest.mark.parametrize(
    ("catalog", "codes"),
    [
        (Catalog(name="c", description=LONG, fields=(ID,)), ["description-too-long"]),
        (Catalog(name=LONG, fields=(ID,)), ["catalog-name-too-large"]),
        (Catalog(name="a b", fields=(ID,)), ["invalid-catalog-name"]),
        (Catalog(name="c", fields=()), ["id-not-first-column"]),
        (Catalog(name="c", fields=(CatalogField(name="id", type="number"),)), ["id-not-first-column"]),
        (Catalog(name="c", fields=(ID, CatalogField(name=LONG, type="string"))), ["field-names-too-large"]),
        (Catalog(name="c", fields=(ID, CatalogField(name="a b", type="string"))), ["invalid-field-names"]),
        (Catalog(name="c", fields=(ID, ID)), ["field-names-not-unique"]),
    ],
)  # fmt: skip
def test_a_catalog_that_is_not_as_catalogs_are_is_told_why(catalog: Catalog, codes: list[str]) -> None:
    """CAT-1, CAT-4"""
    assert [one.code for one in faults(catalog)] == codes


def test_a_catalog_has_so_many_fields_and_selections_at_most() -> None:
    """CAT-1, CAT-5, K3, K5"""
    many = (ID, *(CatalogField(name=f"f{n}", type="string") for n in range(3)))
    assert [one.code for one in faults(Catalog(name="c", fields=many), most=3)] == ["too-many-fields"]
    assert [*faults(Catalog(name="c", fields=many), most=4)] == []
    selections = tuple(Selection(name=f"s{n}") for n in range(31))
    assert [one.code for one in faults(Catalog(name="c", fields=(ID,), selections=selections))] == [
        "selection-limit-reached"
    ]


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"name": "a b"}, ["invalid-selection"]),
        ({"name": LONG}, ["invalid-selection"]),
        ({"description": LONG}, ["invalid-selection"]),
        ({"filters": (ask("a"),) * (MOST_FILTERS + 1)}, ["too-many-filters"]),
        ({"filters": (ask("a"), ask("b"))}, ["selection-contains-too-many-arrays"]),
        ({"filters": (ask("z"),)}, ["selection-has-invalid-filter"]),
        ({"filters": (ask("a", "less than"),)}, ["selection-has-invalid-filter"]),
        ({"filters": (ask("o", "equals"),)}, ["selection-has-invalid-filter"]),
        ({"results_limit": 0}, ["selection-invalid-results-limit"]),
        ({"results_limit": 51}, ["selection-invalid-results-limit"]),
        ({"sort_field": "id"}, ["invalid-sorting"]),
        ({"sort_order": "asc"}, ["invalid-sorting"]),
        ({"sort_field": "a", "sort_order": "asc"}, ["invalid-sort-field"]),
        ({"sort_field": "z", "sort_order": "asc"}, ["invalid-sort-field"]),
        ({"filters": (ask("a"), ask("a")), "sort_field": "id", "sort_order": "desc"}, []),
    ],
)  # fmt: skip
def test_a_selection_that_is_not_as_selections_are_is_told_why(given: Any, codes: list[str]) -> None:
    """CAT-5"""
    assert [one.code for one in faults(selection(**given))] == codes


def test_two_selections_of_a_catalog_have_two_names() -> None:
    """CAT-5"""
    twice = Catalog(name="c", fields=(ID,), selections=(Selection(name="s"), Selection(name="s")))

    [fault] = faults(twice)

    assert (fault.code, fault.path) == ("selection-name-already-exists", ("selections", 1, "name"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": " "}, "Content Block name cannot be blank."),
        ({"name": "a b"}, "Content Block name can only contain alphanumeric characters."),
        ({"name": "x" * 101}, "Content Block name must not have more than 100 characters."),
        ({"description": LONG}, "Content Block description must not have more than 250 characters."),
        ({"content": " \n"}, "Content cannot be blank."),
        ({"content": "é" * 25_601}, "Content must be smaller than 50kb."),
        ({"content": "{{ content_blocks . ${ foot } }}"}, "Content Block cannot be referenced within itself."),
    ],
)  # fmt: skip
def test_a_content_block_that_is_not_as_blocks_are_is_told_why(given: Any, said: str) -> None:
    """B3, TPL-2"""
    right = {"name": "foot", "content": "é" * 25_600}

    assert [*content_blocks.faults(ContentBlock(**right))] == []
    assert [text for _, text in content_blocks.faults(ContentBlock(**{**right, **given}))] == [said]
