"""Definitions in Python: problems have the line of the call, and other programs are not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.canvas.loading import load
from journeys.canvas.python_definitions import looks_like_definitions
from journeys.channels.base import kinds
from journeys.engine.workspaces.validate import validate

HEAD = """\
from journeys import Canvas, DecisionSplit, Delay, Message, Schedule, UserUpdate, attribute, message

"""


def said(tmp_path: Path, text: str, name: str = "file.py") -> list[str]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [str(one).removeprefix(f"{path}:") for one in validate([path], kinds()).problems]


CASES = {
    "keys that are not there, and one that is missing": (
        "c = Canvas(\n    nmae='x',\n    steps=[],\n    zzz=1,\n)\n",
        [
            "4:5: J101 there is no key “nmae” here (did you mean “name”?)",
            "3:5: J102 the key “schedule” is missing",
            "6:5: J101 there is no key “zzz” here",
        ],
    ),
    "a value within a list": (
        "é = 1; c = Canvas(name='c', schedule=Schedule(api=True), tags=['a', 5])\n",
        ["3:69: J100 “tags”: a text was expected, not “5”"],
    ),
    "a step": (
        "rest = Delay(id='rest', duration='2 dys')\n",
        ["3:34: J107 “2 dys” has the unknown unit “dys” (did you mean “days”?)"],
    ),
    "a filter that is compared": (
        "f = [\n    attribute('a') == [],\n]\n",
        ["4:5: J100 an operand is a literal"],
    ),
    "a word that is not there": (
        "f = message.opend()\n",
        ["3:5: J006 the file failed: AttributeError: a message cannot be “opend”: did you mean “opened”?"],
    ),
    "what a function of the file makes": (
        "def wait(span):\n    return Delay(id='d', duration=span)\n\n\nc = wait('x')\n",
        ["4:35: J107 “x” is not a span"],
    ),
    "what another's function makes": (
        "import json\njson.loads('{')\n",
        ["4:1: J006 the file failed: JSONDecodeError: Expecting property name"],
    ),
    "a program that ends": ("import sys\nsys.exit(3)\n", ["4:1: J006 the file failed: SystemExit: 3"]),
    "an error of its own": (
        "class Odd(BaseException):\n    pass\n\n\nraise Odd\n",
        ["7:1: J006 the file failed: Odd: "],
    ),
    "a word of ours that is called wrongly": (
        "from journeys.canvas.times import span\nspan('soon')\n",
        ["4:1: J107 “soon” is not a span"],
    ),
    "a text that is no Python": ("c = (\n", ["3:5: J006 this is not Python: '(' was never closed"]),
    "a text that no Python reads": (f"c ={' +1' * 100_000}\n", ["1:1: J006 this is not Python: "]),
    "keys that are computed": (
        "more = {'name': 'c', **{}}\nc = Canvas(**more, schedule={'api': True, 5: 6, 'x': ''})\n",
        ["4:49: J101 there is no key “x” here", "4:29: J100 “5”: a text was expected as key, not “5”"],
    ),
    "no definition": ("_c = 5\n", ["1:1: J006 the file has no definition at its top level (such as welcome = Canvas(…), or a list of them; a module that other files of the folder import needs none)"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_fails_is_said_at_the_call_that_failed(name: str, tmp_path: Path) -> None:
    text, wanted = CASES[name]
    found = said(tmp_path, HEAD + text)

    assert len(found) == len(wanted), found
    for one, words in zip(sorted(found), sorted(wanted), strict=True):
        assert one.startswith(words), found


def test_the_graph_of_a_canvas_in_python_has_its_places_too(tmp_path: Path) -> None:
    """Through names, lists and calls; what cannot be seen in the text is at the canvas."""
    text = HEAD + (
        "rest = Delay(id='rest', duration='1 day', then='nowhere')\n"
        "more = {'steps': [Message(id='m', channel='email', template='t')]}\n"
        "c = Canvas(\n"
        "    name='c',\n"
        "    schedule=Schedule(api=True),\n"
        "    steps=[\n"
        "        rest,\n"
        "        DecisionSplit(id='s', when=attribute('a') == 1, **more),\n"
        "        UserUpdate(id='u', attributes={'a': '{{ x | nope }}'}),\n"
        "    ],\n"
        ")\n"
        "if c:\n"
        "    d = c.model_copy(update={'name': 'd', 'steps': c.steps[1:2]})\n"
    )

    assert [one.partition(" (allowed: append")[0] for one in said(tmp_path, text)] == [
        "1:1: J301 there is no template “t”",
        "3:48: J201 `then` names the step “nowhere”, which does not exist (allowed: end, m, rest, s, u)",
        "10:9: J301 there is no template “t”",
        "11:53: J302 there is no filter “nope”",
    ]


def test_names_that_are_hardly_meant_are_warned_of_as_in_yaml(tmp_path: Path) -> None:
    """J917 and J918 at their places, or at the value that holds them; the definitions are there all the same."""
    text = HEAD + (
        "c = Canvas(\n"
        "    name='c',\n"
        "    schedule=Schedule(event='sign\u0435d_up'),\n"
        "    steps=[\n"
        "        DecisionSplit(id='s', when=attribute('pl\u0430n') == 1),\n"
        "        DecisionSplit(id='r', when=attribute('Country') == 'FR'),\n"
        "        UserUpdate(id='u', attributes={'t\u03bftal': 1, 'note': '{{custom_attribute.${F\u043eod}}}'}),\n"
        "    ],\n"
        ")\n"
    )

    told = [one.split(" ", 2) for one in said(tmp_path, text)]

    assert [(place, code) for place, code, _ in told] == [
        ("5:29:", "J917"),
        ("7:36:", "J917"),
        ("8:36:", "J918"),
        ("9:40:", "J917"),
        ("9:63:", "J917"),
    ]
    assert "CYRILLIC SMALL LETTER IE" in told[0][2]


@pytest.mark.parametrize(
    ("name", "text", "runs"),
    [
        ("canvas.py", "from journeys import Canvas", True),
        ("canvas.py", "import os\nimport journeys", True),
        ("canvas.py", "from journeys.canvas.steps import Delay", True),
        ("setup.py", "from journeys import Canvas", False),
        ("test_canvas.py", "from journeys import Canvas", False),
        ("canvas_test.py", "from journeys import Canvas", False),
        ("conftest.py", "from journeys import Canvas", False),
        ("worker.py", "from journeys.plugin import JourneysPlugin", False),
        ("tests.py", "from journeys.testing import run", False),
        ("travel.py", "from journeys_of_mine import Canvas", False),
        ("travel.py", "import os  # from journeys import Canvas", False),
        ("travel.py", "\n", False),
        ("travel.py", '"""Use it so:\n\nfrom journeys import Canvas\n"""', False),
        ("travel.py", 'TEXT = """\nimport journeys\n"""', False),
        ("travel.py", '"""\nimport journeys\n"""\nfrom journeys import Canvas', True),
    ],
)
def test_in_a_folder_only_what_looks_like_definitions_is_run(
    name: str, text: str, runs: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(f"{text}\n__import__('os').mkdir({str(tmp_path / 'ran')!r})\n")

    load([tmp_path])
    assert (tmp_path / "ran").exists() is runs


def test_what_others_have_written_is_left_alone(tmp_path: Path) -> None:
    for folder in ("venv/lib/site-packages/journeys", ".hidden", "__pycache__", "node_modules"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "canvas.py").write_text("from journeys import Canvas\nraise SystemExit\n")
        (tmp_path / folder / "canvas.yaml").write_text("kind: ?\n")
    (tmp_path / "bytes.py").write_bytes(b"from journeys import Canvas\n\xff")

    assert [one.code for one in load([tmp_path]).problems] == ["J008"]
    assert not looks_like_definitions(tmp_path / "bytes.py")


def test_a_folder_within_a_hidden_one_is_read_where_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ".mine" / "definitions"
    folder.mkdir(parents=True)
    (folder / "s.yaml").write_text("kind: segment\nformat: 1\nname: s\nwhen: {bucket: [0, 1]}\n")

    assert set(load([folder]).segments) == {"s"}


def test_who_interrupts_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load([path])


def test_what_is_no_call_is_said_where_it_stands(tmp_path: Path) -> None:
    assert said(tmp_path, "from journeys_of_nobody import x\n") == [
        "1:1: J006 the file failed: ModuleNotFoundError: No module named 'journeys_of_nobody'"
    ]
    assert said(tmp_path, "x = 5\nreturn x\n") == ["2:1: J006 this is not Python: 'return' outside function"]
    assert said(tmp_path, "for x in 5:\n    pass\n") == [
        "1:1: J006 the file failed: TypeError: 'int' object is not iterable"
    ]


def test_a_file_that_is_no_program_is_read_so_that_its_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from journeys import Canvas\nif\n", encoding="utf-8")

    assert looks_like_definitions(tmp_path / "broken.py")
