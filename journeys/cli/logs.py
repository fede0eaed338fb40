"""Logging of the servers: warnings on stderr; with a log file, everything in it and shortened warnings on stderr."""

from __future__ import annotations

import logging
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

LARGEST = 20 * 2**20
"""Bytes; a larger log is truncated at the next start."""

NOISY = ("apscheduler", "asyncio", "httpcore2", "httpx2", "mail.log", "temporalio.activity", "tzlocal")
"""Libraries of which only warnings are kept."""


class _Line(logging.Formatter):
    """One line, with the error's name in place of its trace."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        said = f"{record.levelname.lower()}: {record.getMessage()}".split("\n")[0]
        return said if error is None else f"{said}: {type(error).__name__}: {error}".split("\n")[0]


def log_to(file: Path | None = None) -> None:
    """Show warnings; with a file, keep everything in it, and show them shortened."""
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.DEBUG)
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    shown.setFormatter(logging.Formatter(FORMAT) if file is None else _Line())
    root.addHandler(shown)
    if file is not None:
        anew = file.exists() and file.stat().st_size > LARGEST
        kept = logging.FileHandler(file, mode="w" if anew else "a", encoding="utf-8")
        kept.setFormatter(logging.Formatter(FORMAT))
        root.addHandler(kept)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
