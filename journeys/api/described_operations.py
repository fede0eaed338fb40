"""All operations that say once what they take and answer."""

from __future__ import annotations

from typing import Any

from journeys.api import identity, people_export, subscriptions
from journeys.api.operations import Operation

OPERATIONS: tuple[Operation[Any], ...] = (
    *identity.OPERATIONS,
    *people_export.OPERATIONS,
    *subscriptions.OPERATIONS,
)
