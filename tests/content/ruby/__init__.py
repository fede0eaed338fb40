"""Ruby's own Liquid as a second opinion, where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

NEEDED = "require 'liquid'; require 'active_support'; exit Liquid::VERSION.start_with?('5.4') ? 0 : 1"
ABSENT = "ruby: no Ruby with liquid 5.4 and activesupport here, tests/content/test_ruby.py is not collected"


@cache
def present() -> bool:
    """Whether there is a Ruby with the Liquid that the rules were read from."""
    ruby = shutil.which("ruby")
    return (
        ruby is not None
        and subprocess.run([ruby, "-e", NEEDED], capture_output=True, check=False).returncode == 0
    )


class Ruby:
    """A running Ruby that answers templates."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["ruby", str(Path(__file__).with_name("answer.rb"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip

    def render(self, template: str, values: Mapping[str, Any]) -> str | None:
        """What Ruby's Liquid prints; None where it reports an error."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"template": template, "values": values}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer.get("output")

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
