"""`make fuzz-api`: the doors that outsiders knock at are given what is valid, nearly valid, and spoilt.

Nothing may answer with a 5xx or a stack trace, and afterwards each door serves others as before.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx2

from journeys.api.app import app
from journeys.api.openapi import document
from journeys.api.rate_limits import Limits
from journeys.api.services import Services
from journeys.engine.audience.match import Person, matches
from journeys.engine.delivery.tracking_links import Links, Mark
from journeys.engine.intake.api_audience import FILTER, UnusableAudience, audience_of
from journeys.engine.intake.csv_import import Unusable, first_rows, import_file
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY
from tests.documented import Answers
from tests.stage import Stage, stage_on

AT = "2026-12-07T08:00:00Z"
NASTY: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63), 2**64, 1e308, "", " ", "a", "\0", "a\0b", "\ud800", "é" * 300, "漢" * 400,
    "a" * 5_001, "a" * 70_000, "{{ a }}", "{% if %}", "'; drop table people; --", "../../etc/passwd", "\n\r\t", "\x1f", "\u2028", "😀", "$add",
    "NaN", "null", "9" * 400, AT, "2026-13-45", "0000-00-00", "9999-12-31T23:59:59Z", "Mars/City", "EUR", "a@b.example", "@", "+49301234567",
    [], {}, [[]], [None], {"": 1}, {"a.b": 1}, {"$time": "x"}, {"inc": 1}, {"inc": "1"}, {"add": [1]}, {"remove": {}}, {"$add": [{"id": 1}]},
    {"$update": [{"$identifier_key": "id", "$identifier_value": 1, "$new_object": {"id": 2}}]}, {"a": {"b": {"c": [1, {"d": None}]}}},
    {"alias_name": "n", "alias_label": "l"}, {"attribute": "x"}, {"context": "y"}, ["a"] * 600, {f"k{n}": n for n in range(300)},
]  # fmt: skip
GROUPS = "---\nkind: subscription_group\nformat: 1\nname: news\nchannel: email\n"
WORDS = [
    "external_id", "user_alias", "braze_id", "anonymous_id", "email", "phone", "name", "time", "properties", "time_zone", "country", "_merge_objects",
    "_update_existing_only", "event_id", "$insert_id", "audience", "context", "recipients", "api_key", "id", "content", "filters", "all", "where",
    "between", "one_of", "matches", "within_last", "AND", "custom_attribute", "comparison", "value", "x", "", "\0", "$add", "a.b",
]  # fmt: skip
PROPERTIES = {"a": 1, "b": "text", "c": [1, 2], "d": {"e": None}}
CONDITIONS: list[dict[str, Any]] = [
    {"attribute": "x", "equals": 1}, {"attribute": "x.y", "one_of": [1, "a"]}, {"attribute": "x[].y", "between": [1, 5]}, {"event": "e", "within_last": "2 days"},
    {"attribute": "x", "matches": "a+b"}, {"event": "e", "where": [{"property": "a", "more_than": 1}], "times": {"at_least": 2}},
    {"purchase": "p"}, {"message": "opened"}, {"segment": "runners"}, {"bucket": [0, 4999]}, {"attribute": "x", "before": AT},
    {"attribute": "x", "within_next": "3 hours"}, {"attribute": "x", "contains": "a"}, {"attribute": "x", "exists": False},
    {"attribute": "x", "equals": {"attribute": "y"}}, {"attribute": "x", "starts_with": {"attribute": "y"}}, {"attribute": "x", "not_equals": None},
    {"custom_attribute": {"custom_attribute_name": "x", "comparison": "matches_regex", "value": "a|b"}},
    {"custom_attribute": {"custom_attribute_name": "x", "comparison": "greater_than_x_days_ago", "value": 3}},
    {"custom_attribute": {"custom_attribute_name": "x", "comparison": "includes_value", "value": "a"}},
]  # fmt: skip
SEEDS: Mapping[str, list[Any]] = {
    "/users/track": [
        {"attributes": [{"external_id": "a", "x": 1, "email": "a@b.example", "time_zone": "Europe/Paris", "n": {"inc": 1}, "l": {"add": ["a"]}, "o": PROPERTIES}]},
        {"events": [{"external_id": "a", "name": "e", "time": AT, "properties": PROPERTIES, "event_id": "1"}, {"user_alias": {"alias_name": "n", "alias_label": "l"}, "name": "e", "time": AT}]},
        {"purchases": [{"external_id": "a", "product_id": "p", "currency": "EUR", "price": 1.5, "quantity": 2, "time": AT, "properties": PROPERTIES}]},
        {"events": [{"external_id": "a", "name": "ecommerce.cart_updated", "time": AT, "properties": {"cart_id": "c", "currency": "EUR", "source": "s", "total_value": 1, "products": [{"product_id": "p", "product_name": "n", "variant_id": "v", "quantity": 1, "price": 1}]}}]},
    ],
    "/users/delete": [{"external_ids": ["a"]}, {"email_addresses": [{"email": "a@b.example", "prioritization": ["unidentified"]}]}, {"user_aliases": [{"alias_name": "n", "alias_label": "l"}]}],
    "/users/merge": [{"merge_updates": [{"identifier_to_merge": {"external_id": "a"}, "identifier_to_keep": {"user_alias": {"alias_name": "n", "alias_label": "l"}}}, {"identifier_to_merge": {"email": "a@b.example", "prioritization": ["unidentified"]}, "identifier_to_keep": {"phone": "+4930901820"}}]}],
    "/users/identify": [{"aliases_to_identify": [{"external_id": "a", "user_alias": {"alias_name": "n", "alias_label": "l"}}], "emails_to_identify": [{"external_id": "b", "email": "a@b.example", "prioritization": ["identified", "most_recently_updated"]}], "phone_numbers_to_identify": [{"external_id": "c", "phone": "+4930901820"}], "merge_behavior": "none"}],
    "/users/track/sync": [
        {"attributes": [{"external_id": "a", "x": 1, "n": {"inc": 1}, "o": PROPERTIES}]},
        {"events": [{"external_id": "a", "name": "e", "time": AT, "properties": PROPERTIES, "event_id": "1"}]},
        {"purchases": [{"external_id": "a", "product_id": "p", "currency": "EUR", "price": 1.5, "quantity": 2, "time": AT}]},
    ],
    "/users/alias/new": [{"user_aliases": [{"external_id": "a", "alias_name": "n", "alias_label": "l"}, {"alias_name": "m", "alias_label": "l"}]}],
    "/users/alias/update": [{"alias_updates": [{"alias_label": "l", "old_alias_name": "n", "new_alias_name": "o"}]}],
    "/users/external_ids/rename": [{"external_id_renames": [{"current_external_id": "a", "new_external_id": "b"}]}],
    "/users/external_ids/remove": [{"external_ids": ["a", "b"]}],
    "/canvas/trigger/send": [
        {"canvas_id": "story", "recipients": [{"external_user_id": "a", "context": PROPERTIES, "attributes": {"x": 1}, "send_to_existing_only": False}]},
        {"canvas_id": "story", "broadcast": True, "audience": {"AND": [CONDITIONS[0], {"OR": CONDITIONS[17:]}]}, "context": PROPERTIES},
    ],
    "/canvas/resume": [{"canvas_id": "story", "timers": "skip"}],
    "/canvas/pause": [{"canvas_id": "other"}],
    "/catalogs": [{"catalogs": [{"name": "shoes", "description": "d", "fields": [{"name": "id", "type": "string"}, {"name": "price", "type": "number"}, {"name": "o", "type": "object"}, {"name": "l", "type": "array"}, {"name": "t", "type": "time"}]}]}],
    "/catalogs/{catalog}/items": [{"items": [{"id": "1", "price": 1.5, "o": {"a": 1}, "l": ["a"], "t": AT}, {"id": "2", "price": "2", "l": {"$add": ["b"]}}]}],
    "/catalogs/{catalog}/items/{item}": [{"items": [{"price": 1, "o": {"a": {}}, "l": []}]}],
    "/catalogs/{catalog}/fields": [{"fields": [{"name": "f", "type": "string"}]}],
    "/catalogs/{catalog}/selections": [{"selection": {"name": "s", "description": "d", "filters": [{"field": "price", "operator": "greater than", "value": 1}], "results_limit": 5, "sort_field": "price", "sort_order": "asc"}}],
    "/content_blocks/create": [{"name": "block", "content": "a {{ a | upcase }}", "description": "d", "state": "active", "tags": []}],
    "/subscription/status/set": [{"subscription_group_id": "news", "subscription_state": "subscribed", "external_id": ["a"], "email": "a@b.example"}],
    "/v2/subscription/status/set": [{"subscription_groups": [{"subscription_group_id": "news", "subscription_state": "unsubscribed", "external_ids": ["a"], "emails": ["a@b.example"], "phones": []}]}],
    "/templates/email/create": [{"template_name": "Mail", "subject": "s {{ a }}", "body": "<p>b</p>", "plaintext_body": "t", "preheader": "p", "tags": [], "should_inline_css": True}],
    "/templates/email/update": [{"email_template_id": "00000000-0000-0000-0000-000000000002", "subject": "s", "owner": "api"}],
    "/users/export/segment": [{"segment_id": "runners", "fields_to_export": ["email", "custom_attributes"], "custom_attributes_to_export": ["a"], "callback_endpoint": "https://example.com/", "output_format": "gzip"}],
    "/users/export/global_control_group": [{"fields_to_export": ["email"]}],
    "/users/export/ids": [{"external_ids": ["a"], "user_aliases": [{"alias_name": "n", "alias_label": "l"}], "fields_to_export": ["custom_attributes", "email", "canvases_received"]}, {"email_address": "a@b.example"}, {"braze_id": "00000000-0000-0000-0000-000000000001"}],
    "/preference_center/v1": [{"name": "mine", "preference_center_page_html": "{% form_field_name :email_global_state %} d", "confirmation_page_html": "d", "preference_center_title": "d", "state": "active"}],
    "/preference_center/v1/{centre}": [{"preference_center_title": "t", "confirmation_page_html": "{{ ${first_name} }}"}],
    "/email/status": [{"email": ["a@b.example"], "subscription_state": "unsubscribed"}],
    "/email/bounce/remove": [{"email": "a@b.example"}],
    "/email/spam/remove": [{"email": "a@b.example"}],
    "/email/blocklist": [{"email": ["a@b.example"]}],
    "/email/blacklist": [{"email": ["a@b.example"]}],
    "/sms/invalid_phone_numbers/remove": [{"phone_numbers": ["+4930901820"]}],
    "/content_blocks/update": [{"content_block_id": "00000000-0000-0000-0000-000000000001", "content": "b"}],
}  # fmt: skip
"""Valid bodies, by route."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value has parts."""
    found = [path]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += places(part, (*path, key))
    return found


def spoilt(value: Any, lots: random.Random, times: int) -> Any:
    """The value with so many things wrong with it, or merely other than before."""
    value = json.loads(json.dumps(value))
    for _ in range(times):
        *path, last = lots.choice(places({"": value})[1:])
        holder: Any = {"": value}
        for key in path:
            holder = holder[key]
        part, way = holder[last], lots.randrange(7)
        if way < 3 or not isinstance(part, dict | list):
            holder[last] = deepcopy(lots.choice(NASTY))
        elif isinstance(part, dict):
            if way == 3 and part:
                del part[lots.choice(list(part))]
            elif way == 4 and part:
                part[lots.choice(WORDS)] = part.pop(lots.choice(list(part)))
            else:
                part[lots.choice(WORDS)] = deepcopy(lots.choice(NASTY))
        elif 0 < len(part) < 50 and way < 5:
            holder[last] = part * lots.choice([0, 2, 80])
        else:
            part.append(deepcopy(lots.choice(NASTY)))
        if not path:
            value = holder[last]
    for _ in range(lots.choice([0] * 60 + [20, 60, 3_000])):
        value = lots.choice([[value], {"x": value}])
    return value


def spoilt_bytes(raw: bytes, lots: random.Random) -> bytes:
    """The bytes with some wrong."""
    for _ in range(lots.randint(1, 4)):
        at = lots.randrange(len(raw) + 1)
        piece = lots.choice(
            [
                b"",
                b"\0",
                b"\xff",
                b"\\u0000",
                b"\\ud800",
                b'"',
                b"{",
                b"]",
                b",",
                b"1e999",
                b"9" * 500,
                b"\xef\xbb\xbf",
                b"[" * 4_000,
            ]
        )
        raw = raw[:at] + piece + raw[at + lots.choice([0, 1, 5, len(raw)]) :]
    return raw


def _written(value: Any) -> bytes:
    """As JSON, however deep, with half characters as escapes."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b'{"x":' * 3_000 + b"1" + b"}" * 3_000


ELSEWHERE = {"..", "b"}
"""Parts of a path that lead to another route."""


class Doors:
    """The doors of one workspace, with somebody who knocks at them."""

    def __init__(self, stage: Stage, key: str, seed: int) -> None:
        self.stage, self.key, self.lots = stage, key, random.Random(seed)
        services = Services(
            stage.db,
            stage.published,
            stage.clock,
            stage.alarm_sync,
            stage.alarm_sync,
        )
        services.limits = Limits(stage.db, clock=lambda: self.window)
        self.window = 1e6
        transport = httpx2.ASGITransport(app=app(services), raise_app_exceptions=False)
        self.http = httpx2.AsyncClient(transport=transport, base_url="http://api", timeout=None)
        described = document()
        self.answers = Answers(described)
        self.routes = [
            (method.upper(), path)
            for path, said in described["paths"].items()
            for method in said
            if method != "parameters" and path != "/health"
        ]
        self.ids = ["shoes", "1", "a", "price", "s", "\0", "é", "a" * 300, "..", "%", "{{a}}", " ", "a/b"]

    async def still_serves(self) -> None:
        """Others are served as before."""
        assert (await self.http.get("/health")).status_code == 200
        body = {
            "attributes": [{"external_id": "good", "x": 1}],
            "events": [{"external_id": "good", "name": "e", "time": AT}],
        }
        answer = await self.http.post(
            "/users/track", json=body, headers={"Authorization": f"Bearer {self.key}"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["attributes_processed"] == answer.json()["events_processed"] == 1, answer.text

    async def api(self) -> None:
        """One request at one of the routes that there are."""
        lots = self.lots
        self.window += 0.5
        method, template = lots.choice(self.routes)
        path = template
        value = lots.choice(SEEDS.get(path, [{}]))
        raw = _written(spoilt(value, lots, lots.randrange(4)))
        if lots.random() < 0.2:
            raw = spoilt_bytes(raw, lots)
        for name in ("catalog", "item", "field", "selection", "centre", "person"):
            word = "shoes" if name == "catalog" and lots.random() < 0.8 else lots.choice(self.ids)
            path = path.replace("{" + name + "}", quote(word, safe=""))
        if lots.random() < 0.3:
            names = [
                "cursor",
                "limit",
                "offset",
                "modified_after",
                "content_block_id",
                "include_inclusion_data",
                "api_key",
                "subscription_group_id",
                "external_id[]",
                "email",
                "phone",
                "canvas_id",
                "segment_id",
                "cursor",
                "page",
                "length",
                "ending_at",
                "last_edit.time[gt]",
            ]
            words = [each for each in NASTY if isinstance(each, str) and each.isascii()]
            path += f"?{lots.choice(names)}={quote(lots.choice(words)[:2_000])}"
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": lots.choice(["application/json", "text/plain", "a/b;c"]),
        }
        if lots.random() < 0.1:
            headers["Idempotency-Key"] = lots.choice(
                ["1", "2", "a" * 200, "a" * 201, "", "é".encode().decode("latin-1")]
            )
        if lots.random() < 0.05:
            headers["Authorization"] = lots.choice(
                ["", "Bearer", "Bearer x", "Basic eDp5", "\x7f", "Bearer " + "a" * 5_000]
            )
        answer = await self.http.request(
            method,
            path,
            content=raw,
            headers={name: text.encode("latin-1") for name, text in headers.items()},
        )
        assert answer.status_code < 500, (method, path, raw[:2_000], headers)
        if not ELSEWHERE & set(unquote(path).split("?")[0].split("/")):
            self.answers.check(method, template, answer)

    async def audience(self) -> None:
        """An audience is refused with its reason, or can be stored and asked of anybody."""
        lots = self.lots
        value: Any = lots.choice(CONDITIONS)
        for _ in range(lots.randrange(3)):
            value = {lots.choice(["all", "any", "none", "AND", "OR"]): [value, lots.choice(CONDITIONS)]}
        try:
            given = json.loads(_written(spoilt(value, lots, lots.randrange(3))))
        except RecursionError:  # no body is read that is as deep
            return
        now = datetime(2026, 12, 7, 9, tzinfo=UTC)
        segments = (await self.stage.published.of(self.stage.workspace)).segments
        try:
            found = audience_of(given, now=now, segments=segments)
        except UnusableAudience as error:
            assert str(error), given  # noqa: PT017 - the refusal is the answer
            return
        if found is None:
            return
        again = FILTER.validate_python(json.loads(json.dumps(found.model_dump(mode="json"))))
        for _ in range(2):
            attributes = {"x": lots.choice(NASTY), "y": lots.choice(NASTY)}
            person = Person(id="p", zone="UTC", bucket=1, standard={}, custom=attributes)
            one, other = (matches(each, person, now=now, segments=segments) for each in (found, again))
            assert one is other, (given, attributes)

    async def link(self) -> None:
        """A link that is not as it was sent leads nowhere, and nothing is counted."""
        lots, workspace = self.lots, self.stage.workspace
        publication = await self.stage.published.of(workspace)
        mark = Mark(
            lots.choice([workspace, 0, 2, 2**31, -1]), self.person, self.person, "story", "m", "email"
        )
        url = lots.choice(["https://example.com/a?b=1", "javascript:alert(1)", "//example.com", "é\0\ud800"])
        links = Links("", lots.choice([publication.secret, b"other"]), mark)
        path = (
            lots.choice([links.pixel, links.unsubscribe])
            if "\ud800" in url
            else lots.choice([links.pixel, links.unsubscribe, links.preferences("default"), links.click(url)])
        )
        raw = spoilt_bytes(path.encode(), lots).decode("latin-1").replace("[" * 4_000, "[")
        if raw == path:
            return
        method = lots.choice(["GET", "HEAD", "POST"])
        answer = await self.http.request(
            method,
            "/" + quote(raw.lstrip("/"), safe="/?&=%"),
            content=spoilt_bytes(b"List-Unsubscribe=One-Click", lots),
        )
        assert answer.status_code < 500, (method, raw)

    async def csv(self) -> None:
        """A file is refused as a whole, or each of its rows is taken or refused with its reason."""
        lots = self.lots
        kind = lots.choice(["attributes", "events"])
        names = [
            "external_id",
            "email",
            "x",
            "time_zone",
            "user_alias_name",
            "user_alias_label",
            "name",
            "time",
            "e.properties.a",
            "event_id",
            "braze_id",
            "phone",
        ]
        columns = lots.sample(names, lots.randint(1, 8))
        cells = [
            "a",
            "1",
            '"1"',
            "0130",
            "TRUE",
            "a@b.example",
            AT,
            "Europe/Paris",
            '"a ""b"""',
            "",
            " ",
            "9" * 30,
            "1e400",
            "+49301234567",
            "é",
            "e",
            "a" * 300,
        ]
        lines = [",".join(columns)] + [
            ",".join(lots.choice(cells) for _ in columns) for _ in range(lots.randint(0, 6))
        ]
        raw = lots.choice(["\n", "\r\n"]).join(lines).encode()
        if lots.random() < 0.7:
            raw = spoilt_bytes(raw, lots)
        path = self.folder / "fuzz.csv"
        path.write_bytes(raw)
        try:
            first_rows(path, kind=kind)
            if lots.random() < 0.25:
                parts = (
                    self.stage.db,
                    self.stage.published,
                    self.stage.clock,
                    self.stage.alarm_sync,
                    self.stage.alarm_sync,
                )
                done = await import_file(parts, self.stage.workspace, path, kind=kind)
                assert done.rows == done.taken + done.refusals, raw
        except Unusable as error:
            assert str(error), raw  # noqa: PT017 - the refusal is the answer

    async def knock(self, door: Callable[[], Awaitable[None]], count: int) -> None:
        """Knock so many times at a door; see now and then, and at the end, that it serves others."""
        self.person = (await self.stage.person(email="mel@example.com")).id
        before = await self.stage.db.pool.fetchval("select count(*) from events where kind = 'message'")
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            for number in range(1, count + 1):
                await door()
                if number % 500 == 0 or number == count:
                    await self.still_serves()
        assert (
            await self.stage.db.pool.fetchval("select count(*) from events where kind = 'message'") == before
        )


NAMES = ("api", "audience", "link", "csv")


async def fuzz(db: Database, name: str, count: int, seed: int = 0) -> None:
    """Knock at one of the doors."""
    stage = await stage_on(db, STORY + GROUPS)
    doors = Doors(stage, await create_key(db, stage.workspace, "fuzz", ["*"]), seed)
    async with doors.http:
        await doors.knock(getattr(doors, name), count)


async def main(count: int, seed: int, names: tuple[str, ...]) -> None:
    """All doors, each on a database of its own."""
    from journeys.engine.store import migrate
    from journeys.engine.store.embedded_postgres import create_database, embedded_postgres

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with embedded_postgres(Path(folder) / "data", durable=False) as server:
            for name in names:
                began = time.monotonic()
                url = await create_database(server, f"fuzz_{name}")
                await migrate(url)
                async with Database.at(url) as db:
                    await fuzz(db, name, count, seed)
                print(
                    f"{name}: {count:,} cases in {time.monotonic() - began:.0f} s: no 5xx, no answer that is not described, nothing wedged",
                    flush=True,
                )


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(
        main(int(given[0]) if given else 20_000, int(given[1]) if given[1:] else 0, tuple(given[2:]) or NAMES)
    )
