"""A database is reached by any URL that libpq takes, and what the driver cannot do is refused instead of left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from journeys.engine.store import Database
from journeys.engine.store.database_url import UnusableUrl, connect, driver_arguments, driver_url
from journeys.engine.store.migrate import Unfit, check_database, migrate
from tests.certificates import Authority, server_context, without_tls
from tests.cli.test_commands import journeys


@dataclass
class Place:
    """Where the server of the tests is: its socket, and the names of a database and of a role."""

    socket: Path
    port: int
    name: str
    user: str

    @property
    def path(self) -> str:
        """The file of the socket."""
        return f"{self.socket}/.s.PGSQL.{self.port}"


@pytest.fixture
async def place(db: Database) -> Place:
    async with db.pool.acquire() as connection:
        folders = await connection.fetchval("show unix_socket_directories")
        return Place(
            Path(folders.split(",")[0].strip()),
            int(await connection.fetchval("show port")),
            await connection.fetchval("select current_database()"),
            await connection.fetchval("select current_user"),
        )


async def works(url: str) -> dict[str, str]:
    """What a connection says of itself that the pool has made; SQLAlchemy and the migrations get there too."""
    await migrate(url)
    await check_database(url)
    await (await connect(url, timeout=20)).close()
    async with Database.at(url, size=2) as db:
        async with db.session() as session:
            assert (await session.connection()).closed is False
        row = await db.pool.fetchrow(
            "select current_database() as name, current_setting('application_name') as application, "
            "current_setting('statement_timeout') as timeout, current_setting('search_path') as path"
        )
        return dict(row)


async def test_a_unix_socket_is_named_in_the_query_or_in_the_place_of_the_host(place: Place) -> None:
    at, folder = quote(place.user), str(place.socket)
    for url in (
        f"postgresql://{at}@/{place.name}?host={folder}&port={place.port}",
        f"postgres://{at}@{quote(folder, safe='')}:{place.port}/{place.name}",
        f"postgresql+asyncpg:///{place.name}?user={at}&host={quote(folder, safe='')}&port={place.port}",
        f"postgresql://?dbname={place.name}&user={at}&host={folder}&port={place.port}",
    ):
        assert (await works(url))["name"] == place.name


async def test_settings_of_the_session_and_parameters_that_change_nothing_are_taken(place: Place) -> None:
    url = (
        f"postgresql://{quote(place.user)}@/{place.name}?host={place.socket}&port={place.port}"
        "&options=-c%20statement_timeout%3D4321ms%20-c%20search_path%3Dpublic&fallback_application_name=shop"
        "&connect_timeout=9&keepalives=1&keepalives_idle=30&tcp_user_timeout=1000&client_encoding=auto"
        "&channel_binding=prefer&gssencmode=disable&load_balance_hosts=disable&sslcompression=0&target_session_attrs=read-write"
    )

    assert await works(url) == {
        "name": place.name,
        "application": "shop",
        "timeout": "4321ms",
        "path": "public",
    }
    assert driver_arguments(url)["timeout"] == 9.0


@pytest.fixture
async def encrypted(place: Place, tmp_path: Path) -> AsyncIterator[tuple[str, Path, Path]]:
    """The server behind TLS, whose certificate is for `localhost`: the port, its authority, and another authority."""
    ours, others = (tmp_path / name for name in ("ours", "others"))
    for folder in (ours, others):
        folder.mkdir()
    authority, other = Authority(ours), Authority(others)
    context = server_context(authority.signs("localhost"))
    async with without_tls(context, place.path, postgres=True) as port:
        yield str(port), authority.ca, other.ca


async def test_the_servers_certificate_is_verified_as_the_url_asks(
    place: Place, encrypted: tuple[str, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its authority, and by its name too; the authority may be the system's."""
    port, ca, other = encrypted
    at, end = f"postgresql://{quote(place.user)}@", f":{port}/{place.name}"

    for host, query in (
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", f"sslmode=verify-ca&sslrootcert={ca}"),
        ("localhost", f"sslmode=verify-full&sslrootcert={ca}"),
    ):
        assert (await works(f"{at}{host}{end}?{query}"))["name"] == place.name, query
    for host, query in (
        ("127.0.0.1", f"sslmode=verify-full&sslrootcert={ca}"),
        ("localhost", f"sslmode=verify-full&sslrootcert={other}"),
        ("localhost", f"sslmode=require&sslrootcert={other}"),
        ("localhost", "sslrootcert=system"),
        ("localhost", "sslmode=disable"),
    ):
        url = f"{at}{host}{end}?{query}"
        said = "cannot be reached" if "disable" in query else "its certificate is not accepted"
        with pytest.raises(Unfit, match=said):
            await check_database(url)
        if "disable" not in query:
            told = await journeys("entries", "mel", environment={"DATABASE_URL": url})
            assert (told.code, "the certificate of the database is not accepted: " in told.err) == (1, True)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    assert (await works(f"{at}localhost{end}?sslmode=verify-full&sslrootcert=system"))["name"] == place.name
    with pytest.raises(Unfit, match="cannot be reached"):
        await check_database(f"{at}127.0.0.1{end}?sslrootcert=system")


async def test_of_several_hosts_one_that_answers_is_taken(
    place: Place, encrypted: tuple[str, Path, Path]
) -> None:
    port, ca, _ = encrypted
    url = (
        f"postgresql://{quote(place.user)}@127.0.0.1:1,localhost:{port}/{place.name}"
        f"?sslmode=verify-full&sslrootcert={ca}&target_session_attrs=primary"
    )

    assert (await works(url))["name"] == place.name


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("channel_binding=require", "channel_binding .* or write disable or prefer"),
        ("gssencmode=require", "gssencmode"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("hostaddr=10.0.0.1", "hostaddr"),
        ("load_balance_hosts=random", "load_balance_hosts"),
        ("connect_timeout=soon", "connect_timeout is a number of seconds"),
        ("sslrootcert=system&sslmode=require", "verify-full only"),
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslrootcert: /nowhere/ca.pem cannot be read"),
    ],
)
async def test_what_the_driver_cannot_do_is_refused_in_a_line_without_the_password(
    query: str, said: str
) -> None:
    url = f"postgresql://mel:hunter2@db.example/shop?{query}"
    with pytest.raises(UnusableUrl, match=said) as caught:
        driver_arguments(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(Unfit, match="its address"):
        await check_database(url)
    told = await journeys("entries", "mel", environment={"DATABASE_URL": url})
    assert (told.code, told.err.startswith("DATABASE_URL: "), "hunter2" in told.err) == (2, True, False)


def test_a_url_that_asks_for_nothing_special_is_left_as_it_is() -> None:
    for url in ("postgresql:///journeys", "postgresql://mel:a%40b@h1:5432,h2/x?sslmode=require"):
        assert driver_arguments(url) == {"dsn": url}
    assert driver_url("postgresql+psycopg://h/x") == driver_url("postgres://h/x") == "postgresql://h/x"
    assert driver_url("mysql://h/x") == "mysql://h/x"
    with pytest.raises(ValueError, match="bad query field"):
        driver_arguments("postgresql://h/x?sslmode")
