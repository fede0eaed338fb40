"""The command line: one file a command."""

from __future__ import annotations

import sys
from typing import NoReturn

from journeys.cli.console import Stop, leave


def main() -> NoReturn:
    """Run the command that was asked for. Exit codes: 0 done, 1 problems were found, 2 it was asked wrongly."""
    from journeys.cli.app import COMMANDS, app

    if not set(sys.argv[1:]) - {"--help", "-h"}:
        for name in COMMANDS:  # the list shows what each of them is for, which its own file says
            app[name]
    try:
        code = app(exit_on_error=True, print_error=True)
    except Stop as stop:
        stop.show()
        code = stop.code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    leave(code if isinstance(code, int) else 0)
