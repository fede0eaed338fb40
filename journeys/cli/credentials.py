"""`journeys credentials`: credentials for web services. Secrets are read from stdin or the environment."""

from __future__ import annotations

import asyncio
import sys

from journeys.cli.addresses import CommandSettings, database, workspace
from journeys.cli.console import out, run
from journeys.cli.options import Workspace
from journeys.cli.stop import Stop
from journeys.engine.sources.connected.credentials import Kind, Unfit, listed, remove, store
from journeys.engine.sources.connected.credentials import renew as seal_anew
from journeys.engine.sources.connected.encryption import Locked, Sealer
from journeys.engine.sources.connected.encryption import new_key as make_key

VARIABLE = "JOURNEYS_CREDENTIAL"


def add(
    name: str,
    *,
    domain: tuple[str, ...],
    username: str | None = None,
    header: str | None = None,
    workspace_name: Workspace = "default",
) -> int:
    """Store a credential, and replace one of the same name. The secret is read from stdin or from JOURNEYS_CREDENTIAL.

    Templates name it by `:basic_auth NAME` if it has a username, else by `:auth_credentials NAME`.

    Parameters
    ----------
    name
        Letters, digits, - and _.
    domain
        The domain that it may be sent to: api.example.com, or *.example.com for all hosts under it.
    username
        The user name of a basic credential; the secret is its password.
    header
        The name of the header whose value is the secret. Without --username and --header the secret is a JSON object
        of headers by name.
    workspace_name
        The workspace.
    """
    if username is not None and header is not None:
        raise Stop("a credential has a --username or a --header, not both", 2)
    secrets = _secrets(_secret(), username, header)
    kind: Kind = "headers" if username is None else "basic"

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            try:
                await store(db, Sealer.of_environment(), publication.workspace, name, kind, domain, secrets)
            except (Unfit, Locked) as error:
                raise Stop(str(error), 2) from error
        option = "basic_auth" if kind == "basic" else "auth_credentials"
        out.print(
            f"stored: templates use it by `:{option} {name}`, for {', '.join(domain)} only", markup=False
        )
        return 0

    return run(work)


def list_(*, workspace_name: Workspace = "default") -> int:
    """List the credentials, without their secrets.

    Parameters
    ----------
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            found = await listed(db, publication.workspace)
        for one in found:
            out.print(
                f"{one.name:<24} {one.kind:<8} {', '.join(one.domains)}  stored {one.stored:%Y-%m-%d %H:%M}",
                markup=False,
                highlight=False,
            )
        if not found:
            out.print(f"{workspace_name} has no credentials")
        return 0

    return run(work)


def remove_(name: str, *, workspace_name: Workspace = "default") -> int:
    """Remove a credential. Messages whose templates name it are aborted from then on.

    Parameters
    ----------
    name
        The credential.
    workspace_name
        The workspace.
    """

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            publication = await workspace(db, workspace_name)
            gone = await remove(db, publication.workspace, name)
        if not gone:
            raise Stop(f"{workspace_name} has no credential “{name}”", 2)
        out.print(f"removed: {name}", markup=False)
        return 0

    return run(work)


def renew() -> int:
    """Encrypt all credentials with the first key of JOURNEYS_SECRET_KEY, so that the other keys can be removed."""

    async def work(_: asyncio.Event) -> int:
        async with database() as db:
            try:
                count = await seal_anew(db, Sealer.of_environment())
            except Locked as error:
                raise Stop(str(error), 2) from error
        out.print(f"encrypted with the first key: {count}")
        return 0

    return run(work)


def new_key() -> int:
    """Print a new key for JOURNEYS_SECRET_KEY. Keep it with your other secrets."""
    print(make_key())
    return 0


def _secret() -> str:
    """From the environment, else from stdin: whatever stands in a command line can be read by all who list processes."""
    given = CommandSettings().credential
    secret = None if given is None else given.get_secret_value()
    if secret is None:
        if sys.stdin.isatty():
            from getpass import getpass

            secret = getpass("secret: ")
        else:
            secret = sys.stdin.read()
    secret = secret.rstrip("\r\n")
    if not secret:
        raise Stop(f"there is no secret: give it on stdin, or in {VARIABLE}", 2)
    return secret


def _secrets(secret: str, username: str | None, header: str | None) -> dict[str, str]:
    if username is not None:
        return {"username": username, "password": secret}
    if header is not None:
        return {header: secret}
    import json

    try:
        found = json.loads(secret)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise Stop("without --username and --header the secret is a JSON object of texts by header", 2)
    return found
