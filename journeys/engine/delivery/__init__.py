"""Delivery: dispatches are claimed, checked once more, rendered, handed over and settled; engagement comes back."""

from journeys.engine.delivery.bell import NotifyBell
from journeys.engine.delivery.courier import Courier
from journeys.engine.delivery.port import Channel, Content, Doubtful, Receipt, Recipient

__all__ = ["Channel", "Content", "Courier", "Doubtful", "NotifyBell", "Receipt", "Recipient"]
