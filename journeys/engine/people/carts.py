"""Shopping carts from events: `ecommerce.cart_updated` fills a cart, `ecommerce.order_placed` buys it (S1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from journeys.engine.people.profiles import Profile

FILLS = ("ecommerce.cart_updated", "ecommerce.checkout_started")
BUYS = "ecommerce.order_placed"
NAMES = frozenset({*FILLS, BUYS})

REQUIRED: Mapping[str, str] = {
    "ecommerce.product_viewed": "product_id",
    "ecommerce.cart_updated": "cart_id",
    "ecommerce.order_refunded": "order_id",
    "ecommerce.order_cancelled": "order_id",
}
"""What an event of shopping says beside its products: the name of what it is about."""
LISTS = frozenset({*NAMES, "ecommerce.order_refunded", "ecommerce.order_cancelled"})
"""Events with a list of products."""

GREATEST = 1e15
"""A quantity or price that is not below this is none."""

READ = """
select c.person, c.id, c.body, c.ordered, c.at from carts c
join unnest($2::uuid[], $3::text[]) as s(person, id) on (c.person, c.id) = (s.person, s.id) where c.workspace = $1
"""
STORE = """
insert into carts (workspace, person, id, body, ordered, at)
select $1, * from unnest($2::uuid[], $3::text[], $4::jsonb[], $5::bool[], $6::timestamptz[])
on conflict (workspace, person, id) do update set body = excluded.body, ordered = excluded.ordered, at = excluded.at
"""

Cart = tuple[dict[str, Any], bool, datetime]


class Told(Protocol):
    """An event of a locked person."""

    @property
    def profile(self) -> Profile:
        """Whose it is."""

    @property
    def kind(self) -> str:
        """What sort of thing it is."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def at(self) -> datetime:
        """When it happened."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """What it says."""


def violation(name: str, properties: Mapping[str, Any]) -> str | None:
    """What is wrong with an event of shopping, in the words that clients know (EVT-7)."""
    missing = "The property '#/{}' did not contain a required property of '{}'"
    required = REQUIRED.get(name)
    if required is not None and not _text(properties.get(required)):  # EVT-7
        return missing.format("", required)
    if name not in LISTS:
        return None
    products = properties.get("products")
    if not isinstance(products, list):  # EVT-7
        return missing.format("", "products")
    for place, product in enumerate(products):
        if not isinstance(product, Mapping) or not _text(product.get("product_id")):  # EVT-7
            return missing.format(f"products/{place}", "product_id")
    return None


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


async def store_carts(connection: Any, workspace: int, events: Sequence[Told]) -> None:
    """Let carts be as these events say, in their order. The people are locked by the caller."""
    told = [
        event
        for event in events
        if event.kind == "event" and event.name in NAMES and _text(event.properties.get("cart_id"))
    ]
    if not told:
        return
    keys = sorted({(event.profile.id, event.properties["cart_id"]) for event in told})
    rows = await connection.fetch(READ, workspace, [key[0] for key in keys], [key[1] for key in keys])
    carts: dict[tuple[UUID, str], Cart] = {
        (row["person"], row["id"]): (row["body"], row["ordered"], row["at"]) for row in rows
    }
    changed = set()
    for event in told:
        key = (event.profile.id, event.properties["cart_id"])
        before = carts.get(key)
        if before is not None and event.at < before[2]:
            continue
        carts[key] = cart_after(before, event)
        changed.add(key)
    if changed:
        written = [(*key, *carts[key]) for key in sorted(changed)]
        await connection.execute(STORE, workspace, *map(list, zip(*written, strict=True)))


def cart_after(before: Cart | None, event: Told) -> Cart:
    """The cart as an event leaves it."""
    body = dict(before[0]) if before else {}
    said = event.properties
    action = said.get("action", "replace") if event.name == FILLS[0] else "replace"
    listed = said.get("products")
    products = (
        [dict(each) for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    )
    if action in ("add", "remove"):
        products = _counted(body.get("products", []), products, 1 if action == "add" else -1)  # S1
    total = said.get("total_value")
    body |= {
        "cart_id": said["cart_id"],
        "currency": said.get("currency", body.get("currency")),
        "total_value": total if total is not None else _total(products),
        "products": products,
    }
    return body, event.name == BUYS, event.at  # S1


def _counted(before: Sequence[Mapping[str, Any]], more: Sequence[Mapping[str, Any]], sign: int) -> list[Any]:
    """The products after some were added to them, or taken away; products with no quantity left are removed."""
    made: dict[str, dict[str, Any]] = {_line(each): dict(each) for each in before}
    for each in more:
        old = made.get(_line(each), {"quantity": 0})
        made[_line(each)] = {
            **old,
            **each,
            "quantity": _number(old, "quantity") + sign * _number(each, "quantity"),
        }
    return [each for each in made.values() if each["quantity"] > 0]


def _line(product: Mapping[str, Any]) -> str:
    """What makes two products one line of the cart, whatever stands there."""
    return repr((product.get("product_id"), product.get("variant_id")))


def _number(product: Mapping[str, Any], name: str) -> Any:
    """A number of a product; one of it where nothing is said, 0 where it is no number that a cart could have."""
    value = product.get(name, 1 if name == "quantity" else 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < GREATEST:
        return 0
    return value


def _total(products: Sequence[Mapping[str, Any]]) -> Any:
    return round(sum(_number(each, "quantity") * _number(each, "price") for each in products), 2)
