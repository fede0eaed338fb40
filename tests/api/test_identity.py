"""The names of people over the REST API: aliases, external ids, and former ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from journeys.engine.intake.external_ids import rename_external_ids
from journeys.engine.people.identity import Identifier, find
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import Door
from tests.stage import canvas, stage_on

NEW, UPDATE = "/users/alias/new", "/users/alias/update"
RENAME, REMOVE = "/users/external_ids/rename", "/users/external_ids/remove"


async def said(door: Door, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await door.post(path, body)
    return answer.status_code, answer.json()


def alias(name: Any = "n", label: Any = "l", **more: Any) -> dict[str, Any]:
    return {"alias_name": name, "alias_label": label, **more}


async def named(door: Door, sort: Any, value: str) -> str | None:
    """The external id of whom a name finds; "" for somebody without one, None for nobody."""
    one = Identifier(sort, value)
    found = await find(door.stage.db.pool, door.stage.workspace, [one])
    if one not in found:
        return None
    return await door.stage.db.pool.fetchval("select external_id from people where id = $1", found[one]) or ""


async def track(door: Door, *external_ids: str) -> None:
    assert (
        await door.post("/users/track", {"attributes": [{"external_id": one} for one in external_ids]})
    ).status_code == 201


async def test_an_alias_is_given_to_a_person_or_makes_one_and_changes_nothing_that_is_taken(
    door: Door,
) -> None:
    """IDN-21, IDN-3, A8: an unknown external id is no error, and makes nobody."""
    await track(door, "mel", "zoe")
    status, answer = await said(
        door,
        NEW,
        {
            "user_aliases": [
                alias("a", external_id="mel"),
                alias("alone"),
                alias("c", external_id="nobody"),
                alias("b", external_id="mel"),  # has one under this label
                alias("a", external_id="zoe"),  # is mel's
                alias("b", "other", external_id="mel"),
            ]
        },
    )

    assert (status, answer) == (201, {"message": "success", "aliases_processed": 6})
    assert await named(door, "user_alias", "l\x1fa") == "mel"
    assert await named(door, "user_alias", "other\x1fb") == "mel"
    assert await named(door, "user_alias", "l\x1falone") == ""
    assert [await named(door, "user_alias", f"l\x1f{name}") for name in "bc"] == [None, None]
    assert await named(door, "external_id", "nobody") is None
    people = await door.stage.db.pool.fetchval("select count(*) from people")
    await said(door, NEW, {"user_aliases": [alias("alone"), alias("alone", external_id="zoe")]})
    assert await named(door, "user_alias", "l\x1falone") == ""
    assert await door.stage.db.pool.fetchval("select count(*) from people") == people == 3


async def test_somebody_who_is_made_by_an_alias_is_heard_of(db: Database) -> None:
    """IDN-21, TRK-9"""
    welcome = canvas("  - {type: delay, id: d, duration: 1 day}", schedule="{person: created}")
    stage = await stage_on(db, welcome)
    door = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    await said(door, NEW, {"user_aliases": [alias("a"), alias("b"), alias("a", external_id="nobody")]})
    await said(door, NEW, {"user_aliases": [alias("a")]})
    await door.client.aclose()
    assert await db.pool.fetchval("select count(*) from entries") == 2


async def test_an_alias_is_renamed_unless_somebody_has_the_new_one(door: Door) -> None:
    """IDN-24: nobody's alias is no error."""
    await track(door, "mel", "zoe")
    await said(door, NEW, {"user_aliases": [alias("a", external_id="mel"), alias("z", external_id="zoe")]})
    status, answer = await said(
        door,
        UPDATE,
        {
            "alias_updates": [
                {"alias_label": "l", "old_alias_name": "a", "new_alias_name": "z"},
                {"alias_label": "l", "old_alias_name": "a", "new_alias_name": "b"},
                {"alias_label": "l", "old_alias_name": "nobodys", "new_alias_name": "c"},
                {"alias_label": "m", "old_alias_name": "b", "new_alias_name": "d"},
            ]
        },
    )

    assert (status, answer) == (201, {"message": "success", "aliases_processed": 4})
    found = [await named(door, "user_alias", f"l\x1f{name}") for name in ("a", "b", "z", "c")]
    assert found == [None, "mel", "zoe", None]


@pytest.mark.parametrize(
    ("path", "given", "reason"),
    [
        (NEW, "x", "each object in 'user_aliases' must be a JSON object"),
        (NEW, {"alias_label": "l"}, "'alias_name' is required"),
        (NEW, {"alias_name": "n"}, "'alias_label' is required"),
        (NEW, alias(7), "'alias_name' must be a string"),
        (NEW, alias("a\x1fb"), "'alias_name' must not contain the character U+001F"),
        (NEW, alias(external_id=7), "'external_id' must be a string"),
        (UPDATE, [], "each object in 'alias_updates' must be a JSON object"),
        (UPDATE, {"alias_label": "l", "old_alias_name": "a"}, "'new_alias_name' is required"),
        (
            UPDATE,
            {"alias_label": "l", "old_alias_name": 1, "new_alias_name": "b"},
            "'old_alias_name' must be a string",
        ),
        (
            UPDATE,
            {"alias_label": "l", "old_alias_name": "a", "new_alias_name": ""},
            "'new_alias_name' must not be empty",
        ),
    ],
)
async def test_an_object_that_is_wrong_is_told_and_sinks_no_other(
    door: Door, path: str, given: Any, reason: str
) -> None:
    """IDN-21, IDN-24"""
    array = "user_aliases" if path == NEW else "alias_updates"
    good = alias("x") if path == NEW else {"alias_label": "l", "old_alias_name": "a", "new_alias_name": "b"}
    status, answer = await said(door, path, {array: [good, given]})

    assert status == 201
    assert answer == {
        "message": "success",
        "aliases_processed": 1,
        "errors": [{"type": reason, "input_array": array, "index": 1}],
    }


@pytest.mark.parametrize(
    ("path", "array"),
    [
        (NEW, "user_aliases"),
        (UPDATE, "alias_updates"),
        (RENAME, "external_id_renames"),
        (REMOVE, "external_ids"),
    ],
)
async def test_a_call_has_an_array_of_fifty_at_most(door: Door, path: str, array: str) -> None:
    """IDN-32: of external ids one at least."""
    status, answer = await said(door, path, {})
    assert (status, answer["message"]) == (400, f"'{array}' is required")
    status, answer = await said(door, path, {array: {}})
    assert status == 400 and answer["message"].startswith(f"'{array}' must be an array of ")
    status, answer = await said(door, path, {array: ["x"] * 51})
    assert (status, answer["message"]) == (
        400,
        f"a single request may not contain more than 50 {array.replace('_', ' ')}",
    )
    assert (await said(door, path, {array: []}))[0] == (400 if "external" in array else 201)
    assert (await said(door, path, {array: ["x"] * 50}))[0] == 201


async def test_calls_that_change_names_share_a_limit_and_external_ids_have_their_own(door: Door) -> None:
    """IDN-21: 20,000 a minute together; IDN-22, IDN-23: 1,000 each."""
    left = [
        (await door.post(path, {})).headers["x-ratelimit-remaining"] for path in (NEW, UPDATE, RENAME, REMOVE)
    ]
    assert left == ["19999", "19998", "999", "999"]


async def test_both_external_ids_find_the_person_until_the_former_one_is_removed(door: Door) -> None:
    """A8, IDN-22, IDN-23, IDN-29"""
    await track(door, "old")
    assert await said(
        door, RENAME, {"external_id_renames": [{"current_external_id": "old", "new_external_id": "new"}]}
    ) == (
        201,
        {"message": "success", "external_ids": ["new"], "rename_errors": []},
    )
    await door.post(
        "/users/track", {"attributes": [{"external_id": "old", "a": 1}, {"external_id": "new", "b": 2}]}
    )
    assert [await named(door, "external_id", name) for name in ("old", "new")] == ["new", "new"]
    assert (await door.profile("new"))["attributes"] == {"a": 1, "b": 2}
    assert await door.stage.db.pool.fetchval("select count(*) from people") == 1, "no new person"

    assert await said(door, REMOVE, {"external_ids": ["new", "old", "old", "nobody", 7]}) == (
        201,
        {
            "message": "success",
            "removed_ids": ["old"],
            "removal_errors": [
                [0, "only a former external id can be removed, and this is the person's own"],
                [2, "there is no person with this external id"],
                [3, "there is no person with this external id"],
                [4, "'external_id' must be a string"],
            ],
        },
    )
    assert [await named(door, "external_id", name) for name in ("old", "new")] == [None, "new"]


async def test_an_external_id_is_given_by_its_own_one_to_one_who_has_none_of_the_two(door: Door) -> None:
    """IDN-29, IDN-32: not by a former one, not one that is in use, not even as a former one."""
    await track(door, "a", "b")
    pairs = [
        ("a", "a2"), ("a", "a3"), ("b", "a"), ("b", "a2"), ("nobody", "c"), ("b", "b"), ("b", "b2"), ("b2", "b3"), (7, "d"), ("b3", None), (None, "e"),
    ]  # fmt: skip
    renames: list[Any] = [{"current_external_id": old, "new_external_id": new} for old, new in pairs]
    status, answer = await said(door, RENAME, {"external_id_renames": [*renames, "x"]})

    assert status == 201
    assert answer["external_ids"] == ["a2", "b2", "b3"]
    assert answer["rename_errors"] == [
        [1, "the current external id is a former one"],
        [2, "the new external id is in use"],
        [3, "the new external id is in use"],
        [4, "there is no person with this external id"],
        [5, "the current and the new external id are the same"],
        [8, "'current_external_id' must be a string"],
        [9, "'new_external_id' is required"],
        [10, "'current_external_id' is required"],
        [11, "each object in 'external_id_renames' must be a JSON object"],
    ]
    found = [await named(door, "external_id", name) for name in ("a", "a2", "a3", "b", "b2", "b3", "c", "d")]
    assert found == ["a2", "a2", None, "b3", "b3", "b3", None, None]
    assert await door.stage.db.pool.fetchval("select count(*) from people") == 2


async def test_one_who_is_made_while_their_id_is_given_to_another_is_one_of_the_two(door: Door) -> None:
    """IDN-2, IDN-29: whichever is first; nobody waits for whom they hold up."""
    db, workspace = door.stage.db, door.stage.workspace
    await track(door, *(f"p{number}" for number in range(20)))

    async def rename(number: int) -> int:
        done = await rename_external_ids(
            db, workspace, [{"current_external_id": f"p{number}", "new_external_id": f"n{number}"}]
        )
        return len(done.ids)

    done = await asyncio.gather(
        *(rename(number) for number in range(20)),
        *(track(door, *(f"n{number}" for number in order)) for order in (range(20), range(19, -1, -1))),
        *(track(door, *(f"p{number}" for number in range(19, -1, -1))) for _ in range(2)),
    )
    renamed = sum(one for one in done if isinstance(one, int))
    assert await db.pool.fetchval("select count(*) from people") == 40 - renamed
    assert await db.pool.fetchval("select count(*) from former_names") == renamed
