"""The list of commands. The file of a command is imported when it is used, so that `validate` loads no server."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from cyclopts import App

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
        "API keys: create, list, rotate, revoke.",
        {"create": "keys:create", "list": "keys:list_", "rotate": "keys:rotate", "revoke": "keys:revoke"},
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


def app_for(words: Sequence[str]) -> App:
    """The command line for these words.

    Where they ask for a list of commands, what each is for is read from its file, which is not imported.
    """
    asked = [word for word in words if word not in ("--help", "-h")]
    app = App(
        name="journeys",
        version=journeys.__version__,
        help="Customer journeys, declared in YAML or Python, run durably. Begin with `journeys demo`.",
    )
    _fill(app, COMMANDS, listed=not asked)
    for name, (text, commands) in GROUPS.items():
        app.command(_fill(App(name=name, help=text), commands, listed=asked == [name]))
    return app


def in_full(words: Sequence[str]) -> list[str]:
    """The words with what is meant where they leave it out: `runs` alone lists them."""
    if list(words[:1]) == ["runs"] and not (set(words[1:]) & {*GROUPS["runs"][1], "--help", "-h"}):
        return ["runs", "list", *words[1:]]
    return list(words)


def _fill(group: App, commands: Mapping[str, str], *, listed: bool) -> App:
    for name, place in commands.items():
        more = {"help": purpose(place)} if listed else {}
        group.command(f"journeys.cli.{place}", name=name, **more)
    return group


def purpose(place: str) -> str:
    """The first paragraph of a command's docstring, from the text of its file."""
    module, _, name = place.partition(":")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    found = next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    )
    return (ast.get_docstring(found) or "").split("\n\n")[0].replace("\n", " ")
