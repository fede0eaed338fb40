"""How long the event loop of the API is held by the largest and worst requests that it permits."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx2

from bench.pauses import longest_pause
from bench.stories import definitions_of, story
from journeys.api.app import app
from journeys.api.rate_limits import Limits
from journeys.api.requests import LARGEST_BODY, MOST_VALUES
from journeys.api.services import Services
from journeys.cli.servers import up
from journeys.engine.clock import Clock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish

AT = "2026-12-07T09:00:00Z"
ROOM = LARGEST_BODY - 1_000
"""Bytes that the long part of a body may have."""
PIECE = 50 * 1024 - 200
"""The same of an audience or a context."""


def _count(piece: str, room: int) -> int:
    """How many such pieces one call may have."""
    values = 1 + sum(piece.count(sign) for sign in "[{,")
    return min(room // (len(piece) + 6), (MOST_VALUES - 1_000) // values)


def _filled(begin: str, piece: str, end: str, room: int = ROOM) -> bytes:
    """As many pieces, with commas, as one call may have."""
    return (begin + ",".join([piece] * _count(piece, room)) + end).encode()


def _numbered(begin: str, piece: str, end: str, room: int = ROOM) -> bytes:
    """The same, each piece with a number of its own at `#`."""
    return (begin + ",".join(piece.replace("#", str(n)) for n in range(_count(piece, room))) + end).encode()


def _attributes(*objects: str) -> bytes:
    return ('{"attributes":[' + ",".join(objects) + "]}").encode()


def _audience(audience: str) -> bytes:
    return ('{"canvas_id":"j1","broadcast":true,"audience":' + audience + "}").encode()


def _people(each: str, count: int = 75) -> str:
    return ",".join(each.replace("#", str(n)) for n in range(count))


TRACK, SEND, ITEMS, BLOCK = (
    "/users/track",
    "/canvas/trigger/send",
    "/catalogs/shoes/items",
    "/content_blocks/create",
)
OBJECTS = '{"external_id":"a","x":['
LONG = "a" * ROOM

WORST: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "many lists": (TRACK, lambda: b'{"attributes":[' + _filled(OBJECTS, "[]", "]}") + b"]}"),
    "many objects": (TRACK, lambda: b'{"attributes":[' + _filled(OBJECTS, "{}", "]}") + b"]}"),
    "many numbers": (TRACK, lambda: b'{"attributes":[' + _filled(OBJECTS, "1", "]}") + b"]}"),
    "many large numbers": (TRACK, lambda: b'{"attributes":[' + _filled(OBJECTS, "1e999", "]}") + b"]}"),
    "many integers and a large one": (TRACK, lambda: b'{"attributes":[' + _filled(OBJECTS, "1", ",1e999]}") + b"]}"),
    "long digits": (TRACK, lambda: _attributes('{"external_id":"a","x":' + "9" * ROOM + "}")),
    "many attributes": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"a",', '"a#":1', "}") + b"]}"),
    "many nulls": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"a",', '"a#":null', "}") + b"]}"),
    "many names that are refused": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"a",', '"a#":{"inc":""}', "}") + b"]}"),
    "many dates": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"a","x":[', '{"$time":"2026-01-01T00:00:#Z"}', "]}") + b"]}"),
    "a list with itself": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"a","x":{"add":[', '"a#"', "]}}") + b"]}"),
    "objects that are removed": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"big","x":{"$remove":[', '{"$identifier_key":"a","$identifier_value":#}', "]}}") + b"]}"),
    "objects that are updated": (TRACK, lambda: b'{"attributes":[' + _numbered('{"external_id":"big","_merge_objects":true,"x":{"$update":[', '{"$identifier_key":"k","$identifier_value":1,"$new_object":{"b":#}}', "]}}") + b"]}"),
    "objects updated in many people": (TRACK, lambda: _attributes(_people('{"external_id":"big#","_merge_objects":true,"x":{"$update":[{"$identifier_key":"k","$identifier_value":1,"$new_object":{"b":#}}]}}'))),
    "large attributes of many people": (TRACK, lambda: _attributes(_people('{"external_id":"big#","y":{"' + "b" * 50 + '":["' + '","'.join(["a" * 250] * 190) + '"]}}'))),
    "a long address": (TRACK, lambda: _attributes('{"email":"' + LONG + '@example.com"}')),
    "a long domain": (TRACK, lambda: _attributes('{"email":"a@' + "a." * (ROOM // 2) + 'com"}')),
    "a long foreign domain": (TRACK, lambda: _attributes('{"email":"a@' + "ü" * (ROOM // 2) + '.com"}')),
    "a quoted address": (TRACK, lambda: _attributes('{"email":"\\"' + "\\\\a" * (ROOM // 4) + '\\"@example.com"}')),
    "a named address": (TRACK, lambda: _attributes('{"email":"' + "a <" * (ROOM // 3) + '"}')),
    "many addresses": (TRACK, lambda: _attributes(_people('{"email":"' + "a." * 25_000 + "#@" + "b." * 300 + 'com"}'))),
    "a long phone number": (TRACK, lambda: _attributes('{"external_id":"a","phone":"+' + "1" * ROOM + '"}')),
    "a long zone": (TRACK, lambda: _attributes('{"external_id":"a","time_zone":"' + "Europe/" * (ROOM // 7) + '"}')),
    "a long country": (TRACK, lambda: _attributes('{"external_id":"a","country":"' + LONG + '"}')),
    "a long language": (TRACK, lambda: _attributes('{"external_id":"a","language":"' + "en-" * (ROOM // 3) + '"}')),
    "a long time": (TRACK, lambda: ('{"events":[{"external_id":"a","name":"e","time":"' + "2" * ROOM + '"}]}').encode()),
    "a long time with spaces": (TRACK, lambda: ('{"events":[{"external_id":"a","name":"e","time":"2026-01-01' + " " * ROOM + 'x"}]}').encode()),
    "many properties": (TRACK, lambda: _numbered('{"events":[{"external_id":"a","name":"e","time":"' + AT + '","properties":{', '"p#":1', "}}]}")),
    "many properties that are dropped": (TRACK, lambda: _numbered('{"events":[{"external_id":"a","name":"e","time":"' + AT + '","properties":{', '"p#":1e999', "}}]}")),
    "large events": (TRACK, lambda: ('{"events":[' + _people('{"external_id":"a#","name":"liked","time":"' + AT + '","properties":{"l":["' + '","'.join(["a" * 250] * 200) + '"]}}') + "]}").encode()),
    "products": (TRACK, lambda: ('{"events":[' + _people('{"external_id":"a","name":"ecommerce.cart_updated","time":"' + AT + '","properties":{"cart_id":"c#","currency":"EUR","source":"s","total_value":1,"products":[' + ",".join(['{"product_id":"p","product_name":"n","variant_id":"v","quantity":1,"price":1}'] * 600) + "]}}") + "]}").encode()),
    "a long event id": (TRACK, lambda: ('{"events":[{"external_id":"a","name":"e","time":"' + AT + '","event_id":"' + LONG + '"}]}').encode()),
    "an event id of lists": (TRACK, lambda: _filled('{"events":[{"external_id":"a","name":"e","time":"' + AT + '","event_id":[', "[]", "]}]}")),
    "a long name of a canvas": (SEND, lambda: ('{"broadcast":true,"canvas_id":"' + LONG + '"}').encode()),
    "a name of a canvas of many words": (SEND, lambda: ('{"broadcast":true,"canvas_id":"' + "j1" * (ROOM // 2) + '"}').encode()),
    "a large audience": (SEND, lambda: b'{"canvas_id":"j1","broadcast":true,"audience":{"all":[' + _filled("", '{"attribute":"x","exists":true}', "]}}")),
    "an audience of conditions": (SEND, lambda: _audience('{"all":[' + ",".join(['{"event":"e","where":[{"property":"x","equals":1}]}'] * 249) + "]}")),
    "an audience of patterns": (SEND, lambda: _audience('{"all":[' + ",".join(['{"attribute":"x","matches":"(a|b|c){1,#}[a-z]{1,100}\\\\p{L}{1,9}"}'.replace("#", str(n)) for n in range(60, 70)]) + "]}")),
    "an audience of large classes": (SEND, lambda: _audience('{"any":[' + ",".join(['{"attribute":"x","matches":"' + "\\\\p{L}" * n + '"}' for n in range(300, 310)]) + "]}")),
    "an audience of operands": (SEND, lambda: _audience('{"all":[' + ",".join(['{"attribute":"x","one_of":[' + ",".join(["1"] * 250) + "]}"] * 80) + "]}")),
    "a deep audience": (SEND, lambda: _audience('{"none":[' * 45 + '{"attribute":"x","exists":true}' + "]}" * 45)),
    "an audience with a long word": (SEND, lambda: _audience('{"' + "attribut" * (PIECE // 8) + '":1}')),
    "an audience of unknown words": (SEND, lambda: _audience("{" + ",".join(f'"attributes{n}":1' for n in range(2_800)) + "}")),
    "recipients with contexts": (SEND, lambda: ('{"canvas_id":"j1","recipients":[' + _people('{"external_user_id":"big#","context":{"l":["' + '","'.join(["a" * 240] * 200) + '"]}}', 50) + "]}").encode()),
    "recipients with many attributes": (SEND, lambda: ('{"canvas_id":"j1","recipients":[' + _people('{"external_user_id":"big#","attributes":{' + ",".join(f'"a{n}":1' for n in range(6_000)) + "}}", 50) + "]}").encode()),
    "many recipients": (SEND, lambda: _numbered('{"canvas_id":"j1","recipients":[', '{"external_user_id":"p#"}', "]}")),
    "a key for the repetition of much": (SEND, lambda: b'{"canvas_id":"j1","broadcast":true,"x":[' + _filled("", "[]", "]}")),
    "an item of many fields": (ITEMS, lambda: _numbered('{"items":[{"id":"a",', '"f#":1', "}]}")),
    "items of long texts": (ITEMS, lambda: ('{"items":[' + _people('{"id":"i#","text":"' + "a" * 5_000 + '"}', 50) + "]}").encode()),
    "items of deep objects": (ITEMS, lambda: ('{"items":[' + _people('{"id":"i#","data":' + '{"a":' * 40 + "[" + ",".join(["1"] * 40_000) + "]" + "}" * 40 + "}", 45) + "]}").encode()),
    "many items": (ITEMS, lambda: _numbered('{"items":[', '{"id":"i#"}', "]}")),
    "many fields": ("/catalogs", lambda: _numbered('{"catalogs":[{"name":"c","fields":[', '{"name":"f#","type":"string"}', "]}]}")),
    "a field of many words": ("/catalogs", lambda: ('{"catalogs":[{"name":"c","fields":[{"name":"id","type":"' + LONG + '"}]}]}').encode()),
    "a selection of many filters": ("/catalogs/shoes/selections", lambda: _filled('{"selection":{"name":"s","filters":[', '{"field":"text","operator":"equals","value":"a"}', "]}}")),
    "a selection with much Liquid": ("/catalogs/shoes/selections", lambda: json.dumps({"selection": {"name": "s", "filters": [{"field": "text", "operator": "equals", "value": "{{ a }}" * (ROOM // 16)}]}}).encode()),
    "a block of tags": (BLOCK, lambda: json.dumps({"name": "b1", "content": "{{ a | upcase }}" * (51_000 // 16)}).encode()),
    "a block of ifs": (BLOCK, lambda: json.dumps({"name": "b2", "content": "{% if a %}" * (51_000 // 10)}).encode()),
    "a block of a filter": (BLOCK, lambda: json.dumps({"name": "b3", "content": "{{ a " + "| upcase " * (51_000 // 9) + "}}"}).encode()),
    "a block of conditions": (BLOCK, lambda: json.dumps({"name": "b4", "content": "{% if " + "a and " * (51_000 // 6) + "a %}{% endif %}"}).encode()),
    "a large block": (BLOCK, lambda: json.dumps({"name": "b5", "content": "{{ a }}" * (ROOM // 7)}).encode()),
    "a block without tags": (BLOCK, lambda: json.dumps({"name": "b6", "content": "<" * 51_000}).encode()),
    "tags of a block": (BLOCK, lambda: _filled('{"name":"b7","content":"a","tags":[', '"x"', "]}")),
    "a word instead of JSON": (TRACK, lambda: b'"' + b"\\u00e4" * (ROOM // 6) + b'"'),
    "half characters": (TRACK, lambda: b'["' + b"\\ud800" * (ROOM // 6) + b'"]'),
    "brackets that open": (TRACK, lambda: b"[" * ROOM),
    "spaces": (TRACK, lambda: b" " * ROOM),
}  # fmt: skip
"""Routes and bodies: as much as one call may bring of what costs most."""


@asynccontextmanager
async def _api(db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    definitions = definitions_of(story("j1", "http://127.0.0.1:9"))
    workspace = (await publish(db, "bench", definitions)).workspace
    key = await create_key(db, workspace, "bench", ["*"])
    services = Services(db, Published(db), Clock(), NullNotifier(), NullNotifier())
    services.limits = Limits(db, clock=lambda: 1e6)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app(services)),
        base_url="http://api",
        headers={"Authorization": f"Bearer {key}"},
        timeout=None,
    ) as client:
        fields = [
            {"name": "id", "type": "string"},
            {"name": "text", "type": "string"},
            {"name": "data", "type": "object"},
        ]
        await client.post("/catalogs", json={"catalogs": [{"name": "shoes", "fields": fields}]})
        large = [{"k": 1, "n": n} for n in range(5_000)]
        for begin in range(0, 75, 5):
            objects = [{"external_id": f"big{n}", "x": large} for n in range(begin, begin + 5)]
            assert (await client.post(TRACK, json={"attributes": objects})).status_code == 201
        await client.post(TRACK, json={"attributes": [{"external_id": "big", "x": large}]})
        yield client


async def _stall(client: httpx2.AsyncClient, path: str, raw: bytes) -> float:
    async def call() -> None:
        answer = await client.post(path, content=raw)
        assert answer.status_code < 500, answer.text

    gc.collect()
    return await longest_pause(call())


async def measure(tries: int = 3, only: str = "") -> dict[str, float]:
    """The longest pauses in milliseconds: the best of a few tries of each."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with embedded_postgres(Path(folder) / "data", durable=False) as server:
            url = await create_database(server, f"bench_{uuid4().hex[:8]}")
            await migrate(url)
            async with Database.at(url) as db, _api(db) as client:
                up()
                for name, (path, body) in WORST.items():
                    if only not in name:
                        continue
                    raw = body()
                    assert len(raw) <= LARGEST_BODY, name
                    found[name] = 1000 * min([await _stall(client, path, raw) for _ in range(tries)])
                    print(f"  {name:<36} {found[name]:9.1f} ms", flush=True)
    return {"api.stall_ms": round(max(found.values()), 1)}


if __name__ == "__main__":
    print(asyncio.run(measure(only=" ".join(sys.argv[1:]))))
