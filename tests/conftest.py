"""The servers of the tests: a real PostgreSQL and a real Temporal a worker, a database a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from hypothesis import HealthCheck, settings

from journeys.channels.mailbox import Mailbox
from journeys.engine.outages import OUTAGES
from journeys.engine.sources.connected import caller
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from journeys.workflows.temporal_server import temporal_server
from tests.content import ruby
from tests.receiver import Receiver
from tests.servers import drop_database

collect_ignore = [] if ruby.present() else ["content/test_ruby.py"]
"""Without Ruby there is nothing to compare with; the header of the report says so."""


def pytest_report_header() -> list[str]:
    """What is not collected here, and why."""
    return [] if ruby.present() else [ruby.ABSENT]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: at the end of a run no worker is left alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long bytes go by their argument's name: what is made at import (gzip has a time in it) differs between workers."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Nobody gives up a web service of the tests because the machine is busy; what is about that says how long."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(caller, "TIMEOUT", 90.0)
        yield


PLENTY = 12 * 2**30
"""Bytes: the databases of a run come to about half of it."""


def _memory() -> str | None:
    """A folder in memory, where there is plenty: to delete some hundred databases takes a disk minutes."""
    folder = Path("/dev/shm")
    there = folder.is_dir() and os.access(folder, os.W_OK)
    return str(folder) if there and shutil.disk_usage(folder).free > PLENTY else None


def _clear(folder: Path) -> None:
    """Remove what runs have left there that were killed: it would fill the memory."""
    for left in folder.glob("journeys-tests-*-*"):
        owner = left.name.split("-")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(autouse=True)
def all_there() -> None:
    """What went away in an earlier test of this process is not told as back in this one."""
    OUTAGES._gone.clear()


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """A folder for what the servers keep, of this run alone.

    Not one of pytest's: a second run that is given the same base folder empties it, and later ones delete older ones.
    """
    where = _memory()
    if where is not None:
        _clear(Path(where))
    with tempfile.TemporaryDirectory(
        prefix=f"journeys-tests-{os.getpid()}-", dir=where, ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)  # the database lets go of root's rights
        yield Path(folder)


@pytest.fixture
def apart(servers: Path) -> Path:
    """A folder of one test, as `tmp_path` is, for what servers that it starts itself keep."""
    folder = Path(tempfile.mkdtemp(dir=servers))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
async def postgres(servers: Path) -> AsyncIterator[str]:
    """The URL of a server on which databases may be made."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    async with embedded_postgres(servers / "postgres", durable=False) as url:
        yield url


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    """The name of a database that has our schema, to copy."""
    if given := os.environ.get("JOURNEYS_TEMPLATE_DATABASE"):
        return given
    name = f"journeys_template_{uuid4().hex[:8]}"
    await migrate(await create_database(postgres, name))
    return name


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """A fresh database with our schema."""
    name = f"journeys_{uuid4().hex[:12]}"
    yield await create_database(postgres, name, template=template)
    await drop_database(postgres, name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, connected."""
    async with Database.at(database_url) as database:
        yield database


@pytest.fixture(scope="session")
async def temporal(servers: Path) -> AsyncIterator[str]:
    """The address of a Temporal server."""
    log = servers / "temporal.log"
    settings = ['history.timerProcessorMaxTimeShift="10ms"']
    async with temporal_server(
        os.environ.get("TEMPORAL_ADDRESS"), log=log, dynamic_config=settings
    ) as server:
        yield server.address


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A real mail server."""
    async with Mailbox() as box:
        yield box


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A real HTTP server that records what it is sent."""
    async with Receiver() as one:
        yield one
