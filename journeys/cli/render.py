"""`render`: a template with the values of a context file, or many of them, one per line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from cyclopts import Parameter

from journeys.cli.console import bar
from journeys.cli.stop import Stop
from journeys.engine.content import COMPILERS, Aborted, RenderError, Retry, TemplateError
from journeys.engine.content.batch import LONGEST, answer, rendered
from journeys.engine.content.context_files import context_of, services_of


def render(
    template: Path | None = None,
    context: Path | None = None,
    *,
    batch: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    html_comments: Literal["removed", "kept"] = "removed",
) -> int:
    """Render a Liquid template with the values of a context file, and print the result. No calls are made.

    HTML comments are removed before Liquid is read, unless they are to be kept; conditional comments stay.

    With `--batch`, each line of a file is {"id", "template", "context": {…}}, and the result of each is a line:
    {"id", "output"}, {"id", "aborted": true, "reason"} or {"id", "error": {"code", "line", "column", "message"}}. The
    results are in the order of the lines, the result of a line that is not valid is its error, and the exit code is 0
    once all have a result.

    Parameters
    ----------
    template
        A file with Liquid.
    context
        A JSON file: now, profile, custom_attributes, event_properties, context, campaign, canvas, vars …, and the data
        of content_blocks, catalogs, selections, promotions, shopping_carts, connected_content, credentials.
    batch
        A file of lines to render; `-` for stdin.
    html_comments
        Whether HTML comments are removed before Liquid is read, or kept. With `--batch` each line has its own value,
        under the same name.
    """
    if (template is None) == (batch is None) or (batch is not None and context is not None):
        raise Stop("render takes either a template, with an optional context, or --batch FILE", 2)
    if batch is not None:
        if html_comments == "kept":
            raise Stop("with --batch each line has its own “html_comments”", 2)
        return _batch(batch)
    assert template is not None
    return _one(template, context, html_comments)


def _one(template: Path, context: Path | None, html_comments: str) -> int:
    try:
        source = _text(template)
        given = json.loads(_text(context)) if context else {}
        values, services = context_of(given), services_of(given)
    except ValueError as error:
        raise Stop(f"{context}: {error}", 2) from error
    except RecursionError as error:
        raise Stop(f"{context}: it is nested too deeply", 2) from error
    try:
        print(asyncio.run(rendered(COMPILERS[html_comments](source), values, services)), end="")
    except TemplateError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise Stop(f"{template}:{error.line}:{error.column}: {error.message}{hint}") from error
    except RenderError as error:
        raise Stop(f"{template}:{error.line}:{error.column}: {error.message}") from error
    except Aborted as aborted:
        raise Stop(f"the message is aborted: {aborted.reason}", 3) from aborted
    except Retry as retry:
        raise Stop(f"a retry is needed: {retry.url} answered {retry.status}", 4) from retry
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}", 2) from error
    except UnicodeDecodeError as error:
        raise Stop(f"{path} is not UTF-8", 2) from error


def _batch(path: Path) -> int:
    try:
        if str(path) == "-":
            asyncio.run(_answer_all(sys.stdin.buffer, 0))
            return 0
        with path.open("rb") as lines:
            asyncio.run(_answer_all(lines, path.stat().st_size))
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}", 2) from error
    return 0


async def _answer_all(lines: BinaryIO, size: int) -> None:
    """Answer line by line: what is read is forgotten before the next."""
    number = done = 0
    write, watched = sys.stdout.buffer.write, sys.stdout.isatty() or not size
    with bar("rendering", size) as progress:
        while line := lines.readline(LONGEST + 1):
            number += 1
            done += len(line)
            while len(line) > LONGEST and not line.endswith(b"\n") and (rest := lines.readline(LONGEST)):
                done += len(rest)
                if rest.endswith(b"\n"):
                    break
            if line.strip():
                write(await answer(line, number) + b"\n")
                if watched:
                    sys.stdout.flush()
            if number % 100 == 0:
                progress(done)
    sys.stdout.flush()
