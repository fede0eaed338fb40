"""Where the files of exports go: a folder, or a bucket that is spoken to as s3 is."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import Field

from journeys.engine.outgoing.guard import Networks
from journeys.engine.settings import Environment


class ExportSettings(Environment):
    """Where exports go, and which private addresses they may call back."""

    export_to: str = Field(
        default="",
        description="Where exports of people go: a folder that API and workers share, or s3://bucket/prefix; none: there are none",
    )
    export_s3_endpoint: str = Field(
        default="", description="The address of a service that is spoken to as S3 is, where it is not S3"
    )
    export_allowed_networks: Networks = Field(
        default="", description="Private networks that exports may call back, separated by commas"
    )


class Unavailable(RuntimeError):
    """There is no way to write files to where the setting says."""


class Destination(Protocol):
    """Where files go."""

    async def put(self, key: str, file: Path) -> None:
        """Write a file under a key; one that is there already is replaced as a whole."""

    def part(self, key: str) -> Path | None:
        """Where a file lies on this machine; None where files are kept elsewhere."""


class Folder:
    """A folder. A file is whole as soon as it is there."""

    def __init__(self, place: Path) -> None:
        self._place = place

    async def put(self, key: str, file: Path) -> None:
        """See `Destination`."""
        await asyncio.to_thread(self._put, self._place / key, file)

    @staticmethod
    def _put(goal: Path, file: Path) -> None:
        goal.parent.mkdir(parents=True, exist_ok=True)
        for left in goal.parent.glob(f".{goal.name}.*"):  # of a process that was killed as it wrote
            left.unlink(missing_ok=True)
        beside = goal.with_name(f".{goal.name}.{os.getpid()}")
        shutil.copyfile(file, beside)
        beside.replace(goal)

    def part(self, key: str) -> Path | None:
        """See `Destination`."""
        return self._place / key


class Bucket:
    """A bucket. Its credentials and its region are found as every program for s3 finds them."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    async def put(self, key: str, file: Path) -> None:
        """See `Destination`."""
        await asyncio.to_thread(self._client.upload_file, str(file), self._bucket, f"{self._prefix}{key}")

    def part(self, key: str) -> Path | None:
        """See `Destination`."""
        del key
        return None


def destination(settings: ExportSettings) -> Destination:
    """Where files go. Raises `Unavailable`, with what is missing."""
    if not settings.export_to:
        raise Unavailable(
            "exports have nowhere to go: set JOURNEYS_EXPORT_TO to a folder or to s3://bucket/prefix"
        )
    address = urlsplit(settings.export_to)
    if address.scheme != "s3":
        return Folder(Path(settings.export_to))
    try:
        boto3 = importlib.import_module("boto3")
    except ModuleNotFoundError:
        raise Unavailable("for exports to a bucket install journeys[s3]") from None
    client = boto3.client("s3", endpoint_url=settings.export_s3_endpoint or None)
    prefix = address.path.strip("/")
    return Bucket(client, address.netloc, f"{prefix}/" if prefix else "")
