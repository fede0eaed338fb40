"""Catalogs over the REST API, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.engine.sources.catalogs.items import replace
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import services_of
from tests.engine.entries.test_locks import waits
from tests.stage import EMAIL, Stage, canvas, stage_on

STORY = (
    canvas("  - {type: message, id: m, channel: email, template: hello}", more="reentry: {after: 0 days}")
    + EMAIL
)

SHOES: dict[str, Any] = {
    "name": "shoes",
    "description": "What we sell",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "title", "type": "string"},
        {"name": "price", "type": "number"},
        {"name": "sold_out", "type": "boolean"},
        {"name": "since", "type": "time"},
        {"name": "maker", "type": "object"},
        {"name": "tags", "type": "array"},
    ],
}


class Shop:
    """The API, called with a key."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage = stage
        self.services = services_of(stage)
        self.services.limits.changed = {"catalogs": 9999, "catalogs.fields": 9999, "catalogs.item": 9999}
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app(self.services)),
            base_url="http://api",
            headers={"Authorization": f"Bearer {key}"},
        )

    async def __call__(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self.client.request(method, path, json=body)

    async def item(self, item: str, catalog: str = "shoes") -> Any:
        found = await self("GET", f"/catalogs/{catalog}/items/{item}")
        return found.json()["items"][0] if found.status_code == 200 else None


@pytest.fixture
async def shop(db: Database) -> AsyncIterator[Shop]:
    stage = await stage_on(db, STORY)
    made = Shop(stage, await create_key(db, stage.workspace, "test", ["*"]))
    answer = await made("POST", "/catalogs", {"catalogs": [SHOES]})
    assert answer.status_code == 201, answer.text
    yield made
    await made.client.aclose()


def errors(answer: httpx2.Response) -> list[str]:
    body = answer.json()
    assert body["message"] == "Invalid Request"
    assert all(set(one) == {"id", "message", "parameters", "parameter_values"} for one in body["errors"])
    return [one["id"] for one in body["errors"]]


# Catalogs ------------------------------------------------------------------------------------------------------


async def test_a_catalog_is_made_listed_and_deleted_with_all_that_is_in_it(shop: Shop) -> None:
    """CAT-1, CAT-3"""
    await shop("POST", "/catalogs/shoes/items", {"items": [{"id": "a", "title": "A"}]})
    listed = (await shop("GET", "/catalogs")).json()
    gone = await shop("DELETE", "/catalogs/shoes")

    [shoes] = listed["catalogs"]
    assert listed["message"] == "success"
    assert (shoes["name"], shoes["num_items"], shoes["fields"]) == ("shoes", 1, SHOES["fields"])
    assert (gone.status_code, gone.json()) == (200, {"message": "success"})
    assert (await shop("GET", "/catalogs")).json()["catalogs"] == []
    assert await shop.stage.db.pool.fetchval("select count(*) from catalog_items") == 0


async def test_of_a_catalog_that_is_deleted_while_items_are_written_none_stays(shop: Shop) -> None:
    """CAT-3: a catalog that is made anew under its name begins empty."""
    async with shop.stage.db.transaction() as connection:
        await replace(connection, shop.stage.workspace, "shoes", {"a": {"id": "a", "title": "A"}})
        deleting = asyncio.create_task(shop("DELETE", "/catalogs/shoes"))
        assert await waits(shop.stage.db, deleting)

    assert (await deleting).status_code == 200
    assert await shop.stage.db.pool.fetchval("select count(*) from catalog_items") == 0
    late = await shop("PUT", "/catalogs/shoes/items", {"items": [{"id": "b"}]})
    assert (late.status_code, errors(late)) == (404, ["catalog-not-found"])


WRONG_CATALOGS: list[Any] = [
    ({}, "catalog-array-invalid"),
    ({"catalogs": "shoes"}, "catalog-array-invalid"),
    ({"catalogs": [SHOES, SHOES]}, "too-many-catalog-atoms"),
    ({"catalogs": [SHOES]}, "catalog-name-already-exists"),
    ({"catalogs": [{**SHOES, "name": "x" * 251}]}, "catalog-name-too-large"),
    ({"catalogs": [{**SHOES, "name": "läufer"}]}, "invalid-catalog-name"),
    ({"catalogs": [{**SHOES, "name": "new", "description": "x" * 251}]}, "description-too-long"),
    ({"catalogs": [{**SHOES, "name": "new", "fields": []}]}, "invalid-fields"),
    ({"catalogs": [{**SHOES, "name": "new", "fields": SHOES["fields"][1:]}]}, "id-not-first-column"),
    (
        {"catalogs": [{**SHOES, "name": "new", "fields": [{"name": "id", "type": "number"}]}]},
        "id-not-first-column",
    ),
    (
        {"catalogs": [{**SHOES, "name": "new", "fields": [*SHOES["fields"], SHOES["fields"][2]]}]},
        "field-names-not-unique",
    ),
    (
        {
            "catalogs": [
                {**SHOES, "name": "new", "fields": [*SHOES["fields"], {"name": "x", "type": "colour"}]}
            ]
        },
        "invalid-field-types",
    ),
    (
        {
            "catalogs": [
                {**SHOES, "name": "new", "fields": [*SHOES["fields"], {"name": "a b", "type": "time"}]}
            ]
        },
        "invalid-field-names",
    ),
    (
        {
            "catalogs": [
                {
                    **SHOES,
                    "name": "new",
                    "fields": [*SHOES["fields"], {"name": "x" * 251, "type": "time"}],
                }
            ]
        },
        "field-names-too-large",
    ),
    (
        {
            "catalogs": [
                {
                    **SHOES,
                    "name": "new",
                    "fields": [
                        {"name": "id", "type": "string"},
                        *({"name": f"f{n}", "type": "string"} for n in range(500)),
                    ],
                }
            ]
        },
        "too-many-fields",
    ),
]


async def test_what_is_wrong_with_a_catalog_is_said_in_a_code(shop: Shop) -> None:
    """CAT-4, ERR-1, D9: 400, and nothing is made."""
    for body, code in WRONG_CATALOGS:
        answer = await shop("POST", "/catalogs", body)

        assert answer.status_code == 400
        assert errors(answer) == [code], code
        assert len((await shop("GET", "/catalogs")).json()["catalogs"]) == 1


TO_NOWHERE: list[Any] = [
    ("DELETE", "/catalogs/nope", None),
    ("GET", "/catalogs/nope/items", None),
    ("GET", "/catalogs/nope/items/a", None),
    ("POST", "/catalogs/nope/items", {"items": [{"id": "a"}]}),
    ("PATCH", "/catalogs/nope/items/a", {"items": [{}]}),
    ("DELETE", "/catalogs/nope/items", {"items": [{"id": "a"}]}),
    ("POST", "/catalogs/nope/fields", {"fields": [{"name": "x", "type": "time"}]}),
    ("POST", "/catalogs/nope/selections", {"selection": {"name": "x"}}),
]


async def test_an_unknown_catalog_is_a_404(shop: Shop) -> None:
    for method, path, body in TO_NOWHERE:
        answer = await shop(method, path, body)

        assert answer.status_code == 404
        assert errors(answer) == ["catalog-not-found"]
        assert answer.json()["errors"][0]["parameter_values"] == ["nope"]


# Items ---------------------------------------------------------------------------------------------------------

WHOLE = {
    "id": "runner",
    "title": "Runner",
    "price": 99.5,
    "sold_out": False,
    "since": "2026-12-01T10:00:00+01:00",
    "maker": {"name": "Fleet", "town": {"name": "Lyon"}},
    "tags": ["road", "light"],
}


async def test_items_are_written_read_changed_and_deleted_in_bulk(shop: Shop) -> None:
    """CAT-3: 202, and it is done: PUT replaces whole items, PATCH lays fields over them."""
    made = await shop("POST", "/catalogs/shoes/items/", {"items": [WHOLE, {"id": "b", "title": "B"}]})
    assert (made.status_code, made.json()) == (202, {"message": "success"})
    assert await shop.item("runner") == {**WHOLE, "since": "2026-12-01T09:00:00.000+00:00"}

    changed = await shop(
        "PATCH",
        "/catalogs/shoes/items",
        {
            "items": [
                {
                    "id": "runner",
                    "price": 79,
                    "title": None,
                    "tags": {"$add": ["sale", "road"], "$remove": ["light"]},
                },
                {"id": "new", "title": "N"},
            ]
        },
    )
    replaced = await shop("PUT", "/catalogs/shoes/items", {"items": [{"id": "b", "price": "12"}]})

    assert (changed.status_code, replaced.status_code) == (202, 202)
    runner = await shop.item("runner")
    assert ("title" in runner, runner["price"], runner["tags"]) == (False, 79, ["road", "sale"])
    assert await shop.item("b") == {"id": "b", "price": 12}
    assert await shop.item("new") == {"id": "new", "title": "N"}

    gone = await shop("DELETE", "/catalogs/shoes/items", {"items": [{"id": "b"}, {"id": "never-there"}]})
    assert gone.status_code == 202
    assert await shop.item("b") is None


async def test_one_item_is_made_read_replaced_changed_and_deleted(shop: Shop) -> None:
    """CAT-3, CAT-4: 201 for a new one, 200 otherwise, 404 for one that is not there."""
    path = "/catalogs/shoes/items/a"
    body = {"items": [{"title": "A"}]}

    assert (await shop("POST", path, body)).status_code == 201
    again = await shop("POST", path, body)
    assert (again.status_code, errors(again)) == (400, ["item-already-exists"])
    assert again.json()["errors"][0]["parameter_values"] == ["a"]
    other = await shop("PUT", path, {"items": [{"id": "b", "title": "B"}]})
    assert (other.status_code, errors(other)) == (400, ["id-in-body"])
    read = await shop("GET", path)
    assert (read.status_code, read.json()["items"]) == (200, [{"id": "a", "title": "A"}])
    assert (await shop("PATCH", path, {"items": [{"price": 3}]})).status_code == 200
    assert await shop.item("a") == {"id": "a", "title": "A", "price": 3}
    assert (await shop("PUT", path, {"items": [{"price": 4}]})).status_code == 200
    assert await shop.item("a") == {"id": "a", "price": 4}
    assert (await shop("DELETE", path)).status_code == 200
    for method in ("GET", "PATCH", "DELETE"):
        answer = await shop(method, path, None if method == "GET" else body)
        assert (answer.status_code, errors(answer)) == (404, ["item-not-found"])
        assert answer.json()["errors"][0]["parameter_values"] == ["a"]


def deep(levels: int) -> Any:
    return {"x": deep(levels - 1)} if levels else 1


WRONG_ITEMS: list[Any] = [
    ("x", "item-array-invalid", None),
    ([], "item-array-invalid", None),
    (["x"], "item-array-invalid", None),
    ([{"id": f"i{n}"} for n in range(51)], "request-includes-too-many-items", None),
    ([{"title": "X"}], "items-missing-ids", None),
    ([{"id": 7}], "ids-not-strings", [7]),
    ([{"id": "x" * 251}], "ids-too-large", ["x" * 251]),
    ([{"id": "a b"}], "invalid-ids", ["a b"]),
    ([{"id": "a"}, {"id": "a"}], "ids-not-unique", ["a"]),
    ([{"id": "a", "colour": "red"}, {"id": "b"}], "invalid-fields", ["a"]),
    ([{"id": "a", "price": "cheap"}, {"id": "b", "sold_out": 3}], "unable-to-coerce-value", ["a", "b"]),
    ([{"id": "a", "since": "soon"}], "unable-to-coerce-value", ["a"]),
    ([{"id": "a", "title": "\0"}], "unable-to-coerce-value", ["a"]),
    ([{"id": "a", "tags": {"$add": ["x"]}}], "unable-to-coerce-value", ["a"]),
    ([{"id": "a", "title": "x" * 5001}], "items-too-large", ["a"]),
    ([{"id": "a", "tags": ["x"] * 101}], "items-too-large", ["a"]),
    ([{"id": "a", "maker": {"a.b": 1}}], "invalid-keys-in-value-object", ["a"]),
    ([{"id": "a", "maker": deep(51)}], "too-deep-nesting-in-value-object", ["a"]),
]


async def test_one_wrong_item_refuses_the_whole_call(shop: Shop) -> None:
    """CAT-2, CAT-4, K5: what is answered with 400 has written nothing; the values name the items."""
    for items, code, named in WRONG_ITEMS:
        answer = await shop("PUT", "/catalogs/shoes/items", {"items": items})

        assert answer.status_code == 400
        assert errors(answer) == [code], code
        if named is not None:
            assert answer.json()["errors"][0]["parameter_values"] == named
        assert await shop.stage.db.pool.fetchval("select count(*) from catalog_items") == 0


async def test_pages_of_fifty_lead_to_each_other_by_paths(shop: Shop) -> None:
    """CAT-3: forwards through all, and back again; no header where there is one page."""
    ids = [f"i{n:03}" for n in range(120)]
    for at in (0, 50, 100):
        body = {"items": [{"id": each} for each in ids[at : at + 50]]}
        await shop("PUT", "/catalogs/shoes/items", body)
    seen, path, links = [], "/catalogs/shoes/items", {}
    for _ in range(3):
        answer = await shop("GET", path)
        seen.append([item["id"] for item in answer.json()["items"]])
        links = {
            part.split("; ")[1]: part.split("; ")[0].strip("<>")
            for part in answer.headers["link"].split(", ")
        }
        path = links.get('rel="next"', "")

    assert [len(page) for page in seen] == [50, 50, 20]
    assert [each for page in seen for each in page] == ids
    assert path == ""
    back = await shop("GET", links['rel="prev"'])
    assert [item["id"] for item in back.json()["items"]] == ids[50:100]
    assert 'rel="prev"' in back.headers["link"]
    wrong = await shop("GET", "/catalogs/shoes/items?cursor=bad-cursor")
    assert (wrong.status_code, errors(wrong)) == (400, ["invalid-cursor"])
    await shop("DELETE", "/catalogs/shoes/items", {"items": [{"id": each} for each in ids[:50]]})
    await shop("DELETE", "/catalogs/shoes/items", {"items": [{"id": each} for each in ids[50:100]]})
    assert "link" not in (await shop("GET", "/catalogs/shoes/items")).headers


async def test_changes_of_one_item_at_the_same_time_lose_nothing(shop: Shop) -> None:
    """Each PATCH holds the items that it changes."""
    await shop("POST", "/catalogs/shoes/items", {"items": [{"id": "a", "tags": []}, {"id": "b", "tags": []}]})

    async def change(n: int) -> int:
        order = ["a", "b"] if n % 2 else ["b", "a"]
        items = [{"id": each, "tags": {"$add": [f"t{n}"]}} for each in order]
        return (await shop("PATCH", "/catalogs/shoes/items", {"items": items})).status_code

    assert set(await asyncio.gather(*(change(n) for n in range(20)))) == {202}
    for each in ("a", "b"):
        assert sorted((await shop.item(each))["tags"]) == sorted(f"t{n}" for n in range(20))


async def test_an_item_that_several_make_at_the_same_time_has_what_each_of_them_said(shop: Shop) -> None:
    """CAT-3: PATCH makes what is not there; nobody's fields are lost, and no call waits for one that waits for it."""
    ids = ["B", "a", "Z-1", "b_2"]

    async def change(n: int) -> set[int]:
        items = [{"id": each, "tags": {"$add": [f"t{n}"]}} for each in (ids if n % 2 else ids[::-1])]
        gone = {"items": [{"id": f"x{m}"} for m in range(9)][:: 1 if n % 2 else -1]}
        return {
            (await shop("PATCH", "/catalogs/shoes/items", {"items": items})).status_code,
            (await shop("PUT", "/catalogs/shoes/items", gone)).status_code,
            (await shop("DELETE", "/catalogs/shoes/items", gone)).status_code,
        }

    assert set().union(*await asyncio.gather(*(change(n) for n in range(20)))) == {202}
    for each in ids:
        assert sorted((await shop.item(each))["tags"]) == sorted(f"t{n}" for n in range(20))
    refused = await shop("PATCH", "/catalogs/shoes/items", {"items": [{"id": "new", "price": "cheap"}]})
    assert (errors(refused), await shop.item("new")) == (["unable-to-coerce-value"], None)


# Fields and selections -----------------------------------------------------------------------------------------


async def test_fields_are_added_and_deleted_with_their_values(shop: Shop) -> None:
    """CAT-1, CAT-3, D9"""
    added = await shop("POST", "/catalogs/shoes/fields", {"fields": [{"name": "colour", "type": "string"}]})
    await shop("PUT", "/catalogs/shoes/items", {"items": [{"id": "a", "colour": "red", "price": 1}]})
    twice = await shop("POST", "/catalogs/shoes/fields", {"fields": [{"name": "colour", "type": "number"}]})
    gone = await shop("DELETE", "/catalogs/shoes/fields/colour")

    assert (added.status_code, gone.status_code) == (202, 202)
    assert errors(twice) == ["field-names-not-unique"]
    assert await shop.item("a") == {"id": "a", "price": 1}
    for field, status in (("colour", 404), ("id", 400)):
        answer = await shop("DELETE", f"/catalogs/shoes/fields/{field}")
        assert (answer.status_code, errors(answer)) == (status, ["invalid-field-name"])
    many = {"fields": [{"name": f"f{n}", "type": "time"} for n in range(51)]}
    assert errors(await shop("POST", "/catalogs/shoes/fields", many)) == ["request-includes-too-many-fields"]
    for at in range(0, 490, 49):
        some = {"fields": [{"name": f"f{n}", "type": "time"} for n in range(at, at + 49)]}
        assert (await shop("POST", "/catalogs/shoes/fields", some)).status_code == 202
    few = {"fields": [{"name": f"g{n}", "type": "time"} for n in range(4)]}  # there are 497
    assert errors(await shop("POST", "/catalogs/shoes/fields", few)) == ["catalog-exceeds-fields-limit"]


CHEAP: dict[str, Any] = {
    "name": "cheap",
    "filters": [{"field": "price", "operator": "less than", "value": 50}],
    "results_limit": 5,
    "sort_field": "price",
    "sort_order": "asc",
}


async def test_selections_are_made_and_deleted_and_hold_their_fields(shop: Shop) -> None:
    """CAT-5"""
    made = await shop("POST", "/catalogs/shoes/selections", {"selection": CHEAP})
    held = await shop("DELETE", "/catalogs/shoes/fields/price")
    gone = await shop("DELETE", "/catalogs/shoes/selections/cheap")
    again = await shop("DELETE", "/catalogs/shoes/selections/cheap")

    assert (made.status_code, gone.status_code) == (202, 202)
    assert errors(held) == ["field-referenced-by-selection"]
    assert (again.status_code, errors(again)) == (404, ["selection-not-found"])


def filtered(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"name": "x", "filters": [{"field": field, "operator": operator, "value": value}]}


WRONG_SELECTIONS: list[Any] = [
    ("x", "invalid-selection"),
    ({}, "invalid-selection"),
    ({**CHEAP, "name": "a b"}, "invalid-selection"),
    (CHEAP, "selection-name-already-exists"),
    ({**CHEAP, "name": "x", "results_limit": 51}, "selection-invalid-results-limit"),
    ({**CHEAP, "name": "x", "results_limit": "many"}, "selection-invalid-results-limit"),
    ({**CHEAP, "name": "x", "sort_field": "colour"}, "invalid-sort-field"),
    ({**CHEAP, "name": "x", "sort_field": "tags"}, "invalid-sort-field"),
    ({**CHEAP, "name": "x", "sort_order": "up"}, "invalid-sort-order"),
    ({**CHEAP, "name": "x", "sort_order": None}, "invalid-sorting"),
    ({"name": "x", "sort_order": "asc"}, "invalid-sorting"),
    ({**CHEAP, "name": "x", "filters": CHEAP["filters"] * 11}, "too-many-filters"),
    ({**CHEAP, "name": "x", "filters": "price"}, "selection-has-invalid-filter"),
    (filtered("price", "is cheaper than", 3), "selection-has-invalid-filter"),
    (filtered("price", "includes value", 3), "selection-has-invalid-filter"),
    (filtered("price", "less than", "cheap"), "selection-has-invalid-filter"),
    (filtered("colour", "equals", "red"), "selection-has-invalid-filter"),
    (filtered("maker", "equals", "red"), "selection-has-invalid-filter"),
    (filtered("title", "equals", "{{ broken"), "selection-has-invalid-filter"),
    (
        filtered("title", "equals", "{% connected_content https://a.example/ :save r %}{{r}}"),
        "selection-has-invalid-filter",
    ),
]


async def test_what_is_wrong_with_a_selection_is_said_in_a_code(shop: Shop) -> None:
    """CAT-4, CAT-5, K5"""
    await shop("POST", "/catalogs/shoes/selections", {"selection": CHEAP})
    for selection, code in WRONG_SELECTIONS:
        answer = await shop("POST", "/catalogs/shoes/selections", {"selection": selection})

        assert answer.status_code == 400
        assert errors(answer) == [code], code


async def test_a_catalog_has_thirty_selections_and_one_asks_of_one_array(shop: Shop) -> None:
    """K5, CAT-5"""
    more = {"fields": [{"name": "sizes", "type": "array"}]}
    await shop("POST", "/catalogs/shoes/fields", more)
    both = {
        "name": "x",
        "filters": [
            {"field": name, "operator": "includes value", "value": "38"} for name in ("tags", "sizes")
        ],
    }
    two = await shop("POST", "/catalogs/shoes/selections", {"selection": both})
    codes = [
        (await shop("POST", "/catalogs/shoes/selections", {"selection": {"name": f"s{n}"}})).status_code
        for n in range(30)
    ]
    one_more = await shop("POST", "/catalogs/shoes/selections", {"selection": {"name": "s30"}})

    assert errors(two) == ["selection-contains-too-many-arrays"]
    assert codes == [202] * 30
    assert (one_more.status_code, errors(one_more)) == (400, ["selection-limit-reached"])


# Who may, and how often ----------------------------------------------------------------------------------------


PERMISSIONS: list[Any] = [
    ("POST", "/catalogs", "catalogs.create"),
    ("GET", "/catalogs", "catalogs.get"),
    ("DELETE", "/catalogs/x", "catalogs.delete"),
    ("POST", "/catalogs/x/items", "catalogs.add_items"),
    ("PUT", "/catalogs/x/items", "catalogs.replace_items"),
    ("PATCH", "/catalogs/x/items", "catalogs.update_items"),
    ("DELETE", "/catalogs/x/items", "catalogs.delete_items"),
    ("GET", "/catalogs/x/items", "catalogs.get_items"),
    ("POST", "/catalogs/x/items/a", "catalogs.create_item"),
    ("GET", "/catalogs/x/items/a", "catalogs.get_item"),
    ("PUT", "/catalogs/x/items/a", "catalogs.replace_item"),
    ("PATCH", "/catalogs/x/items/a", "catalogs.update_item"),
    ("DELETE", "/catalogs/x/items/a", "catalogs.delete_item"),
    ("POST", "/catalogs/x/fields", "catalogs.create_fields"),
    ("DELETE", "/catalogs/x/fields/f", "catalogs.delete_fields"),
    ("POST", "/catalogs/x/selections", "catalogs.create_selection"),
    ("DELETE", "/catalogs/x/selections/s", "catalogs.delete_selection"),
]


async def test_each_call_wants_its_own_permission(shop: Shop) -> None:
    """API-3: the refusal names what is missing."""
    for method, path, permission in PERMISSIONS:
        db, workspace = shop.stage.db, shop.stage.workspace
        poor, rich = [
            {"Authorization": f"Bearer {await create_key(db, workspace, name, [each])}"}
            for name, each in ((f"poor of {permission}", "users.track"), (permission, permission))
        ]
        refused = await shop.client.request(method, path, headers=poor)
        passed = await shop.client.request(method, path, headers=rich)

        assert refused.status_code == 403
        assert permission in refused.json()["message"]
        assert passed.status_code in (200, 400, 404)


async def test_calls_are_counted_by_family(shop: Shop) -> None:
    """LIM-2: the fifty-first call for one item in a minute is a 429; bulk calls have their own 16,000."""
    shop.services.limits.changed = {}
    codes = [(await shop("GET", "/catalogs/shoes/items/a")).status_code for _ in range(51)]
    bulk = await shop("PUT", "/catalogs/shoes/items", {"items": [{"id": "a"}]})

    assert codes == [404] * 50 + [429]
    assert (bulk.status_code, bulk.headers["x-ratelimit-limit"]) == (202, "16000")


async def test_a_workspace_sees_its_own_catalogs_only(shop: Shop, db: Database) -> None:
    other = await stage_on(db, STORY, workspace="other")
    key = await create_key(db, other.workspace, "test", ["*"])
    await shop("PUT", "/catalogs/shoes/items", {"items": [{"id": "a", "title": "Ours"}]})
    theirs = Shop(other, key)

    assert (await theirs("GET", "/catalogs")).json()["catalogs"] == []
    assert (await theirs("GET", "/catalogs/shoes/items/a")).status_code == 404
    assert (await theirs("POST", "/catalogs", {"catalogs": [SHOES]})).status_code == 201
    assert (await theirs("GET", "/catalogs/shoes/items/a")).status_code == 404
    assert (await theirs("DELETE", "/catalogs/shoes")).status_code == 200
    assert (await shop.item("a"))["title"] == "Ours"
    await theirs.client.aclose()
