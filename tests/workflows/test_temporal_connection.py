"""The connection to Temporal over TLS, to a real server behind one that takes the encryption off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.exceptions import ProtocolError
from pydantic import SecretStr, ValidationError

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.store import Database
from journeys.workflows.temporal_connection import NoAnswer, TemporalSettings, connect
from tests.certificates import Authority, server_context, without_tls
from tests.stage import EMAIL, canvas, live_stage


class Headers:
    """The headers of the first call of each connection."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    def __call__(self) -> Callable[[bytes], None]:
        reading = H2Connection(config=H2Configuration(client_side=False, header_encoding="utf-8"))
        done: list[Any] = []

        def told(some: bytes) -> None:
            if done:
                return
            with suppress(ProtocolError):
                done.extend(one for one in reading.receive_data(some) if isinstance(one, RequestReceived))
            self.found += [dict(one.headers) for one in done[:1]]

        return told


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def encrypted(
    temporal: str, authority: Authority, *, clients: Path | None = None, headers: Headers | None = None
) -> AsyncIterator[str]:
    """The address of the server behind TLS; its certificate is for `localhost`."""
    host, _, port = temporal.partition(":")
    context = server_context(authority.signs("localhost"), clients=clients, alpn=["h2"])
    async with without_tls(context, (host, int(port)), seen=headers) as at:
        yield f"localhost:{at}"


async def test_a_person_goes_from_entry_to_mail_over_tls_with_a_key(
    db: Database, temporal: str, mailbox: Mailbox, authority: Authority
) -> None:
    """The certificate is verified by the authority that is named, and the key goes with the calls."""
    story = canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL
    headers = Headers()
    async with encrypted(temporal, authority, headers=headers) as address:
        settings = TemporalSettings(
            temporal_address=address, temporal_api_key=SecretStr("sesame"), temporal_tls_ca=authority.ca
        )
        client = await connect(settings)
        channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))
        async with live_stage(db, story, temporal, [channel], client=client) as stage:
            await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
            assert (await mailbox.next(to="mel@example.com")).message["Subject"] == "Hello Mel"
            await stage.all_ended()
    assert {each["authorization"] for each in headers.found} == {"Bearer sesame"}


async def test_a_server_that_asks_for_a_certificate_gets_that_of_the_process(
    temporal: str, authority: Authority
) -> None:
    mine = authority.signs("worker")
    async with encrypted(temporal, authority, clients=authority.ca) as address:
        settings = TemporalSettings(
            temporal_address=address,
            temporal_tls_ca=authority.ca,
            temporal_tls_cert=mine.certificate,
            temporal_tls_key=mine.key,
        )
        assert (await connect(settings)).namespace == "default"
        with pytest.raises(RuntimeError):
            await connect(TemporalSettings(temporal_address=address, temporal_tls_ca=authority.ca))


async def test_a_certificate_that_is_not_verified_ends_the_process_with_what_to_set(
    temporal: str, authority: Authority, tmp_path: Path
) -> None:
    """By the authority and by the name; it would not get better by waiting."""
    folder = tmp_path / "others"
    folder.mkdir()
    other = Authority(folder)
    async with encrypted(temporal, authority) as address:
        for given in (
            TemporalSettings(temporal_address=address, temporal_tls=True),
            TemporalSettings(temporal_address=address, temporal_api_key=SecretStr("sesame")),
            TemporalSettings(temporal_address=address, temporal_tls_ca=other.ca),
            TemporalSettings(
                temporal_address=address.replace("localhost", "127.0.0.1"), temporal_tls_ca=authority.ca
            ),
        ):
            with pytest.raises(RuntimeError, match=r"certificate.*TEMPORAL_TLS_CA") as caught:
                await connect(given)
            assert not isinstance(caught.value, NoAnswer)
            assert "sesame" not in str(caught.value)


async def test_one_side_with_tls_and_the_other_without_is_an_error(
    temporal: str, authority: Authority
) -> None:
    async with encrypted(temporal, authority) as address:
        for given in (
            TemporalSettings(temporal_address=address),
            TemporalSettings(temporal_address=address, temporal_api_key=SecretStr("x"), temporal_tls=False),
            TemporalSettings(temporal_address=temporal, temporal_tls=True),
        ):
            with pytest.raises(RuntimeError):
                await connect(given)


async def test_files_that_are_not_there_or_not_whole_are_told_by_their_variable(
    authority: Authority, tmp_path: Path
) -> None:
    mine = authority.signs("worker")
    for given, said in (
        ({"temporal_tls_ca": tmp_path / "none"}, "TEMPORAL_TLS_CA: .*none cannot be read"),
        ({"temporal_tls_cert": mine.certificate}, "belong together: set both"),
        ({"temporal_tls_key": mine.key}, "belong together: set both"),
    ):
        with pytest.raises(RuntimeError, match=said):
            await connect(TemporalSettings(temporal_address="127.0.0.1:1", **given))


@pytest.mark.parametrize(
    "address",
    ["", "temporal", "temporal:", ":7233", "temporal:0", "temporal:99999", "temporal:http", "not an address", "a b:1",
     "http://temporal:7233", "temporal:7233/", "me@temporal:7233", "::1:7233", "[::1:7233"],
)  # fmt: skip
def test_an_address_that_is_not_host_and_port_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="it is not host:port"):
        TemporalSettings(temporal_address=address)


@pytest.mark.parametrize("address", ["temporal:7233", "10.0.0.7:1", "[::1]:7233", "a_b.c-d.example.:65535"])
def test_an_address_of_host_and_port_is_taken(address: str) -> None:
    assert TemporalSettings(temporal_address=address).temporal_address == address
