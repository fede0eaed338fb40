"""The list of commands. The file of a command is imported when it is used, so that `validate` loads no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cyclopts import App

import journeys

app = App(
    name="journeys",
    version=journeys.__version__,
    help="Customer journeys, declared in YAML or Python, run durably. Begin with `journeys demo`.",
)
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
    "broadcasts": "broadcasts:broadcasts",
    "dev": "dev:dev",
    "settings": "settings:settings",
    "serve": "servers:serve",
    "worker": "servers:worker",
}
GROUPS = {
    "canvas": (
        "Published canvases: list, stop, resume, archive.",
        {
            "list": "canvases:list_",
            "stop": "canvases:stop",
            "resume": "canvases:resume",
            "archive": "canvases:archive",
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


def _fill(group: App, commands: Mapping[str, str]) -> App:
    for name, place in commands.items():
        group.command(f"journeys.cli.{place}", name=name)
    return group


_fill(app, COMMANDS)
for _name, (_help, _commands) in GROUPS.items():
    app.command(_fill(App(name=_name, help=_help), _commands))


def read_help(words: Sequence[str]) -> None:
    """Import what a list of commands shows, where one is asked for: what each is for, its own file says."""
    asked = [word for word in words if word not in ("--help", "-h")]
    if not asked:
        for name in COMMANDS:
            app[name]
    elif len(asked) == 1 and asked[0] in GROUPS:
        for name in GROUPS[asked[0]][1]:
            app[asked[0]][name]
