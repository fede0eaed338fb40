"""Output of the commands: colours only on a terminal, and progress bars."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import msgspec
from rich.console import Console

from journeys.canvas.problems import Problem

UNBROKEN = 100_000
"""Characters of a line where no terminal reads it and `COLUMNS` does not say how many there are: a row of a table is
one line, as wide as what it says, so that `grep` and a log find it whole."""

out = Console(highlight=False, width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else UNBROKEN)
err = Console(stderr=True, highlight=False)

T = TypeVar("T")


def show_problems(problems: list[Problem]) -> None:
    """Print problems, one a line."""
    for problem in problems:
        err.print(str(problem), style="yellow" if problem.warning else "red", markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for a program to read."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n")


@contextmanager
def bar(text: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar with a count and the time that is left; shown only on a terminal.

    It is told how much is done, and may be told that the total is another one now.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done, of=None: progress.update(task, completed=done, total=of)


def run(
    work: Callable[[asyncio.Event], Awaitable[T]],
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> T:
    """Run a command's work on an event loop of this kind.

    Ctrl-C sets the event that it is given; a second one ends it at once.
    """

    async def begin() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def asked() -> None:
            if stop.is_set() and task is not None:
                task.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, ValueError):
                loop.add_signal_handler(number, asked)
        return await work(stop)

    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(begin())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
