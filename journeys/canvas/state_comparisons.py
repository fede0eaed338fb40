"""What filters on what a person agreed to have in common: exactly one comparison with a state, or with several."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from journeys.canvas.frozen_model import Frozen
from journeys.canvas.problems import wrong


class OneState(Frozen):
    """A filter whose first key is its subject, and of whose others exactly one is given."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        used = [name for name in self._comparisons() if getattr(self, name) is not None]
        if len(used) != 1:
            said = f"it has {' and '.join(used)}" if used else "it has none"
            hint = "write equals: subscribed"
            subject = next(iter(type(self).model_fields))
            raise wrong("J104", f"a {subject} has exactly one comparison; {said}", hint, at=used[1:2])
        return self

    @classmethod
    def _comparisons(cls) -> list[str]:
        return list(cls.model_fields)[1:]

    @property
    def operator(self) -> str:
        """The name of its comparison."""
        return next(name for name in self._comparisons() if getattr(self, name) is not None)

    @property
    def operand(self) -> Any:
        """The state, or the states, that it compares with."""
        return getattr(self, self.operator)
