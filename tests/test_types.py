"""The words of the language are typed without any plug-in, as a project sees them that is no part of this one."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from journeys.workflows.temporal_build import cache_folder

ROOT = Path(__file__).parents[1]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
RIGHT = """
from datetime import time

from journeys import (
    ActionPath, ActionPaths, AudiencePath, AudiencePaths, Canvas, Catalog, CatalogField, Context, Delay, Message, Schedule, Segment,
    UserUpdate, Variable, Variant, attribute, bucket, consent, context, days, event, hours, message, purchase, segment,
)
from journeys.canvas.filters import AttributeFilter, MessageFilter
from journeys.testing import Story, Trial, journey

vip: AttributeFilter = attribute("vip") == True
opened: MessageFilter = message.opened(step="hello", within_last=days(3))
both = vip & ~opened | (attribute("country").one_of("FR", "DE") & (consent("email") != "unsubscribed"))
bought = event("bought", where=[event.property("price") > 3], times={"at_least": 2}) & purchase("shoe", within_last="3 days")
canvas = Canvas(
    name="typed",
    tags=["a", "b"],
    schedule=Schedule(event="signed_up", where=[event.property("plan") == "pro"]),
    audience=both & bought & segment("runners") & bucket(0, 10),
    variants=[
        Variant(name="one", weight=50, steps=(
            ActionPaths(id="watch", within=hours(3), paths=[ActionPath(name="x", triggers=[event("go"), message.clicked(), purchase()])]),
            AudiencePaths(id="who", paths=[AudiencePath(name="y", when=context("n") >= 3)]),
        )),
        Variant(name="two", weight=50, steps=[
            Delay(id="week", weekdays=["monday"], at=time(9)),
            Message(id="hello", channel="email", template="hello", at=time(18, 30), only_when=vip),
            Context(id="set", set=[Variable(name="n", type="number", value="3")]),
            UserUpdate(id="up", attributes={"vip": True}),
        ]),
    ],
)
shoes = Catalog(name="shoes", fields=[CatalogField(name="id", type="string")])
runners = Segment(name="runners", when=vip)
trial: Trial = journey([canvas, shoes, runners], "typed", starts="2026-12-07T09:00Z")
story: Story = trial.person(external_id="mel", vip=True).does("signed_up", plan="pro").opens("hello", after=hours(1)).run()
path: list[str] = story.path
subject: str = story.messages[0].subject
"""
WRONG = {
    "a key": 'from journeys import Delay, days\nDelay(id="x", durration=days(1))',
    "a key of a schedule": 'from journeys import Schedule\nSchedule(evnt="x")',
    "a value": 'from journeys import Message\nMessage(id="x", channel="email", template="t", on_fail="exti")',
    "an engagement": 'from journeys import message\nmessage.opend(step="x")',
    "a word of an engagement": 'from journeys import message\nmessage.opened(stp="x")',
    "a comparison": 'from journeys import attribute\nattribute("x").one_off("a")',
    "a name": "from journeys import Canvass",
    "a kind of step": 'from journeys import Canvas, Schedule, days\nCanvas(name="x", schedule=Schedule(event="y"), steps=[days(1)])',
    "what a filter is": 'from journeys import Segment\nSegment(name="x", when="vip")',
    "a story": "from journeys.testing import Story\ndef f(story: Story) -> None:\n    story.pahts",
    "a person": "from journeys.testing import TrialPerson\ndef f(mel: TrialPerson) -> None:\n    mel.clickes('x')",
}


def stranger(folder: Path) -> dict[str, Path]:
    """A project with what is right, and a file for each typo."""
    (folder / "wrong").mkdir()
    (folder / "right").mkdir()
    for number, code in enumerate(PYTHON.findall((ROOT / "README.md").read_text(encoding="utf-8"))):
        if "Worker(client" not in code:
            (folder / "right" / f"readme_{number}.py").write_text(code)
    for path in (ROOT / "definitions").rglob("*.py"):
        shutil.copy(path, folder / "right" / path.name)
    (folder / "right" / "words.py").write_text(RIGHT)
    for name, code in WRONG.items():
        (folder / "wrong" / f"{name.replace(' ', '_')}.py").write_text(code + "\n")
    return {name: folder / "wrong" / f"{name.replace(' ', '_')}.py" for name in WRONG}


def said(*words: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, cwd=folder, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_takes_what_is_right_and_finds_each_typo(tmp_path: Path) -> None:
    typos = stranger(tmp_path)
    kept = cache_folder() / "mypy"
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = true\ncache_dir = {kept}\n")

    assert said("mypy", "right", folder=tmp_path) == (0, "Success: no issues found in 3 source files\n")
    code, text = said("mypy", "wrong", folder=tmp_path)
    assert code == 1
    assert [name for name, path in typos.items() if f"wrong/{path.name}:" not in text] == []


@pytest.mark.slow
def test_pyright_takes_what_is_right_and_finds_each_typo(tmp_path: Path) -> None:
    typos = stranger(tmp_path)
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    python = ("--pythonpath", sys.executable)

    code, text = said("basedpyright", *python, "right", folder=tmp_path)
    assert (code, "0 errors" in text) == (0, True), text
    code, text = said("basedpyright", *python, "wrong", folder=tmp_path)
    assert code == 1
    assert [name for name, path in typos.items() if f"wrong/{path.name}:" not in text] == []


@pytest.mark.parametrize("name", ["journeys", "journeys.testing"])
def test_all_that_is_exported_is_listed_and_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)

    assert set(module.__all__) <= set(dir(module))
    assert [
        word for word in module.__all__ if not (inspect.getdoc(getattr(module, word)) or "").strip()
    ] == []
    for word in module.__all__:
        exported = getattr(module, word)
        if inspect.isclass(exported):
            methods = (
                m for m in vars(exported).items() if inspect.isfunction(m[1]) and not m[0].startswith("_")
            )
            assert [f"{word}.{method}" for method, one in methods if not inspect.getdoc(one)] == []
    assert (ROOT / "journeys" / "py.typed").exists()
