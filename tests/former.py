"""A version of the past, installed from a wheel that is built of its commit: its processes run beside today's."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from journeys.workflows.temporal_build import cache_folder
from tests.cli.test_servers import Running

ROOT = Path(__file__).parents[1]

COMMIT = "221338ad3b38456c1ea889e9f53efc0a147d75f9"
"""The version before metrics, retention and `journeys doctor`; its schema is 0006."""


def there() -> bool:
    """Whether this is a clone that has the commit."""
    asked = ["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    return shutil.which("git") is not None and subprocess.run(asked, capture_output=True).returncode == 0


def python() -> Path:
    """The interpreter of the version's own environment in the user's cache folder, made if new."""
    folder = cache_folder() / "versions" / COMMIT[:12]
    if not (folder / "bin" / "python").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as source:
            _install(Path(source), folder)
    return folder / "bin" / "python"


def _install(source: Path, folder: Path) -> None:
    archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    wheels = source / "dist"
    build = ["-m", "build", "--no-isolation", "--wheel", "--outdir", wheels, source]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    uv = Path(sys.executable).with_name("uv")
    try:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", unfinished], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", unfinished / "bin" / "python"]
        locked = ["--require-hashes", "-r", source / "requirements.lock"]
        subprocess.run([*install, *locked], check=True)
        subprocess.run([*install, "--no-deps", *wheels.glob("*.whl")], check=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@asynccontextmanager
async def process(
    interpreter: Path | str, *words: str, cwd: Path, **environment: str
) -> AsyncIterator[Running]:
    """A command of the version whose interpreter this is, in a folder that has no version of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("JOURNEYS_", "PYTHON"))}
    running = await asyncio.create_subprocess_exec(
        *(str(interpreter), "-m", "journeys", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**kept, "COLUMNS": "160", "PYTHONUNBUFFERED": "1", **environment},
        cwd=cwd,
    )
    try:
        yield Running(running)
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
