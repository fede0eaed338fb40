"""Triggers on changes: of an attribute, of a consent; an address or number that is added; a person who is created.

They stand beside those on what people do, and are written in the same places: schedules, exits, action paths,
conversions.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import meant, shown, wrong

CHANGES = ("changes", "changes_to", "changes_from")
"""The words that say what changes."""

WORDS = ("attribute", *CHANGES, "consent", "identifier", "added", "person")
"""The keys of these triggers. Where none of them is said nothing is written, as before there were any."""

CONSENTED = ("opted_in", "subscribed", "unsubscribed")
"""The states of a consent."""


def _value(value: Any) -> Any:
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, date):
        return value.isoformat()
    hint = "name the part of an object that changes, as in attribute: loyalty.tier"
    raise wrong("J100", f"a change is to one value, or from one, not {shown(value)}", hint)


Value = Annotated[
    Any,
    BeforeValidator(_value),
    WithJsonSchema({"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]}),
]
"""What an attribute changes to or from; null stands for no value."""

AttributePath = Annotated[str, Field(min_length=1, max_length=500)]
Added = Literal["email", "phone"]


def said(owner: Any) -> list[str]:
    """The words of a change that the owner says."""
    given = owner.model_fields_set
    return [name for name in CHANGES if name in given and (name != "changes" or owner.changes)]


def check_change(owner: Any) -> None:
    """Raises where the words of a trigger on a change do not go together. `owner` has all WORDS, or some of them."""
    words = {name: getattr(owner, name, None) for name in WORDS}
    used = said(owner)
    subject = next((name for name in ("attribute", "consent") if words[name] is not None), None)
    if subject is None and used:
        message = f"`{used[0]}` says how an attribute or a consent changes, and none is named"
        raise wrong("J104", message, "write attribute: plan beside it", at=used[:1])
    if subject is not None and not used:
        an = {"attribute": "an attribute", "consent": "a consent"}[subject]
        hint = "write changes: true, changes_to: pro, or changes_from: free"
        raise wrong("J104", f"a trigger on {an} says how it changes", hint, at=(subject,))
    if "changes" in used and len(used) > 1:
        message = f"`changes` is any change, and `{used[1]}` a certain one"
        raise wrong("J104", message, "remove changes", at=("changes",))
    if words["attribute"] is not None and "[" in words["attribute"]:
        message = "a change within a list cannot be listened to"
        raise wrong("J100", message, "name an attribute, or a part of an object", at=("attribute",))
    if words["consent"] is not None:
        for name in used:
            if name != "changes" and words[name] not in CONSENTED:
                raise wrong(
                    "J103",
                    f"{shown(words[name])} is not allowed for “{name}”",
                    meant(str(words[name]), CONSENTED),
                    at=(name,),
                )
    if words["identifier"] is not None and not words["added"]:
        raise wrong(
            "J104", "an identifier is listened to as it is added", "write added: true", at=("identifier",)
        )
    if words["added"] and words["identifier"] is None:
        raise wrong(
            "J104", "`added` is said of an identifier", "write identifier: email beside it", at=("added",)
        )


def without_unsaid(owner: Any, written: dict[str, Any]) -> dict[str, Any]:
    """What is written of an owner of these words: those that it says, with a `null` that it says, and no other."""
    nulls = {"changes_to", "changes_from"} & owner.model_fields_set
    words = {name: written[name] for name in WORDS if written.get(name) is not None}
    words |= {name: None for name in WORDS if name in nulls and name not in words}
    return {**words, **{name: value for name, value in written.items() if name not in WORDS}}


class _Changing(Frozen):
    """What the triggers on changes of a value have in common."""

    changes: Literal[True] | None = None
    """Any change; the first value counts, and so does the loss of the last."""
    changes_to: Value = None
    """It is this now, and was not before; `null`: it has no value any more."""
    changes_from: Value = None
    """It was this, and is not any more; `null`: it had no value before."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        check_change(self)
        return self

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_unsaid(self, handler(self))


class AttributeTrigger(_Changing):
    """The value of an attribute becomes another (TRK-9): any, or to or from a certain one. Not within lists."""

    attribute: AttributePath
    """The attribute, standard or custom; `a.b` leads into objects."""


class ConsentTrigger(_Changing):
    """The state of the person on a channel becomes another. Who said nothing is subscribed (SUB-1)."""

    consent: Literal["email", "push"]
    """The channel."""


class IdentifierTrigger(Frozen):
    """An e-mail address or a phone number is added: one that the person did not have."""

    identifier: Added
    """`email` or `phone`."""
    added: Literal[True]
    """It is added."""


class PersonTrigger(Frozen):
    """A person is created."""

    person: Literal["created"]
    """`created`."""


ChangeTrigger = AttributeTrigger | ConsentTrigger | IdentifierTrigger | PersonTrigger
CHANGE_TRIGGERS: dict[str, type[Any]] = {
    "attribute": AttributeTrigger,
    "consent": ConsentTrigger,
    "identifier": IdentifierTrigger,
    "person": PersonTrigger,
}
"""The triggers on changes, each by its subject."""


def change_trigger(owner: Any) -> ChangeTrigger | None:
    """The trigger on a change that is written out in a schedule, an exit or a conversion; None where none is."""
    words = {name: getattr(owner, name) for name in said(owner)}
    if owner.attribute is not None:
        return AttributeTrigger(attribute=owner.attribute, **words)
    if owner.consent is not None:
        return ConsentTrigger(consent=owner.consent, **words)
    if owner.identifier is not None:
        return IdentifierTrigger(identifier=owner.identifier, added=True)
    return None if owner.person is None else PersonTrigger(person=owner.person)
