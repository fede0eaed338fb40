"""How a command ends: with a message for a person, or at once. It imports little: what only lists commands needs it too."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


class Stop(Exception):
    """The command cannot go on: a message for a person, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        self.message, self.code = message, code
        super().__init__(message)

    def show(self) -> None:
        """Print the message."""
        from journeys.cli.console import err

        err.print(self.message, style="red", markup=False, soft_wrap=True)


def leave(code: int = 0) -> NoReturn:
    """End the process without running finalisers: Temporal's core may crash in them otherwise."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        print(f"the output cannot be written: {error.strerror}", file=sys.stderr)
        code = code or 1
    sys.stderr.flush()
    os._exit(code)
