"""The two pages on extending are followed to the letter: their files are written, installed, and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```\w+ title=\"([^\"]+)\"\n(.*?)\n```\n(?=\n|$)", re.DOTALL)


def followed(page: str, folder: Path) -> dict[str, str]:
    """The files of a page, written and installed beside the project; the environment in which they are there."""
    text = (ROOT / "docs" / "extending" / page).read_text(encoding="utf-8")
    files = dict(BLOCK.findall(text))
    for name, content in files.items():
        (folder / name).write_text(content + "\n", encoding="utf-8")
    own = [name for name in files if not name.endswith(".yaml") and not name.startswith("test_")]
    assert len(own) == 2, "two files each"
    site = folder / "site"
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
        str(folder),
    ]
    subprocess.run([*install, "--python", sys.executable], check=True, capture_output=True, cwd=folder)
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


def run(*words: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def says_pytest(folder: Path, environment: dict[str, str]) -> str:
    """What pytest says in the folder of the page, which is no part of this project."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    return run(*words, folder=folder, environment=environment)


@pytest.mark.slow
def test_somebody_adds_a_step_type_by_following_its_page(tmp_path: Path) -> None:
    environment = followed("step.md", tmp_path)

    assert "no problems" in run(
        "-m", "journeys", "validate", "moonlit.yaml", folder=tmp_path, environment=environment
    )
    assert '"completed":10' in run(
        "-m",
        "journeys",
        "simulate",
        "moonlit.yaml",
        "--people",
        "10",
        "--json",
        folder=tmp_path,
        environment=environment,
    ).replace(" ", "")
    assert "WaitForFullMoon" in run("-m", "journeys", "schema", folder=tmp_path, environment=environment)
    assert "6 passed" in says_pytest(tmp_path, environment)
    script = (
        "from datetime import datetime, UTC; from journeys.canvas.loading import load; from journeys.canvas.plan import compile; "
        "from journeys.engine.core.simulate import Scenario, run; from journeys.engine.core.traces import written; from pathlib import Path; "
        "plan = compile(load([Path('moonlit.yaml')]).canvases['moonlit'].value); starts = datetime(2026, 12, 7, tzinfo=UTC); "
        "print(*[written(line, starts) for line in run(plan, 'mel', starts, Scenario())], sep='\\n')"
    )
    trace = run("-c", script, folder=tmp_path, environment=environment)
    assert re.search(r"\+16d .* reached  later", trace), trace  # the moon is full on 24 December 2026


@pytest.mark.slow
def test_somebody_adds_a_channel_by_following_its_page(tmp_path: Path) -> None:
    environment = followed("channel.md", tmp_path)

    assert "no problems" in run(
        "-m", "journeys", "validate", "pinned.yaml", folder=tmp_path, environment=environment
    )
    assert "6 passed" in says_pytest(tmp_path, environment)
    script = (
        "import asyncio; from journeys.channels.base import Recipient, installed; board = installed()['noticeboard']\n"
        "async def main():\n"
        "    await board.open()\n"
        "    for _ in range(2): print((await board.deliver(board.content(title='Hi', text='You'), Recipient('mel'), 'e/s')).outcome)\n"
        "asyncio.run(main())"
    )
    assert run("-c", script, folder=tmp_path, environment=environment).split() == ["sent", "sent"]
    assert {path.read_text() for path in (tmp_path / "board").iterdir()} == {"To mel\nHi\nYou\n"}
    assert len(list((tmp_path / "board").iterdir())) == 2, "one for the key of the contract, one for this"
