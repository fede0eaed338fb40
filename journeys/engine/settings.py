"""Settings of a process: each is a variable of the environment, or the content of the file that `…_FILE` names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

BY_FILE = "_FILE"
"""What follows the name of a variable in the name of the one that says in which file its value stands."""


class WrongFile(ValueError):
    """A file of a setting cannot be read, or the setting is given twice."""


class _Files(PydanticBaseSettingsSource):
    """Reads the settings whose files are named."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """See base class."""
        text = _in_file(variable_of(self.settings_cls, field_name))
        return (None, field_name, False) if text is None else (text, _key(field, field_name), False)

    def __call__(self) -> dict[str, Any]:
        """See base class."""
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}


def _in_file(variable: str) -> str | None:
    """The text of the file that is named for a variable; None where none is. Raises `WrongFile`."""
    place = os.environ.get(variable + BY_FILE)
    if place is None:
        return None
    if variable in os.environ:
        raise WrongFile(f"both {variable} and {variable}{BY_FILE} are set: unset one of them")
    try:
        return Path(place).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8"
        raise WrongFile(f"{variable}{BY_FILE}: {place} cannot be read: {said}") from error


def text_of(variable: str) -> str | None:
    """What is written for a variable, in the environment or in its file; None where nothing is. Raises `WrongFile`."""
    text = _in_file(variable)
    return os.environ.get(variable) if text is None else text


def _key(field: FieldInfo, name: str) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name


class Environment(BaseSettings):
    """Settings from the environment. Raises pydantic's ValidationError, and `WrongFile`.

    A setting without a value that it could do without is refused by its name. Each has a `description`, and a unit where
    it is a number: `Field(default=60, description="…", json_schema_extra={"unit": "seconds"})`.
    """

    model_config = SettingsConfigDict(env_prefix="JOURNEYS_", extra="ignore", populate_by_name=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """See base class."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _Files(settings_cls)

    def said(self, field: str) -> Any:
        """The value of a field that somebody has set; None where it is left to its default, or is empty."""
        return (getattr(self, field) or None) if field in self.model_fields_set else None


def variable_of(settings: type[BaseSettings], field: str) -> str:
    """The name of the variable of a field."""
    alias = settings.model_fields[field].validation_alias
    if isinstance(alias, str):
        return alias
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting: its variable, what it is for, its default as it would be written (None: it has none), and its unit."""

    name: str
    description: str
    default: str | None
    needed: bool
    unit: str
    secret: bool
    settings: type[Environment]
    field: str

    def source(self, environment: Mapping[str, str]) -> str:
        """Where its value comes from: `environment`, `file PATH`, `default`, or `nowhere` for one that is needed."""
        if self.name in environment:
            return "environment"
        if self.name + BY_FILE in environment:
            return f"file {environment[self.name + BY_FILE]}"
        return "nowhere" if self.needed else "default"


def variables_of(settings: type[Environment]) -> Iterable[Variable]:
    """The variables of a class, in its order."""
    for name, field in settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
        yield Variable(
            name=variable_of(settings, name),
            description=field.description or "",
            default=_written(field.default),
            needed=field.is_required(),
            unit=str(extra.get("unit", "")),
            secret="Secret" in str(field.annotation) or bool(extra.get("secret")),
            settings=settings,
            field=name,
        )


def every_class() -> Iterable[type[Environment]]:
    """All classes of settings that are loaded."""
    waiting = list(Environment.__subclasses__())
    while waiting:
        settings = waiting.pop()
        waiting += settings.__subclasses__()
        yield settings


def every_variable() -> list[Variable]:
    """The variables of all classes that are loaded, by name; of two for one name, the one that is not needed."""
    found: dict[str, Variable] = {}
    for settings in every_class():
        for variable in variables_of(settings):
            if variable.name not in found or not variable.needed:
                found[variable.name] = variable
    return [found[name] for name in sorted(found)]


def _written(value: Any) -> str | None:
    if value is None or value is PydanticUndefined:
        return None
    if isinstance(value, SecretStr | SecretBytes):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or None
