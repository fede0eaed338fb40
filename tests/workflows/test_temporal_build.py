"""Our Temporal server is built: out of all its sources, once, and one is told how far it is."""

from __future__ import annotations

import asyncio
import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from journeys.workflows import temporal_build
from journeys.workflows.temporal_build import IMPORT, LINKING, Package, Progress, progress

MILLION = 1_000_000


def _chain(*sizes: int) -> dict[str, Package]:
    """Packages a, b, c …, each of which imports the one before."""
    names = "abcd"
    first, *others = sizes
    later = {names[at]: Package(size - IMPORT, (names[at - 1],)) for at, size in enumerate(others, 1)}
    return {"a": Package(first)} | later


def test_what_a_package_that_was_begun_with_imports_is_done() -> None:
    packages = _chain(LINKING, LINKING, LINKING)

    assert progress(packages, [], 1, at_once=2) == Progress(0, 3, 0.0, None)
    assert progress(packages, ["a"], 1, at_once=2) == Progress(0, 3, 0.0, None)
    assert progress(packages, ["a", "b"], 30, at_once=2) == Progress(1, 3, 0.25, 90.0)
    assert progress(packages, ["a", "b", "c"], 60, at_once=2) == Progress(2, 3, 0.5, 60.0)


def test_the_estimate_goes_by_the_size_of_packages_and_not_by_their_number() -> None:
    packages = {f"small{n}": Package(MILLION) for n in range(10)}
    packages["large"] = Package(90 * MILLION - LINKING - 10 * IMPORT, tuple(packages))

    found = progress(packages, list(packages), 10, at_once=1)

    assert (found.done, found.total) == (10, 11)
    assert found.share == pytest.approx(0.1)
    assert found.left == pytest.approx(90)


def test_what_the_cache_had_is_done_and_says_nothing_of_the_speed() -> None:
    packages = _chain(50 * LINKING, 49 * LINKING, LINKING, LINKING)

    found = progress(packages, ["c", "d"], 10, at_once=1)

    assert found.done == 3
    assert found.share == pytest.approx(100 / 102)
    assert found.left is None  # too little was compiled to tell
    slow = progress(_chain(4 * LINKING, 2 * LINKING, 2 * LINKING, LINKING), ["b", "c", "d"], 40, at_once=1)
    assert (slow.done, slow.left) == (3, pytest.approx(20))  # four parts in 40 s, two remain


def test_a_name_that_is_unknown_counts_for_nothing() -> None:
    assert progress(_chain(MILLION), ["# warning", "b"], 9, at_once=0) == Progress(0, 1, 0.0, None)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (None, "12 of 40 packages, 30%"),
        (12.0, "12 of 40 packages, 30%, about 10 s left"),
        (89.0, "12 of 40 packages, 30%, about 90 s left"),
        (200.0, "12 of 40 packages, 30%, about 3 minutes left"),
    ],
)
def test_progress_is_told_in_words(left: float | None, said: str) -> None:
    assert str(Progress(12, 40, 0.3, left)) == said


def test_a_change_of_any_file_that_it_is_built_of_makes_it_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(temporal_build.SOURCES, tmp_path / "devserver")
    monkeypatch.setattr(temporal_build, "SOURCES", tmp_path / "devserver")
    seen = {temporal_build.program()}
    files = temporal_build.sources()

    for name in files:
        with (tmp_path / "devserver" / name).open("a") as file:
            file.write("\n")
        seen.add(temporal_build.program())
    (tmp_path / "devserver" / "more.go").write_text("package main\n")
    seen.add(temporal_build.program())

    assert len(seen) == len(files) + 2
    (tmp_path / "devserver" / "README.md").write_text("not built")
    assert temporal_build.program() in seen


def test_every_module_that_is_left_out_is_replaced_and_written_down() -> None:
    given = (temporal_build.SOURCES / "go.mod").read_text()
    replaced = dict(re.findall(r"^\t(\S+) => \./stubs/(\S+)$", given, re.MULTILINE))
    there = {one.parent for one in temporal_build.sources() if one.name == "go.mod"} - {Path()}
    told = (temporal_build.SOURCES / "README.md").read_text()

    assert {Path("stubs", name) for name in replaced} == there
    assert all(name == place for name, place in replaced.items())
    for name in replaced:
        assert f"`{name}`" in told, name


def test_it_is_built_by_python_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Makefile does, before anything is installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    temporal_build.program().parent.mkdir(parents=True)
    temporal_build.program().touch()

    said = subprocess.run(
        [sys.executable, "-I", "-S", temporal_build.__file__], capture_output=True, text=True, check=False
    )

    assert (said.returncode, said.stderr) == (0, "")


async def test_who_finds_another_building_it_is_told_how_far_that_is_and_has_the_same_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    target = temporal_build.program()
    target.parent.mkdir(parents=True)
    (target.parent / "progress").write_text("half of it")
    heard: asyncio.Queue[str] = asyncio.Queue()

    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = asyncio.create_task(temporal_build.build(heard.put_nowait))
        assert await heard.get() == "half of it"
        (target.parent / "progress").write_text("all of it")
        assert await heard.get() == "all of it"
        target.touch()
        assert not waiting.done()

    assert await waiting == target


async def test_a_build_that_is_given_up_ends_its_compilers_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOCACHE", str(tmp_path / "compiled"))
    folder = temporal_build.program().parent
    task = asyncio.create_task(temporal_build.build())
    async with asyncio.timeout(100):
        while not list(folder.glob("*/go-build*/*/*")) and not task.done():
            await asyncio.sleep(0.05)
    assert not task.done()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {one.name for one in folder.iterdir()} == {"lock", "progress"}
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(folder) in str(one.info["cmdline"])]
