"""Definitions in Python import modules of their folder, and make several canvases at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from journeys.canvas.loading import load

HEAD = "from journeys import Canvas, Delay, Schedule, Segment, attribute, days\n"
ONE = "Canvas(name={name}, schedule=Schedule(api=True), audience=paying, steps=[Delay(id='a', duration=days(1))])"
HELPER = HEAD + "paying = attribute('plan') == 'pro'\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_module_of_the_folder_is_imported_and_needs_no_definition(tmp_path: Path) -> None:
    canvas = f"{HEAD}from audiences_of_ours import paying\nc = {ONE.format(name=repr('c'))}\n"
    write(tmp_path, audiences_of_ours=HELPER, c=canvas, eu__d=canvas.replace("'c'", "'d'"))
    before = list(sys.path)

    found = load([tmp_path])

    assert found.problems == []
    assert sorted(found.canvases) == ["c", "d"]
    assert "audiences_of_ours" not in sys.modules
    assert sys.path == before


def test_a_module_is_run_anew_by_each_reading(tmp_path: Path) -> None:
    canvas = f"{HEAD}from audiences_of_ours import paying\nc = {ONE.format(name=repr('c'))}\n"
    write(tmp_path, c=canvas, audiences_of_ours=HELPER)
    first = load([tmp_path]).canvases["c"].value
    write(tmp_path, audiences_of_ours=HELPER.replace("'pro'", "'team_or_more'"))

    assert load([tmp_path]).canvases["c"].value.audience != first.audience


def test_what_a_file_imports_of_its_folder_is_defined_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        groups_of_ours=HEAD + "vip = Segment(name='vip', when=attribute('plan') == 'pro')\n",
        c=f"{HEAD}from groups_of_ours import vip\npaying = vip.when\nc = {ONE.format(name=repr('c'))}\n",
    )

    found = load([tmp_path / "c.py", tmp_path])

    assert [str(each).split(":")[-1] for each in found.problems] == [
        f" J306 the canvas “c” is already defined in {tmp_path / 'c.py'}"
    ]
    assert list(found.segments) == ["vip"]


@pytest.mark.parametrize("folder", ["venv/site-packages", ".venv"])
def test_packages_within_the_folder_stay_loaded(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "a_package.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / folder)
    write(tmp_path, c=f"{HEAD}import a_package\npaying = None\nc = {ONE.format(name=repr('c'))}\n")

    assert load([tmp_path]).problems == []
    assert sys.modules.pop("a_package")


@pytest.mark.parametrize(
    ("several", "columns"),
    [
        (f"[{ONE.format(name='n')} for n in ('c', 'd')]", [10, 10]),
        (f"{{n: {ONE.format(name='n')} for n in ('c', 'd')}}", [13, 13]),
        (f"[{ONE.format(name=repr('c'))},\n    {ONE.format(name=repr('d'))}]", [10, 5]),
        (f"({ONE.format(name=repr('c'))},\n    {ONE.format(name=repr('d'))})", [10, 5]),
        (f"{{1: {ONE.format(name=repr('c'))},\n 2: {ONE.format(name=repr('d'))}}}", [13, 5]),
        (f"[*[{ONE.format(name='n')} for n in ('c', 'd')]]", [9, 9]),
        (f"list({ONE.format(name='n')} for n in ('c', 'd'))", [9, 9]),
    ],
)
def test_canvases_in_a_list_are_definitions(several: str, columns: list[int], tmp_path: Path) -> None:
    write(tmp_path, c=f"{HELPER}every = {several}\n")

    found = load([tmp_path])

    assert found.problems == []
    assert sorted(found.canvases) == ["c", "d"]
    assert [found.canvases[name].places.where(()).column for name in "cd"] == columns


def test_what_has_a_name_and_is_in_a_list_is_defined_once(tmp_path: Path) -> None:
    write(tmp_path, c=f"{HELPER}c = {ONE.format(name=repr('c'))}\nevery = [c, 5]\n")

    found = load([tmp_path])

    assert found.problems == []
    assert found.canvases["c"].places.where(()).column == 5


def test_a_relative_import_is_told_how_to_be_written(tmp_path: Path) -> None:
    write(tmp_path, c=HEAD + "from .audiences import paying\n")

    [problem] = load([tmp_path]).problems

    assert problem.code == "J006"
    assert problem.hint == "modules of the folder are imported by their names: from audiences import paying"


def test_the_example_of_the_page_on_python_loads(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "python.md"
    blocks = re.findall(
        r"```python title=\"definitions/(\w+)\.py\"\n(.*?)\n```\n", page.read_text("utf-8"), re.DOTALL
    )
    write(tmp_path, **dict(blocks))

    found = load([tmp_path])

    assert found.problems == []
    assert sorted(found.canvases) == ["welcome-DE", "welcome-FR"]
