"""`/email` and `/sms`: which addresses are unsubscribed or do not exist, and what is said of them (EML-1 to EML-7)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from journeys.api.operations import (
    Answered,
    Asked,
    Operation,
    Texts,
    kept_addresses,
    kept_numbers,
    said,
)
from journeys.api.services import Services
from journeys.canvas.written_instants import instant
from journeys.engine.intake.address_calls import block, remove_bounces, remove_spam, set_states
from journeys.engine.people.addresses import Asked as Wanted
from journeys.engine.people.addresses import bounced_addresses, unsubscribed_addresses
from journeys.engine.workspaces.api_keys import Key

EMAILS = "'email' is required"
NUMBERS = "'phone_numbers' is required"
MOST_LISTED = 500


def _instant(value: Any) -> Any:
    """A date, which is its midnight in UTC, or an instant."""
    found = instant(value) if isinstance(value, str) else None
    if found is None:
        raise said(f"'{str(value)[:40]}' must be a date such as 2026-12-31")
    return found


Day = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "examples": ["2026-12-31"]})
]


class Listed(Asked):
    """Which page of a list is asked for: what happened between two instants, both included."""

    start_date: Day | None = None
    end_date: Day | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 100
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


class ListEmails(Listed):
    """Which addresses are listed: these, whatever the dates say, or those between two dates."""

    email: Texts = []
    sort_direction: Literal["asc", "desc"] = "desc"

    @model_validator(mode="after")
    def _something(self) -> ListEmails:
        if not self.email and (self.start_date is None or self.end_date is None):
            raise said("'email', or 'start_date' and 'end_date', is required")
        return self


class ListNumbers(Listed):
    """Which numbers are listed: these, whatever the dates say, or those between two dates."""

    phone_numbers: Texts = []

    @model_validator(mode="after")
    def _something(self) -> ListNumbers:
        if not self.phone_numbers and (self.start_date is None or self.end_date is None):
            raise said("'phone_numbers', or 'start_date' and 'end_date', is required")
        return self


class Bounced(BaseModel):
    """An address that does not exist, and since when that is known."""

    model_config = ConfigDict(frozen=True)
    email: str
    hard_bounced_at: str


class HardBounces(Answered):
    """A page of addresses that do not exist, the latest first."""

    emails: list[Bounced]


class Unsubscribed(BaseModel):
    """An address that is unsubscribed, and since when."""

    model_config = ConfigDict(frozen=True)
    email: str
    unsubscribed_at: str


class Unsubscribes(Answered):
    """A page of addresses that are unsubscribed now."""

    emails: list[Unsubscribed]


class Invalid(BaseModel):
    """A number to which nothing can be sent, and since when that is known."""

    model_config = ConfigDict(frozen=True)
    phone: str
    invalid_detected_at: str


class InvalidNumbers(Answered):
    """A page of numbers to which nothing can be sent, the latest first."""

    sms: list[Invalid]


class Emails(Asked):
    """Of which addresses something is said."""

    email: Annotated[Texts, Field(min_length=1)]


class EmailStatus(Emails):
    """The consent of addresses to e-mail."""

    subscription_state: Literal["opted_in", "subscribed", "unsubscribed"]


class Numbers(Asked):
    """Of which numbers something is said."""

    phone_numbers: Annotated[Texts, Field(min_length=1)]


def _wanted(asked: Listed, these: list[str], *, ascending: bool = False) -> Wanted:
    """Addresses come before dates (EML-1)."""
    between = (None, None) if these else (asked.start_date, asked.end_date)
    return Wanted(
        addresses=these or None,
        since=between[0],
        until=between[1],
        limit=asked.limit,
        offset=asked.offset,
        ascending=ascending,
    )


async def hard_bounces(services: Services, key: Key, asked: ListEmails) -> HardBounces:
    """The addresses that do not exist (EML-1)."""
    wanted = _wanted(asked, kept_addresses(asked.email))
    found = await bounced_addresses(services.db.pool, key.workspace, "email", wanted)
    return HardBounces(
        emails=[Bounced(email=address, hard_bounced_at=at.isoformat()) for address, at in found]
    )


async def unsubscribes(services: Services, key: Key, asked: ListEmails) -> Unsubscribes:
    """The addresses that are unsubscribed now (EML-2)."""
    ascending = asked.sort_direction == "asc"
    wanted = _wanted(asked, kept_addresses(asked.email), ascending=ascending)
    found = await unsubscribed_addresses(services.db.pool, key.workspace, wanted)
    return Unsubscribes(
        emails=[Unsubscribed(email=address, unsubscribed_at=at.isoformat()) for address, at in found]
    )


async def invalid_numbers(services: Services, key: Key, asked: ListNumbers) -> InvalidNumbers:
    """The numbers to which nothing can be sent (EML-7)."""
    wanted = _wanted(asked, kept_numbers(asked.phone_numbers))
    found = await bounced_addresses(services.db.pool, key.workspace, "sms", wanted)
    return InvalidNumbers(
        sms=[Invalid(phone=number, invalid_detected_at=at.isoformat()) for number, at in found]
    )


async def set_status(services: Services, key: Key, asked: EmailStatus) -> Answered:
    """Set the consent of addresses (EML-5)."""
    addresses, now = kept_addresses(asked.email), services.clock.now()
    publication = await services.published.of(key.workspace)
    await set_states(services.db, publication, addresses, asked.subscription_state, now)
    return Answered()


async def blocklist(services: Services, key: Key, asked: Emails) -> Answered:
    """Put addresses on the block list (EML-6)."""
    publication = await services.published.of(key.workspace)
    await block(services.db, publication, kept_addresses(asked.email), services.clock.now())
    return Answered()


async def bounce_remove(services: Services, key: Key, asked: Emails) -> Answered:
    """Let addresses be sent to again (EML-3)."""
    addresses, now = kept_addresses(asked.email), services.clock.now()
    await remove_bounces(services.db, key.workspace, "email", addresses, now)
    return Answered()


async def spam_remove(services: Services, key: Key, asked: Emails) -> Answered:
    """Take spam marks away (EML-4)."""
    await remove_spam(services.db, key.workspace, kept_addresses(asked.email), services.clock.now())
    return Answered()


async def numbers_remove(services: Services, key: Key, asked: Numbers) -> Answered:
    """Let numbers be sent to again (EML-7)."""
    numbers, now = kept_numbers(asked.phone_numbers), services.clock.now()
    await remove_bounces(services.db, key.workspace, "sms", numbers, now)
    return Answered()


def _list(path: str, summary: str, permission: str, asks: Any, answers: Any, work: Any) -> Operation[Any]:
    return Operation(
        method="GET", path=path, summary=summary, permission=permission, asks=asks, answers=answers, work=work
    )


def _say(path: str, summary: str, permission: str, asks: Any, work: Any) -> Operation[Any]:
    return Operation(
        method="POST",
        path=path,
        summary=summary,
        permission=permission,
        asks=asks,
        answers=Answered,
        work=work,
        status=201,
    )


BLOCK = "Unsubscribe addresses, and send nothing to them any more"
OPERATIONS = (
    _list("/email/hard_bounces", "The addresses that do not exist", "email.hard_bounces", ListEmails, HardBounces, hard_bounces),
    _list("/email/unsubscribes", "The addresses that are unsubscribed", "email.unsubscribe", ListEmails, Unsubscribes, unsubscribes),
    _say("/email/status", "Set the consent of addresses", "email.status", EmailStatus, set_status),
    _say("/email/bounce/remove", "Let addresses be sent to again", "email.bounce.remove", Emails, bounce_remove),
    _say("/email/spam/remove", "Take spam marks of addresses away", "email.spam.remove", Emails, spam_remove),
    _say("/email/blocklist", BLOCK, "email.blacklist", Emails, blocklist),
    _say("/email/blacklist", BLOCK, "email.blacklist", Emails, blocklist),
    _list("/sms/invalid_phone_numbers", "The numbers to which nothing can be sent", "sms.invalid_phone_numbers", ListNumbers, InvalidNumbers, invalid_numbers),
    _say("/sms/invalid_phone_numbers/remove", "Let numbers be sent to again", "sms.invalid_phone_numbers.remove", Numbers, numbers_remove),
)  # fmt: skip
