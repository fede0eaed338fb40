"""All operations that say once what they take and answer."""

from __future__ import annotations

from typing import Any

from journeys.api import identity, subscriptions
from journeys.api.operations import Operation

OPERATIONS: tuple[Operation[Any], ...] = (*identity.OPERATIONS, *subscriptions.OPERATIONS)
