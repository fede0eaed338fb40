"""The commands by name, and the lists of them: these are shown without an import of any command, or of their library."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill

import journeys

COMMANDS = {
    "demo": "demo:demo",
    "validate": "definitions:validate",
    "draw": "definitions:draw",
    "simulate": "definitions:simulate",
    "render": "render:render",
    "schema": "definitions:schema",
    "publish": "workspace:publish",
    "import": "imports:import_",
    "trigger": "workspace:trigger",
    "entries": "entries:entries",
    "report": "report:report",
    "person": "person:person",
    "preview": "preview:preview",
    "dev": "dev:dev",
    "settings": "settings:settings",
    "doctor": "doctor:doctor",
    "serve": "servers:serve",
    "worker": "servers:worker",
}
GROUPS = {
    "canvas": (
        "Published canvases: list, show, stop, pause, resume, archive.",
        {
            "list": "canvases:list_",
            "show": "canvas_shown:show",
            "stop": "canvases:stop",
            "pause": "canvases:pause",
            "resume": "canvases:resume",
            "archive": "canvases:archive",
        },
    ),
    "runs": (
        "Runs of canvases for many people: list, show, hold, resume, stop.",
        {
            "list": "runs:list_",
            "show": "runs:show",
            "hold": "runs:hold",
            "resume": "runs:resume",
            "stop": "runs:stop",
        },
    ),
    "keys": (
        "API keys: create, list, rotate, revoke, usage.",
        {
            "create": "keys:create",
            "list": "keys:list_",
            "rotate": "keys:rotate",
            "revoke": "keys:revoke",
            "usage": "usage:usage",
        },
    ),
    "apps": (
        "Apps of a workspace, with their publishable keys: create, list, remove.",
        {"create": "apps:create", "list": "apps:list_", "remove": "apps:remove"},
    ),
    "credentials": (
        "Credentials for the web services that templates call.",
        {
            "add": "credentials:add",
            "list": "credentials:list_",
            "remove": "credentials:remove_",
            "renew": "credentials:renew",
            "new-key": "credentials:new_key",
        },
    ),
    "promotions": (
        "Lists of promotion codes.",
        {"import": "promotions:import_", "list": "promotions:list_"},
    ),
}

ABOUT = "Customer journeys, declared in YAML or Python, run durably. Begin with `journeys demo`."
HELP = ("--help", "-h")
WIDEST = 110
"""Characters of a line of a list, where the terminal has more."""


def in_full(words: Sequence[str]) -> list[str]:
    """The words with what is meant where they leave it out: `runs` alone lists them."""
    if list(words[:1]) == ["runs"] and not (set(words[1:]) & {*GROUPS["runs"][1], *HELP}):
        return ["runs", "list", *words[1:]]
    return list(words)


def answer_at_once(words: Sequence[str]) -> str | None:
    """The text for words that ask for the version, or for a list of commands: of all, or of a group; None for others."""
    if list(words) == ["--version"]:
        return journeys.__version__
    match [word for word in words if word not in HELP]:
        case []:
            every = {**{name: text for name, (text, _) in GROUPS.items()}, **_purposes(COMMANDS)}
            more = {
                "--help, -h": "Show this list; after a command, what it does and takes.",
                "--version": "Show the version.",
            }
            return _list("COMMAND", ABOUT, dict(sorted(every.items())) | more)
        case [name] if name in GROUPS:
            text, commands = GROUPS[name]
            return _list(f"{name} COMMAND", text, _purposes(commands))
        case _:
            return None


def purpose(place: str) -> str:
    """The first paragraph of a command's docstring, from the text of its file: that is not imported."""
    module, _, name = place.partition(":")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    found = next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    )
    return " ".join((ast.get_docstring(found, clean=False) or "").split("\n\n")[0].split())


def _purposes(commands: Mapping[str, str]) -> dict[str, str]:
    return {name: purpose(place) for name, place in commands.items()}


def _list(usage: str, text: str, rows: Mapping[str, str]) -> str:
    """A list of commands in two columns, as wide as the terminal allows."""
    width = min(get_terminal_size().columns, WIDEST)
    indent = max(map(len, rows)) + 4
    lines = [
        fill(said, width, initial_indent=f"  {name}".ljust(indent), subsequent_indent=" " * indent)
        for name, said in rows.items()
    ]
    return "\n".join([f"Usage: journeys {usage}", "", fill(text, width), "", "Commands:", *lines])
