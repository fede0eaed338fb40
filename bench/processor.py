"""The processor time of everything that works for a side: this process, all that it started, and the database (Linux)."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def seconds(data: Path) -> float:
    """Seconds of this process, its children and theirs, and of the PostgreSQL server of that data folder, so far.

    Processes that ended meanwhile count as soon as their parent has waited for them. Raises OSError without `/proc`, and
    where no server runs in the folder.
    """
    postmaster = int((data / "postmaster.pid").read_text().split("\n")[0])
    used: dict[int, float] = {}
    children = defaultdict(list)
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = each.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = text[text.rindex(")") + 2 :].split()
        pid = int(each.parent.name)
        used[pid] = sum(int(one) for one in fields[11:15]) / TICKS
        children[int(fields[1])].append(pid)
    open_ones, seen = [os.getpid(), postmaster], set[int]()
    while open_ones:
        pid = open_ones.pop()
        if pid not in seen:
            seen.add(pid)
            open_ones += children[pid]
    return sum(used.get(pid, 0) for pid in seen)
