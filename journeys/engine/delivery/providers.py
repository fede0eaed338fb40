"""What a process knows of the providers of its channels: which are away, and when one tries again whether they are back."""

from __future__ import annotations

import time

from journeys.engine.delivery.channel import Receipt
from journeys.engine.delivery.settlement import PROBE
from journeys.engine.outages import OUTAGES


class Providers:
    """The providers of channels, by the channel's name. One that is away has one line in the log, and one when it is back.

    Example:
        >>> providers = Providers()
        >>> providers.heard("email", Receipt("away", "the mail server cannot be reached"))
        >>> providers.away("email"), providers.wait("email")
        (True, True)
        >>> providers.heard("email", Receipt("sent"))
        >>> providers.away("email"), providers.wait("email")
        (False, False)
    """

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        """When each of those that are away is tried again."""

    def heard(self, name: str, receipt: Receipt) -> None:
        """A provider has answered, or is away."""
        if receipt.outcome == "away":
            OUTAGES.gone(name, receipt.detail)
            self._next[name] = time.monotonic() + PROBE
        else:
            self._next.pop(name, None)
            OUTAGES.back(name)

    def away(self, name: str) -> bool:
        """Whether it was away when it was last tried."""
        return name in self._next

    def wait(self, name: str) -> bool:
        """Whether it is away, and was tried a moment ago: nothing is to be called for yet."""
        return time.monotonic() < self._next.get(name, 0.0)
