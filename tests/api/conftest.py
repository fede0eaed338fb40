"""What the tests of the API share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import create_key
from tests.api.parts import STORY, Door
from tests.stage import stage_on


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    """The API of a stage with the story of these tests, called with a key that may do all."""
    stage = await stage_on(db, STORY)
    made = Door(stage, await create_key(db, stage.workspace, "test", ["*"]))
    yield made
    await made.client.aclose()
