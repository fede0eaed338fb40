"""The work of checking grows as what is checked does: counted in calls, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journeys.canvas.loading import load, read
from journeys.canvas.yaml_definitions import Definitions
from journeys.channels.base import kinds
from journeys.engine.workspaces.validate import problems_of, validate

SMALL = 15
MANY: dict[str, Callable[[int], str]] = {
    "segments": lambda n: "".join(f"---\nkind: segment\nformat: 1\nname: s{i}\nwhen: {{bucket: [0, 1]}}\n" for i in range(n)),
    "segments in a row": lambda n: "".join(f"---\nkind: segment\nformat: 1\nname: s{i}\nwhen: {{segment: s{i + 1}}}\n" for i in range(n)),
    "segments in a round": lambda n: "".join(f"---\nkind: segment\nformat: 1\nname: s{i}\nwhen: {{segment: s{(i + 1) % n}}}\n" for i in range(n)),
    "mails that show blocks": lambda n: "".join(
        f"---\nkind: template\nformat: 1\nname: t{i}\nchannel: email\nsender: {{address: a@b.co}}\nsubject: Hi\nhtml: '{{{{content_blocks.${{b{i}}}}}}}'\n"
        f"---\nkind: content_block\nformat: 1\nname: b{i}\ncontent: hello\n" for i in range(n)
    ),
    "canvases": lambda n: "".join(
        f"---\nkind: canvas\nformat: 1\nname: c{i}\nschedule: {{api: true}}\nsteps: [{{type: message, id: m, channel: email, template: t{i}}}]\n" for i in range(n)
    ),
    "broken canvases": lambda n: "".join(f"---\nkind: canvas\nformat: 1\nname: c{i}\nstepps: []\n" for i in range(n)),
    "keys": lambda n: "kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://x.example\nbody:\n" + "".join(f"  k{i}: v\n" for i in range(20 * n)),
    "unknown keys": lambda n: "kind: segment\nformat: 1\nname: c\nwhen: {bucket: [0, 1]}\n" + "".join(f"k{i}: v{i}\n" for i in range(10 * n)),
    "keys that are nearly right": lambda n: "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps:\n" + "".join(f"  - {{typ: delay, di: d{i}, duratio: 1 day}}\n" for i in range(n)),
    "steps that lack something": lambda n: "kind: canvas\nformat: 1\nname: c\nschedule: {api: true}\nsteps:\n" + "".join(f"  - {{type: delay, x: {i}}}\n" for i in range(n)),
    "conditions that lack something": lambda n: "kind: segment\nformat: 1\nname: s\nwhen:\n  all:\n" + "".join("    - {attribute: a}\n" for _ in range(5 * n)),
    "values": lambda n: "kind: segment\nformat: 1\nname: s\nwhen: {attribute: a, one_of: [" + ", ".join(map(str, range(20 * n))) + "]}\n",
    "fields": lambda n: "kind: catalog\nformat: 1\nname: s\nfields:\n  - {name: id, type: string}\n" + "".join(f"  - {{name: f{i}, type: string}}\n" for i in range(10 * n)),
}  # fmt: skip


def calls(work: Callable[[], Any]) -> int:
    """How many functions a piece of work calls, those of C too."""
    count = 0

    def seen(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", MANY)
def test_four_times_as_much_takes_four_times_the_work(name: str, tmp_path: Path) -> None:
    path, installed = tmp_path / "f.yaml", kinds()
    spent = []
    for size in (SMALL, SMALL, 4 * SMALL):  # the first one warms what is cached
        path.write_text(MANY[name](size))
        spent.append(calls(lambda: validate([path], installed)))

    assert spent[2] < 4.6 * spent[1], spent


def test_what_there_is_is_gathered_once_however_much_there_is(tmp_path: Path) -> None:
    """To gather the names of a kind is work of its own for as many as there are."""
    asked: list[str] = []

    class Counted(Definitions):
        def named(self, kind: str) -> frozenset[str]:
            asked.append(kind)
            return super().named(kind)

    for size in (SMALL, 4 * SMALL):
        path = tmp_path / "f.yaml"
        path.write_text(MANY["mails that show blocks"](size) + MANY["canvases"](size))
        found = read([path])
        counted = Counted(**{name: getattr(found, name) for name in Definitions.__dataclass_fields__})
        asked.clear()
        problems_of(counted, kinds())
        assert len(asked) < 10


def test_a_row_of_segments_of_any_length_is_no_fault_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(MANY["segments in a row"](2000))
    assert [(one.code, one.where.line) for one in load([path]).problems] == [("J304", 2000 * 5)]
    path.write_text(MANY["segments in a round"](50))
    assert [one.code for one in load([path]).problems] == ["J304"] * 50


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 4000, "0x" + "f" * 9000, "0b" + "1" * 9000, "1_" * 4000 + "1", str(2**63)])  # fmt: skip
@pytest.mark.parametrize(
    "where",
    [
        "format: 1\nname: {}\n", "format: {}\nname: s\n", "format: 1\nname: s\nwhen: {{bucket: [0, {}]}}\n",
        "format: 1\nname: s\nwhen: {{attribute: a, equals: {}}}\n", "format: 1\nname: s\n{}: 1\n",
    ],
)  # fmt: skip
def test_a_number_of_any_length_is_a_problem_at_its_place(number: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("kind: segment\n" + where.format(number))
    [found] = load([path]).problems

    too_long_a_key = len(number) > 1024 and where.endswith("{}: 1\n")
    assert (found.code, "64 bits" in found.message) == (("J002", False) if too_long_a_key else ("J100", True))


@pytest.mark.parametrize("value", ["10**5000", "[1, {'a': -(10**30)}]", "2**63"])
def test_a_number_of_any_length_in_python_is_a_problem_too(value: str, tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text(
        "from journeys import WebhookTemplate, Segment, attribute\n"
        f"t = WebhookTemplate(name='t', url='https://x.example', body={value})\n"
    )
    assert [one.code for one in load([path]).problems] == ["J100"]
    path.write_text(
        "from journeys import Segment, attribute\ns = Segment(name=10**5000, when=attribute('a') == 1)\n"
    )
    [found] = load([path]).problems
    assert (found.code, "a number beyond 64 bits" in found.message) == ("J100", True)
