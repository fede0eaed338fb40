"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from journeys.cli.stop import Stop

Workspace = Annotated[str, Parameter(["--workspace", "-w"])]
AsJson = Annotated[bool, Parameter("--json")]


def json_object(option: str, text: str, example: str) -> dict[str, Any]:
    """The JSON object that is the value of an option. Stops where it is none, with an example of one."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Stop(f"{option} is not JSON: {error}", 2) from error
    if not isinstance(found, dict):
        raise Stop(f"{option} is a JSON object, as in {example}", 2)
    return found
