"""Python processes that are forked from one that has imported what takes long to import: the libraries, the engine.

Each has its own environment, folder, arguments and streams, is known by its process id and can be killed like any other.
The command line is imported in each anew; all of ours is where `anew` is asked for, so that a forgotten import shows.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LARGEST = 2**18
"""More than arguments and environment of one process are."""


class Forked:
    """A process, with what of `asyncio.subprocess.Process` the tests use."""

    def __init__(self, pid: int, ended: socket.socket, streams: Mapping[str, asyncio.StreamReader]) -> None:
        self.pid = pid
        self.stdout = streams.get("stdout")
        self.stderr = streams.get("stderr")
        self._ended = asyncio.ensure_future(_code(ended))

    @property
    def returncode(self) -> int | None:
        """Its exit code, the negative number of the signal that ended it; None as long as it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end; the exit code."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """All that it writes, and wait for its end."""
        out, err = await asyncio.gather(*(_all(one) for one in (self.stdout, self.stderr)))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


async def python(
    *words: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    given: bytes = b"",
    anew: bool = False,
    stdout: int = DEVNULL,
    stderr: int = DEVNULL,
) -> Forked:
    """Start `python WORDS`, where these are `-m MODULE …` or `-c SCRIPT …`. `given`: a little for it to read."""
    loop = asyncio.get_running_loop()
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.setblocking(False)
    reading, writing = os.pipe()
    os.write(writing, given)
    os.close(writing)
    fds, streams = [reading], {}
    for name, wanted in (("stdout", stdout), ("stderr", stderr)):
        if wanted == PIPE:
            inner, outer = os.pipe()
            stream = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(stream)
            await loop.connect_read_pipe(lambda protocol=protocol: protocol, os.fdopen(inner, "rb", 0))
            streams[name] = stream
        else:
            outer = os.open(os.devnull, os.O_WRONLY)
        fds.append(outer)
    what = {
        "words": words,
        "env": dict(os.environ if env is None else env),
        "cwd": str(cwd or Path.cwd()),
        "anew": anew,
    }
    socket.send_fds(_parent(), [json.dumps(what).encode()], [*fds, its.fileno()])
    for fd in fds:
        os.close(fd)
    its.close()
    return Forked(int(await loop.sock_recv(mine, 64)), mine, streams)


async def _code(ended: socket.socket) -> int:
    with ended:
        return int(await asyncio.get_running_loop().sock_recv(ended, 64))


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


_started: list[socket.socket] = []


def _parent() -> socket.socket:
    """The way to the process that all are forked from; it is started once, and ends with this one."""
    if not _started:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", __name__, str(its.fileno())]
        process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[its.fileno()], start_new_session=True, stdin=DEVNULL, stdout=DEVNULL
        )
        its.close()

        def end() -> None:
            mine.close()
            process.wait()

        atexit.register(end)
        _started.append(mine)
    return _started[0]


# What follows runs in that process, and in those that are forked from it. -------------------------------------------


def _import_all() -> None:
    """Whatever our commands import."""
    import journeys.cli

    for module in pkgutil.iter_modules(journeys.cli.__path__):
        importlib.import_module(f"journeys.cli.{module.name}")
    _forget("journeys.cli")  # it looks at the terminal as it is imported
    assert threading.active_count() == 1, "who forks has no threads"
    gc.collect()
    gc.freeze()


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]


def _serve(orders: socket.socket) -> list[str]:
    """Fork a process an order, and say when it has ended; returns in each that is forked, with its arguments."""
    waking, woken = socket.socketpair()
    for one in (waking, woken):
        one.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([orders, waking], [], [])
        if waking in ready:
            waking.recv(4096)
            _tell_ends(running)
        if orders not in ready:
            continue
        order, fds, _, _ = socket.recv_fds(orders, LARGEST, 4)
        if not order:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        reply = socket.socket(fileno=fds.pop())
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (orders, waking, woken, reply, *running.values()):
                one.close()
            return _begin(json.loads(order), fds)
        for fd in fds:
            os.close(fd)
        running[pid] = reply
        with suppress(OSError):  # whoever asked may have gone
            reply.send(str(pid).encode())


def _tell_ends(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as reply, suppress(OSError):
            reply.send(str(os.waitstatus_to_exitcode(status)).encode())


def _begin(what: dict[str, Any], fds: list[int]) -> list[str]:
    """Become a process that has just started."""
    for place, fd in enumerate(fds):
        os.dup2(fd, place)
        os.close(fd)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - until it ends
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(what["cwd"])
    os.environ.clear()
    os.environ.update(what["env"])
    time.tzset()
    sys.path[0] = what["cwd"]
    if what["anew"]:
        _forget("journeys")
    return list(what["words"])


def _run(kind: str, what: str, *arguments: str) -> None:
    sys.argv = [what, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[0] = kind
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as orders_:
        mine_ = _serve(orders_)
    _run(*mine_)
