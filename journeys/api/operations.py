"""Operations of the API that say once what they take and answer: the route checks by it, and OpenAPI describes it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from pydantic.json_schema import models_json_schema
from pydantic_core import ErrorDetails, PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from journeys.api.rate_limits import GENERAL, Limit
from journeys.api.requests import Refusal, answer, guarded
from journeys.api.services import Services
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

WITH_BODY = ("POST", "PUT")
"""Methods that say what they want in a body; the others in the query. Names in a path are keys of what is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[A]):
    """One method of one path: what it takes, who may call it how often, what it does, what it answers.

    `work` gets the parts of the server, the key, and what the call says, and returns what is answered with `status`; or
    the answer itself, where it may be large or has headers of its own.
    """

    method: str
    path: str
    summary: str
    permission: str
    asks: type[A]
    answers: type[Answered]
    work: Callable[[Services, Key, A], Awaitable[Answered | Response]]
    status: int = 200
    limit: Limit = GENERAL

    def route(self) -> BaseRoute:
        """The route that checks a call, lets it be done, and answers."""

        async def work(services: Services, key: Key, body: dict[str, Any], request: Request) -> Response:
            asked = request.query_params.multi_items()
            given = body if self.method in WITH_BODY else from_query(self.asks, asked)
            done = await self.work(services, key, read(self.asks, {**given, **request.path_params}))
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
        field = asks.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is list:
            found.setdefault(name, []).append(value)
        elif field is not None and not _takes_text(field.annotation) and value.removeprefix("-").isdecimal():
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


REFUSALS = {
    400: "The request is not valid.",
    401: "The key is missing or not valid.",
    403: "The key lacks the permission.",
    404: "What the call names is not there.",
    413: "The body is larger than 4 MB.",
    429: "Too many requests; see x-ratelimit-reset.",
}


def described(operations: Sequence[Operation[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths of these operations as OpenAPI has them, and the schemas that they name."""
    models: list[tuple[type[BaseModel], Any]] = [(Message, "serialization")]
    for one in operations:
        models += [(one.asks, "validation"), (one.answers, "serialization")]
    places, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, Any] = {}
    for one in operations:
        asked = places[one.asks, "validation"]
        responses = {
            str(status): _response(text, places[Message, "serialization"])
            for status, text in REFUSALS.items()
        }
        responses[str(one.status)] = _response("Done.", places[one.answers, "serialization"])
        operation: dict[str, Any] = {
            "summary": one.summary,
            "description": f"Needs the permission `{one.permission}`.",
            "security": [{"key": []}],
            "responses": responses,
        }
        inside = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _IN_PATH.findall(one.path)
        ]
        if inside:
            operation["parameters"] = inside
        if one.method in WITH_BODY:
            body = {"required": True, "content": {"application/json": {"schema": asked}}}
            operation["requestBody"] = body
        else:
            operation["parameters"] = [*inside, *_parameters(one.asks)]
        paths.setdefault(one.path, {})[one.method.lower()] = operation
    return paths, schemas.get("$defs", {})


_IN_PATH = re.compile(r"\{(\w+)\}")


def _response(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _parameters(asks: type[Asked]) -> list[dict[str, Any]]:
    """What a query may say."""
    schema = asks.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in schema.get("properties", {}).items()
    ]
