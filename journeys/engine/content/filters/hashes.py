"""Digests in hex or base 64."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any

from journeys.engine.content.stringify import as_text


def _bytes(value: Any) -> bytes:
    return as_text(value).encode()


def md5(value: Any) -> str:
    """MD5 in hex."""
    return hashlib.md5(_bytes(value), usedforsecurity=False).hexdigest()


def sha1(value: Any) -> str:
    """SHA-1 in hex."""
    return hashlib.sha1(_bytes(value), usedforsecurity=False).hexdigest()


def sha2(value: Any) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(_bytes(value)).hexdigest()


def hmac_sha1_hex(value: Any, key: Any) -> str:
    """HMAC with SHA-1 in hex."""
    return hmac.digest(_bytes(key), _bytes(value), "sha1").hex()


def hmac_sha1_base64(value: Any, key: Any) -> str:
    """HMAC with SHA-1 in base 64."""
    return b64encode(hmac.digest(_bytes(key), _bytes(value), "sha1")).decode()


def hmac_sha256_hex(value: Any, key: Any) -> str:
    """HMAC with SHA-256 in hex."""
    return hmac.digest(_bytes(key), _bytes(value), "sha256").hex()


def hmac_sha256_base64(value: Any, key: Any) -> str:
    """HMAC with SHA-256 in base 64."""
    return b64encode(hmac.digest(_bytes(key), _bytes(value), "sha256")).decode()


def hmac_sha512(value: Any, key: Any) -> str:
    """HMAC with SHA-512 in hex."""
    return hmac.digest(_bytes(key), _bytes(value), "sha512").hex()
