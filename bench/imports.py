"""How long it takes to import the package and to show the list of commands, beside a bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
PROGRAMS = {
    "bare": ["-c", "pass"],
    "journeys": ["-c", "import journeys"],
    "help": ["-m", "journeys", "--help"],
}


def _seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - began


def measured() -> dict[str, float]:
    """Medians in milliseconds: of a bare interpreter, and of how much longer the others take. Turn by turn."""
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, words in PROGRAMS.items():
            found[name].append(_seconds(words) * 1000)
    bare = statistics.median(found["bare"])
    return {
        "imports.bare_ms": round(bare, 1),
        "imports.journeys_ms": round(statistics.median(found["journeys"]) - bare, 1),
        "imports.help_ms": round(statistics.median(found["help"]) - bare, 1),
    }
