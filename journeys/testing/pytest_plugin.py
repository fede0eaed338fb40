"""The pytest plugin: the fixture `journey`. It imports nothing of the engine before a test asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from journeys.testing.trial import Trial


@pytest.fixture
def journey(request: pytest.FixtureRequest) -> Callable[..., Trial]:
    """`journeys.testing.journey`; paths are looked for here, beside the test's file, and in pytest's root folder."""
    from journeys.testing.trial import journey

    return partial(journey, folders=(request.path.parent, request.config.rootpath))
