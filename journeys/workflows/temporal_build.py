"""Our own Temporal server is built here with Go, once, out of the sources in `devserver`.

Nothing but Python's standard library is needed, so that the Makefile can run this file by itself, beside the
installation of everything else.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TextIO

SOURCES = Path(__file__).parent / "devserver"

FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=-s -w")
"""Nobody debugs the server: no tables for a debugger are made. Without paths, what one build has compiled serves the
next, which lies in another folder."""

SETTINGS = {"CGO_ENABLED": "0", "GOWORK": "off"}
"""No C compiler is asked for, and no workspace in a folder above is looked at."""

STANDARD = ("net/http/pprof", "net/http/httputil", "database/sql", "encoding/gob", "os/exec", "testing")
"""Packages that come with Go, and import nearly all others of those that the program is made of."""

DOWNLOADS = ("temporal.download", 443)
"""Where the SDK fetches the `temporal` command from."""

IMPORT, LINKING = 10_000, 1_500_000
"""What an import and the linking cost: as much as the compiling of so many bytes, as was measured."""

EVERY = 5.0
"""Seconds between two words about the progress."""

Say = Callable[[str], None]


class NoServer(RuntimeError):
    """No Temporal server could be had; the message says what to do."""


def cache_folder() -> Path:
    """The user's cache folder of this program."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "journeys"


def sources() -> list[Path]:
    """All files that the program is made of, as paths within `SOURCES`, sorted."""
    found = (one for one in SOURCES.rglob("*") if one.suffix in (".go", ".mod", ".sum"))
    return sorted(one.relative_to(SOURCES) for one in found)


def program() -> Path:
    """Where our server program lies once it is built: named by the hash of its sources."""
    digest = blake2b(digest_size=8)
    for name in sources():
        content = (SOURCES / name).read_bytes()
        digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return cache_folder() / "temporal" / digest.hexdigest() / "devserver"


async def build(say: Say = lambda _: None) -> Path:
    """Build our server program with Go, unless it is built; a few minutes, once. Progress goes to `say`.

    Where another process builds it, its progress is told and its end awaited. Raises NoServer where Go is missing or
    the build fails.
    """
    target = program()
    if target.exists():
        return target
    go = shutil.which("go")
    if go is None:
        raise NoServer("Temporal is needed: install the `temporal` command or Go, or set TEMPORAL_ADDRESS")
    target.parent.mkdir(parents=True, exist_ok=True)
    words = target.parent / "progress"

    def tell(text: str) -> None:
        words.write_text(text)
        say(text)

    with (target.parent / "lock").open("w") as lock:
        await _alone(lock, words, say)
        if target.exists():
            return target
        tell("building the Temporal server with Go: a few minutes, once")
        with tempfile.TemporaryDirectory(dir=target.parent, ignore_cleanup_errors=True) as folder:
            place = Path(folder)
            for name in sources():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(SOURCES / name, place / name)
            await _compile(go, place, tell)
            (place / "devserver").rename(target)
        words.unlink()
    return target


async def _alone(lock: TextIO, words: Path, say: Say) -> None:
    """Wait until nobody else builds, and pass on what the one who does says of it."""
    told = ""
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        with suppress(FileNotFoundError):
            if (text := words.read_text()) not in ("", told):
                say(text)
                told = text
        await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Package:
    """What is compiled at once: `size` is the bytes of its files, `imports` the packages that it waits for."""

    size: int
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far the compiling is: `share` of the work of `total` packages is done, and `left` seconds may remain."""

    done: int
    total: int
    share: float
    left: float | None

    def __str__(self) -> str:
        text = f"{self.done} of {self.total} packages, {self.share:.0%}"
        if self.left is None:
            return text
        minutes = round(self.left / 60)
        return (
            f"{text}, about {f'{minutes} minutes' if minutes > 1 else f'{round(self.left, -1):.0f} s'} left"
        )


def progress(packages: Mapping[str, Package], begun: Sequence[str], seconds: float, at_once: int) -> Progress:
    """How far it is after so many seconds, in which the compiler has begun with these packages, in this order.

    What a package that was begun with imports is done. If it was never begun with itself, the cache had it: it counts
    as done, and not for the speed. So many of the last as are compiled at once may still be at work.
    """
    done: set[str] = set()
    waiting = [name for one in begun if one in packages for name in packages[one].imports]
    waiting += begun[: max(len(begun) - at_once, 0)]
    while waiting:
        name = waiting.pop()
        if name in packages and name not in done:
            done.add(name)
            waiting += packages[name].imports
    behind = _work(packages, done)
    total = _work(packages, packages) + LINKING
    compiled = _work(packages, done.intersection(begun))
    known = compiled > total * 0.02  # before that, chance decides
    left = (total - behind) * seconds / compiled if known else None
    return Progress(len(done), len(packages), behind / total, left)


def _work(packages: Mapping[str, Package], names: Iterable[str]) -> int:
    return sum(packages[name].size + IMPORT * len(packages[name].imports) for name in names)


async def _compile(go: str, place: Path, say: Say) -> None:
    """Fetch what the program is made of, and run the compiler, which names each package that it begins with."""
    environment = os.environ | SETTINGS | {"GOTMPDIR": str(place)}
    ahead = asyncio.create_task(_ahead(go, place, environment))
    try:
        packages = await _packages(go, place, environment, say)
        await ahead  # two at once would compile the same packages
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
    building = await asyncio.create_subprocess_exec(
        *(go, "build", "-v", *FLAGS, "-o", "devserver", "."),
        cwd=place,
        env=environment,
        start_new_session=True,
        stderr=asyncio.subprocess.PIPE,
    )
    assert building.stderr is not None, "it was asked for"
    tail: list[str] = []
    begun: list[str] = []
    start, speak = time.monotonic(), _Seldom()
    try:
        async for line in building.stderr:
            tail = [*tail[-20:], line.decode()]
            begun += [name] if (name := line.decode().strip()) in packages else []
            if speak.due():
                how_far = progress(packages, begun, time.monotonic() - start, os.cpu_count() or 1)
                say(f"building the Temporal server: {how_far}")
        if await building.wait():
            raise NoServer(f"the Temporal server could not be built: {''.join(tail)[-800:]}")
    finally:
        await _end(building)


async def _ahead(go: str, place: Path, environment: Mapping[str, str]) -> None:
    """Compile what comes with Go, which needs nothing that is fetched. If it fails, the building itself says why."""
    process = await asyncio.create_subprocess_exec(
        *(go, "build", *FLAGS, *STANDARD),
        cwd=place,
        env=environment,
        start_new_session=True,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await process.wait()
    finally:
        await _end(process)


async def _packages(go: str, place: Path, environment: Mapping[str, str], say: Say) -> dict[str, Package]:
    """All packages of the program, by name. What is not in Go's cache of modules is fetched."""
    shape = '{{.ImportPath}}|{{.Dir}}|{{join .GoFiles "/"}}|{{join .Imports " "}}'
    listing = await asyncio.create_subprocess_exec(
        *(go, "list", "-deps", "-f", shape, "."),
        cwd=place,
        env=environment,
        start_new_session=True,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert listing.stdout is not None and listing.stderr is not None, "they were asked for"
    reading = asyncio.create_task(listing.stdout.read())
    tail: list[str] = []
    count, speak = 0, _Seldom()
    try:
        async for line in listing.stderr:
            tail = [*tail[-20:], line.decode()]
            count += line.startswith(b"go: downloading")
            if speak.due():
                say(f"fetching what the Temporal server is made of: {count} modules so far")
        said = await reading
        if await listing.wait():
            raise NoServer(f"Go could not fetch what the Temporal server is made of: {''.join(tail)[-800:]}")
    finally:
        await _end(listing)
        await asyncio.gather(reading, return_exceptions=True)
    found = {}
    for entry in said.decode().splitlines():
        name, folder, files, imports = entry.split("|")
        size = sum((Path(folder) / one).stat().st_size for one in files.split("/") if one)
        found[name] = Package(size, tuple(imports.split()))
    return found


class _Seldom:
    """Tells when it is time to speak: `EVERY` seconds after the last time."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time; if so, the next is so many seconds away."""
        now = time.monotonic()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it and all that it has started, if it has not ended: it leads a group of its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


def downloaded() -> Path | None:
    """The newest `temporal` command that the SDK has downloaded."""
    folder = cache_folder() / "temporal" / "cli"
    found = [one for one in folder.glob("temporal*") if one.is_file() and os.access(one, os.X_OK)]
    return max(found, key=lambda one: one.stat().st_mtime, default=None)


def needed() -> bool:
    """Whether nothing but a build gives us a server, as far as can be told before the SDK is installed."""
    if program().exists() or shutil.which("temporal") or downloaded():
        return False
    try:
        socket.create_connection(DOWNLOADS, timeout=3).close()
    except OSError:
        return True
    return False


async def _main() -> None:
    here = asyncio.current_task()
    assert here is not None, "we are in one"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, here.cancel)
    await build(lambda text: print(text, file=sys.stderr, flush=True))


if __name__ == "__main__":
    try:
        if "--if-needed" not in sys.argv or needed():
            asyncio.run(_main())
    except NoServer as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(1)
