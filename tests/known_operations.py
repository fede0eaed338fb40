"""Writes the page of the operations of Braze's API: which of them this API has."""

from __future__ import annotations

from itertools import groupby

from journeys.api.app import routes
from journeys.api.known_operations import every_operation, not_built


def page() -> str:
    """The page."""
    later = {(one.method, one.path) for one in not_built(routes())}
    lines = [
        "# Operations of Braze's API",
        "",
        "Made by `make docs` from the code. A call of an operation that is not built is answered with 404, its name, and a",
        "link to this list in `/docs`. [The REST API](api.md) describes those that are built.",
        "",
    ]
    for chapter, operations in groupby(every_operation(), key=lambda one: one.chapter):
        lines += [f"## {chapter}", "", "| operation | what it is for | state |", "|---|---|---|"]
        for one in operations:
            state = "not yet" if (one.method, one.path) in later else "built"
            lines.append(f"| `{one.method} {one.path}` | {one.about} | {state} |")
        lines.append("")
    return "\n".join(lines)
