"""Reads values and the answers to calls from a context file. No calls are made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from journeys.canvas.problems import meant
from journeys.engine.content.render import Values
from journeys.engine.content.services import Aborted, Call, Reply, Services

NAMESPACES = (
    "api_trigger_properties", "most_recently_used_device", "targeted_device", "card", "app", "sms", "whats_app",
    "subscribed_state", "product_recommendation", "preference_center",
)  # fmt: skip
WORLD = (
    "content_blocks", "catalogs", "selections", "promotions", "shopping_carts", "connected_content", "credentials",
)  # fmt: skip
KEYS = (
    "now", "profile", "custom_attributes", "event_properties", "context", "campaign", "canvas", "vars",
    *NAMESPACES, *WORLD,
)  # fmt: skip
REPLY = ("url", "method", "status", "body")
CREDENTIAL = ("username", "password", "headers", "allowed_domain")


def context_of(given: Any) -> Values:
    """The values of a context file. Raises ValueError, naming the key and the nearest that exists."""
    if not isinstance(given, Mapping):
        raise ValueError("a context file holds one JSON object")
    _known(given, KEYS, "")
    for key, value in given.items():
        if key not in ("now", "connected_content") and not isinstance(value, Mapping):
            raise ValueError(f"“{key}” must be an object")
    named = {name: given[name] for name in NAMESPACES if name in given}
    return Values(
        profile=given.get("profile", {}),
        custom_attributes=given.get("custom_attributes", {}),
        context=given.get("context", {}),
        event_properties=given.get("event_properties", {}),
        campaign=given.get("campaign", {}),
        canvas=given.get("canvas", {}),
        namespaces={**given.get("vars", {}), **named},
        now=_now(given["now"]) if "now" in given else datetime.now(UTC),
    )


def services_of(given: Mapping[str, Any]) -> FileServices:
    """The answers of a context file. Raises ValueError, naming what has the wrong shape."""
    replies = given.get("connected_content", [])
    if not isinstance(replies, list):
        raise ValueError("“connected_content” must be a list")
    world = World(
        blocks=_texts(given, "content_blocks"),
        catalogs=_catalogs(given),
        selections=_selections(given),
        promotions=_lists(given, "promotions"),
        carts=_objects(given, "shopping_carts"),
        replies=[_reply(each) for each in replies],
        credentials={name: _credential(name, each) for name, each in _objects(given, "credentials").items()},
    )
    return FileServices(world)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is given to all calls of an address, of one method or of any."""

    url: str
    method: str | None
    reply: Reply


@dataclass(frozen=True, slots=True)
class World:
    """The data of a context file that answers calls."""

    blocks: Mapping[str, str]
    catalogs: Mapping[str, Mapping[str, Mapping[str, Any]]]
    selections: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
    promotions: Mapping[str, Sequence[str]]
    carts: Mapping[str, Mapping[str, Any]]
    replies: Sequence[Answer]
    credentials: Mapping[str, Mapping[str, Any]]


class FileServices(Services):
    """Answers from a context file, for one message. An address that it does not name cannot be reached (599)."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def connected(self, call: Call) -> Reply:
        """See base class. Raises `Aborted` for a credential that is not there, or not for this domain (C8, C10)."""
        self._credential(call.basic_auth, call, "username")
        self._credential(call.auth_credentials, call, "headers")
        for answer in self._world.replies:
            if answer.url == call.url and answer.method in (None, call.method):
                return answer.reply
        return Reply(599)

    def _credential(self, name: str | None, call: Call, kind: str) -> None:
        if name is None:
            return
        credential = self._world.credentials.get(name)
        if credential is None or kind not in credential:
            raise Aborted(f"there is no credential “{name}”")
        domain = credential.get("allowed_domain", "").lower()
        if domain and not _serves(domain, _host(call.url)):
            raise Aborted(f"the credential “{name}” may not be sent to {_host(call.url) or 'this address'}")

    async def items(self, catalog: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """See base class."""
        found = self._world.catalogs.get(catalog, {})
        return [{"id": one, **found[one]} for one in ids if one in found]

    async def selection(self, catalog: str, selection: str) -> list[dict[str, Any]]:
        """See base class."""
        return [dict(item) for item in self._world.selections.get(catalog, {}).get(selection, ())][:50]

    async def cart(self, cart: str) -> dict[str, Any] | None:
        """See base class."""
        found = self._world.carts.get(cart)
        return None if found is None else dict(found)

    def promotion(self, snippet: str) -> str | None:
        """See base class. A message gets one code of a list, and there is one message (P2)."""
        return next(iter(self._world.promotions.get(snippet, ())), None)

    def block(self, name: str) -> str | None:
        """See base class."""
        return self._world.blocks.get(name)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _serves(domain: str, host: str) -> bool:
    """Whether a credential may be sent there: to its domain, or to those under one that begins with `*.`."""
    return host == domain or (domain.startswith("*.") and host.endswith(domain[1:]))


def _known(given: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in given:
        if key not in keys:
            raise ValueError(f"{where}there is no key “{key}” ({meant(str(key), keys)})")


def _now(text: Any) -> datetime:
    try:
        now = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"“now” is not an instant: {text}") from error
    return now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)


def _objects(given: Mapping[str, Any], key: str) -> Mapping[str, Mapping[str, Any]]:
    """An object of objects."""
    for name, each in given.get(key, {}).items():
        if not isinstance(each, Mapping):
            raise ValueError(f"“{key}.{name}” must be an object")
    found: Mapping[str, Mapping[str, Any]] = given.get(key, {})
    return found


def _texts(given: Mapping[str, Any], key: str) -> Mapping[str, str]:
    for name, each in given.get(key, {}).items():
        if not isinstance(each, str):
            raise ValueError(f"“{key}.{name}” must be a text")
    found: Mapping[str, str] = given.get(key, {})
    return found


def _lists(given: Mapping[str, Any], key: str) -> Mapping[str, Sequence[str]]:
    for name, each in given.get(key, {}).items():
        if not isinstance(each, list) or not all(isinstance(code, str) for code in each):
            raise ValueError(f"“{key}.{name}” must be a list of texts")
    found: Mapping[str, Sequence[str]] = given.get(key, {})
    return found


def _catalogs(given: Mapping[str, Any]) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    for name, items in _objects(given, "catalogs").items():
        for one, item in items.items():
            if not isinstance(item, Mapping):
                raise ValueError(f"“catalogs.{name}.{one}” must be an object")
    found: Mapping[str, Any] = given.get("catalogs", {})
    return found


def _selections(given: Mapping[str, Any]) -> Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]:
    for name, each in _objects(given, "selections").items():
        for selection, items in each.items():
            if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
                raise ValueError(f"“selections.{name}.{selection}” must be a list of objects")
    found: Mapping[str, Any] = given.get("selections", {})
    return found


def _reply(given: Any) -> Answer:
    where = "“connected_content”: "
    if not isinstance(given, Mapping) or not isinstance(given.get("url"), str):
        raise ValueError(f"{where}each is an object with a “url”")
    _known(given, REPLY, where)
    status, method, body = given.get("status", 200), given.get("method"), given.get("body", "")
    if not isinstance(status, int) or isinstance(status, bool):
        raise ValueError(f"{where}“status” must be a number")
    if method is not None and (not isinstance(method, str) or method.upper() not in ("GET", "POST")):
        raise ValueError(f"{where}“method” must be GET or POST")
    reply = Reply(status, body, "text") if isinstance(body, str) else Reply(status, json.dumps(body), "json")
    return Answer(given["url"], method.upper() if method else None, reply)


def _credential(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    where = f"“credentials.{name}”: "
    _known(given, CREDENTIAL, where)
    if set(given) not in ({"username", "password"}, {"headers", "allowed_domain"}):
        raise ValueError(f"{where}either username and password, or headers and allowed_domain")
    if not isinstance(given.get("headers", {}), Mapping):
        raise ValueError(f"{where}“headers” must be an object")
    for key in ("username", "password", "allowed_domain"):
        if not isinstance(given.get(key, ""), str):
            raise ValueError(f"{where}“{key}” must be a text")
    return given
