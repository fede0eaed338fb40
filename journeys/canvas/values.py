"""What all values of the language are: frozen, without unknown keys, equal by content."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value of the language."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)
