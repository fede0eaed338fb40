"""Certificates of an authority that nobody knows, and servers that take TLS off for others behind them."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is the file by which they are verified."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {folder.name}")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        built = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        self.ca = self._written("ca.pem", built.sign(self._key, hashes.SHA256()))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def _written(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def signs(self, *names: str) -> Pair:
        """A certificate for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        known = [
            x509.IPAddress(ipaddress.ip_address(one)) if one[0].isdigit() else x509.DNSName(one)
            for one in names
        ]
        built = self._builder(subject, key).add_extension(x509.SubjectAlternativeName(known), critical=False)
        file = self._folder / f"{names[0]}.key"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Pair(self._written(f"{names[0]}.pem", built.sign(self._key, hashes.SHA256())), file)


def server_context(
    pair: Pair, *, clients: Path | None = None, alpn: list[str] | None = None
) -> ssl.SSLContext:
    """What a server shows; `clients`: the authority of those whom it lets in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


ASKED_FOR_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""What a client of PostgreSQL says first that wants TLS."""


@asynccontextmanager
async def without_tls(
    context: ssl.SSLContext,
    target: tuple[str, int] | str,
    *,
    postgres: bool = False,
    seen: Callable[[], Callable[[bytes], None]] | None = None,
) -> AsyncIterator[int]:
    """A port at which TLS is taken off; what is within goes to another port, or to a socket's path.

    `postgres`: TLS begins where the client has asked for it, as PostgreSQL's do. `seen` is called for
    each connection; what it returns is told what the client says.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def copy(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Callable[[bytes], None] | None
    ) -> None:
        try:
            with suppress(OSError):
                while some := await reader.read(65536):
                    if told is not None:
                        told(some)
                    writer.write(some)
                    await writer.drain()
        finally:
            writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if postgres:
                if await reader.readexactly(8) != ASKED_FOR_TLS:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(context)
            if isinstance(target, str):
                theirs, ours = await asyncio.open_unix_connection(target)
            else:
                theirs, ours = await asyncio.open_connection(*target)
            told = seen() if seen is not None else None
            for one in (copy(reader, ours, told), copy(theirs, writer, None)):
                task = asyncio.create_task(one)
                under_way.add(task)
                task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=None if postgres else context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        cut = [*under_way]
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
