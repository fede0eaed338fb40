"""All operations that say once what they take and answer."""

from __future__ import annotations

from typing import Any

from journeys.api import (
    address_lists,
    canvas_reading,
    email_templates,
    erasing,
    identity,
    lists,
    people_export,
    people_export_files,
    preference_centres,
    subscriptions,
    track_sync,
)
from journeys.api.operations import Operation

OPERATIONS: tuple[Operation[Any], ...] = (
    *canvas_reading.OPERATIONS,
    *email_templates.OPERATIONS,
    *erasing.OPERATIONS,
    *identity.OPERATIONS,
    *lists.OPERATIONS,
    *people_export.OPERATIONS,
    *people_export_files.OPERATIONS,
    *subscriptions.OPERATIONS,
    *track_sync.OPERATIONS,
    *address_lists.OPERATIONS,
    *preference_centres.OPERATIONS,
)
