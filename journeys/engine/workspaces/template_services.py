"""Answers the calls of templates from the parts of the engine: catalogs, carts, codes, blocks, web services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from journeys.engine.content import TemplateError, Values, compile
from journeys.engine.content.render import Template
from journeys.engine.content.services import Call, Reply, Services
from journeys.engine.sources.catalogs.cache import CatalogCache
from journeys.engine.sources.promotions import charge
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Publication

RECOMMENDED = "product_recommendation"


class Calls(Protocol):
    """Makes the calls of Connected Content."""

    async def __call__(self, workspace: int, call: Call) -> Reply:
        """Make a call for this workspace, or answer it from a cache. Raises `Aborted` for an unknown credential."""


@dataclass(frozen=True, slots=True)
class TemplateServices:
    """The parts of a process that answer templates. A part that is not there has nothing to give."""

    calls: Calls | None = None
    db: Database | None = None
    catalog_cache: CatalogCache | None = None

    @classmethod
    def of(cls, db: Database, calls: Calls | None = None) -> TemplateServices:
        """The answers of a store, and of those who make calls."""
        return cls(calls, db, CatalogCache(db))

    def services(self, publication: Publication, person: UUID) -> MessageServices:
        """The answers for one message to this person: all its fields share them."""
        return MessageServices(self, publication, person)


class MessageServices(Services):
    """The answers for one message, from the parts of this process."""

    def __init__(self, services: TemplateServices, publication: Publication, person: UUID) -> None:
        super().__init__()
        self._template_services = services
        self._publication = publication
        self._person = person
        self._codes: Mapping[str, str] = {}

    async def get_ready(self, sources: Iterable[str], values: Values, send: str, now: datetime) -> Values:
        """Charge the promotion codes that these templates name, in whichever branch (P2), and add to the values what
        they read before they are rendered: recommendations (S2).

        `send` names what the codes are for. Raises `NoCode`, and as rendering does.
        """
        if self._template_services.db is None or self._template_services.catalog_cache is None:
            return values
        templates = templates_of(sources, self)
        workspace = self._publication.workspace
        snippets = {snippet for each in templates for snippet in each.promotions}
        if snippets:
            self._codes = await self._charged(self._template_services.db, snippets, send, now)
        named = {name for each in templates for name in each.needs if name.startswith(RECOMMENDED + ".")}
        if not named:
            return values
        found = {}
        for name in sorted(each.partition(".")[2] for each in named):
            found[name] = await self._template_services.catalog_cache.recommendation(workspace, name, values)
        return replace(values, namespaces={**values.namespaces, RECOMMENDED: found})

    async def _charged(
        self, db: Database, snippets: Iterable[str], send: str, now: datetime
    ) -> Mapping[str, str]:
        """The codes, one a list, for good."""
        return await charge(db.pool, self._publication.workspace, self._person, send, set(snippets), now)

    async def connected(self, call: Call) -> Reply:
        """See base class."""
        if self._template_services.calls is None:  # A47
            return await super().connected(call)
        return await self._template_services.calls(self._publication.workspace, call)

    async def items(self, catalog: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """See base class."""
        if self._template_services.catalog_cache is None:
            return []
        found = await self._template_services.catalog_cache.items(self._publication.workspace, catalog, ids)
        return [dict(item) for item in found]  # A48

    async def selection(self, catalog: str, selection: str) -> list[dict[str, Any]]:
        """See base class."""
        if self._template_services.catalog_cache is None:
            return []
        workspace = self._publication.workspace
        found = await self._template_services.catalog_cache.selection(
            workspace, catalog, selection, self.values or Values()
        )
        return [dict(item) for item in found]

    async def cart(self, cart: str) -> dict[str, Any] | None:
        """See base class."""
        if self._template_services.catalog_cache is None:
            return None
        return await self._template_services.catalog_cache.cart(
            self._publication.workspace, self._person, cart
        )

    def promotion(self, snippet: str) -> str | None:
        """See base class."""
        return self._codes.get(snippet)

    def block(self, name: str) -> str | None:
        """See base class."""
        return self._publication.blocks.get(name)


def templates_of(sources: Iterable[str], services: Services) -> list[Template]:
    """These templates and the content blocks that they show, as far as they can be read: rendering tells of the others."""
    return [each for source in sources for each in _read(source, services)]


def _read(source: str, services: Services) -> Sequence[Template]:
    """A template and the content blocks that it shows; none where it cannot be read: rendering will say so."""
    try:
        return compile(source).within(services.block)
    except TemplateError:
        return ()
