"""The OpenAPI document, which is made of the operations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel
from starlette.routing import Route

from journeys.api import track_shapes
from journeys.api.app import routes
from journeys.api.openapi import document
from journeys.api.requests import permission_of
from journeys.api.trigger import KEYS as TRIGGER_KEYS
from journeys.api.trigger import RECIPIENT_KEYS
from journeys.api.trigger_schedules import TIMES
from journeys.engine.intake import track_objects
from journeys.engine.people.code_lists import CURRENCIES
from tests.fuzzing import SEEDS

DOCUMENT = document()
PATHS: dict[str, Any] = DOCUMENT["paths"]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each with its path and its method."""
    for path, methods in PATHS.items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_that_asks_for_a_key_is_described_with_its_permission_and_its_names() -> None:
    """And no other is."""
    found = {
        (route.path, method, str(permission_of(route.endpoint)))
        for route in routes()
        if isinstance(route, Route) and permission_of(route.endpoint)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method.upper(), re.findall(r"`(\S+)`", operation["description"])[0])
        for path, method, operation in operations()
        if "security" in operation
    }
    assert described == found
    for path, _, operation in operations():
        inside = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        asked = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
        assert inside == re.findall(r"\{(\w+)\}", path)
        assert not set(inside) & set(asked)


def test_every_operation_says_what_it_may_answer() -> None:
    for path, method, operation in operations():
        if "security" in operation:
            answers = operation["responses"]
            assert {"400", "401", "403", "408", "413", "415", "429", "500", "503"} <= set(answers), (
                path,
                method,
            )
            assert any(status.startswith("2") for status in answers)
            assert "Retry-After" in answers["503"]["headers"]


def names_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_shapes_have_the_names_by_which_the_routes_judge() -> None:
    """A key that is added to the one is missed in the other here."""
    assert names_of(track_shapes.EventObject) == track_objects.KEYS["events"]
    assert names_of(track_shapes.PurchaseObject) == track_objects.KEYS["purchases"]
    assert names_of(track_shapes.Track) == set(track_objects.ARRAYS)
    assert names_of(track_shapes.RecipientObject) == RECIPIENT_KEYS
    assert names_of(track_shapes.TriggerLater) == TRIGGER_KEYS - {"api_key"} | {"schedule"}
    assert names_of(track_shapes.When) == TIMES
    assert "EUR" in CURRENCIES


@pytest.mark.parametrize("path", [path for path in SEEDS if "post" in PATHS[path]])
def test_bodies_that_the_routes_take_are_of_the_shape_that_is_described(path: str) -> None:
    schema = PATHS[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    shape = jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for seed in SEEDS[path] for error in shape.iter_errors(seed)] == []


def test_a_body_of_another_shape_is_not() -> None:
    """The shapes say something: what the routes refuse is not of them."""
    schemas = {
        path: jsonschema_rs.Draft202012Validator(
            {
                **PATHS[path]["post"]["requestBody"]["content"]["application/json"]["schema"],
                "components": DOCUMENT["components"],
            }
        )
        for path in ("/users/track", "/canvas/trigger/send", "/catalogs", "/canvas/resume")
    }
    event = {"external_id": "a", "name": "e", "time": "2026-12-07T08:00:00Z"}
    for path, body in (
        ("/users/track", {"events": [{**event, "name": ""}]}),
        ("/users/track", {"events": [event] * 76}),
        ("/users/track", {"events": [{"external_id": "a", "name": "e"}]}),
        ("/users/track", {"attributes": [{"external_id": "a", "email_subscribe": "maybe"}]}),
        ("/canvas/trigger/send", {"recipients": []}),
        ("/canvas/trigger/send", {"canvas_id": "c", "recipients": [{}] * 51}),
        ("/catalogs", {"catalogs": [{"name": "a b", "fields": [{"name": "id", "type": "string"}]}]}),
        ("/catalogs", {"catalogs": [{"name": "a", "fields": [{"name": "id", "type": "text"}]}]}),
        ("/canvas/resume", {"canvas_id": "c", "timers": "forget"}),
        ("/canvas/resume", {}),
    ):
        assert not schemas[path].is_valid(body), (path, body)
    assert schemas["/users/track"].is_valid({"events": [event]})
