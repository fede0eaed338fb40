"""Reads catalogs, fields and selections from the JSON of API calls. Errors come as faults (CAT-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from journeys.canvas.catalogs import (
    MOST_FILTERS,
    MOST_RESULTS,
    OPERATORS,
    Catalog,
    CatalogField,
    Fault,
    Selection,
    SelectionFilter,
    faults,
    field_name_faults,
    selection_faults,
)
from journeys.canvas.frozen_model import is_liquid
from journeys.canvas.problems import meant
from journeys.engine.content import TemplateError, compile
from journeys.engine.sources.catalogs.values import LONGEST_VALUE, Refused, coerced

MOST_FIELDS = 500
"""The maximum number of fields of a catalog that is created by API (D9)."""

MOST_NEW_FIELDS = 50


class Invalid(Exception):
    """A call that cannot be carried out; nothing of it is done."""

    def __init__(self, *wrongs: Fault, status: int = 400) -> None:
        self.faults, self.status = wrongs, status
        super().__init__("; ".join(fault.message for fault in wrongs))


def refuse(wrongs: Iterable[Fault]) -> None:
    """Raises `Invalid` where something is wrong."""
    found = tuple(wrongs)
    if found:
        raise Invalid(*found)


def unknown_catalog(name: str) -> Invalid:
    """There is no such catalog: 404."""
    fault = Fault("catalog-not-found", f"there is no catalog “{name}”", ("catalog_name",), (name,))
    return Invalid(fault, status=404)


def catalog_of(body: Mapping[str, Any]) -> Catalog:
    """The one catalog of a call. Raises `Invalid`."""
    given = body.get("catalogs")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise Invalid(
            Fault("catalog-array-invalid", "'catalogs' must be an array of one object", ("catalogs",))
        )
    if len(given) > 1:
        raise Invalid(Fault("too-many-catalog-atoms", "a call creates one catalog", ("catalogs",)))
    [one] = given
    name, description = one.get("name"), one.get("description")
    if not isinstance(name, str):
        raise Invalid(Fault("invalid-catalog-name", "'name' must be a string", ("name",), (name,)))
    if not isinstance(description, str | None):
        raise Invalid(Fault("description-too-long", "'description' must be a string", ("description",)))
    catalog = Catalog(name=name, description=description or "", fields=fields_of(one.get("fields")))
    refuse(faults(catalog, MOST_FIELDS))  # D9
    return catalog


def fields_of(given: Any) -> tuple[CatalogField, ...]:
    """The fields of a call. Raises `Invalid`."""
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise Invalid(
            Fault("invalid-fields", "'fields' must be an array of objects with name and type", ("fields",))
        )
    if len(given) > MOST_FIELDS:  # D9
        raise Invalid(Fault("too-many-fields", f"a catalog has at most {MOST_FIELDS} fields", ("fields",)))
    for each in given:
        if not isinstance(each.get("name"), str):
            said = "each field has a 'name', which is a string"
            raise Invalid(Fault("invalid-field-names", said, ("name",), (each.get("name"),)))
        if not isinstance(each.get("type"), str) or each["type"] not in OPERATORS:
            said = f"the field “{each['name'][:60]}” has no type: {', '.join(OPERATORS)}"
            raise Invalid(
                Fault("invalid-field-types", said, ("name", "type"), (each["name"], each.get("type")))
            )
    return tuple(CatalogField(name=each["name"], type=each["type"]) for each in given)


def new_fields_of(body: Mapping[str, Any], known: Mapping[str, str]) -> tuple[CatalogField, ...]:
    """Fields that a catalog is to have beside those that it has. Raises `Invalid`."""
    fields = fields_of(body.get("fields"))
    if len(fields) > MOST_NEW_FIELDS:
        said = f"a call adds at most {MOST_NEW_FIELDS} fields"
        raise Invalid(Fault("request-includes-too-many-fields", said, ("fields",)))
    refuse(field_name_faults(fields))
    twice = tuple(each.name for each in fields if each.name in known)  # CAT-1
    if twice:
        said = f"the catalog already has the field “{twice[0]}”"
        raise Invalid(Fault("field-names-not-unique", said, ("name",), twice))
    if len(known) + len(fields) > MOST_FIELDS:  # D9
        said = f"a catalog has at most {MOST_FIELDS} fields"
        raise Invalid(Fault("catalog-exceeds-fields-limit", said, ("fields",)))
    return fields


def selection_of(body: Mapping[str, Any], types: Mapping[str, str]) -> Selection:
    """The selection of a call, for a catalog whose fields have these types. Raises `Invalid`."""
    given = body.get("selection", body)
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise Invalid(
            Fault("invalid-selection", "'selection' must be an object with a 'name'", ("selection",))
        )
    filters = given.get("filters") or []
    if not isinstance(filters, list):
        raise Invalid(
            Fault("selection-has-invalid-filter", "'filters' must be an array of objects", ("filters",))
        )
    if len(filters) > MOST_FILTERS:
        said = f"a selection has at most {MOST_FILTERS} filters"
        raise Invalid(Fault("too-many-filters", said, ("filters",)))
    limit = given.get("results_limit")
    limit = MOST_RESULTS if limit is None else limit
    if isinstance(limit, bool) or not isinstance(limit, int):
        said = f"results_limit is a number from 1 to {MOST_RESULTS}"
        raise Invalid(Fault("selection-invalid-results-limit", said, ("results_limit",), (limit,)))
    order, field = given.get("sort_order"), given.get("sort_field")
    if order not in ("asc", "desc", None):
        raise Invalid(Fault("invalid-sort-order", "sort_order is asc or desc", ("sort_order",), (order,)))
    if not isinstance(field, str | None):
        raise Invalid(Fault("invalid-sort-field", "'sort_field' must be a string", ("sort_field",), (field,)))
    if not isinstance(given.get("description"), str | None):
        raise Invalid(Fault("invalid-selection", "'description' must be a string", ("description",)))
    selection = Selection(
        name=given["name"],
        description=given.get("description") or "",
        filters=tuple(_filter(each) for each in filters),
        results_limit=limit,
        sort_field=field,
        sort_order=order,
    )
    refuse([*selection_faults(selection, types), *value_faults(selection, types)])
    return selection


def _filter(given: Any) -> SelectionFilter:
    try:
        return SelectionFilter.model_validate(given)
    except ValidationError as error:
        said = "a filter has a field, an operator and a value"
        operator = given.get("operator") if isinstance(given, dict) else None
        if isinstance(operator, str):
            known = {each for allowed in OPERATORS.values() for each in allowed}
            said = f"{said}; “{operator[:60]}”: {meant(operator, known)}" if operator not in known else said
        raise Invalid(Fault("selection-has-invalid-filter", said, ("filters",))) from error


def value_faults(selection: Selection, types: Mapping[str, str]) -> list[Fault]:
    """What is wrong with the values of a selection's filters: their Liquid makes no calls and parses (K5)."""
    wrongs = []
    for place, each in enumerate(selection.filters):
        said = _value_fault(each, types.get(each.field))
        if said is not None:
            path = ("filters", place, "value")
            wrongs.append(Fault("selection-has-invalid-filter", said, ("field",), (each.field,), path))
    return wrongs


def _value_fault(each: SelectionFilter, type_: str | None) -> str | None:
    if isinstance(each.value, str) and len(each.value) > LONGEST_VALUE:
        return f"the value of “{each.field}” has more than {LONGEST_VALUE} characters"
    if is_liquid(each.value):  # it is evaluated for every message
        try:
            template = compile(str(each.value))
        except TemplateError as error:
            return f"the value of “{each.field}” cannot be read: {error}"
        # K5
        return (
            f"the value of “{each.field}” makes calls, which filters may not do"
            if template.needs_async
            else None
        )
    if type_ in ("number", "boolean", "time"):
        try:
            coerced(type_, each.value)
        except Refused as refused:
            return f"the value of “{each.field}”: {refused.message}"
    return None
