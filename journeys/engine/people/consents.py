"""What people agreed to hear on a channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

STORE = """
insert into consents (workspace, person, channel, state, at)
select $1, s.person, s.channel, s.state, $5
from unnest($2::uuid[], $3::text[], $4::text[]) as s(person, channel, state)
on conflict (workspace, person, channel) do update set state = excluded.state, at = excluded.at
where consents.state is distinct from excluded.state
"""


async def store_consents(
    connection: Any, workspace: int, consents: Mapping[tuple[UUID, str], str], now: datetime
) -> None:
    """Write the states, by person and channel. `at` says since when a state holds. The people are locked."""
    rows = [(person, channel, state) for (person, channel), state in sorted(consents.items())]
    await connection.execute(STORE, workspace, *map(list, zip(*rows, strict=True)), now)
