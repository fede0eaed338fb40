"""What `dev` and `demo` keep on disk is their user's alone: mails, logs, the databases."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def private_files(folder: Path) -> Iterator[None]:
    """While the block lasts, files that this process and its children make can be read by their user alone.

    What is in the folder from before is closed to others as well, but for the database, which sees to itself.
    """
    before = os.umask(OTHERS)
    try:
        for place, folders, files in os.walk(folder):
            if Path(place) == folder and "postgres" in folders:
                folders.remove("postgres")
            for name in (*folders, *files):
                _close(Path(place, name))
        yield
    finally:
        os.umask(before)


def close_home(folder: Path) -> None:
    """Keep others from reading the folder itself. Of root's the database's own user must find its way through it."""
    with suppress(OSError):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _close(path: Path) -> None:
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
