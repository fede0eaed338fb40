"""Instants as people write them, for the engine: by the same forms as the operands of filters (ATT-6)."""

from journeys.canvas.written_instants import instant

__all__ = ["instant"]
