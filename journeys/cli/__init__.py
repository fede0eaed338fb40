"""The command line: one file a command."""

from __future__ import annotations

import sys
from typing import NoReturn

from journeys.cli.console import Stop


def main() -> NoReturn:
    """Run the command that was asked for. Exit codes: 0 done, 1 problems were found, 2 it was asked wrongly."""
    from journeys.cli.app import app

    try:
        code = app(exit_on_error=True, print_error=True)
    except Stop as stop:
        stop.show()
        code = stop.code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    from journeys.worker import leave

    leave(code if isinstance(code, int) else 0)
    raise SystemExit(0)
