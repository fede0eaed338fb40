"""Encrypts secrets for the database with the operator's key."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import Field, SecretStr

from journeys.engine.settings import Environment


class SecretSettings(Environment):
    """`JOURNEYS_SECRET_KEY`: the key that seals credentials; several with commas, the first seals, all of them open."""

    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="The key that seals stored credentials; several with commas: the first seals, all of them open",
    )


class Locked(RuntimeError):
    """There is no key, or none that opens what was sealed."""


def new_key() -> str:
    """A key for `JOURNEYS_SECRET_KEY`."""
    return Fernet.generate_key().decode()


class Sealer:
    """Seals and opens. What was sealed for one workspace and name does not open for another.

    Raises `Locked` where a key cannot be one.
    """

    def __init__(self, keys: str = "") -> None:
        try:
            fernets = [Fernet(key.strip()) for key in keys.split(",") if key.strip()]
        except ValueError as error:
            raise Locked(
                "JOURNEYS_SECRET_KEY is not a valid key: `journeys credentials new-key` prints one"
            ) from error
        self._fernet = MultiFernet(fernets) if fernets else None

    @classmethod
    def of_environment(cls) -> Sealer:
        """With the keys of `JOURNEYS_SECRET_KEY`."""
        return cls(SecretSettings().secret_key.get_secret_value())

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, workspace: int, name: str, secrets: Mapping[str, str]) -> bytes:
        """Seal with the first key. Raises `Locked` where there is none."""
        return self._keys().encrypt(msgspec.json.encode([workspace, name, secrets]))

    def open(self, workspace: int, name: str, sealed: bytes) -> dict[str, str]:
        """What was sealed for this workspace and name. Raises `Locked`."""
        try:
            said = msgspec.json.decode(self._keys().decrypt(sealed), type=tuple[int, str, dict[str, str]])
        except (InvalidToken, msgspec.DecodeError) as error:
            raise Locked(
                f"the credential “{name}” cannot be decrypted with any key of JOURNEYS_SECRET_KEY"
            ) from error
        if said[:2] != (workspace, name):
            raise Locked(f"the credential “{name}” was encrypted for another workspace or name")
        return said[2]

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            raise Locked("JOURNEYS_SECRET_KEY is not set: `journeys credentials new-key` prints a key")
        return self._fernet
