"""Makes the traces: one for every way out of every branching step of every definition."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from journeys.canvas.loading import load
from journeys.canvas.plan import compile
from journeys.engine.core.traces import traces

FOLDER = Path(__file__).parent
DEFINITIONS = FOLDER.parents[1] / "definitions"
MONDAY = datetime(2026, 12, 7, 9, tzinfo=UTC)


def all_traces() -> dict[str, str]:
    """The traces of each canvas, as the text of its file."""
    found = {}
    for name, definition in load([DEFINITIONS]).canvases.items():
        plan = compile(definition.value)
        parts = [f"== {way}\n" + "\n".join(lines) + "\n" for way, lines in traces(plan, MONDAY).items()]
        found[name] = "\n".join(parts)
    return found
