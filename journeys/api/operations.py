"""Operations of the API that say once what they take and answer: the route checks by it, and OpenAPI describes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from journeys.api.rate_limits import GENERAL, Limit
from journeys.api.requests import IN_WORK, Refusal, Work, answer, guarded
from journeys.api.services import Services
from journeys.engine.fair_threads import Places
from journeys.engine.intake.track_objects import NO_EMAIL, NO_PHONE
from journeys.engine.people.standard_attributes import address, e164
from journeys.engine.workspaces.api_keys import Key

MOST_IDS = 50
"""Ids, addresses or numbers that one call may name."""

TOO_MANY = "The max number of ids per request was exceeded"


class Asked(BaseModel):
    """What a call says, in its body or its query. Keys that it does not know are passed over, and null is as nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if value is not None}


class Answered(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True, json_schema_mode_override="serialization")
    message: str = "success"


class Message(BaseModel):
    """An answer that says why."""

    message: str


class Remark(BaseModel):
    """What is said of one object of a call, or of a key of it that means nothing: its place, where it has one."""

    type: str
    input_array: str | None = None
    index: int | None = None


class Fault(BaseModel):
    """What is wrong with a call to catalogs (ERR-1). `id`: a code, such as item-not-found."""

    id: str
    message: str
    parameters: list[str]
    parameter_values: list[Any]


class RefusedParts(Message):
    """A refusal that says what is wrong with each object."""

    errors: list[Remark] | None = None


class RefusedCatalogs(Message):
    """A refusal that says what is wrong with catalogs, fields or items."""

    errors: list[Fault] | None = None


def said(text: str) -> PydanticCustomError:
    """An error whose text is the message of the answer, as it stands."""
    return PydanticCustomError("said", "{text}", {"text": text})


def _many(value: Any) -> Any:
    """One text, or several, as several."""
    found = [value] if isinstance(value, str) else value
    if isinstance(found, list) and len(found) > MOST_IDS:
        raise said(TOO_MANY)
    return found


Texts = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=997)]],
    BeforeValidator(_many),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": MOST_IDS, "items": {"type": "string"}}]}
    ),
]
"""One text or a list of at most fifty."""


def kept_addresses(given: list[str]) -> list[str]:
    """E-mail addresses as they are kept, each once. Raises `Refusal` where one is none."""
    found = [address(one) for one in given]
    if None in found:
        raise Refusal(400, NO_EMAIL)
    return list(dict.fromkeys(one for one in found if one))


def kept_numbers(given: list[str]) -> list[str]:
    """Numbers as they are kept, each once. A plus that a query did not encode arrives as a space.

    Raises `Refusal` where one is none.
    """
    found = [e164(f"+{one.strip()}" if one.startswith(" ") else one) for one in given]
    if None in found:
        raise Refusal(400, NO_PHONE)
    return list(dict.fromkeys(one for one in found if one))


A = TypeVar("A", bound=Asked)

WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods that say what they want in a body; others in the query, where they do not say otherwise.

Names in a path are keys of what is asked.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[A]):
    """One method of one path: what it takes, who may call it how often, what it does, what it answers.

    `work` gets the parts of the server, the key, and what the call says, and returns what is answered with `status`; or
    the answer itself, where it may be large or has headers of its own.

    `does` stands in its place where a call is judged part by part, or refused with texts of its own: it gets the whole
    call. `asks` is then made of what it judges by, and `whole` says whether a body is refused of which a part cannot be
    read. `refused` is how refusals look, `places` how many are worked on at once, `also` what else may be answered; `repeatable`: with an `Idempotency-Key`.
    """

    method: str
    path: str
    summary: str
    permission: str
    asks: type[A]
    answers: type[Answered]
    work: Callable[[Services, Key, A], Awaitable[Answered | Response]] | None = None
    does: Work | None = None
    status: int = 200
    limit: Limit = GENERAL
    whole: bool = True
    places: Places = IN_WORK
    in_body: bool | None = None
    refused: type[BaseModel] = Message
    also: Mapping[int, str] = field(default_factory=dict)
    repeatable: bool = False

    @property
    def has_body(self) -> bool:
        """Whether it says what it wants in a body."""
        return self.method in WITH_BODY if self.in_body is None else self.in_body

    def route(self) -> BaseRoute:
        """The route that checks a call, lets it be done, and answers."""

        if self.does is not None:
            does = guarded(self.permission, self.does, self.limit, whole=self.whole, places=self.places)
            return Route(self.path, does, methods=[self.method])
        single = self.work
        assert single is not None, self.path

        async def work(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
            asked = request.query_params.multi_items()
            given = body if self.has_body else from_query(self.asks, asked)
            done = await single(services, key, read(self.asks, {**given, **request.path_params}))
            if isinstance(done, Response):
                return done
            return answer(self.status, done.model_dump(mode="json", exclude_none=True))

        return Route(self.path, guarded(self.permission, work, self.limit), methods=[self.method])


def read(asks: type[A], given: Mapping[str, Any]) -> A:
    """What a call says. Raises `Refusal` with what is wrong with the first key that is."""
    try:
        return asks.model_validate(given)
    except ValidationError as error:
        raise Refusal(400, _text(error.errors()[0])) from None


def from_query(asks: type[Asked], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What a query says: `name=` and `name[]=` alike, repeated where a key takes several; of others the last counts."""
    found: dict[str, Any] = {}
    for name, value in given:
        name = name.removesuffix("[]")
        known = asks.model_fields.get(name)
        if known is not None and get_origin(known.annotation) is list:
            found.setdefault(name, []).append(value)
        elif known is not None and not _takes_text(known.annotation) and value.removeprefix("-").isdecimal():
            found[name] = int(value[:20])
        else:
            found[name] = value
    return found


def _takes_text(annotation: Any) -> bool:
    """Whether a key takes a text as it is: digits too."""
    return annotation is str or str in get_args(annotation)


def _text(error: ErrorDetails) -> str:
    """What is wrong, in the words of the API's other messages."""
    if error["type"] == "said":
        return error["msg"]
    name = ".".join(str(part) for part in error["loc"]) or "the body"
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"'{name}' is required"
        case "literal_error":
            return f"'{name}' must be {context['expected']}"
        case "string_type":
            return f"'{name}' must be a string"
        case "list_type":
            return f"'{name}' must be a string or an array of strings"
        case "string_too_short" | "too_short":
            return f"'{name}' must not be empty"
    return f"'{name}': {error['msg']}"
