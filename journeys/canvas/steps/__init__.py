"""The step types, one file each. The entry points of the group `journeys.steps` list them.

Ours are named here as well, so that the language is there without an installation; third parties add theirs by an
entry point.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag

from journeys.canvas.installed_packages import load_all
from journeys.canvas.problems import foreign_character, meant, misspelt, shown, wrong
from journeys.canvas.steps.action_paths import ActionPath, ActionPaths
from journeys.canvas.steps.audience_paths import AudiencePath, AudiencePaths
from journeys.canvas.steps.base import Branch, Here, Step
from journeys.canvas.steps.context import Context, Variable
from journeys.canvas.steps.decision_split import DecisionSplit
from journeys.canvas.steps.delay import Delay
from journeys.canvas.steps.experiment_paths import ExperimentControl, ExperimentPath, ExperimentPaths
from journeys.canvas.steps.message import Message
from journeys.canvas.steps.user_update import Increment, LoggedEvent, UserUpdate

OURS: tuple[type[Step], ...] = (
    Message,
    Delay,
    DecisionSplit,
    AudiencePaths,
    ActionPaths,
    ExperimentPaths,
    Context,
    UserUpdate,
)

LATER = ("feature_flag", "send_to_canvas", "audience_sync", "repeat")
"""Step types that a later version brings."""


def _all() -> dict[str, type[Step]]:
    found = {kind.model_fields["type"].default: kind for kind in OURS}
    others = {name: kind for name, kind in load_all("journeys.steps").items() if name not in found}
    return found | others


STEP_TYPES: Mapping[str, type[Step]] = _all()
"""Every step type by its name."""


def _type_of(value: Any) -> str:
    return value.type if isinstance(value, Step) else str(value["type"])


def _known(value: Any) -> Any:
    """Refuse what is no step of a known type, before the type decides which model reads it."""
    if isinstance(value, Step):
        return value
    if not isinstance(value, Mapping):
        raise wrong(
            "J100",
            f"a step is a mapping with a type and an id, not {shown(value)}",
            "write - {type: delay, id: …}",
        )
    name = value.get("type")
    if isinstance(name, str) and name in STEP_TYPES:
        return value
    if isinstance(name, str) and name in LATER:
        raise wrong("J108", f"the step type “{name}” is not supported yet", at=("type",))
    written = misspelt("type", value) if name is None else None
    if written is not None:
        hint = f"did you mean “type”?{foreign_character(written)}"
        raise wrong("J101", f"there is no key “{written}” here", hint, at=(written,))
    if name is None:
        raise wrong("J102", "the step has no type", f"one of {', '.join(STEP_TYPES)}")
    raise wrong("J105", f"there is no step type {shown(name)}", meant(str(name), STEP_TYPES), at=("type",))


if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[
        reduce(or_, (Annotated[kind, Tag(name)] for name, kind in STEP_TYPES.items())),
        Discriminator(_type_of),
        BeforeValidator(_known),
    ]
    for _model in (ActionPath, AudiencePath, ExperimentPath, *STEP_TYPES.values()):
        _model.model_rebuild(force=True, _types_namespace={"AnyStep": AnyStep})

__all__ = [
    "STEP_TYPES",
    "ActionPath",
    "ActionPaths",
    "AnyStep",
    "AudiencePath",
    "AudiencePaths",
    "Branch",
    "Context",
    "DecisionSplit",
    "Delay",
    "ExperimentControl",
    "ExperimentPath",
    "ExperimentPaths",
    "Here",
    "Increment",
    "LoggedEvent",
    "Message",
    "Step",
    "UserUpdate",
    "Variable",
]
