"""A project that is no part of this one tests its canvas with the wheel alone: the project of the page on testing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```\w+ title=\"([^\"]+)\"\n(.*?)\n```\n", re.DOTALL)
HERE = """
import journeys
from pathlib import Path


def test_it_is_the_wheel():
    assert Path(journeys.__file__).parent.parent.name == "site"
"""


@pytest.mark.slow
def test_the_project_of_the_page_on_testing_passes_with_the_wheel_alone(tmp_path: Path) -> None:
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    project = tmp_path / "project"
    for name, content in BLOCK.findall((ROOT / "docs" / "testing.md").read_text(encoding="utf-8")):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n", encoding="utf-8")
    (project / "test_here.py").write_text(HERE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--durations=0",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
        ],
        capture_output=True,
        text=True,
        cwd=project,
        env=environment,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
