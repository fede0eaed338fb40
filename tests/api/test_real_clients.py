"""Programs of others from the package registries drive a real server, unmodified but for the address (A31)."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import pytest

from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, Door
from tests.api.test_clients import served
from tests.stage import stage_on

HERE = Path(__file__).parents[1] / "clients"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "journeys" / "clients"
SETTINGS = "---\nkind: workspace\nformat: 1\nname: default\nsender: {address: desk@example.com}\n"


async def run(
    *command: str, cwd: Path | None = None, seconds: float = 240, **more: str
) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=-1, stderr=-1, cwd=cwd, env={**environment, **more}
    )
    async with asyncio.timeout(seconds):
        said, wrong = await process.communicate()
    return process.returncode or 0, said.decode(), wrong.decode()


async def installed(name: str, locked: Path, *command: str) -> Path:
    """The folder into which a client is installed once, as it is locked. Skips where its registry does not answer."""
    place = CACHE / f"{name}-{sha256(locked.read_bytes()).hexdigest()[:12]}"
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = Path(mkdtemp(prefix=f".{name}-", dir=CACHE))
        if command[0] == "npm":
            for file in locked.parent.glob("package*.json"):
                shutil.copy(file, making)
        status, _, wrong = await run(*(part.format(making) for part in command), cwd=making)
        if status != 0:
            shutil.rmtree(making)
            pytest.skip(f"{name} cannot be installed here: {wrong.strip()[-300:]}")
        try:
            making.rename(place)
        except OSError:  # another process was quicker
            shutil.rmtree(making)
    return place


@pytest.fixture
async def door(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setenv("JOURNEYS_EXPORT_TO", str(tmp_path))
    stage = await stage_on(db, STORY + SETTINGS)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()


async def python(door: Door, name: str) -> Any:
    """What the driver of a client of PyPI says, run beside nothing but the client and what it needs."""
    locked = HERE / f"{name}.lock"
    uv = str(Path(sys.executable).with_name("uv"))
    place = await installed(name, locked, uv, "pip", "install", "--quiet", "--require-hashes", "--python", sys.executable, "--target", "{}", "-r", str(locked))  # fmt: skip
    driver = str(HERE / f"drive_{name.replace('-', '_')}.py")
    return await driven(door, sys.executable, "-S", driver, PYTHONPATH=str(place))


async def node(door: Door, name: str) -> Any:
    """What the driver of a client of npm says."""
    for program in ("npm", "node"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    locked = HERE / name / "package-lock.json"
    place = await installed(
        name, locked, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"
    )
    return await driven(door, "node", str(HERE / name / "drive.js"), NODE_PATH=str(place / "node_modules"))


async def driven(door: Door, *command: str, **more: str) -> Any:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(door))
        status, said, wrong = await run(*command, ADDRESS=address, KEY=door.key, **more)
    assert status == 0, wrong
    return msgspec.json.decode(said)


async def test_braze_client_p311_tracks_and_exports(door: Door) -> None:
    """A31: it retries, wants `message` in each answer, and tells a wrong key."""
    said = await python(door, "braze-client-p311")

    assert (said["track"]["message"], said["track"]["status_code"], said["track"]["success"]) == (
        "success",
        201,
        True,
    )
    assert said["export"]["users"] == [{"external_id": "mel", "custom_attributes": {"points": 7}}]
    assert said["export"]["invalid_user_ids"] == ["nobody"]
    assert [user["external_id"] for user in said["by_email"]["users"]] == ["mel"]
    assert said["wrong_key"].startswith("BrazeClientError") and "Invalid API Key" in said["wrong_key"]


async def test_braze_client_sdk_tracks_names_exports_and_writes_blocks(door: Door) -> None:
    """A31"""
    said = await python(door, "braze-client-sdk")

    assert said["alias"]["aliases_processed"] == 1
    assert said["export"]["users"] == [{"external_id": "mel", "first_name": "Mel"}]
    assert said["segment"]["message"] == "success" and said["segment"]["object_prefix"]
    assert said["updated"]["liquid_tag"] == "{{content_blocks.${footer}}}"
    assert (said["listed"]["count"], said["info"]["content"]) == (1, "Ever yours")


async def test_braze_api_client_tracks_and_names(door: Door) -> None:
    """A31"""
    track, alias = await python(door, "braze-api-client")

    assert (track[0], track[1]["attributes_processed"]) == (201, 1)
    assert (alias[0], alias[1]["aliases_processed"]) == (201, 1)
    assert (await door.profile("mel"))["attributes"] == {"vip": True}


async def test_edx_braze_client_sends_in_batches_and_finds_people(door: Door) -> None:
    """A31: within two seconds each, by addresses and aliases, and it tells its errors by their status."""
    said = await python(door, "edx-braze-client")

    assert (said["id"], said["nobody"]) == ("7", None)
    assert said["identified"]["message"] == "success"
    assert said["recipients"] == ["new@example.com"]
    assert (said["wrong_key"], said["wrong_call"]) == ("BrazeUnauthorizedError", "BrazeBadRequestError")
    assert (
        await door.stage.db.pool.fetchval("select count(*) from people where external_id is not null") >= 81
    )


async def test_braze_api_of_npm_reads_pages_by_their_links(door: Door) -> None:
    """A31"""
    fields = [{"name": "id", "type": "string"}]
    assert (
        await door.post("/catalogs", {"catalogs": [{"name": "shoes", "fields": fields}]})
    ).status_code == 201
    for first in (0, 30):
        items = [{"id": f"i{n:02}"} for n in range(first, first + 30)]
        assert (await door.post("/catalogs/shoes/items", {"items": items})).status_code == 202

    said = await node(door, "braze-api")

    assert said["export"]["users"] == [{"custom_attributes": {"sport": "running"}}]
    assert said["alias"]["aliases_processed"] == 1
    assert said["templates"]["count"] == 2
    assert said["template_info"]["subject"] == "s"
    assert [each["name"] for each in said["canvases"]["canvases"]] == ["story"]
    assert said["segment"]["description"] == "sport = running"
    assert said["items"] == [f"i{n:02}" for n in range(60)]


async def test_the_braze_destination_of_segment_sends_traits_events_and_purchases(door: Door) -> None:
    """A31"""
    said = await node(door, "segment")

    assert set(said) == {"updateUserProfile", "trackEvent", "trackPurchase"}
    mel = await door.profile("mel")
    assert (mel["first_name"], mel["country"]) == ("Mel", "FR")
    rows = await door.stage.db.pool.fetch("select kind, name from events order by kind")
    assert [tuple(row) for row in rows] == [("event", "liked"), ("purchase", "shoe")]
