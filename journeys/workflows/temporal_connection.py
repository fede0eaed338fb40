"""Where Temporal is, from the environment, and the connection to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from journeys.engine.settings import Environment


def _checked(address: str) -> str:
    try:
        parts = urlsplit(f"//{address}")
        whole = parts.netloc == address and parts.hostname and parts.port and "@" not in address
    except ValueError:  # a port that is no number, or brackets that do not close
        whole = False
    if not whole or any(each.isspace() for each in address):
        raise PydanticCustomError("address", "it is not host:port")
    return address


class TemporalSettings(Environment):
    """Where Temporal is, and how the connection to it is encrypted."""

    temporal_address: Annotated[str, AfterValidator(_checked)] = Field(
        default="localhost:7233",
        validation_alias="TEMPORAL_ADDRESS",
        description="The Temporal server: host:port",
    )
    temporal_namespace: str = Field(
        default="default", validation_alias="TEMPORAL_NAMESPACE", description="The namespace of Temporal"
    )
    temporal_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="TEMPORAL_API_KEY",
        description="The API key of Temporal Cloud; it brings TLS",
    )
    temporal_tls: bool | None = Field(
        default=None,
        validation_alias="TEMPORAL_TLS",
        description="Whether the connection to Temporal is encrypted; with an API key or a certificate it is",
    )
    temporal_tls_ca: Path | None = Field(
        default=None,
        validation_alias="TEMPORAL_TLS_CA",
        description="A file with the certificates that Temporal's own is verified by, in place of the system's",
    )
    temporal_tls_cert: Path | None = Field(
        default=None,
        validation_alias="TEMPORAL_TLS_CERT",
        description="A file with the certificate of this process",
    )
    temporal_tls_key: Path | None = Field(
        default=None,
        validation_alias="TEMPORAL_TLS_KEY",
        description="A file with the key of that certificate",
    )


def tls_of(settings: TemporalSettings) -> TLSConfig | bool | None:
    """How the connection is encrypted. Raises RuntimeError where a file cannot be read."""

    def content(variable: str, path: Path | None) -> bytes | None:
        try:
            return None if path is None else path.read_bytes()
        except OSError as error:
            raise RuntimeError(f"{variable}: {path} cannot be read: {error.strerror}") from error

    ca = content("TEMPORAL_TLS_CA", settings.temporal_tls_ca)
    certificate = content("TEMPORAL_TLS_CERT", settings.temporal_tls_cert)
    key = content("TEMPORAL_TLS_KEY", settings.temporal_tls_key)
    if (certificate is None) != (key is None):
        raise RuntimeError("TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together: set both")
    if settings.temporal_tls is False:
        return False
    if ca or certificate:
        return TLSConfig(server_root_ca_cert=ca, client_cert=certificate, client_private_key=key)
    return True if settings.temporal_tls or settings.temporal_api_key else None


class NoAnswer(RuntimeError):
    """No Temporal server answers at this moment; the text is for people."""


async def connect(
    settings: TemporalSettings, runtime: Runtime | None = None, interceptors: Sequence[Interceptor] = ()
) -> Client:
    """Connect to Temporal. Raises RuntimeError, with what to do, if there is no answer (`NoAnswer`) or no such namespace."""
    tls = tls_of(settings)
    try:
        client = await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
            tls=tls,
            runtime=runtime,
            interceptors=interceptors,
        )
        asked = DescribeNamespaceRequest(namespace=settings.temporal_namespace)
        await client.workflow_service.describe_namespace(asked)
    except ValueError as error:
        raise RuntimeError(
            f"TEMPORAL_ADDRESS is not valid: “{settings.temporal_address}” is not host:port"
        ) from error
    except RPCError as error:
        said = f"TEMPORAL_NAMESPACE is not valid: {error.message}"
        if error.status != RPCStatusCode.NOT_FOUND:
            said = (
                f"the Temporal server at {settings.temporal_address} refuses the connection: {error.message}"
            )
        later = error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
        raise (NoAnswer if later else RuntimeError)(said) from error
    except RuntimeError as error:
        if (wrong := _certificate(str(error))) is not None:
            raise RuntimeError(f"the Temporal server at {settings.temporal_address} {wrong}") from error
        raise NoAnswer(
            f"no Temporal server answers at {settings.temporal_address}: start one, or set TEMPORAL_ADDRESS"
        ) from error
    return client


def _certificate(said: str) -> str | None:
    """What is wrong with the certificate of one side, where that is why the SDK could not connect."""
    if "CertificateRequired" in said:
        return "asks for a certificate: set TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY"
    if "InvalidCertificate" in said or "invalid peer certificate" in said:
        return "has a certificate that is not valid for this name, or of an unknown authority: TEMPORAL_TLS_CA names its file"
    return None
