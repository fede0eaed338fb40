"""Reads an incomplete canvas: as much as possible of one that has problems, so that all are reported at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from journeys.canvas.canvas import Canvas, Variant
from journeys.canvas.problems import Problem, intended
from journeys.canvas.shape_problems import distinct, shape_problems, unknown_key
from journeys.canvas.source_positions import Path, Places
from journeys.canvas.steps import STEP_TYPES, AnyStep, Step
from journeys.canvas.steps.base import Branch

UNREAD = "unread"
STAND_INS: Mapping[str, Any] = {"name": UNREAD, "schedule": {"api": True}}
"""Stand-ins for required parts of a canvas."""

_STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
_LIST: TypeAdapter[tuple[Any, ...]] = TypeAdapter(tuple[Any, ...])
_Ways = Mapping[Path, tuple[Any, ...]]
"""The steps of the branches of a step, by where they are written in it."""


class Unread(Step):
    """Stands for a step that cannot be read. It may be of any type: it counts as one that sends, and leads on."""

    type: str = UNREAD
    """The step type, as it is written."""
    ways: Annotated[dict[str, Branch], Field(exclude=True)] = {}
    """The branches that could be read."""

    sends: ClassVar[bool] = True

    def branches(self) -> Mapping[str, Branch]:
        """See base class."""
        return self.ways


class _Shell(Canvas):
    """A canvas whose parts are read one by one, and that is looked at as a whole later."""

    def agree(self) -> None:
        """See above."""


def read_incomplete(body: Mapping[str, Any], places: Places) -> tuple[Canvas, list[Problem]]:
    """A canvas as far as it can be read, and everything that is wrong with its shape.

    What cannot be read is left out, or has a stand-in where something else may name it: so the checks that follow
    find what is wrong besides, and nothing that is not. A key that is nearly right is read as what it is meant to be.
    """
    reader = _Reader(body, places)
    canvas = reader.canvas()
    return canvas, distinct(reader.problems)


class _Reader:
    """Reads a canvas piece by piece, and gives keys that are nearly right their names on the way."""

    def __init__(self, body: Mapping[str, Any], places: Places) -> None:
        self._body, self._places = deepcopy(body), places
        self.problems: list[Problem] = []

    def canvas(self) -> Canvas:
        """The canvas."""
        given = self._meant(_Shell, self._body, ())
        steps = self._steps(given.pop("steps", []), ("steps",))
        several = given.pop("variants", [])
        raw = self._list(several, ("variants",))
        if not isinstance(several, list):  # whatever they are, they may have steps
            steps = (*steps, self._unread({}, {}))
        variants = self._weighed([self._variant(each, ("variants", place)) for place, each in enumerate(raw)])
        shell = self._read(_Shell, given, ()) or _Shell.model_validate(STAND_INS)
        parts = {name: getattr(shell, name) for name in Canvas.model_fields}
        canvas = Canvas.model_construct(**{**parts, "steps": steps, "variants": tuple(variants)})
        self._look(canvas.agree, ())
        return canvas

    def _weighed(self, variants: list[Variant]) -> list[Variant]:
        """The variants; one whose weight cannot be read has what the others leave."""
        wrong = {problem.where for problem in self.problems}
        for place, variant in enumerate(variants):
            path = ("variants", place, "weight")
            if variant.name.startswith(UNREAD) or self._places.where(path) in wrong:
                rest = 100 - sum(each.weight for each in variants) + variant.weight
                return [
                    *variants[:place],
                    variant.model_copy(update={"weight": rest}),
                    *variants[place + 1 :],
                ]
        return variants

    def _variant(self, raw: Any, path: Path) -> Variant:
        given = self._meant(Variant, raw, path)
        steps = self._steps(given.pop("steps", []), (*path, "steps"))
        found = self._read(Variant, given if isinstance(raw, Mapping) else raw, path)
        if found is None:
            return Variant.model_construct(name=f"{UNREAD}-{path[-1]}", weight=0, steps=steps)
        variant: Variant = found.model_copy(update={"steps": steps})
        self._look(variant.agree, path)
        return variant

    def _steps(self, raw: Any, path: Path) -> tuple[Any, ...]:
        found = tuple(self._step(each, (*path, place)) for place, each in enumerate(self._list(raw, path)))
        return found if isinstance(raw, list) else (self._unread({}, {}),)

    def _list(self, raw: Any, path: Path) -> list[Any]:
        if not isinstance(raw, list):
            self._report(lambda: _LIST.validate_python(raw), path)
        return raw if isinstance(raw, list) else []

    def _step(self, raw: Any, path: Path) -> Any:
        if not isinstance(raw, Mapping):
            self._report(lambda: _STEP.validate_python(raw), path)
            return self._unread({}, {})
        kind = STEP_TYPES.get(raw["type"]) if isinstance(raw.get("type"), str) else None
        if kind is None:
            ways = self._apart(given := dict(raw), path)
            named = {"type": raw["type"]} if "type" in raw else dict.fromkeys(raw)
            self._report(lambda: _STEP.validate_python(named), path)
            common = {name: value for name, value in given.items() if name in ("id", "then")}
            self._report(lambda: Step.model_validate({"type": UNREAD, **common}), path)
            return self._unread(given, ways)
        given = self._meant(kind, raw, path)
        ways = self._apart(given, path)
        step = self._read(kind, given, path)
        return self._unread(given, ways) if step is None else _joined(step, ways)

    def _apart(self, given: dict[str, Any], path: Path) -> _Ways:
        """Take the steps of its branches out of a step."""
        ways: dict[Path, tuple[Any, ...]] = {}
        for key in ("steps", "otherwise"):
            if isinstance(given.get(key), list):
                ways[key,] = self._steps(given[key], (*path, key))
                given[key] = []
        if isinstance(given.get("paths"), list):
            given["paths"] = list(given["paths"])
            for place, one in enumerate(given["paths"]):
                if isinstance(one, Mapping) and isinstance(one.get("steps"), list):
                    ways["paths", place] = self._steps(one["steps"], (*path, "paths", place, "steps"))
                    given["paths"][place] = {**one, "steps": []}
        return ways

    @staticmethod
    def _unread(given: Mapping[str, Any], ways: _Ways) -> Unread:
        def text(value: Any) -> Any:
            return value if isinstance(value, str) else None

        branches = {}
        for where, steps in ways.items():
            then = text(given["paths"][where[1]].get("then")) if where[0] == "paths" else None
            branches[str(where)] = Branch(steps, then, where)
        return Unread.model_construct(
            id=text(given.get("id")) or "", then=text(given.get("then")), ways=branches
        )

    # Reading a mapping -----------------------------------------------------------------------------------------

    def _meant(self, model: Any, raw: Any, path: Path) -> dict[str, Any]:
        """The keys of a mapping that its model has; those that are nearly right are renamed."""
        if not isinstance(raw, dict):
            return {}
        for key in [key for key in raw if key not in model.model_fields]:
            self.problems.append(unknown_key("canvas", self._body, (*path, key), self._places))
            near = intended(key, set(model.model_fields) - set(raw))
            if near is not None:
                raw[near] = raw.pop(key)
                self._places.rename((*path, key), (*path, near))
        return {key: value for key, value in raw.items() if key in model.model_fields}

    def _read(self, model: Any, given: Any, path: Path) -> Any:
        """The value, without the parts that cannot be read if it can do without; None where it cannot."""
        try:
            return model.model_validate(given)
        except ValidationError as error:
            self._told(error, path)
            kept = _kept(error, given)
        try:
            return model.model_validate(kept)
        except ValidationError:
            return None

    def _report(self, read: Callable[[], Any], path: Path) -> None:
        try:
            read()
        except ValidationError as error:
            self._told(error, path)

    def _told(self, error: ValidationError, path: Path) -> None:
        self.problems += shape_problems(error, "canvas", self._body, self._places, below=path)

    def _look(self, check: Callable[[], Any], path: Path) -> None:
        try:
            check()
        except PydanticCustomError as error:
            detail = InitErrorDetails(type=error, loc=(), input=None)
            self._told(ValidationError.from_exception_data("canvas", [detail]), path)


def _kept(error: ValidationError, given: Any) -> Any:
    """The parts of a mapping that are right, and stand-ins for those that must be there."""
    if not isinstance(given, Mapping):
        return given
    wrong: dict[str, set[Any]] = defaultdict(set)
    for detail in error.errors(include_url=False, include_input=False):
        loc = (*detail["loc"], *detail.get("ctx", {}).get("at", ()))
        wrong[str(loc[0]) if loc else ""].add(loc[1] if len(loc) > 1 else 0)
    kept = {name: value for name, value in given.items() if name not in wrong}
    kept |= {name: STAND_INS[name] for name in wrong if name in STAND_INS and error.title == _Shell.__name__}
    for name in {"conversions", "exits"} & set(wrong):
        several = given[name] if isinstance(given[name], list) else []
        right = {place: each for place, each in enumerate(several) if place not in wrong[name]}
        if name == "conversions":  # experiments ask for some, and how many there are is looked at later
            right |= {place: _conversion(place) for place in wrong[name]}
        kept[name] = [right[place] for place in sorted(right)]
    return kept


def _conversion(place: int) -> dict[str, Any]:
    return {"name": f"{UNREAD}-{place}", "event": UNREAD, "within": "1 day"}


def _joined(step: Any, ways: _Ways) -> Any:
    """A step with the steps of its branches."""
    changes: dict[str, Any] = {str(where[0]): steps for where, steps in ways.items() if len(where) == 1}
    if any(len(where) > 1 for where in ways):
        changes["paths"] = tuple(
            path.model_copy(update={"steps": ways["paths", place]}) if ("paths", place) in ways else path
            for place, path in enumerate(step.paths)
        )
    return step.model_copy(update=changes)
