"""The list of commands. A command's file is imported when it is asked for: `validate` wants no server's libraries."""

from __future__ import annotations

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
    "publish": "store:publish",
    "import": "imports:import_",
    "trigger": "store:trigger",
    "entries": "entries:entries",
    "dev": "servers:dev",
    "serve": "servers:serve",
    "worker": "servers:worker",
}
for name, place in COMMANDS.items():
    app.command(f"journeys.cli.{place}", name=name)
keys = App(name="keys", help="API keys.")
keys.command("journeys.cli.store:keys_create", name="create")
app.command(keys)
credentials = App(name="credentials", help="What is sent along to web services that templates call.")
for name, function in (
    ("add", "add"),
    ("list", "list_"),
    ("remove", "remove_"),
    ("renew", "renew"),
    ("new-key", "new_key"),
):
    credentials.command(f"journeys.cli.credentials:{function}", name=name)
app.command(credentials)
promotions = App(name="promotions", help="Lists of promotion codes.")
promotions.command("journeys.cli.promotions:import_", name="import")
promotions.command("journeys.cli.promotions:list_", name="list")
app.command(promotions)
