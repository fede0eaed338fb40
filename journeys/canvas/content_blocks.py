"""Content blocks: content that many templates share. An edit reaches all of them at once (B1 to B3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from journeys.canvas.frozen_model import Frozen, Many
from journeys.canvas.ownership import Owned
from journeys.canvas.problems import Problem
from journeys.canvas.source_positions import Places

NAME = re.compile(r"[A-Za-z0-9_-]+")
NAMED = re.compile(r"content_blocks\s*\.\s*\$\{\s*(?=([^}\s]*)\s*\})")
LONGEST_NAME, LONGEST_DESCRIPTION = 100, 250
LARGEST = 50 * 1024
"""Bytes that the content of a block may have (B3)."""


def named_blocks(text: str) -> set[str]:
    """The names of the blocks that a text shows.

    Example:
        >>> named_blocks("Hi {{content_blocks.${foot}}}")
        {'foot'}
    """
    return set(NAMED.findall(text))


class ContentBlock(Frozen):
    """A piece of content, in Liquid. A draft is empty wherever a template names it. Its name cannot change (B3)."""

    kind: ClassVar[str] = "content_block"
    name: str
    """The name, which cannot change."""
    content: str
    """The content, in Liquid."""
    description: str = ""
    """What it is for."""
    state: Literal["active", "draft"] = "active"
    """Whether it shows; a draft is empty."""
    tags: Many[str] = ()
    """Tags of the workspace."""
    owner: Owned = None
    """Who manages it beside this file: `api` leaves what is there alone, `file` takes it back from the API."""

    def sources(self) -> Mapping[tuple[str | int, ...], str]:
        """The Liquid of this block, by the place at which it is written."""
        return {("content",): self.content}


def faults(block: ContentBlock) -> Iterator[tuple[str, str]]:
    """What is wrong with a block: its part, and a text that clients know (TPL-2). Its Liquid is for others to read."""
    if not block.name.strip():
        yield "name", "Content Block name cannot be blank."
    elif not NAME.fullmatch(block.name):
        yield "name", "Content Block name can only contain alphanumeric characters."
    elif len(block.name) > LONGEST_NAME:
        yield "name", f"Content Block name must not have more than {LONGEST_NAME} characters."
    if len(block.description) > LONGEST_DESCRIPTION:
        yield (
            "description",
            f"Content Block description must not have more than {LONGEST_DESCRIPTION} characters.",
        )
    if not block.content.strip():
        yield "content", "Content cannot be blank."
    elif len(block.content.encode()) > LARGEST:
        yield "content", "Content must be smaller than 50kb."
    if block.name in named_blocks(block.content):
        yield "content", "Content Block cannot be referenced within itself."


def check_content_block(block: ContentBlock, places: Places) -> list[Problem]:
    """What is wrong with a content block that stands in a file, each at its place."""
    return [
        Problem("J308", places.where((part,), key=part == "content"), message)
        for part, message in faults(block)
    ]
