"""What the routes of catalogs take and answer, as OpenAPI describes it: made of the names and limits by which they judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from journeys.api.operations import Answered, Asked
from journeys.canvas.catalogs import LONGEST, MOST_FILTERS, MOST_RESULTS, NAME, OPERATORS
from journeys.engine.sources.catalogs.items import MOST
from journeys.engine.sources.catalogs.requests import MOST_FIELDS, MOST_NEW_FIELDS

Name = Annotated[str, Field(min_length=1, max_length=LONGEST, pattern=f"^{NAME.pattern}$")]
Description = Annotated[str, Field(max_length=LONGEST)]
Type = Annotated[str, WithJsonSchema({"enum": list(OPERATORS)})]
Comparison = Annotated[
    str, WithJsonSchema({"enum": sorted({each for allowed in OPERATORS.values() for each in allowed})})
]


class FieldObject(BaseModel):
    """A field: its name, and the type of its values."""

    name: Name
    type: Type


class CatalogObject(BaseModel):
    """A catalog. The first field is `id`, of type string."""

    name: Name
    description: Description | None = None
    fields: Annotated[list[FieldObject], Field(min_length=1, max_length=MOST_FIELDS)]


class NewCatalog(Asked):
    """The one catalog that is made."""

    catalogs: Annotated[list[CatalogObject], Field(min_length=1, max_length=1)]


class Nothing(Asked):
    """Nothing but what the path says."""


class NewFields(Asked):
    """Fields that a catalog gets."""

    fields: Annotated[list[FieldObject], Field(min_length=1, max_length=MOST_NEW_FIELDS)]


class FilterObject(BaseModel):
    """A condition of a selection. The value is of the field's type, or Liquid that makes no calls."""

    field: str
    operator: Comparison
    value: Any


class SelectionObject(BaseModel):
    """A selection of items."""

    name: Name
    description: Description | None = None
    filters: Annotated[list[FilterObject], Field(max_length=MOST_FILTERS)] | None = None
    results_limit: Annotated[int, Field(ge=1, le=MOST_RESULTS)] | None = None
    sort_field: str | None = None
    sort_order: Literal["asc", "desc"] | None = None


class NewSelection(Asked):
    """A selection that a catalog gets."""

    selection: SelectionObject


Item = Annotated[dict[str, Any], Field(description="Values by field, each of the field's type.")]
Identified = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": f"^{NAME.pattern}$"}
            },
            "additionalProperties": True,
        }
    ),
]


class Several(Asked):
    """Items, each with its id."""

    items: Annotated[list[Identified], Field(min_length=1, max_length=MOST)]


class One(Asked):
    """The item; its id is in the path."""

    items: Annotated[list[Item], Field(min_length=1, max_length=1)]


class Page(Asked):
    """Which page of items; without it the first."""

    cursor: Annotated[str, Field(description="As `Link` gives it.")] | None = None


class DescribedCatalog(BaseModel):
    """A catalog with the number of its items."""

    name: str
    description: str
    fields: list[FieldObject]
    num_items: int
    updated_at: str


class Catalogs(Answered):
    """Catalogs."""

    message: Literal["success"] = "success"
    catalogs: list[DescribedCatalog]


class Items(Answered):
    """Items."""

    message: Literal["success"] = "success"
    items: list[Item]
