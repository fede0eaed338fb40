"""Instants as people and clients write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeys.canvas.written_instants import instant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-01T09:00:00+02:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        (" 2026-12-01 09:00:00 ", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01T09:00:00:250Z", datetime(2026, 12, 1, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("12/01/2026", datetime(2026, 12, 1, tzinfo=UTC)),
        ("Tue 12 01 09:00:00 2026", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("3001-01-01", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("tomorrow morning", None),
        ("soon", None),
        (20261201, None),
        (None, None),
    ],
)
def test_an_instant_is_read_in_each_form_that_clients_write(written: object, meant: datetime | None) -> None:
    """ATT-6: without a zone it is UTC; what is past the year 3000, or no instant, is none."""
    assert instant(written) == meant
