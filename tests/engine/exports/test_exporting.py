"""Many people, as files: of a segment and of the global control group, to a folder and to a bucket, through a kill."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.server import ThreadedMotoServer

from journeys.engine.exports import exporting
from journeys.engine.exports.destination import Bucket, ExportSettings, Folder, Unavailable, destination
from journeys.engine.exports.exporting import Exporter
from journeys.engine.exports.links import LIVES, is_open
from journeys.engine.exports.running_exports import export_of
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from journeys.engine.workspaces.publishing import publish
from journeys.workflows.housekeeping import Housekeeping
from tests import forked
from tests.api.parts import Door
from tests.receiver import Receiver
from tests.stage import canvas, definitions_of, stage_on

STORY = (
    canvas("  - {type: delay, id: w, duration: 1 day}")
    + """
---
kind: segment
format: 1
name: runners
when: {attribute: sport, equals: running}
---
kind: workspace
format: 1
name: default
global_control: {share: 10}
"""
)
PEOPLE = int(os.environ.get("JOURNEYS_EXPORT_PEOPLE", "1200"))
"""`make exports` exports six hundred thousand (A60)."""
A_FILE = 5_000 if PEOPLE > 100_000 else 100
MAKE = """
insert into people (workspace, id, shard, bucket, external_id, attributes)
select $1, gen_random_uuid(), 1, n % 10000, 'p' || n,
    jsonb_build_object('sport', case when n % 3 = 0 then 'chess' else 'running' end, 'n', n, 'note', repeat('x', 50))
from generate_series(1, $2) n
"""
SEGMENT = {"segment_id": "runners", "fields_to_export": ["external_id", "custom_attributes"]}
RUNNERS = {f"p{n}" for n in range(1, PEOPLE + 1) if n % 3}


@pytest.fixture
async def door(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setenv("JOURNEYS_EXPORT_TO", str(tmp_path))
    monkeypatch.setenv("JOURNEYS_EXPORT_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("JOURNEYS_PUBLIC_URL", "http://api")
    monkeypatch.setattr(exporting, "A_FILE", A_FILE)
    monkeypatch.setattr(exporting, "A_PAGE", 40 if PEOPLE < 100_000 else 500)
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    await db.pool.execute(MAKE, stage.workspace, PEOPLE)
    yield made
    await made.client.aclose()


def exporter(door: Door) -> Exporter:
    stage = door.stage
    return Exporter(stage.db, stage.published, stage.clock, "http://api")


async def begun(door: Door, path: str = "segment", status: int = 201, **body: Any) -> Any:
    answer = await door.post(f"/users/export/{path}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


def lines(name: str, raw: bytes) -> list[dict[str, Any]]:
    if name.endswith(".gz"):
        text = gzip.decompress(raw)
    else:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            [inner] = archive.namelist()
            text = archive.read(inner)
    return [msgspec.json.decode(line) for line in text.splitlines()]


def written(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The people of each file, by its path within a folder."""
    return {
        str(file.relative_to(folder)): lines(file.name, file.read_bytes())
        for file in sorted(folder.rglob("part-*"))
    }


def names(files: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [user["external_id"] for users in files.values() for user in users]


async def test_a_segment_is_exported_to_files_and_the_callback_leads_to_them(
    door: Door, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A60, XPT-2, XPT-4: everybody once, in files of so many; no more people are read at once than a page has."""
    most = 0
    real = exporting.exported

    async def counting(connection: Any, workspace: int, people: Any, *rest: Any) -> Any:
        nonlocal most
        most = max(most, len(people))
        return await real(connection, workspace, people, *rest)

    monkeypatch.setattr(exporting, "exported", counting)
    said = await begun(door, **SEGMENT, callback_endpoint=receiver.url)
    assert await begun(door, status=409, **SEGMENT)
    assert (await door.client.get(said["url"])).status_code == 404

    assert await exporter(door).drain_once()
    assert not await exporter(door).drain_once()

    files = written(tmp_path)
    assert sorted(names(files)) == sorted(RUNNERS)
    sizes = [len(users) for users in files.values()]
    assert set(sizes[:-1]) == {A_FILE} and 0 < sizes[-1] <= A_FILE
    assert most == exporting.A_PAGE
    day = f"segment-export/runners/2026-12-07/{said['object_prefix']}"
    assert next(iter(files)) == f"{day}/part-00001.zip"
    user = next(iter(files.values()))[0]
    assert set(user) == {"external_id", "custom_attributes"} and set(user["custom_attributes"]) == {
        "sport",
        "n",
        "note",
    }
    [call] = receiver.calls
    assert call["body"] == {"success": True, "url": said["url"]}

    fetched = await door.client.get(said["url"])
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        inside = {name: lines(name, archive.read(name)) for name in archive.namelist()}
    assert sorted(names(inside)) == sorted(RUNNERS)
    assert (await door.client.get(said["url"][:-2] + "xx")).status_code == 404
    await door.stage.db.pool.execute("update exports set written = written - interval '4 hours'")
    assert (await door.client.get(said["url"])).status_code == 404
    assert (await begun(door, **SEGMENT))["object_prefix"] != said["object_prefix"]


async def test_an_export_goes_on_after_a_kill_with_the_file_that_it_was_at(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XPT-2: nobody is left out, and nobody is in two files, whether the file was put before the kill or not."""
    said = await begun(door, **SEGMENT)
    puts: list[str] = []
    real = Folder.put

    async def put(self: Folder, key: str, file: Path) -> None:
        puts.append(key)
        if len(puts) == 3:
            raise asyncio.CancelledError
        await real(self, key, file)
        if len(puts) == 6:
            raise asyncio.CancelledError

    monkeypatch.setattr(Folder, "put", put)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await exporter(door).drain_once()
        assert not await exporter(door).drain_once()  # for so long nobody else takes it
        await door.stage.db.pool.execute("update exports set lease = clock_timestamp()")
    assert await exporter(door).drain_once()

    files = written(tmp_path)
    assert sorted(names(files)) == sorted(RUNNERS)
    assert len(puts) == len(files) + 2
    assert all(said["object_prefix"] in name for name in files)
    row = await door.stage.db.pool.fetchrow("select files, people, ended from exports")
    assert (row["files"], row["people"], row["ended"] is not None) == (len(files), len(RUNNERS), True)


EXPORT = """
import asyncio, resource, sys
from journeys.engine.clock import Clock
from journeys.engine.exports import exporting
from journeys.engine.exports.destination import Folder
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published

url, a_file, a_page, there, where = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
exporting.A_FILE, exporting.A_PAGE = a_file, a_page
real, puts = Folder.put, 0

async def put(self, key, file):
    global puts
    puts += 1
    if puts == there and where == "before":
        (self._place / key).with_name(f".{(self._place / key).name}.1").write_bytes(file.read_bytes()[:10])
    else:
        await real(self, key, file)
    if puts == there:
        print(file.parent, flush=True)
        await asyncio.sleep(3600)

async def main():
    Folder.put = put
    async with Database.at(url, size=2) as db:
        assert await exporting.Exporter(db, Published(db), Clock(), "http://api").drain_once()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)

asyncio.run(main())
"""
"""A worker that exports; it stays at one of its files, before it is there or as it is not noted yet. Says its peak in MB."""


@pytest.mark.timeout(3600)
async def test_a_worker_that_is_killed_leaves_an_export_that_the_next_one_ends(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XPT-2: the files hold each person once, and nothing of half a file stays anywhere."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("JOURNEYS_EXPORT_TO", str(tmp_path / "files"))
    await begun(door, **SEGMENT)

    async def worker(there: int, where: str) -> tuple[forked.Forked, str]:
        words = door.stage.db.url, A_FILE, exporting.A_PAGE, there, where
        process = await forked.python("-c", EXPORT, *map(str, words), stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        return process, (await process.stdout.readline()).decode().strip()

    for there, where in ((3, "before"), (2, "after")):
        process, folder = await worker(there, where)
        process.kill()
        assert await process.wait() == -9 and list(Path(folder).iterdir())
        os.utime(folder, (0, 0))
        await door.stage.db.pool.execute("update exports set lease = clock_timestamp()")
    assert len(list((tmp_path / "files").rglob(".part-*"))) == 0, "the second one was at the same file"
    process, peak = await worker(0, "nowhere")

    assert await process.wait() == 0
    files = written(tmp_path / "files")
    assert sorted(names(files)) == sorted(RUNNERS)
    assert list(temporary.iterdir()) == []
    row = await door.stage.db.pool.fetchrow("select files, people, ended is not null from exports")
    assert tuple(row) == (len(files), len(RUNNERS), True)
    print(f"{len(RUNNERS)} people in {len(files)} files: the last worker had {peak} MB at most")


async def test_a_process_that_was_taken_for_dead_writes_no_further_file(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(door, **SEGMENT)
    late = exporter(door)
    real = Folder.put
    taken = False

    async def put(self: Folder, key: str, file: Path) -> None:
        nonlocal taken
        await real(self, key, file)
        if not taken:
            taken = True
            await door.stage.db.pool.execute("update exports set lease = clock_timestamp()")
            assert await exporter(door).drain_once()

    monkeypatch.setattr(Folder, "put", put)
    assert await late.drain_once()

    assert sorted(names(written(tmp_path))) == sorted(RUNNERS)
    assert await door.stage.db.pool.fetchval("select people from exports") == len(RUNNERS)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of a server on this machine that is spoken to as s3 is."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JOURNEYS_EXPORT_S3_ENDPOINT", address)
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="people")
    yield client
    server.stop()


async def test_a_bucket_takes_the_files_under_the_keys_that_clients_look_for(
    door: Door, bucket: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XPT-4: in either format, and the callback has no link then."""
    monkeypatch.setenv("JOURNEYS_EXPORT_TO", "s3://people/out")
    said = await begun(door, **SEGMENT, output_format="gzip", callback_endpoint=receiver.url)
    assert "url" not in said

    assert await exporter(door).drain_once()

    listed = (await asyncio.to_thread(bucket.list_objects_v2, Bucket="people"))["Contents"]
    prefix = f"out/segment-export/runners/2026-12-07/{said['object_prefix']}/part-"
    assert all(one["Key"].startswith(prefix) and one["Key"].endswith(".json.gz") for one in listed)
    got = {
        one["Key"]: lines(one["Key"], bucket.get_object(Bucket="people", Key=one["Key"])["Body"].read())
        for one in listed
    }
    assert sorted(names(got)) == sorted(RUNNERS)
    assert receiver.calls[0]["body"] == {"success": True}


async def test_the_global_control_group_is_exported_as_it_is(door: Door, tmp_path: Path) -> None:
    """XPT-3"""
    publication = await door.stage.published.of(door.stage.workspace)
    buckets = exporting.control_buckets(publication)
    await begun(door, "global_control_group", fields_to_export=["external_id", "random_bucket"])
    assert await exporter(door).drain_once()

    files = written(tmp_path)
    assert sorted(names(files)) == sorted(f"p{n}" for n in range(1, PEOPLE + 1) if n % 10_000 in buckets)
    assert {user["random_bucket"] for users in files.values() for user in users} <= buckets
    assert next(iter(files)).startswith("segment-export/global_control_group/2026-12-07/")


async def test_what_fails_is_tried_again_and_in_the_end_given_up(
    door: Door, tmp_path: Path, receiver: Receiver
) -> None:
    """XPT-4: a callback that fails is called again; a segment that has gone ends its export."""
    receiver.statuses = [500, 200]
    await begun(door, **SEGMENT, callback_endpoint=receiver.url)
    assert await exporter(door).drain_once()
    row = await door.stage.db.pool.fetchrow(
        "select tries, reason, ended, not_before > now() as later from exports"
    )
    assert (row["tries"], row["ended"], row["later"]) == (1, None, True)
    assert row["reason"] == "HTTPError: the callback answered 500"
    files = written(tmp_path)
    await door.stage.db.pool.execute("update exports set not_before = now()")
    assert await exporter(door).drain_once()
    assert len(receiver.calls) == 2 and written(tmp_path) == files
    assert await door.stage.db.pool.fetchval("select ended is not null from exports")

    await begun(door, **SEGMENT, callback_endpoint=receiver.url)
    await door.stage.db.pool.execute("delete from definitions where kind = 'segment'")
    await publish(
        door.stage.db, "default", definitions_of(canvas("  - {type: delay, id: w, duration: 2 days}"))
    )
    door.stage.published.forget(door.stage.workspace)
    assert await exporter(door).drain_once()
    assert receiver.calls[-1]["body"] == {"success": False}
    reason = await door.stage.db.pool.fetchval("select reason from exports where written is null")
    assert reason == "the workspace has no segment “runners” any more"


async def test_an_export_that_fails_every_time_is_given_up_and_one_of_nobody_has_an_empty_file(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(door, **SEGMENT)
    real = Folder.put

    async def full(self: Folder, key: str, file: Path) -> None:
        raise RuntimeError("full")

    monkeypatch.setattr(Folder, "put", full)
    await door.stage.db.pool.execute("update exports set tries = 20")
    assert await exporter(door).drain_once()
    assert (
        await door.stage.db.pool.fetchval("select reason from exports where ended is not null")
        == "RuntimeError: full"
    )

    monkeypatch.setattr(Folder, "put", real)
    await door.stage.db.pool.execute("delete from people")
    await begun(door, **SEGMENT)
    assert await exporter(door).drain_once()
    assert list(written(tmp_path).values()) == [[]]


WRONG: list[Any] = [
    (
        "segment",
        {"segment_id": "runner", "fields_to_export": ["email"]},
        "Invalid Segment ID: did you mean “runners”?",
    ),
    ("segment", {"segment_id": "runners"}, "'fields_to_export' is required"),
    (
        "segment",
        {**SEGMENT, "callback_endpoint": "ftp://x"},
        "'callback_endpoint' must be an http or https address",
    ),
    ("segment", {**SEGMENT, "output_format": "rar"}, "'output_format' must be 'zip' or 'gzip'"),
]


@pytest.mark.parametrize(("path", "body", "said"), WRONG)
async def test_what_cannot_be_exported_is_refused(door: Door, path: str, body: Any, said: str) -> None:
    """XPT-2"""
    assert await begun(door, path, 400, **body) == {"message": said}


async def test_some_attributes_may_be_picked_and_a_field_that_there_is_not_is_told(
    door: Door, tmp_path: Path
) -> None:
    """XPT-2"""
    picked = [*(f"a{n}" for n in range(60)), "n"]
    said = await begun(
        door, segment_id="runners", fields_to_export=["emil"], custom_attributes_to_export=picked
    )
    assert said["notice"] == "'emil' is no field to export; did you mean 'email'?"
    assert await exporter(door).drain_once()
    assert {tuple(user["custom_attributes"]) for users in written(tmp_path).values() for user in users} == {
        ("n",)
    }


async def test_without_a_place_and_without_a_control_group_the_call_says_what_is_missing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XPT-3"""
    await publish(door.stage.db, "default", definitions_of("kind: workspace\nformat: 1\nname: default\n"))
    door.stage.published.forget(door.stage.workspace)
    said = await begun(door, "global_control_group", 400, fields_to_export=["email"])
    assert said == {"message": "Bad Request: the workspace has no global control group"}
    monkeypatch.delenv("JOURNEYS_EXPORT_TO")
    said = await begun(door, status=400, **SEGMENT)
    assert said["message"].startswith("Bad Request: exports have nowhere to go: set JOURNEYS_EXPORT_TO")


def test_a_bucket_needs_its_extra_and_a_prefix_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    assert isinstance(
        destination(ExportSettings(export_to="s3://people", export_s3_endpoint="http://127.0.0.1:1")), Bucket
    )
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Unavailable, match=r"install journeys\[s3\]"):
        destination(ExportSettings(export_to="s3://people"))


async def test_the_housekeeping_of_a_worker_writes_the_exports_that_wait(door: Door, tmp_path: Path) -> None:
    nothing: Any = None
    stage = door.stage
    parts = stage.db, stage.published, stage.clock, nothing, nothing, nothing
    housekeeping = Housekeeping(*parts, closed=nothing, exporter=exporter(door))
    await begun(door, **SEGMENT)

    assert [await housekeeping.exports() for _ in range(2)] == [1, 0]
    assert sorted(names(written(tmp_path))) == sorted(RUNNERS)


async def test_a_link_is_good_for_four_hours(door: Door) -> None:
    """XPT-4"""
    await begun(door, **SEGMENT)
    await exporter(door).drain_once()
    identity = await door.stage.db.pool.fetchval("select id from exports")
    one = await export_of(door.stage.db.pool, door.stage.workspace, identity)
    assert one is not None and one.written is not None
    assert [is_open(one, one.written + LIVES - timedelta(seconds=n)) for n in (1, 0)] == [True, False]
