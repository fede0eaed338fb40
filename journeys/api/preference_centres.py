"""`/preference_center/v1`: the pages on which people say what they want to hear (PFC-1)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from journeys.api.operations import Answered, Asked, Operation, said
from journeys.api.rate_limits import PREFERENCES, PREFERENCES_CHANGED
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.canvas.subscription_groups import SubscriptionGroup
from journeys.engine.content import problems
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.delivery.tracking_links import PreferenceLink
from journeys.engine.large_requests import apart
from journeys.engine.people.identity import Identifier, find
from journeys.engine.workspaces import preference_centres
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.preference_centres import Centre, UnknownField, with_fields

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
TAKEN = "a preference centre with this 'name' already exists"


def _name(given: str) -> str:
    if not NAME.fullmatch(given):
        raise said("'name' must have letters, digits, '-' and '_' only, at most 100")
    return given


Html = Annotated[str, Field(min_length=1, max_length=256 * 1024)]
State = Literal["active", "draft"]


class MakeCentre(Asked):
    """A new preference centre: two pages of HTML with Liquid."""

    name: Annotated[str, AfterValidator(_name)]
    """Its name, which stays; messages link to it by `{{preference_center.${name}}}`."""
    preference_center_title: Annotated[str, Field(max_length=500)] = ""
    preference_center_page_html: Html
    confirmation_page_html: Html
    state: State = "active"
    """A draft is not shown."""


class EditCentre(Asked):
    """What is to be another of a preference centre; what is left out stays."""

    centre: SkipJsonSchema[str] = ""
    preference_center_title: Annotated[str, Field(max_length=500)] | None = None
    preference_center_page_html: Html | None = None
    confirmation_page_html: Html | None = None
    state: State | None = None


class OfCentre(Asked):
    """Which preference centre is meant."""

    centre: SkipJsonSchema[str] = ""


class OfPerson(OfCentre):
    """Whose page of which preference centre is meant."""

    person: SkipJsonSchema[str] = ""


class Made(Answered):
    """A preference centre that was made or changed."""

    preference_center_api_id: str
    liquid_tag: str
    created_at: str
    updated_at: str


class Named(BaseModel):
    """A preference centre on the list."""

    model_config = ConfigDict(frozen=True)
    name: str
    preference_center_api_id: str
    created_at: str
    updated_at: str


class Centres(Answered):
    """The preference centres."""

    preference_centers: list[Named]


class Described(Answered):
    """A preference centre, whole."""

    name: str
    preference_center_api_id: str
    created_at: str
    updated_at: str
    preference_center_title: str
    preference_center_page_html: str
    confirmation_page_html: str
    state: State


class Address(Answered):
    """The address of a person's page."""

    preference_center_url: str


def _faults(name: str, source: str, groups: dict[str, SubscriptionGroup]) -> None:
    """Raises `Refusal` where a page cannot be read, or names a field that there is not."""
    try:
        page, _ = with_fields(source, groups)
    except UnknownField as error:
        raise Refusal(400, f"'{name}': {error}") from None
    for one in problems(page):
        raise Refusal(400, f"'{name}' contains malformed liquid: line {one.line}: {one.message}")


async def _check(services: Services, key: Key, asked: MakeCentre | EditCentre) -> None:
    groups = dict((await services.published.of(key.workspace)).groups)
    for name in ("preference_center_page_html", "confirmation_page_html"):
        source = getattr(asked, name)
        if source is not None:
            await apart(_faults, name, source, groups)


def _made(centre: Centre) -> Made:
    return Made(
        preference_center_api_id=str(centre.id),
        liquid_tag=f"{{{{preference_center.${{{centre.name}}}}}}}",
        created_at=centre.created.isoformat(),
        updated_at=centre.edited.isoformat(),
    )


async def make_centre(services: Services, key: Key, asked: MakeCentre) -> Made:
    """Make a preference centre."""
    await _check(services, key, asked)
    async with services.db.transaction() as connection:
        made = await preference_centres.make(
            connection,
            key.workspace,
            asked.name,
            asked.preference_center_title,
            asked.preference_center_page_html,
            asked.confirmation_page_html,
            asked.state,
        )
    if made is None:
        raise Refusal(400, TAKEN)
    services.published.forget(key.workspace)
    return _made(made)


async def edit_centre(services: Services, key: Key, asked: EditCentre) -> Made:
    """Change a preference centre."""
    await _check(services, key, asked)
    async with services.db.transaction() as connection:
        edited = await preference_centres.edit(
            connection,
            key.workspace,
            asked.centre,
            title=asked.preference_center_title,
            page=asked.preference_center_page_html,
            confirmation=asked.confirmation_page_html,
            state=asked.state,
        )
    if edited is None:
        raise _unknown()
    services.published.forget(key.workspace)
    return _made(edited)


def _unknown() -> Refusal:
    return Refusal(404, "there is no such preference centre")


async def list_centres(services: Services, key: Key, asked: Asked) -> Centres:
    """The preference centres."""
    del asked
    found = await preference_centres.centres(services.db.pool, key.workspace)
    return Centres(
        preference_centers=[
            Named(
                name=one.name,
                preference_center_api_id=str(one.id),
                created_at=one.created.isoformat(),
                updated_at=one.edited.isoformat(),
            )
            for one in found
        ]
    )


async def _known(services: Services, key: Key, centre: str) -> Centre:
    found = await preference_centres.centre_by_id(services.db.pool, key.workspace, centre)
    if found is None:
        raise _unknown()
    return found


async def describe_centre(services: Services, key: Key, asked: OfCentre) -> Described:
    """One preference centre."""
    found = await _known(services, key, asked.centre)
    return Described(
        name=found.name,
        preference_center_api_id=str(found.id),
        created_at=found.created.isoformat(),
        updated_at=found.edited.isoformat(),
        preference_center_title=found.title,
        preference_center_page_html=found.page,
        confirmation_page_html=found.confirmation,
        state="draft" if found.state == "draft" else "active",
    )


async def address_of_person(services: Services, key: Key, asked: OfPerson) -> Address:
    """The address of the page of a person, who is named by external id."""
    centre = await _known(services, key, asked.centre)
    who = Identifier("external_id", asked.person)
    person = (await find(services.db.pool, key.workspace, [who])).get(who)
    if person is None:
        raise Refusal(404, "there is no person with this external id")
    secret = (await services.published.of(key.workspace)).secret
    base = PublicSettings().public_url.rstrip("/")
    return Address(preference_center_url=PreferenceLink(key.workspace, person, centre.name).url(base, secret))


BASE = "/preference_center/v1"


def _get(path: str, summary: str, permission: str, asks: Any, answers: Any, work: Any) -> Operation[Any]:
    return Operation(
        method="GET",
        path=BASE + path,
        summary=summary,
        permission=permission,
        asks=asks,
        answers=answers,
        work=work,
        limit=PREFERENCES,
    )


def _change(method: str, path: str, summary: str, asks: Any, work: Any, status: int) -> Operation[Any]:
    return Operation(
        method=method,
        path=BASE + path,
        summary=summary,
        permission="preference_center.update",
        asks=asks,
        answers=Made,
        work=work,
        status=status,
        limit=PREFERENCES_CHANGED,
    )


OPERATIONS = (
    _change("POST", "", "Make a preference centre", MakeCentre, make_centre, 201),
    _get("/list", "The preference centres", "preference_center.list", Asked, Centres, list_centres),
    _change("PUT", "/{centre}", "Change a preference centre", EditCentre, edit_centre, 200),
    _get("/{centre}", "A preference centre", "preference_center.get", OfCentre, Described, describe_centre),
    _get(
        "/{centre}/url/{person}",
        "The address of the page of a person",
        "preference_center.user.get",
        OfPerson,
        Address,
        address_of_person,
    ),
)
