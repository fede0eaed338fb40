"""YAML and Python give the same value; problems have the place where they are written."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from journeys.canvas.canvas import Canvas, Schedule
from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.canvas.source_positions import Places
from journeys.canvas.yaml_definitions import read_text, write
from journeys.channels.base import kinds
from journeys.engine.workspaces.validate import validate
from tests.mutation import mutated
from tests.strategies import canvases

DEFINITIONS = Path(__file__).parents[2] / "definitions"
FILES = sorted(DEFINITIONS.rglob("*.yaml"))


@given(canvases())
@settings(max_examples=60)
def test_what_one_form_writes_the_other_reads(canvas: Canvas) -> None:
    """`read(write(canvas)) == canvas`, and both compile to one plan."""
    [definition], problems = read_text(write(canvas))

    assert problems == []
    assert definition.value == canvas
    assert compile(definition.value).id == compile(canvas).id


def test_the_python_twin_of_a_definition_is_the_same_value() -> None:
    found = load([DEFINITIONS])

    twin = found.canvases["onboarding-twin"].value
    assert found.problems == []
    written = found.canvases["onboarding"].value
    assert twin.schedule == Schedule(event="signed_up_by_python")
    assert twin.model_copy(update={"name": "onboarding", "schedule": written.schedule}) == written


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_definition_names_the_schema_on_its_first_line(path: Path) -> None:
    first = path.read_text(encoding="utf-8").split("\n")[0]

    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == DEFINITIONS.parent / "journeys.schema.json"


def test_mutated_files_are_refused_with_a_place_inside_the_file_and_never_a_stack_trace() -> None:
    """A few hundred here; `make fuzz` takes twenty thousand."""
    lots = random.Random(7)
    sources = [path.read_text(encoding="utf-8") for path in FILES]

    for _ in range(300):
        problem_free(mutated(lots.choice(sources), lots))


def problem_free(text: str) -> None:
    """Reading and checking this text must not fail, and each problem must point into it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        problems = validate([path], kinds()).problems
    lines = text.split("\n")
    for problem in problems:
        assert problem.code != "J000", (problem, text)
        assert 1 <= problem.where.line <= len(lines), (problem, text)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 2, (problem, text)


def test_a_value_that_is_in_no_file_is_named_without_a_line() -> None:
    """What a workspace runs already, for one."""
    assert (
        str(Places("the running canvas “welcome”", 0).where(("steps", 0))) == "the running canvas “welcome”"
    )


@pytest.mark.parametrize(
    "number",
    [
        "9" * 5_000,
        "-" + "9" * 5_000,
        "0x" + "f" * 5_000,
        "0o" + "7" * 6_000,
        "9" * 400,
        "9223372036854775808",
    ],
)
@pytest.mark.parametrize("place", ["format: {}\nname: s", "format: 1\nname: {}", "format: 1\nname: s\n{}: 1", "format: 1\nname: s\nwhen: {{attribute: a, equals: {}}}"])  # fmt: skip
def test_a_number_that_nothing_can_hold_is_a_problem_wherever_it_stands(number: str, place: str) -> None:
    found, problems = read_text("kind: segment\n" + place.format(number) + "\n")

    assert found == []
    assert [problem.code for problem in problems] in (["J100"], ["J002"])
