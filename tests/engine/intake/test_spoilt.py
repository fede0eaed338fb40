"""Spoilt audiences and links, a few hundred of each here; `make fuzz` takes twenty thousand."""

from __future__ import annotations

import random

import pytest

from tests.mutation import TARGETS


@pytest.mark.parametrize("name", ["audiences", "links"])
def test_what_is_spoilt_is_refused_with_a_sentence_and_never_fails_otherwise(name: str) -> None:
    """SND-11, SND-12: an audience that is taken can be stored, read again, and asked of anybody."""
    lots = random.Random(7)
    for _ in range(400):
        TARGETS[name](lots)
