"""The Temporal server of development: after a kill it delivers tasks at once, and one that does not is restarted."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from journeys.workflows import temporal_server as servers
from journeys.workflows.temporal_server import TemporalServer, temporal_server


@pytest.mark.slow
async def test_a_server_that_was_killed_delivers_tasks_as_soon_as_it_is_up_again(tmp_path: Path) -> None:
    """Not only answers: with its former members in its database it would wait for them for a minute."""
    async with temporal_server(db=tmp_path / "t.sqlite", log=tmp_path / "log") as server:
        for _ in range(2):
            await server.stop(kill=True)
            async with asyncio.timeout(40):
                await server.start()
                assert await server.delivers()


@pytest.mark.parametrize("file", ["members", "no table", "no database", "none"])
def test_those_who_ran_it_last_are_forgotten_before_a_start(tmp_path: Path, file: str) -> None:
    db = tmp_path / "t.sqlite"
    if file == "no database":
        db.write_bytes(b"x" * 100)
    elif file != "none":
        with closing(sqlite3.connect(db)) as connection, connection:
            connection.execute(
                f"create table {'cluster_membership' if file == 'members' else 'other'} (id int)"
            )
            if file == "members":
                connection.execute("insert into cluster_membership values (1)")

    TemporalServer("127.0.0.1:1", db=None if file == "none" else db)._forget_members()

    if file == "members":
        with closing(sqlite3.connect(db)) as connection:
            assert connection.execute("select count(*) from cluster_membership").fetchall() == [(0,)]


class Mute(TemporalServer):
    """It answers, and delivers nothing."""

    restarts = 0

    async def healthy(self) -> bool:
        return True

    async def delivers(self) -> bool:
        return False

    async def restart(self) -> None:
        self.restarts += 1
        raise asyncio.CancelledError


async def test_a_server_that_answers_and_delivers_nothing_is_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "PROBE", 0.001)
    said: list[str] = []
    server = Mute("127.0.0.1:1")
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(server.keep(said.append), 20)
    assert (server.restarts, len(said)) == (1, 1)
    assert "delivers no tasks" in said[0]
