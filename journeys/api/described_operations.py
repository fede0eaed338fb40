"""All operations that say once what they take and answer."""

from __future__ import annotations

from typing import Any

from journeys.api import (
    address_lists,
    canvas_reading,
    canvas_status,
    catalog_items,
    catalogs,
    content_blocks,
    email_templates,
    erasing,
    identity,
    lists,
    people_export,
    people_export_files,
    preference_centres,
    subscriptions,
    track,
    track_sync,
    trigger,
    trigger_schedules,
)
from journeys.api.operations import Operation

OPERATIONS: tuple[Operation[Any], ...] = (
    *track.OPERATIONS,
    *trigger.OPERATIONS,
    *trigger_schedules.OPERATIONS,
    *canvas_status.OPERATIONS,
    *catalogs.OPERATIONS,
    *catalog_items.OPERATIONS,
    *content_blocks.OPERATIONS,
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
