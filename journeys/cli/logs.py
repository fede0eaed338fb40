"""Logging of the servers: one format for all that speaks, as text or JSON; with a log file, everything in it."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from journeys.cli.console import err
from journeys.engine.logs import request_id
from journeys.engine.settings import Environment

LARGEST = 20 * 2**20
"""Bytes; a larger log is truncated at the next start."""

NOISY = (
    "apscheduler",
    "asyncio",
    "httpcore2",
    "httpx2",
    "mail.log",
    "temporalio.activity",
    "tzlocal",
    "uvicorn",
)
"""Libraries of which only warnings are kept."""


class LogSettings(Environment):
    """How much the servers say, and in which form."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that `serve` and `worker` say: debug, info, warning, error"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="`text`: a line for people; `json`: an object a line, for programs"
    )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its event: of our own loggers each value by its name."""
    found = dict(getattr(record, "said", None) or {})
    if (given := request_id.get()) is not None:
        found.setdefault("request_id", given)
    return found


class Text(logging.Formatter):
    """`2026-12-07T09:00:00.123Z WARNING journeys.engine.outages gone what=database error=OSError`, and a trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        event = getattr(record, "event", None)
        said = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        text = record.getMessage() if event is None else f"{event} {said}".rstrip()
        lines = [f"{_at(record)} {record.levelname} {record.name} {_one_line(text)}"]
        if record.exc_info and record.exc_info[1] is not None:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


class Json(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `event`, the values by their names, and `trace` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        body = {
            "time": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", None) or record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            body["error"] = type(record.exc_info[1]).__name__
            body["trace"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False, default=str)


class Short(logging.Formatter):
    """One line, with the error's name in place of its trace: for who watches a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        error = record.exc_info[1] if record.exc_info else None
        said = f"{record.levelname.lower()}: {record.getMessage()}".split("\n")[0]
        return said if error is None else f"{said}: {type(error).__name__}: {error}".split("\n")[0]


def say(text: str, level: int = logging.INFO) -> None:
    """A line of a server about itself: for people as it stands, and in a log of objects as one of them."""
    if any(isinstance(one.formatter, Json) for one in logging.getLogger().handlers):
        logging.getLogger(__name__).log(level, "%s", text)
        return
    said = f"warning: {text}" if level == logging.WARNING else text
    style = {logging.WARNING: "yellow", logging.ERROR: "red"}.get(level, "")
    err.print(said, style=style, markup=False, soft_wrap=True)


def _at(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs):03d}Z"


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def log_to(file: Path | None = None) -> None:
    """Say on stderr what the settings ask for; with a file, keep everything in it, and show warnings in one line each."""
    root = logging.getLogger()
    root.handlers.clear()
    shown = logging.StreamHandler()
    if file is None:
        settings = LogSettings()
        root.setLevel(settings.log_level.upper())
        shown.setFormatter(Json() if settings.log_format == "json" else Text())
    else:
        root.setLevel(logging.DEBUG)
        shown.setLevel(logging.WARNING)
        shown.setFormatter(Short())
        anew = file.exists() and file.stat().st_size > LARGEST
        kept = logging.FileHandler(file, mode="w" if anew else "a", encoding="utf-8")
        kept.setFormatter(Text())
        root.addHandler(kept)
    root.addHandler(shown)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("asyncpg").setLevel(logging.ERROR)  # of a database that is away it warns at each try
