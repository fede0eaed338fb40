"""Bodies that come as gzip: read like others, with the same limits once they are inflated."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx2
import pytest

from journeys.api import requests
from tests.api.parts import Door


async def sent(door: Door, content: bytes, encoding: str = "gzip", *, key: bool = True) -> httpx2.Response:
    headers = {"Content-Encoding": encoding} | ({"Authorization": f"Bearer {door.key}"} if key else {})
    return await door.client.post("/users/track", content=content, headers=headers)


def body(**more: Any) -> bytes:
    return json.dumps({"attributes": [{"external_id": "mel", "x": 1}], **more}).encode()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_a_body_in_gzip_is_read_like_any_other(door: Door, encoding: str) -> None:
    answer = await sent(door, gzip.compress(body()), encoding)

    assert (answer.status_code, answer.json()["attributes_processed"]) == (201, 1)
    assert (await door.profile("mel"))["attributes"] == {"x": 1}


async def test_a_large_one_too_and_one_that_brings_its_key(door: Door) -> None:
    """API-2"""
    many = [{"external_id": f"p{n}", "text": "x" * 40_000} for n in range(75)]
    answer = await sent(door, gzip.compress(body(attributes=many, api_key=door.key)), key=False)

    assert (answer.status_code, answer.json()["attributes_processed"]) == (201, 75)


@pytest.mark.parametrize("bytes_", [4 * 2**20 + 1, 2**27])
async def test_a_body_that_is_too_large_once_it_is_inflated_is_refused_and_no_more_of_it_is_inflated(
    door: Door, monkeypatch: pytest.MonkeyPatch, bytes_: int
) -> None:
    """TRK-2: a thousand times as much as came may be in it."""
    inflated: list[int] = []
    original = requests.zlib.decompressobj

    class Watched:
        def __init__(self, **options: Any) -> None:
            self._inner = original(**options)

        def decompress(self, raw: bytes, most: int) -> bytes:
            plain = bytes(self._inner.decompress(raw, most))
            inflated.append(len(plain))
            return plain

    monkeypatch.setattr(requests.zlib, "decompressobj", Watched)
    bomb = gzip.compress(b" " * bytes_)
    answer = await sent(door, bomb)

    assert (answer.status_code, answer.json()) == (413, {"message": "the body is larger than 4 MB"})
    assert len(bomb) < requests.LARGEST_BODY
    assert inflated == [requests.LARGEST_BODY + 1]


async def test_a_body_of_just_the_limit_is_read(door: Door) -> None:
    exact = body().ljust(requests.LARGEST_BODY)

    assert (await sent(door, gzip.compress(exact))).status_code == 201


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (body(), "gzip", 400),
        (gzip.compress(body())[:-4], "gzip", 400),
        (gzip.compress(body()) + b"more", "gzip", 400),
        (gzip.compress(b"") * 1_000, "gzip", 400),
        (gzip.compress(b"{nothing"), "gzip", 400),
        (body(), "br", 415),
        (gzip.compress(gzip.compress(body())), "gzip, gzip", 415),
        (b"", "gzip", 400),
        (body(), "identity", 201),
    ],
    ids=[
        "not gzip",
        "cut",
        "more behind it",
        "a thousand members",
        "no JSON in it",
        "brotli",
        "twice",
        "nothing",
        "identity",
    ],
)
async def test_what_cannot_be_read_is_refused_with_what_can(
    door: Door, content: bytes, encoding: str, status: int
) -> None:
    """TRK-7"""
    answer = await sent(door, content, encoding)

    assert (answer.status_code, "message" in answer.json()) == (status, True)
    assert answer.headers.get("accept-encoding") == ("gzip" if status == 415 else None)
