"""What other packages add: what cannot be loaded is left out, with a line that names the package."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from journeys.canvas.installed_packages import left_out, load_all


def test_a_package_that_cannot_be_loaded_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tests.things]\nbroken = no_such:Thing\nwell = os:sep\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert set(load_all("tests.things")) == {"well"}

    [line] = caplog.messages
    assert "the package acme is broken: its “broken” (tests.things) is left out: ModuleNotFoundError" in line


@pytest.mark.parametrize(("source", "found"), [("Thing = 1\n", {"well": 1}), ("raise ValueError\n", {})])
def test_what_a_package_adds_is_found_also_where_its_own_module_is_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, found: dict[str, int]
) -> None:
    info = tmp_path / "half-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tests.halves]\nwell = half_there:Thing\n")
    (tmp_path / "half_there.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    under_way = ModuleType("half_there")
    monkeypatch.setattr(under_way, "__spec__", SimpleNamespace(_initializing=True))
    monkeypatch.setitem(sys.modules, "half_there", under_way)

    assert load_all("tests.halves") == found
    assert (sys.modules["half_there"] is under_way) == (found == {})


def test_what_belongs_to_no_package_is_named_by_its_module() -> None:
    line = left_out(EntryPoint("one", "no_such:Thing", "tests.things"), ValueError("first\nsecond"))
    assert (
        line == "the package no_such:Thing is broken: its “one” (tests.things) is left out: ValueError: first"
    )
