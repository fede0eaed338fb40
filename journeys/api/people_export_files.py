"""`/users/export/segment` and `/users/export/global_control_group`: many people, as files (XPT-2 to XPT-4)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from journeys.api.operations import Answered, Asked, Operation
from journeys.api.people_export import notice_of
from journeys.api.requests import Refusal, answer
from journeys.api.services import Services
from journeys.canvas.problems import meant
from journeys.engine.delivery.public_address import PublicSettings
from journeys.engine.exports.destination import ExportSettings, Unavailable, destination
from journeys.engine.exports.export_files import name_of
from journeys.engine.exports.exporting import Gone, control_buckets
from journeys.engine.exports.links import is_open, signature, url_of
from journeys.engine.exports.running_exports import Export, Running, begin, export_of
from journeys.engine.workspaces.api_keys import Key
from journeys.engine.workspaces.published import Publication, Unknown

MOST_ATTRIBUTES = 500
"""Custom attributes that one call may pick (XPT-2)."""

PIECE = 256 * 1024
"""Bytes that are sent at once."""

WRONG_CALLBACK = "'callback_endpoint' must be an http or https address"


class ExportControl(Asked):
    """What to tell of the people, and who is called once it is done."""

    fields_to_export: Annotated[list[str], Field(min_length=1)]
    callback_endpoint: Annotated[str, Field(max_length=2000)] | None = None
    output_format: Literal["zip", "gzip"] = "zip"


class ExportSegment(ExportControl):
    """Of which segment, by its id."""

    segment_id: str
    custom_attributes_to_export: Annotated[list[str], Field(max_length=MOST_ATTRIBUTES)] = []


class Begun(Answered):
    """How the files are found: the last part of their prefix; and, where they lie in a folder, where to fetch them."""

    object_prefix: str
    url: str | None = None
    notice: str | None = None


async def export_segment(services: Services, key: Key, asked: ExportSegment) -> Begun:
    """Begin to export the people of a segment (XPT-2)."""
    publication = await services.published.of(key.workspace)
    if asked.segment_id not in publication.segments:
        hint = meant(asked.segment_id[:100], publication.segments)
        raise Refusal(400, f"Invalid Segment ID: {hint}" if hint else "Invalid Segment ID")
    return await _begin(
        services, publication, asked, asked.segment_id, tuple(asked.custom_attributes_to_export)
    )


async def export_control(services: Services, key: Key, asked: ExportControl) -> Begun:
    """Begin to export the people of the global control group, as it is now (XPT-3)."""
    publication = await services.published.of(key.workspace)
    try:
        control_buckets(publication)
    except Gone as error:
        raise Refusal(400, f"Bad Request: {error}") from None
    return await _begin(services, publication, asked, None, ())


async def _begin(
    services: Services,
    publication: Publication,
    asked: ExportControl,
    segment: str | None,
    attributes: tuple[str, ...],
) -> Begun:
    settings = ExportSettings()
    try:
        goal = destination(settings)
    except Unavailable as error:
        raise Refusal(400, f"Bad Request: {error}") from None
    if asked.callback_endpoint is not None and not asked.callback_endpoint.startswith(
        ("http://", "https://")
    ):
        raise Refusal(400, WRONG_CALLBACK)
    try:
        one = await begin(
            services.db.pool,
            publication.workspace,
            segment=segment,
            fields=frozenset(asked.fields_to_export),
            attributes=attributes,
            format_=asked.output_format,
            callback=asked.callback_endpoint,
            now=services.clock.now(),
        )
    except Running:
        raise Refusal(
            409, "Conflict: an export of these people is running; wait until it has ended"
        ) from None
    here = goal.part(one.prefix) is not None
    return Begun(
        object_prefix=one.object_prefix,
        url=url_of(PublicSettings().public_url, publication.secret, one) if here else None,
        notice=notice_of(asked.fields_to_export) or None,
    )


async def fetch(request: Request) -> Response:
    """The files of an export in one archive, for four hours after the last of them was written (XPT-4)."""
    services: Services = request.app.state.services
    found = await _fetched(services, request.path_params)
    if found is None:
        return answer(
            404,
            {"message": "Not Found: there is no such export, it is not ready, or its four hours are over"},
        )
    one, parts = found
    headers = {"content-disposition": f'attachment; filename="{one.object_prefix}.zip"'}
    return StreamingResponse(_archive(parts), media_type="application/zip", headers=headers)


async def _fetched(services: Services, asked: Any) -> tuple[Export, Sequence[Path]] | None:
    """The export that a link leads to, and its files."""
    try:
        identity, workspace = UUID(asked["export"]), int(asked["workspace"][:9])
        publication = await services.published.of(workspace)
        one = await export_of(services.db.pool, workspace, identity)
        goal = destination(ExportSettings())
    except (ValueError, Unknown, Unavailable):
        return None
    if not compare_digest(asked["signature"].encode(), signature(publication.secret, identity).encode()):
        return None
    if one is None or not is_open(one):
        return None
    places = [goal.part(f"{one.prefix}/{name_of(number, one.format)}") for number in range(1, one.files + 1)]
    there = [place for place in places if place is not None and place.exists()]
    return (one, there) if there else None


class _Sink:
    """What an archive is written to, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.at = 0

    def write(self, piece: bytes) -> int:
        """Take a piece."""
        self.pieces.append(bytes(piece))
        self.at += len(piece)
        return len(piece)

    def tell(self) -> int:
        """How much was written."""
        return self.at

    def flush(self) -> None:
        """There is nothing to flush."""

    def taken(self) -> bytes:
        """What came since it was last asked."""
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


def _archive(parts: Sequence[Path]) -> Iterator[bytes]:
    """An archive of files that are compressed already, in pieces."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for part in parts:
            with part.open("rb") as source, archive.open(part.name, "w") as member:
                while piece := source.read(PIECE):
                    member.write(piece)
                    yield sink.taken()
    yield sink.taken()


def routes() -> list[BaseRoute]:
    """The route by which exports are fetched. Its link is its key."""
    return [Route("/exports/{workspace}/{export}/{signature}", fetch, methods=["GET"])]


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/export/segment",
        summary="What is known of the people of a segment, as files",
        permission="users.export.segment",
        asks=ExportSegment,
        answers=Begun,
        work=export_segment,
        status=201,
    ),
    Operation(
        method="POST",
        path="/users/export/global_control_group",
        summary="What is known of the people of the global control group, as files",
        permission="users.export.global_control_group",
        asks=ExportControl,
        answers=Begun,
        work=export_control,
        status=201,
    ),
)
