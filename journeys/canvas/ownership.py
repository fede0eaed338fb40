"""Who manages what files and the API can both write: neither overwrites the other in silence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Owner = Literal["file", "api"]

Owned = Annotated[Owner | None, Field(default=None, exclude_if=lambda given: given is None)]
"""What a file says of it. None: it is the file's, unless the API has it."""
