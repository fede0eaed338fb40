"""The channel `webhook`: an HTTP call to an address that an author chooses, with a key that makes it repeatable."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Literal

import httpx2
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from journeys.channels.base import Content, Receipt, Recipient
from journeys.engine.outgoing.guard import Networks, NotPublic, networks
from journeys.engine.outgoing.http_client import Malformed, Outgoing
from journeys.engine.settings import Environment

TIMEOUT = 90.0
"""Seconds that a call may take in all: name, connection, answer (WHK-1)."""

BODY = 2.0
"""Seconds that the rest of an answer may take once its status is known: it is read only to use the connection again."""

LARGEST_ANSWER = 64 * 1024
"""How many bytes of a response are read; they are not kept."""


class WebhookSettings(Environment):
    """`JOURNEYS_WEBHOOK_ALLOWED_NETWORKS`: private networks that may be called all the same, with commas.

    `JOURNEYS_WEBHOOK_LANES`: so many calls of one workspace may be under way at once in a process.
    """

    model_config = SettingsConfigDict(env_prefix="JOURNEYS_WEBHOOK_")
    allowed_networks: Networks = Field(
        default="",
        description="Private networks that webhooks may call, with commas: 10.1.0.0/16,192.168.7.0/24",
    )
    lanes: int = Field(
        default=32,
        ge=1,
        description="How many calls of one workspace a process makes at the same time",
        json_schema_extra={"unit": "calls"},
    )
    timeout: float = Field(
        default=TIMEOUT,
        gt=0,
        le=TIMEOUT,
        description="How long a webhook may take in all",
        json_schema_extra={"unit": "seconds"},
    )


class WebhookContent(Content):
    """A call, rendered."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="HTTP method")
    url: str = Field(description="Address to call")
    headers: dict[str, str] = Field(default={}, description="Headers")
    json_body: Any = Field(None, description="Body that is sent as JSON")
    text: str | None = Field(None, description="Body that is sent unchanged")


class Webhook:
    """A call by HTTP. The receiver that honours `Idempotency-Key` does the same dispatch once."""

    name: ClassVar[str] = "webhook"
    idempotent: ClassVar[bool] = True
    content: ClassVar[type[Content]] = WebhookContent

    def __init__(self, settings: WebhookSettings | None = None) -> None:
        self.settings = settings or WebhookSettings()
        self.lanes = self.settings.lanes
        self._client: Outgoing | None = None

    def __repr__(self) -> str:
        return "Webhook()"

    async def open(self) -> None:
        """Make the client."""
        self._client = await Outgoing(networks(self.settings.allowed_networks)).__aenter__()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.__aexit__()
            self._client = None

    def address_of(self, profile: Any) -> str | None:
        """A webhook needs no address of the person."""
        return str(profile.id)

    async def deliver(self, content: WebhookContent, to: Recipient, key: str) -> Receipt:
        """Call. See `WHK-2` for what becomes of which answer."""
        del to
        assert self._client is not None, "the channel was opened"
        headers = {"Idempotency-Key": key, **content.headers}
        body: dict[str, Any] = {}
        if content.method != "GET":  # GET has no body (WHK-1)
            body = {"json": content.json_body} if content.text is None else {"content": content.text}
        try:
            async with (
                asyncio.timeout(self.settings.timeout),
                self._client.stream(  # WHK-1
                    content.method, content.url, headers, timeout=self.settings.timeout, **body
                ) as answer,
            ):
                await _rest(answer)
                return _receipt(answer)
        except Malformed as error:
            return Receipt("failed", str(error))
        except httpx2.ConnectError as error:
            private = isinstance(error.__cause__, NotPublic)
            return Receipt("failed" if private else "retry", str(error)[:200])
        except (httpx2.HTTPError, TimeoutError) as error:
            return Receipt("retry", f"no response: {type(error).__name__}")


async def _rest(answer: httpx2.Response) -> None:
    """Read what is left of an answer, as far as that is little and comes soon."""
    size = 0
    try:
        async with asyncio.timeout(BODY):
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    return
    except (TimeoutError, httpx2.HTTPError):
        return


def _receipt(answer: httpx2.Response) -> Receipt:
    status = answer.status_code
    if 200 <= status < 300:  # WHK-2
        return Receipt("sent", provider_id=str(status))
    if status in (408, 429) or status >= 500:  # WHK-2
        return Receipt("retry", f"the response was {status}", retry_after=_after(answer))
    return Receipt("failed", f"the response was {status}")


def _after(answer: httpx2.Response) -> float | None:
    said = answer.headers.get("retry-after", "")
    if said.isdigit():
        return float(said)  # WHK-3
    try:
        from datetime import UTC, datetime

        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
