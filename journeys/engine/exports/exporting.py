"""Does the exports: file after file, each noted once it lies where it belongs, so that a kill costs one file at most."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2

from journeys.canvas.filters import Filter
from journeys.engine.clock import Clock
from journeys.engine.core.global_control import held_out
from journeys.engine.entries.audience_reading import matching
from journeys.engine.exports.destination import Destination, ExportSettings, Unavailable, destination
from journeys.engine.exports.export_files import name_of, open_file, write_lines
from journeys.engine.exports.links import url_of
from journeys.engine.exports.running_exports import MOST_TRIES, Export, again, claim, end, wrote
from journeys.engine.logs import logger
from journeys.engine.outgoing.guard import networks
from journeys.engine.outgoing.http_client import Malformed, Outgoing
from journeys.engine.people.finding import FIRST, page_of
from journeys.engine.people.profile_export import CanvasNamed, Wanted, exported
from journeys.engine.store.database import PASSING, Database
from journeys.engine.workspaces.published import Publication, Published

A_FILE = 5_000
"""People of one file (XPT-4)."""

A_PAGE = 500
"""People who are read at once."""

LARGEST_PAGE, LARGEST_FILE = 4 * 1024 * 1024, 64 * 1024 * 1024
"""Bytes of custom attributes that are read at once, and of lines after which a file ends before it has so many people."""

BESIDE = "journeys-export-"
"""How the folder begins in which a file is made, among the temporary ones."""

LEFT_AFTER = 3600
"""Seconds after which such a folder was left by a process that was killed: nobody writes at a file for so long."""

CALLBACK_SECONDS = 10.0
"""Seconds that a call of the callback may take."""

IN_BUCKETS = """
select id from people where workspace = $1 and id > $2 and bucket = any($3::smallint[]) order by id limit $4
"""

log = logger(__name__)


class Gone(LookupError):
    """What should be exported is there no longer."""


@dataclass(frozen=True, slots=True)
class Some:
    """People of one page, and after whom the next begins; None: there are no more."""

    people: Sequence[UUID]
    after: UUID | None


class Exporter:
    """Works on the exports of all workspaces, one after the other."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        public_url: str,
        settings: ExportSettings | None = None,
    ) -> None:
        self._db, self._published, self._clock, self._public_url = db, published, clock, public_url
        self._settings = settings or ExportSettings()
        self._goal: Destination | None = None

    async def drain_once(self) -> bool:
        """Take one export on, to its end; whether there was one. Raises nothing that concerns it alone."""
        one = await claim(self._db.pool)
        if one is None:
            return False
        try:
            await self._work(one)
        except PASSING:
            raise
        except Gone as error:
            await self._fail(one, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this export's: it is tried again later
            said = f"{type(error).__name__}: {error}"
            log.warning(
                "export_failed", export=str(one.id), workspace=one.workspace, tries=one.tries, error=said
            )
            await (self._fail(one, said) if one.tries >= MOST_TRIES else again(self._db.pool, one, said))
        return True

    async def _work(self, one: Export) -> None:
        if self._goal is None:
            self._goal = await asyncio.to_thread(destination, self._settings)
        goal = self._goal
        publication = await self._published.of(one.workspace)
        current: Export | None = one
        while current is not None and current.written is None:
            current = await self._next_file(current, publication, goal)
        if current is None:
            return  # another process goes on with it
        if current.callback is not None:
            await self._call(current, publication, goal)
        await end(self._db.pool, current)
        log.info(
            "export_written",
            export=str(one.id),
            workspace=one.workspace,
            files=current.files,
            people=current.people,
        )

    async def _next_file(self, one: Export, publication: Publication, goal: Destination) -> Export | None:
        """Write the next file, and note it; None where another process has taken over."""
        wanted = Wanted(one.fields, one.attributes)
        canvases = canvases_of(publication)
        number, people, size = one.files + 1, 0, 0
        after, more = one.after, True
        name = name_of(number, one.format)
        await asyncio.to_thread(_remove_what_was_left)
        with tempfile.TemporaryDirectory(prefix=BESIDE) as folder:
            place = Path(folder) / name
            with open_file(place, number, one.format) as lines:
                while more and people < A_FILE and size < LARGEST_FILE:
                    some = await self._some(one, publication, after, min(A_PAGE, A_FILE - people))
                    users = await exported(
                        self._db.pool, one.workspace, some.people, wanted, canvases, one.at
                    )
                    size += await asyncio.to_thread(write_lines, lines, users)
                    people += len(users)
                    after, more = some.after, some.after is not None
            files = 1 if people or number == 1 else 0
            if files:
                await goal.put(f"{one.prefix}/{name}", place)
        return await wrote(self._db.pool, one, after, people, files=files, last=not more)

    async def _some(self, one: Export, publication: Publication, after: UUID | None, most: int) -> Some:
        """The next people of an export."""
        pool = self._db.pool
        if one.segment is None:
            buckets = sorted(control_buckets(publication))
            rows = await pool.fetch(IN_BUCKETS, one.workspace, after or FIRST, buckets, most)
            people = [row["id"] for row in rows]
            return Some(people, people[-1] if len(people) == most else None)
        what = segment_of(publication, one.segment)
        page = await page_of(
            pool,
            one.workspace,
            what,
            now=one.at,
            segments=publication.segments,
            after=after,
            most=most,
            most_bytes=LARGEST_PAGE,
        )
        if page.unsure is None:
            return Some(page.people, page.after)
        found = await matching(pool, publication, what, page.unsure, one.at)
        return Some([each.id for each in found], page.after)

    async def _call(self, one: Export, publication: Publication, goal: Destination) -> None:
        """Tell of an export that is written. Raises what a later try may mend."""
        ready: dict[str, Any] = {"success": True}
        if goal.part(one.prefix) is not None:
            ready["url"] = url_of(self._public_url, publication.secret, one)
        await self._post(one, ready)

    async def _post(self, one: Export, said: dict[str, Any]) -> None:
        exceptions = networks(self._settings.export_allowed_networks)
        headers = {"content-type": "application/json"}
        async with (
            Outgoing(exceptions) as outgoing,
            outgoing.stream(
                "POST", str(one.callback), headers, timeout=CALLBACK_SECONDS, json=said
            ) as answer,
        ):
            if not answer.is_success:
                raise httpx2.HTTPError(f"the callback answered {answer.status_code}")

    async def _fail(self, one: Export, reason: str) -> None:
        """End an export that cannot be written, and say so once where somebody wants to hear it."""
        await end(self._db.pool, one, reason[:500])
        log.error("export_given_up", export=str(one.id), workspace=one.workspace, reason=reason)
        if one.callback is not None and one.written is None:
            try:
                await self._post(one, {"success": False})
            except (Malformed, httpx2.HTTPError) as error:
                log.warning("export_callback_failed", export=str(one.id), error=str(error))


def _remove_what_was_left() -> None:
    """Remove the files, with people in them, that killed processes were at."""
    for folder in Path(tempfile.gettempdir()).glob(f"{BESIDE}*"):
        with suppress(OSError):  # another process removes it too
            if folder.stat().st_mtime < time.time() - LEFT_AFTER:
                shutil.rmtree(folder)


def canvases_of(publication: Publication) -> dict[str, CanvasNamed]:
    """The canvases of a workspace as exports name them."""
    return {
        name: CanvasNamed(
            str(running.id), frozenset(arm.name for arm in running.plan.canvas.arms if arm.control)
        )
        for name, running in publication.running.items()
    }


def segment_of(publication: Publication, name: str) -> Filter:
    """Who is in a segment. Raises `Gone`."""
    found = publication.segments.get(name)
    if found is None:
        raise Gone(f"the workspace has no segment “{name}” any more")
    return found


def control_buckets(publication: Publication) -> frozenset[int]:
    """The buckets of the global control group. Raises `Gone` where there is no such group."""
    group = publication.settings.global_control if publication.settings else None
    if group is None:
        raise Gone("the workspace has no global control group")
    return held_out(group, publication.drawn, ())


def available(settings: ExportSettings) -> str | None:
    """Why nothing can be exported; None where it can."""
    try:
        destination(settings)
    except Unavailable as error:
        return str(error)
    return None
