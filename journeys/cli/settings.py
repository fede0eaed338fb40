"""`journeys settings`: what the environment says, where each value comes from, and what looks wrong."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from rich.table import Table

from journeys.cli.console import err, out, print_json
from journeys.cli.logs import say
from journeys.cli.options import AsJson
from journeys.engine.outgoing.guard import host_bits
from journeys.engine.settings import BY_FILE, Variable, WrongFile, every_variable, text_of
from journeys.engine.sources.connected.encryption import Locked, Sealer
from journeys.engine.store.database_url import UnusableUrl, check_url
from journeys.workflows.temporal_connection import TemporalSettings, tls_of

LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - a name to be warned of
OURS = ("JOURNEYS_",)


def known_variables() -> list[Variable]:
    """All settings, those of installed channels among them."""
    import journeys.api.cross_origin
    import journeys.api.monitoring
    import journeys.cli.addresses
    import journeys.cli.logs
    import journeys.worker  # noqa: F401 - what is imported declares its settings
    from journeys.channels.base import kinds

    kinds()
    return every_variable()


def value_of(variable: Variable) -> Any:
    """The value in force. Raises ValidationError and `WrongFile` where what is given cannot be one."""
    try:
        return getattr(variable.settings(), variable.field)
    except (ValidationError, WrongFile):  # of this one or of another of its class: it is read by itself
        text = text_of(variable.name)
    alone = variable.settings.model_construct()
    if text is not None:
        alone.__pydantic_validator__.validate_assignment(alone, variable.field, text)
    return getattr(alone, variable.field, None)


def shown(variable: Variable, value: Any) -> str:
    """A value for a person: a secret is said to be set, and what a URL has of secrets is left out. Raises `UnusableUrl`."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return "not set"
    if variable.name == "DATABASE_URL":
        check_url(str(value))  # where a password stands in one that is wrong is not known
        parts = urlsplit(str(value))
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "set" if variable.secret else str(value).lower() if isinstance(value, bool) else str(value)


def remarks(variables: list[Variable], environment: Mapping[str, str]) -> Iterator[str]:
    """What looks wrong, and which defaults cannot stay where people outside are served."""
    names = {variable.name for variable in variables}
    for name in sorted(environment):
        base = name.removesuffix(BY_FILE)
        if name.startswith(OURS) and base not in names:
            own = sorted(each.removeprefix(OURS[0]) for each in names if each.startswith(OURS))
            near = difflib.get_close_matches(
                base.removeprefix(OURS[0]), own, 1
            )  # the prefix is near to every name
            hint = f"did you mean {OURS[0]}{near[0]}?" if near else "`journeys settings` lists all"
            yield f"{name} is no setting: {hint}"
    tls: dict[str, Any] = {}
    for variable in variables:
        try:
            value = value_of(variable)
        except WrongFile as error:
            yield str(error)
            continue
        except ValidationError as error:
            said = "; ".join(detail["msg"] for detail in error.errors(include_url=False))
            yield f"{variable.name} is not valid: {said}"
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if variable.name.startswith("TEMPORAL_TLS"):
            tls[variable.field] = value
        yield from _of_one(variable.name, value, default=variable.source(environment) == "default")
    try:
        tls_of(TemporalSettings.model_construct(None, **tls))
    except RuntimeError as error:
        yield str(error)


def _of_one(name: str, value: Any, *, default: bool) -> Iterator[str]:
    """What looks wrong of a value that can be one. `default`: nobody has set it."""
    match name:
        case "DATABASE_URL" if not value:
            yield "DATABASE_URL is not set: `serve` and `worker` need it"
        case "DATABASE_URL":
            try:
                check_url(value)
            except UnusableUrl as error:
                yield f"DATABASE_URL is not valid: {error}"
        case "TEMPORAL_ADDRESS" if default:
            yield f"TEMPORAL_ADDRESS is not set: Temporal is looked for at {value}"
        case "JOURNEYS_SMTP_HOST" if default:
            yield "JOURNEYS_SMTP_HOST is not set: mails go to 127.0.0.1:25"
        case "JOURNEYS_PUBLIC_URL" if urlsplit(str(value)).hostname in LOCAL:
            yield f"JOURNEYS_PUBLIC_URL is {value}: links in messages lead to this machine, and no one else can follow them"
        case "JOURNEYS_SECRET_KEY":
            try:
                Sealer(value)
            except Locked as error:
                yield str(error)
        case "JOURNEYS_TIME_SCALE" if value is not None:
            yield f"JOURNEYS_TIME_SCALE is {value:g}: the time of canvases goes that many times as fast, never in production"
        case "JOURNEYS_CONNECTED_ALLOWED_NETWORKS" | "JOURNEYS_WEBHOOK_ALLOWED_NETWORKS":
            for given, network in host_bits(value):
                yield f"{name}: {given} names a host and a network: it is read as {network}"


def settings(
    *,
    as_json: AsJson = False,
) -> int:
    """Show every setting: its value, where it comes from, and what looks wrong.

    A secret is never shown. The exit code is 1 where something looks wrong.

    Parameters
    ----------
    as_json
        Print them as JSON.
    """
    variables = known_variables()
    rows = []
    for variable in variables:
        try:
            value = shown(variable, value_of(variable))
        except ValueError:  # ValidationError, `WrongFile`, `UnusableUrl`
            value = "not valid" if variable.source(os.environ) != "nowhere" else "not set"
        rows.append((variable, value, variable.source(os.environ)))
    found = list(remarks(variables, os.environ))
    if as_json:
        print_json({
            "settings": [
                {"name": one.name, "value": value, "source": source, "default": one.default, "unit": one.unit}
                for one, value, source in rows
            ],
            "remarks": found,
        })  # fmt: skip
        return 1 if found else 0
    table = Table()
    for column in ("variable", "value", "from"):
        table.add_column(column, overflow="fold")
    for one, value, source in rows:
        unit = f" {one.unit}" if one.unit and value not in ("not set", "not valid") else ""
        table.add_row(one.name, f"{value}{unit}", source)
    out.print(table)
    for remark in found:
        err.print(remark, style="yellow", markup=False, soft_wrap=True)
    return 1 if found else 0


def warn() -> None:
    """Say on stderr what must not stay as it is where people are served."""
    for remark in remarks(known_variables(), os.environ):
        say(remark, logging.WARNING)


def page() -> str:
    """The page of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Made by `make docs` from the code. `journeys settings` shows what is in force, where it comes from, and what looks",
        "wrong; `journeys serve` and `journeys worker` say at their start what must not stay a default.",
        "",
        f"Each may stand in a file instead: `JOURNEYS_SMTP_PASSWORD{BY_FILE}=/run/secrets/smtp` reads the password from there.",
        "A variable that begins with `JOURNEYS_` and is no setting is told with the nearest name.",
        "",
        "| variable | default | what it says |",
        "|---|---|---|",
    ]
    for one in known_variables():
        if not one.settings.__module__.startswith("journeys."):  # of a package of others
            continue
        default = f"`{one.default}`" if one.default is not None else "needed" if one.needed else "–"
        unit = f" {one.unit}" if one.unit and one.default is not None else ""
        text = one.description.replace("|", "\\|")
        lines.append(
            f"| `{one.name}` | {default}{unit} | {text}{' (a secret: it is never shown)' if one.secret else ''} |"
        )
    return "\n".join(lines) + "\n"
