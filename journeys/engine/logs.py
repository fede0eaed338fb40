"""Log events go to the standard library's loggers: the host program decides what is kept, and how."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module. Without a configuration of logging only warnings are shown."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _plain],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return bound


def _plain(_: Any, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """An event as the standard library's loggers take it: its name, and what it says as `key=value`."""
    trace = event.pop("exc_info", None)
    name = str(event.pop("event"))
    said = [name, *(f"{name}={value}" for name, value in event.items())]
    return (" ".join(said),), {"exc_info": trace, "extra": {"event": name, "said": dict(event)}}


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that this task answers."""
