"""Journeys: canvases for customer journeys in Python. The public names, such as `Canvas`, `Delay` and `Message`.

Importing this module is cheap: each name is loaded when it is used.
"""

TYPE_CHECKING = False  # type checkers read it as true; `typing` takes as long to import as a bare interpreter
__version__ = "0.1.0"

_WORDS = {
    "ActionPath": "canvas.steps",
    "ActionPaths": "canvas.steps",
    "AudiencePath": "canvas.steps",
    "AudiencePaths": "canvas.steps",
    "Canvas": "canvas.canvas",
    "Catalog": "canvas.catalogs",
    "CatalogField": "canvas.catalogs",
    "ContentBlock": "canvas.content_blocks",
    "Context": "canvas.steps",
    "Conversion": "canvas.canvas",
    "DecisionSplit": "canvas.steps",
    "Delay": "canvas.steps",
    "EmailTemplate": "canvas.definition_kinds",
    "EntryLimit": "canvas.entry_rules",
    "Exit": "canvas.canvas",
    "ExperimentControl": "canvas.steps",
    "ExperimentPath": "canvas.steps",
    "ExperimentPaths": "canvas.steps",
    "GlobalControl": "canvas.definition_kinds",
    "Increment": "canvas.steps",
    "LoggedEvent": "canvas.steps",
    "Message": "canvas.steps",
    "Reentry": "canvas.canvas",
    "Schedule": "canvas.canvas",
    "Segment": "canvas.definition_kinds",
    "SubscriptionGroup": "canvas.subscription_groups",
    "Selection": "canvas.catalogs",
    "SelectionFilter": "canvas.catalogs",
    "Sender": "canvas.definition_kinds",
    "Sending": "canvas.canvas",
    "UserUpdate": "canvas.steps",
    "Variable": "canvas.steps",
    "Variant": "canvas.canvas",
    "WebhookTemplate": "canvas.definition_kinds",
    "WorkspaceSettings": "canvas.definition_kinds",
    "attribute": "canvas.filter_builders",
    "bucket": "canvas.filter_builders",
    "consent": "canvas.filter_builders",
    "context": "canvas.filter_builders",
    "days": "canvas.times",
    "event": "canvas.filter_builders",
    "hours": "canvas.times",
    "identifier": "canvas.filter_builders",
    "message": "canvas.filter_builders",
    "minutes": "canvas.times",
    "person": "canvas.filter_builders",
    "purchase": "canvas.filter_builders",
    "seconds": "canvas.times",
    "segment": "canvas.filter_builders",
    "subscription": "canvas.filter_builders",
    "weeks": "canvas.times",
}

if TYPE_CHECKING:
    from journeys.canvas.canvas import Canvas, Conversion, Exit, Reentry, Schedule, Sending, Variant
    from journeys.canvas.catalogs import Catalog, CatalogField, Selection, SelectionFilter
    from journeys.canvas.content_blocks import ContentBlock
    from journeys.canvas.definition_kinds import (
        EmailTemplate,
        GlobalControl,
        Segment,
        Sender,
        WebhookTemplate,
        WorkspaceSettings,
    )
    from journeys.canvas.entry_rules import EntryLimit
    from journeys.canvas.filter_builders import (
        attribute,
        bucket,
        consent,
        context,
        event,
        identifier,
        message,
        person,
        purchase,
        segment,
        subscription,
    )
    from journeys.canvas.steps import (
        ActionPath,
        ActionPaths,
        AudiencePath,
        AudiencePaths,
        Context,
        DecisionSplit,
        Delay,
        ExperimentControl,
        ExperimentPath,
        ExperimentPaths,
        Increment,
        LoggedEvent,
        Message,
        UserUpdate,
        Variable,
    )
    from journeys.canvas.subscription_groups import SubscriptionGroup
    from journeys.canvas.times import days, hours, minutes, seconds, weeks

__all__ = [
    "ActionPath",
    "ActionPaths",
    "AudiencePath",
    "AudiencePaths",
    "Canvas",
    "Catalog",
    "CatalogField",
    "ContentBlock",
    "Context",
    "Conversion",
    "DecisionSplit",
    "Delay",
    "EmailTemplate",
    "EntryLimit",
    "Exit",
    "ExperimentControl",
    "ExperimentPath",
    "ExperimentPaths",
    "GlobalControl",
    "Increment",
    "LoggedEvent",
    "Message",
    "Reentry",
    "Schedule",
    "Segment",
    "Selection",
    "SelectionFilter",
    "Sender",
    "Sending",
    "SubscriptionGroup",
    "UserUpdate",
    "Variable",
    "Variant",
    "WebhookTemplate",
    "WorkspaceSettings",
    "attribute",
    "bucket",
    "consent",
    "context",
    "days",
    "event",
    "hours",
    "identifier",
    "message",
    "minutes",
    "person",
    "purchase",
    "seconds",
    "segment",
    "subscription",
    "weeks",
]


if not TYPE_CHECKING:  # a name that is not there is a mistake that a type checker finds

    def __getattr__(name: str) -> object:
        """Fetch a public word when it is asked for."""
        if name in _WORDS:
            from importlib import import_module

            return getattr(import_module(f"journeys.{_WORDS[name]}"), name)
        raise AttributeError(f"journeys has no {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
