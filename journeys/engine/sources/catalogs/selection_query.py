"""Runs selections as SQL of fixed parts; all values are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeys.canvas.catalogs import Selection
from journeys.engine.sources.catalogs.values import Refused, coerced

CONDITIONS: Mapping[tuple[str, str], str] = {
    ("string", "equals"): "payload -> {field} = {value}",
    ("string", "does not equal"): "payload -> {field} is distinct from {value}",
    ("number", "equals"): "payload -> {field} = {value}",
    ("number", "does not equal"): "payload -> {field} is distinct from {value}",
    ("number", "greater than"): "payload -> {field} > {value}",
    ("number", "less than"): "payload -> {field} < {value}",
    ("boolean", "is"): "payload -> {field} = {value}",
    ("time", "before"): "(payload ->> {field}) collate \"C\" < {value} #>> '{{}}'",
    ("time", "after"): "(payload ->> {field}) collate \"C\" > {value} #>> '{{}}'",
    ("array", "includes value"): "payload -> {field} @> {value}",
    ("array", "does not include value"): "not coalesce(payload -> {field} @> {value}, false)",
}
"""By type and operator. Values of one field are of one type, so that comparing them as JSON compares them as such."""

ELEMENTS = {"array": "string"}


class NoAnswer(Exception):
    """A filter's value cannot be compared with its field: no item matches."""


def question(
    selection: Selection, types: Mapping[str, str], values: Mapping[int, Any], workspace: int, catalog: str
) -> tuple[str, list[Any]]:
    """The statement and its parameters. `values`: those of the filters, by place, where they are Liquid.

    Raises `NoAnswer`.
    """
    parameters: list[Any] = [workspace, catalog]

    def parameter(value: Any, type_: str) -> str:
        parameters.append(value)
        return f"${len(parameters)}::{type_}"

    conditions = ["workspace = $1", "catalog = $2"]
    for place, each in enumerate(selection.filters):
        type_ = types.get(each.field, "")
        form = CONDITIONS.get((type_, each.operator))
        if form is None:
            raise NoAnswer(f"the catalog has no field “{each.field}” of that type")
        try:
            value = coerced(ELEMENTS.get(type_, type_), values.get(place, each.value))
        except Refused as refused:
            raise NoAnswer(refused.message) from refused
        if value == "" and place in values:
            raise NoAnswer(f"the value of “{each.field}” is empty")
        # CAT-5
        conditions.append(form.format(field=parameter(each.field, "text"), value=parameter(value, "jsonb")))
    order = "random()"  # CAT-5
    if selection.sort_field is not None:
        field = parameter(selection.sort_field, "text")
        key = f'(payload ->> {field}) collate "C"'
        if types.get(selection.sort_field) in ("number", "boolean"):
            key = f"payload -> {field}"
        order = f"{key} {'desc' if selection.sort_order == 'desc' else 'asc'} nulls last, id"  # CAT-5
    limit = parameter(selection.results_limit, "int")  # CAT-5, K3
    where = " and ".join(conditions)
    return f"select payload from catalog_items where {where} order by {order} limit {limit}", parameters  # noqa: S608 - fixed parts
