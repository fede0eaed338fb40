"""The command line: the file of a command is imported when it is used, so that `validate` loads no server."""

from __future__ import annotations

from collections.abc import Mapping

from cyclopts import App

import journeys
from journeys.cli.commands import ABOUT, COMMANDS, GROUPS


def whole() -> App:
    """The command line with all its commands."""
    app = App(name="journeys", version=journeys.__version__, help=ABOUT)
    _fill(app, COMMANDS)
    for name, (text, commands) in GROUPS.items():
        app.command(_fill(App(name=name, help=text), commands))
    return app


def _fill(group: App, commands: Mapping[str, str]) -> App:
    for name, place in commands.items():
        group.command(f"journeys.cli.{place}", name=name)
    return group
