"""What outsiders may send, valid, nearly valid and spoilt: the short form of `make fuzz-api`."""

from __future__ import annotations

import pytest

from journeys.engine.store import Database
from tests.fuzzing import NAMES, fuzz

COUNT = {"api": 300, "audience": 1_000, "link": 400, "csv": 200}


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_is_sent_no_door_fails_and_each_serves_others_afterwards(
    db: Database, name: str
) -> None:
    """TRK-7, CSV-1, SND-11: no 5xx, no stack trace, nothing wedged, nothing forged."""
    await fuzz(db, name, COUNT[name], seed=1)
