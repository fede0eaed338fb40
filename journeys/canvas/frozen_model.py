"""The base model of all values of the language: frozen, without unknown keys, equal by content."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from journeys.canvas.problems import wrong

if TYPE_CHECKING:
    Many = Sequence
else:

    class Many:
        """The type of a field with several values: any sequence is taken, and kept as a tuple."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return tuple[kind, ...]


class Frozen(BaseModel):
    """A value of the language."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


def not_yet(*values: Any) -> BeforeValidator:
    """Refuse these values of a field, which a later version brings."""

    def check(value: Any, info: ValidationInfo) -> Any:
        if any(value == each for each in values):
            said = str(value).lower()
            raise wrong("J108", f"`{info.field_name}: {said}` is not supported yet", "remove it")
        return value

    return BeforeValidator(check)


def _absent(value: Any, info: ValidationInfo) -> None:
    if value is not None:
        raise wrong("J108", f"`{info.field_name}` is not supported yet", "remove it")


Later = Annotated[None, BeforeValidator(_absent)]
"""The type of a field that a later version brings."""


def is_liquid(value: Any) -> bool:
    """Whether a value is a text with anything to render in it."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def texts(value: Any, where: tuple[str | int, ...]) -> dict[tuple[str | int, ...], str]:
    """All texts within a value, each by its path."""
    if isinstance(value, str):
        return {where: value}
    found: dict[tuple[str | int, ...], str] = {}
    if isinstance(value, Mapping):
        for name, part in value.items():
            found.update(texts(part, (*where, name)))
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            found.update(texts(part, (*where, place)))
    return found
