"""The list of commands."""

from __future__ import annotations

from cyclopts import App

import journeys
from journeys.cli import definitions, servers, store
from journeys.cli.demo import demo

app = App(
    name="journeys",
    version=journeys.__version__,
    help="Customer journeys, declared in YAML or Python, run durably. Begin with `journeys demo`.",
)
app.command(demo)
app.command(definitions.validate)
app.command(definitions.draw)
app.command(definitions.simulate)
app.command(definitions.render)
app.command(definitions.schema)
app.command(store.publish)
app.command(store.import_, name="import")
app.command(store.trigger)
app.command(store.entries)
keys = App(name="keys", help="API keys.")
keys.command(store.keys_create, name="create")
app.command(keys)
app.command(servers.dev)
app.command(servers.serve)
app.command(servers.worker)
