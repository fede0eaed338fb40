"""The tags that the dialect adds: one file each."""

from journeys.engine.content.tags.abort import AbortTag
from journeys.engine.content.tags.cart import CartTag
from journeys.engine.content.tags.catalogs import ItemsTag, SelectionTag
from journeys.engine.content.tags.connected import ConnectedTag
from journeys.engine.content.tags.message_extras import ExtrasTag
from journeys.engine.content.tags.promotion import PromotionTag

TAGS = (AbortTag, ExtrasTag, ConnectedTag, ItemsTag, SelectionTag, CartTag, PromotionTag)

__all__ = ["TAGS"]
