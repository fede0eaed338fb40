"""Damages definitions in the ways that people and editors do."""

from __future__ import annotations

import random
import sys
from pathlib import Path

WORDS = [
    "type", "id", "then", "end", "delay", "dely", "message", "null", "true", "no", "on", "18:00", "-1", "1e999", "0x10",
    "[]", "{}", "&a", "*a", "!!python/object:os.system x", "|", ">", "'", '"', "#", "%", "@", "`", "…", "\t", "  ", "- ", ": ",
    "{{", "}}", "{% if %}", "P2D", "2 years", "2027-13-45", "Mars/Base", "all", "any", "none", "when", "0", "101", "1.5",
    "<<", "? ", "~", "---", "...", "\ufeff", "\x00", "\u2028", "😀", "kind: segment", "format: 2", "steps:", "paths:",
]  # fmt: skip


def mutated(text: str, lots: random.Random) -> str:
    """The text with one to four things wrong with it."""
    for _ in range(lots.randint(1, 4)):
        text = lots.choice(WAYS)(text, lots)
    return text


def _line(text: str, lots: random.Random) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, lots.randrange(len(lines))


def drop(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    return "\n".join(lines[:at] + lines[at + 1 :])


def double(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    return "\n".join(lines[: at + 1] + lines[at:])


def swap(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    other = lots.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def indent(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    lines[at] = (
        lots.choice(["  ", " ", "\t", "      "]) + lines[at]
        if lots.random() < 0.5
        else lines[at][lots.randint(1, 3) :]
    )
    return "\n".join(lines)


def word(text: str, lots: random.Random) -> str:
    at = lots.randrange(len(text) + 1)
    return text[:at] + lots.choice(WORDS) + text[at:]


def replace(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    key, colon, _ = lines[at].partition(":")
    lines[at] = f"{key}{colon} {lots.choice(WORDS)}" if colon else lots.choice(WORDS)
    return "\n".join(lines)


def rename(text: str, lots: random.Random) -> str:
    lines, at = _line(text, lots)
    key, colon, value = lines[at].partition(":")
    if colon and key.strip():
        place = lots.randrange(len(key))
        key = key[:place] + lots.choice("xyz_ ") + key[place + 1 :]
    lines[at] = key + colon + value
    return "\n".join(lines)


def cut(text: str, lots: random.Random) -> str:
    return text[: lots.randrange(len(text) + 1)]


def character(text: str, lots: random.Random) -> str:
    if not text:
        return text
    at = lots.randrange(len(text))
    return (
        text[:at]
        + chr(lots.choice([0, 9, 10, 13, 34, 39, 58, 91, 123, 125, 126, 0x85, 0xA0, 0x2029, 0x1F600]))
        + text[at + 1 :]
    )


def nest(text: str, lots: random.Random) -> str:
    depth = lots.choice([5, 80, 3000])
    return text + "\nx: " + "[" * depth + "]" * depth


WAYS = (drop, double, swap, indent, word, replace, rename, cut, character, nest)


def main(count: int) -> None:
    """Read so many spoilt definitions."""
    from tests.canvas.test_text import FILES, problem_free

    lots = random.Random(0)
    sources = [path.read_text(encoding="utf-8") for path in FILES]
    for number in range(1, count + 1):
        text = mutated(lots.choice(sources), lots)
        try:
            problem_free(text)
        except Exception:
            Path("fuzz-failure.yaml").write_text(text, encoding="utf-8")
            raise
        if number % 1000 == 0:
            print(f"{number:,} of {count:,}", file=sys.stderr)
    print(f"{count:,} spoilt files: each refusal points inside its file")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
