"""The command line: one file a command, and one place that turns errors into a message and an exit code."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import NoReturn

from journeys.cli.stop import Stop, leave

FAULT = 70
"""The exit code of an internal error (`EX_SOFTWARE`)."""

TRACE = "JOURNEYS_TRACE"
"""The environment variable that shows the traceback of an internal error."""


def main() -> NoReturn:
    """Run the command that was asked for.

    Exit codes: 0 done, 1 problems found, 2 wrong usage, 70 an internal error, 130 stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # characters that cannot be written are escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(sys.argv[1:])
    except Stop as stop:
        code = _said(stop)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        code = _said(Stop(f"{error.filename or 'the output'}: {error.strerror or error}"))
    except Exception as error:
        from journeys.cli.addresses import explained

        if (known := explained(error)) is not None:
            leave(_said(known))
        if os.environ.get(TRACE):
            raise
        said = f"internal error: {type(error).__name__}: {error}".split("\n")[0]
        code = _said(Stop(f"{said} ({TRACE}=1 shows the traceback; please report it)", FAULT))
    leave(code)


def _said(stop: Stop) -> int:
    """Say why the command ends, in the form of the log where one is kept; returns the exit code."""
    import logging

    if logging.getLogger().handlers:
        from journeys.cli.logs import say

        say(stop.message, logging.ERROR)
    else:
        stop.show()
    return stop.code


def _run(words: list[str]) -> int:
    from journeys.cli.commands import answer_at_once, in_full

    for word in words:
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise Stop(f"{word!a} is not UTF-8", 2)
    words = in_full(words)
    if (answer := answer_at_once(words)) is not None:
        print(answer)
        return 0
    from journeys.cli.app import whole

    code = whole()(words, exit_on_error=True, print_error=True)
    return code if isinstance(code, int) else 0
