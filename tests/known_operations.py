"""Writes the page of the operations of Braze's API: which of them this API has."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby

from journeys.api.app import routes
from journeys.api.known_operations import every_operation, not_built

CLIENTS = (
    ("braze-client-p311", "PyPI", "track, export by ids"),
    ("braze-client-sdk", "PyPI", "track, aliases, exports, content blocks"),
    ("braze-api-client", "PyPI", "track, aliases"),
    ("edx-braze-client", "PyPI", "track, aliases, identify, export by ids"),
    (
        "braze-api",
        "npm",
        "track, export, aliases, templates, content blocks, canvases, segments, catalog items by pages",
    ),
    ("@segment/action-destinations", "npm", "its Braze destination: profiles, events, purchases"),
)
"""Programs of others that drive the server in `tests/api/test_real_clients.py`, and what they call there."""


def served(later: Collection[tuple[str, str]]) -> list[str]:
    """How many are built, by chapter, and which programs were tried."""
    operations = list(every_operation())
    built = [one for one in operations if (one.method, one.path) not in later]
    lines = [f"{len(built)} of {len(operations)} are built:", ""]
    for chapter, some in groupby(operations, key=lambda one: one.chapter):
        all_ = list(some)
        lines.append(f"- {chapter}: {sum(one in built for one in all_)} of {len(all_)}")
    lines += [
        "",
        "These programs drive a server in the tests, unmodified but for the address:",
        "",
        "| program | from | what it calls |",
        "|---|---|---|",
        *(f"| {name} | {registry} | {calls} |" for name, registry, calls in CLIENTS),
        "",
    ]
    return lines


def page() -> str:
    """The page."""
    later = {(one.method, one.path) for one in not_built(routes())}
    lines = [
        "# Operations of Braze's API",
        "",
        "Made by `make docs` from the code. A call of an operation that is not built is answered with 404, its name, and a",
        "link to this list in `/docs`. [The REST API](api.md) describes those that are built.",
        "",
        *served(later),
    ]
    for chapter, operations in groupby(every_operation(), key=lambda one: one.chapter):
        lines += [f"## {chapter}", "", "| operation | what it is for | state |", "|---|---|---|"]
        for one in operations:
            state = "not yet" if (one.method, one.path) in later else "built"
            lines.append(f"| `{one.method} {one.path}` | {one.about} | {state} |")
        lines.append("")
    return "\n".join(lines)
