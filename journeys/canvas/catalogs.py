"""Catalogs, the tables of items that templates read: their fields and selections, and how they are checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.problems import Problem, meant
from journeys.canvas.source_positions import Places

FieldType = Literal["string", "number", "boolean", "time", "object", "array"]
Operator = Literal[
    "equals", "does not equal", "greater than", "less than", "is", "before", "after", "includes value",
    "does not include value",
]  # fmt: skip
OPERATORS: Mapping[str, Sequence[str]] = {
    "string": ("equals", "does not equal"),
    "number": ("equals", "does not equal", "greater than", "less than"),
    "boolean": ("is",),
    "time": ("before", "after"),
    "array": ("includes value", "does not include value"),
    "object": (),
}
"""Which questions a selection may ask of a field, by its type (CAT-5)."""

NAME = re.compile(r"[A-Za-z0-9_-]+")
LONGEST = 250
"""Characters that names, ids and descriptions may have (CAT-1, CAT-2)."""

MOST_FIELDS = 1000
"""The maximum number of fields of a catalog (K5); by API it is 500 (D9)."""

MOST_SELECTIONS, MOST_FILTERS, MOST_RESULTS = 30, 10, 50
"""The maximum number of selections of a catalog, filters of a selection, and items of an answer (K3, CAT-5)."""


class CatalogField(Frozen):
    """A field of a catalog: its name and its type, which cannot change."""

    name: str
    """The name of the field."""
    type: FieldType
    """Its type, which cannot change."""


class SelectionFilter(Frozen):
    """A condition on a field. The value may be Liquid: then each message asks with its own."""

    field: str
    """The field."""
    operator: Operator
    """The question, by the type of the field."""
    value: str | int | float | bool
    """What it is compared with; a text may be Liquid."""


class Selection(Frozen):
    """Which items of a catalog, in which order, and how many: all filters must match. Without a sort field the order is random (CAT-5)."""

    name: str
    """The name of the selection."""
    description: str = ""
    """What it is for."""
    filters: Many[SelectionFilter] = ()
    """Conditions, which all must hold."""
    results_limit: int = MOST_RESULTS
    """How many items at most."""
    sort_field: str | None = None
    """The field by which they are sorted; at random where it is left out."""
    sort_order: Literal["asc", "desc"] | None = None
    """The order."""


class Catalog(Frozen):
    """A table of items that templates read (CAT-1). The first field is `id`, of type string."""

    kind: ClassVar[str] = "catalog"
    name: str
    """The name of the catalog."""
    description: str = ""
    """What it holds."""
    fields: Many[CatalogField]
    """The fields; the first is `id`."""
    selections: Many[Selection] = ()
    """Stored questions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a catalog: a code that clients know (CAT-4), what it is about, and its place in the value."""

    code: str
    message: str
    parameters: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    path: tuple[str | int, ...] = ()
    hint: str = ""


def faults(catalog: Catalog, most: int = MOST_FIELDS) -> Iterator[Fault]:
    """What is wrong with a catalog (CAT-1, CAT-5)."""
    yield from named(catalog.name, ("name",))
    if len(catalog.description) > LONGEST:
        yield Fault(
            "description-too-long", f"a description has at most {LONGEST} characters", path=("description",)
        )
    yield from field_faults(catalog.fields, most)
    if len(catalog.selections) > MOST_SELECTIONS:
        yield Fault(
            "selection-limit-reached",
            f"a catalog has at most {MOST_SELECTIONS} selections",
            path=("selections", MOST_SELECTIONS),
        )
    types = {each.name: each.type for each in catalog.fields}
    known: set[str] = set()
    for place, selection in enumerate(catalog.selections):
        path = ("selections", place)
        yield from selection_faults(selection, types, path)
        if selection.name in known:
            yield taken(selection.name, (*path, "name"))
        known.add(selection.name)


def named(name: str, path: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """What is wrong with a catalog's name."""
    about = ("name",), (name,), path
    if len(name) > LONGEST:
        yield Fault("catalog-name-too-large", f"a catalog's name has at most {LONGEST} characters", *about)
    if not NAME.fullmatch(name):
        said = "a catalog's name may have only letters, digits, hyphens and underscores"
        yield Fault("invalid-catalog-name", said, *about)


def field_faults(fields: Sequence[CatalogField], most: int) -> Iterator[Fault]:
    """What is wrong with the fields of a whole catalog."""
    if len(fields) > most:
        yield Fault("too-many-fields", f"a catalog has at most {most} fields", path=("fields", most))
    if not fields or (fields[0].name, fields[0].type) != ("id", "string"):
        said = "the first field must be “id”, of type string"
        yield Fault("id-not-first-column", said, path=("fields", 0) if fields else ("fields",))
    yield from field_name_faults(fields)


def field_name_faults(fields: Iterable[CatalogField]) -> Iterator[Fault]:
    """What is wrong with the names of fields."""
    known: set[str] = set()
    for place, each in enumerate(fields):
        about = ("name",), (each.name,), ("fields", place, "name")
        if len(each.name) > LONGEST:
            yield Fault("field-names-too-large", f"a field's name has at most {LONGEST} characters", *about)
        elif not NAME.fullmatch(each.name):
            said = f"the field “{each.name}”: a name may have only letters, digits, hyphens and underscores"
            yield Fault("invalid-field-names", said, *about)
        if each.name in known:
            yield Fault("field-names-not-unique", f"the field “{each.name}” appears twice", *about)
        known.add(each.name)


def taken(name: str, path: tuple[str | int, ...] = ()) -> Fault:
    """The fault of a selection whose name another one has."""
    said = f"the catalog already has a selection “{name}”"
    return Fault("selection-name-already-exists", said, ("name",), (name,), path)


def selection_faults(
    selection: Selection, types: Mapping[str, str], path: tuple[str | int, ...] = ()
) -> Iterator[Fault]:
    """What is wrong with a selection of a catalog whose fields have these types (CAT-5)."""
    if not NAME.fullmatch(selection.name) or len(selection.name) > LONGEST:
        said = f"a selection's name has 1 to {LONGEST} letters, digits, hyphens and underscores"
        yield Fault("invalid-selection", said, ("name",), (selection.name,), (*path, "name"))
    if len(selection.description) > LONGEST:
        said = f"a description has at most {LONGEST} characters"
        yield Fault("invalid-selection", said, ("description",), path=(*path, "description"))
    if len(selection.filters) > MOST_FILTERS:
        said = f"a selection has at most {MOST_FILTERS} filters"
        yield Fault("too-many-filters", said, path=(*path, "filters", MOST_FILTERS))
    for place, each in enumerate(selection.filters):
        yield from _filter_faults(each, types, (*path, "filters", place))
    arrays = Counter(each.field for each in selection.filters if types.get(each.field) == "array")
    if len(arrays) > 1:
        said = f"a selection filters by at most one array, not by {', '.join(sorted(arrays))}"
        yield Fault(
            "selection-contains-too-many-arrays", said, ("field",), tuple(sorted(arrays)), (*path, "filters")
        )
    if not 1 <= selection.results_limit <= MOST_RESULTS:
        said = f"results_limit is a number from 1 to {MOST_RESULTS}"
        about = ("results_limit",), (selection.results_limit,), (*path, "results_limit")
        yield Fault("selection-invalid-results-limit", said, *about)
    yield from _sorting_faults(selection, types, path)


def _filter_faults(
    each: SelectionFilter, types: Mapping[str, str], path: tuple[str | int, ...]
) -> Iterator[Fault]:
    code = "selection-has-invalid-filter"
    if each.field not in types:
        said = f"the catalog has no field “{each.field}”"
        yield Fault(code, said, ("field",), (each.field,), (*path, "field"), meant(each.field, types))
        return
    allowed = OPERATORS[types[each.field]]
    if each.operator not in allowed:
        said = f"“{each.operator}” does not apply to “{each.field}”, which is of type {types[each.field]}"
        hint = f"allowed: {', '.join(allowed)}" if allowed else "filter by another field"
        yield Fault(code, said, ("operator",), (each.operator,), (*path, "operator"), hint)


def _sorting_faults(
    selection: Selection, types: Mapping[str, str], path: tuple[str | int, ...]
) -> Iterator[Fault]:
    field = selection.sort_field
    if (field is None) != (selection.sort_order is None):
        said = "sort_field and sort_order are given together; without both, the order is random"
        yield Fault("invalid-sorting", said, path=path)
    if field is not None and types.get(field, "object") in ("object", "array"):
        said = f"the items cannot be sorted by “{field}”"
        sortable = [name for name, type_ in types.items() if type_ not in ("object", "array")]
        yield Fault(
            "invalid-sort-field",
            said,
            ("sort_field",),
            (field,),
            (*path, "sort_field"),
            meant(field, sortable),
        )


def check_catalog(catalog: Catalog, places: Places) -> list[Problem]:
    """What is wrong with a catalog that stands in a file, each at its place."""
    return [Problem("J307", places.where(one.path), one.message, one.hint) for one in faults(catalog)]
