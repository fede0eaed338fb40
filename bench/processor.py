"""The processor time of everything that works for a side: this process, all that it started, and the database (Linux)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def seconds(data: Path) -> float:
    """Seconds of this process, its children and theirs, and of the PostgreSQL server of that data folder, so far.

    Processes that ended meanwhile count as soon as their parent has waited for them. Raises OSError where no server runs
    in the folder.
    """
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))
    every: set[psutil.Process] = set()
    for top in (psutil.Process(), postmaster):
        every |= {top, *top.children(recursive=True)}
    used = 0.0
    for each in every:
        with suppress(psutil.NoSuchProcess):
            used += sum(each.cpu_times()[:4])  # its own, and that of children it has waited for
    return used
