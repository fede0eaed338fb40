"""Nothing that `dev` keeps can be read by others, and nobody else gets into its database."""

from __future__ import annotations

import asyncio
import os
import smtplib
import stat
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import pytest

from journeys.cli.private_files import private_files
from journeys.engine.store import embedded_postgres as servers
from journeys.engine.store.embedded_postgres import NotStarted, embedded_postgres
from tests.cli.test_servers import running

NOBODY = 65534


def readable(folder: Path) -> Iterator[str]:
    """What others could read below a folder that they can go through."""
    for child in folder.iterdir():
        mode = child.lstat().st_mode
        if mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH):
            yield f"{child} {stat.filemode(mode)}"
        if stat.S_ISDIR(mode) and mode & (stat.S_IXGRP | stat.S_IXOTH):
            yield from readable(child)


def connects(socket: Path) -> bool:
    """Whether another user of the machine gets in."""
    code = f"import socket; socket.socket(socket.AF_UNIX).connect('{socket}')"
    return (
        subprocess.run(["python3", "-c", code], user=NOBODY, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_below_the_home_of_dev_can_be_read_by_others(apart: Path) -> None:
    """Mails, logs, the databases; what an earlier version left open is closed."""
    home = apart / ("deep-" + "x" * 100)
    (home / "mails").mkdir(parents=True)
    (home / "mails" / "000007.eml").write_text("Subject: from before\n\nhello")
    (home / "dev.log").write_text("a line from before\n")
    for left in (home, home / "mails"):
        left.chmod(0o755)
    async with running("dev", "--port", "0", JOURNEYS_HOME=str(home)) as dev:
        box = int((await dev.says(r"mailbox\s+127\.0\.0\.1:(\d+)", 240))[1])
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = "by hand", "a@example.com", "b@example.com"
        message.set_content("hello")

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", box) as smtp:
                smtp.send_message(message)

        await asyncio.to_thread(send)
        await dev.says("mail to b@example.com")
        names = {path.name for path in home.rglob("*")}
        assert {"000008.eml", "dev.log", "temporal.sqlite", "temporal.log", "postgres"} <= names
        assert list(readable(home)) == []
        assert home.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH) == 0
        assert await dev.stopped() == 0
    assert list(readable(home)) == []


async def test_a_database_whose_folder_lies_deep_has_its_socket_where_nobody_else_gets_in(
    apart: Path,
) -> None:
    for folder in (apart / "short" / "postgres", apart / ("deep-" + "x" * 100) / "postgres"):
        async with embedded_postgres(folder, durable=False) as url:
            connection = await asyncpg.connect(url)
            place = Path(await connection.fetchval("show unix_socket_directories"))
            await connection.close()
            socket = place / servers.SOCKET
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
            if os.geteuid() == 0:
                assert not connects(socket)


async def test_the_folder_of_the_sockets_must_be_ones_own(
    apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it first could read all that is sent."""
    monkeypatch.setattr(servers.tempfile, "gettempdir", lambda: str(apart))
    (apart / f"journeys-{os.geteuid()}").symlink_to("/tmp")
    with pytest.raises(NotStarted, match="not this user's own folder"):
        async with embedded_postgres(apart / ("deep-" + "x" * 100) / "postgres"):
            raise AssertionError("it does not start")


def test_the_umask_is_as_before_afterwards_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("open to all")
    outside.chmod(0o644)
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(outside)
    before = os.umask(0o022)
    try:
        with private_files(home):
            (home / "inside").write_text("hello")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "inside").stat().st_mode) == 0o600
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
