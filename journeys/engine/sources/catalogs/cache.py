"""Caches for a second what templates read of the store: items, selections, carts.

A batch of messages that name the same items reads them once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from journeys.canvas.catalogs import Selection
from journeys.canvas.frozen_model import is_liquid
from journeys.engine.content import Services, Values, compile
from journeys.engine.sources.catalogs import items
from journeys.engine.sources.catalogs.selection_query import NoAnswer, question
from journeys.engine.store.database import Database

FRESH = 1.0
"""For how long, in seconds, a process trusts what it has read."""

HELD = 10_000
"""How many answers of each sort are cached at most."""

Item = Mapping[str, Any]

SELECTION = """
select s.catalog, s.body, c.fields from catalog_selections s
join catalogs c on (c.workspace, c.name) = (s.workspace, s.catalog)
where s.workspace = $1 and s.name = $2 and ($3::text is null or s.catalog = $3) order by s.catalog limit 1
"""
CART = "select body, ordered from carts where (workspace, person, id) = ($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class _Known:
    """A selection, its catalog, and the types of the catalog's fields."""

    catalog: str
    selection: Selection
    types: Mapping[str, str]


class _TimedCache:
    """Answers that are a second old at most."""

    def __init__(self) -> None:
        self._answers: dict[Any, tuple[float, Any]] = {}

    def missing(self, keys: Iterable[Any]) -> list[Any]:
        """The keys without a fresh answer."""
        now = time.monotonic()
        return [key for key in keys if self._answers.get(key, (0.0, None))[0] <= now]

    def keep(self, answers: Mapping[Any, Any]) -> None:
        """Take answers in; where too many are held, all others go."""
        if len(self._answers) + len(answers) > HELD:
            self._answers.clear()
        until = time.monotonic() + FRESH
        self._answers.update((key, (until, answer)) for key, answer in answers.items())

    def of(self, key: Any) -> Any:
        """An answer that was kept."""
        return self._answers.get(key, (0.0, None))[1]

    async def at(self, key: Any, read: Callable[[], Awaitable[Any]]) -> Any:
        """The answer for a key, read where it is missing."""
        if not self.missing([key]):
            return self.of(key)
        answer = await read()
        self.keep({key: answer})
        return answer


class CatalogCache:
    """What one process has read of the catalogs."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._items = _TimedCache()
        self._selections = _TimedCache()
        self._answers = _TimedCache()

    async def items(self, workspace: int, catalog: str, ids: Sequence[str]) -> list[Item]:
        """The items in the order asked for, without those that are unknown (K1, K2)."""
        asked = dict.fromkeys(ids)
        missing = [key[2] for key in self._items.missing((workspace, catalog, id_) for id_ in asked)]
        found: dict[str, Any] = {id_: self._items.of((workspace, catalog, id_)) for id_ in asked}
        if missing:
            read = await items.find(self._db.pool, workspace, catalog, missing)
            fresh = {id_: read.get(id_) for id_ in missing}
            found |= fresh
            self._items.keep({(workspace, catalog, id_): item for id_, item in fresh.items()})
        return [found[id_] for id_ in ids if found[id_] is not None]  # K1, K2

    async def selection(self, workspace: int, catalog: str, name: str, values: Values) -> list[Item]:
        """The items of a selection, asked with these values (K3). Raises as rendering does."""
        return await self._answer(workspace, await self._known(workspace, name, catalog), values)

    async def recommendation(self, workspace: int, name: str, values: Values) -> list[Item]:
        """The items of a recommendation (S2): of the selection of that name, in the first catalog that has one."""
        return await self._answer(workspace, await self._known(workspace, name, None), values)

    async def _known(self, workspace: int, name: str, catalog: str | None) -> _Known | None:
        async def read() -> _Known | None:
            row = await self._db.pool.fetchrow(SELECTION, workspace, name, catalog)
            if row is None:
                return None
            types = {field["name"]: field["type"] for field in row["fields"]}
            return _Known(row["catalog"], Selection.model_validate(row["body"]), types)

        found: _Known | None = await self._selections.at((workspace, catalog, name), read)
        return found

    async def _answer(self, workspace: int, known: _Known | None, values: Values) -> list[Item]:
        if known is None:
            return []
        filled = {
            place: (await compile(str(each.value)).render_async(values, Services())).strip()
            for place, each in enumerate(known.selection.filters)
            if is_liquid(each.value)
        }
        try:
            query, parameters = question(known.selection, known.types, filled, workspace, known.catalog)
        except NoAnswer:
            return []

        async def read() -> list[Item]:
            return [row["payload"] for row in await self._db.pool.fetch(query, *parameters)]

        if known.selection.sort_field is None:
            return await read()  # the order is random for each message
        key = (workspace, known.catalog, known.selection.name, known.selection, tuple(filled.items()))
        found: list[Item] = await self._answers.at(key, read)
        return found

    async def cart(self, workspace: int, person: UUID, cart: str) -> dict[str, Any] | None:
        """A cart of the person; its `ordered` tells whether it was bought (S1)."""
        row = await self._db.pool.fetchrow(CART, workspace, person, cart)
        return None if row is None else {**row["body"], "ordered": row["ordered"]}
