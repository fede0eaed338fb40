"""What every channel promises, as tests: inherit `ChannelContract` in a test file, and name the channel.

class TestNoticeboard(ChannelContract):
    kind = Noticeboard
    sample = {"title": "Hi", "text": "You"}
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest

from journeys.canvas.steps.base import ID
from journeys.engine.delivery.channel import Channel, Content, Receipt, Recipient
from journeys.engine.people.profiles import Profile

HUNTER = "hunter2"
OUTCOMES = ("sent", "unreachable", "retry", "away", "failed")


def nobody() -> Profile:
    """A profile of which nothing is known but its id."""
    begin = datetime(2026, 12, 7, tzinfo=UTC)
    nothing = (None,) * 9
    return Profile(1, UUID(int=1), 1, *nothing, 0, {}, {}, {}, begin)


class ChannelContract:
    """The tests. `kind` is the class of the channel, which is made as a worker makes it: without arguments.

    `sample` are the fields of content that it can deliver in a test; without it nothing is delivered. `address`: where
    that goes. `secrets` are names of environment variables whose values nobody may read in its repr.
    """

    kind: ClassVar[Any]
    sample: ClassVar[Mapping[str, Any] | None] = None
    address: ClassVar[str] = "mel@example.com"
    secrets: ClassVar[tuple[str, ...]] = ()

    def test_it_is_what_the_protocol_says(self) -> None:
        """It has a name that templates can use, says whether it is idempotent, and has a lane at least."""
        channel = self.kind()

        assert isinstance(channel, Channel)
        assert re.match(ID, channel.name), f"“{channel.name}” cannot be the name of a channel"
        assert isinstance(channel.idempotent, bool)
        assert channel.lanes >= 1
        assert issubclass(channel.content, Content)

    def test_every_field_of_its_content_is_described(self) -> None:
        """Authors read the descriptions in their editors."""
        schema = self.kind.content.model_json_schema()

        assert [name for name, part in schema["properties"].items() if not part.get("description")] == []

    def test_nothing_private_is_in_its_repr(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is logged of it has no secret."""
        for variable in self.secrets:
            monkeypatch.setenv(variable, HUNTER)

        assert HUNTER not in repr(self.kind())

    def test_a_person_of_whom_nothing_is_known_is_no_error(self) -> None:
        """`address_of` gives None where it cannot reach somebody, and a text where the channel needs nothing of them."""
        address = self.kind().address_of(nobody())

        assert address is None or isinstance(address, str)

    def test_it_opens_and_closes_and_what_it_delivers_has_a_receipt(self) -> None:
        """The same key twice has the same outcome where the channel is idempotent."""
        receipts = asyncio.run(self._delivered())

        assert all(isinstance(receipt, Receipt) and receipt.outcome in OUTCOMES for receipt in receipts)
        assert len({receipt.outcome for receipt in receipts}) <= 1

    async def _delivered(self) -> list[Receipt]:
        channel = self.kind()
        receipts = []
        await channel.open()
        try:
            if self.sample is not None:
                content = channel.content.model_validate(self.sample)
                for _ in range(2 if channel.idempotent else 1):
                    receipts.append(await channel.deliver(content, Recipient(self.address), "entry/step"))
        finally:
            await channel.close()
        return receipts
