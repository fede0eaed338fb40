"""Damages definitions, audiences and links in the ways that people, editors and attackers do."""

from __future__ import annotations

import base64
import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

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


# Audiences ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
AUDIENCES: list[Any] = [
    {"attribute": "country", "one_of": ["FR", "DE"]},
    {"all": [{"segment": "runners"}, {"any": [{"bucket": [0, 4999]}, {"none": [{"message": "opened", "within_last": "2 days"}]}]}]},
    {"event": "bought", "where": [{"property": "total", "more_than": 5}], "times": {"at_least": 2}, "within_last": "30 days"},
    {"purchase": True, "where": [{"property": "price", "between": [1, {"attribute": "age"}]}]},
    {"consent": "email", "equals": "subscribed"},
    {"attribute": "name", "matches": "^M(el|ia)+$"},
    {"attribute": "joined", "after": "2026-12-01"},
    {"AND": [
        {"custom_attribute": {"custom_attribute_name": "x", "comparison": "less_than_x_days_ago", "value": 2}},
        {"OR": [{"email_subscription_status": {"comparison": "is", "value": "opted_in"}}, {"custom_attribute": {"custom_attribute_name": "a.b", "comparison": "matches_regex", "value": "a+"}}]},
    ]},
]  # fmt: skip
STRANGE: list[Any] = [
    None, True, False, 0, -1, 10**30, 10**400, 1.5, 1e308, "", "x", "any", "\0", "\ud800", "a" * 3000, "2 days", "P9999Y", "2027-13-45", "[",
    "(?=a)", "{{ x }}", [], [[]], {}, {"context": "x"}, {"attribute": ""}, {"attribute": "email_subscribe"}, {"": 1}, ["a"] * 300,
]  # fmt: skip
KEYS = [
    "attribute", "event", "purchase", "message", "consent", "segment", "bucket", "all", "any", "none", "equals", "one_of", "between", "matches", "where",
    "times", "within_last", "AND", "OR", "custom_attribute", "comparison", "value", "x", "",
]  # fmt: skip


def changed(value: Any, lots: random.Random) -> Any:
    """A value with one thing wrong with it, somewhere within."""
    if isinstance(value, dict) and value and lots.random() < 0.8:
        key = lots.choice(list(value))
        rest = {name: each for name, each in value.items() if name != key}
        match lots.randrange(4):
            case 0:
                return rest
            case 1:
                return {**rest, lots.choice(KEYS): value[key]}
            case 2:
                return {**value, lots.choice(KEYS): lots.choice(STRANGE)}
        return {**value, key: changed(value[key], lots)}
    if isinstance(value, list) and value and lots.random() < 0.8:
        place = lots.randrange(len(value))
        return [*value[:place], changed(value[place], lots), *value[place + lots.randint(0, 1) :]]
    match lots.randrange(4):
        case 0:
            return [value]
        case 1:
            for _ in range(lots.choice([2, 30, 300])):
                value = {lots.choice(["all", "none", "AND"]): [value]}
            return value
    return lots.choice(STRANGE)


def audience(lots: random.Random) -> None:
    """It is refused with a sentence, or it can be stored, read again and asked of anybody."""
    from journeys.engine.audience.match import Person, matches, needs
    from journeys.engine.intake.api_audience import FILTER, UnusableAudience, audience_of

    given = lots.choice(AUDIENCES)
    for _ in range(lots.randint(1, 3)):
        given = changed(given, lots)
    segments = {"runners": FILTER.validate_python({"attribute": "runs", "equals": True})}
    try:
        found = audience_of(given, now=NOW, segments=segments)
    except UnusableAudience as error:
        if not str(error):
            raise AssertionError(given) from error
        return
    if found is None:
        return
    again = FILTER.validate_python(json.loads(json.dumps(found.model_dump(mode="json"))))
    person = Person(
        "p", custom={"x": lots.choice(STRANGE), "name": "Mel", "country": "FR", "joined": "2026-12-02"}
    )
    needs([found], segments)
    for what in (found, again):
        assert matches(what, person, now=NOW, segments=segments) in (True, False), given


# Links ----------------------------------------------------------------------------------------------------------

SECRET = b"s" * 32
PAGES = [
    '<p>Dear <a href="https://example.com/a?b=1&amp;c=2">you</a></p>',
    "<body><a class='x' href='http://example.com/ä?currency=EUR&copy=1'>a</a><a href=\"mailto:a@b.co\">b</a></body>",
    '<a\nhref = "https://example.com/\n?u=%00&section=1#x">c</a><a href="javascript:x">d</a></BODY></body>',
]


def link(lots: random.Random) -> None:
    """A link that is not ours is told as forged, and nothing else; a page keeps what its links lead to."""
    from journeys.engine.delivery.tracking_links import Forged, Links, Mark, read, token

    mark = Mark(
        lots.choice([1, 2**31 - 1]),
        UUID(int=lots.getrandbits(128)),
        UUID(int=lots.getrandbits(128)),
        "c",
        "é",
        "email",
    )
    kind: Any = lots.choice(["open", "click", "unsubscribe"])
    url = lots.choice(["", "https://example.com/?a=1&b=ä"])
    right = token(SECRET, kind, mark, url)
    assert read(SECRET, kind, right, url) == mark
    text = right
    for _ in range(lots.randint(1, 3)):
        text = lots.choice((cut, character, word, double, _sign))(text, lots)
    try:
        assert read(SECRET, kind, text, url) == mark and text.strip("=") == right, (text, right)
    except Forged:
        assert text != right
    try:
        read(SECRET, lots.choice(["open", "click", "unsubscribe"]), right, url + "x")
        raise AssertionError(right)
    except Forged:
        pass
    page = mutated(lots.choice(PAGES), lots)
    counted = Links("https://t.example", SECRET, mark).rewritten(page)
    assert counted.count("https://t.example/o/") == 1 + page.count("https://t.example/o/"), page


def _sign(text: str, lots: random.Random) -> str:
    """A token whose payload says something else, in its own form."""
    said = lots.choice([b"[]", b"[1]", b"{}", b"null", b'[0,"a","b","c","d","e"]', b'[99999999999,"a","b","c","d","e"]', b'[1,"x","y","c","d","e"]', b"[" * 900])  # fmt: skip
    payload = base64.urlsafe_b64encode(said).rstrip(b"=").decode()
    return f"{payload}.{text.partition('.')[2]}"


# All of them ----------------------------------------------------------------------------------------------------


def definition(lots: random.Random) -> None:
    """A spoilt file is refused at a place within it."""
    from tests.canvas.test_yaml_definitions import FILES, problem_free

    text = mutated(lots.choice(FILES).read_text(encoding="utf-8"), lots)
    try:
        problem_free(text)
    except Exception:
        Path("fuzz-failure.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
        raise


TARGETS = {"definitions": definition, "audiences": audience, "links": link}


def main(count: int, *names: str) -> None:
    """So many cases of each."""
    for name in names or TARGETS:
        lots = random.Random(0)
        for number in range(1, count + 1):
            TARGETS[name](lots)
            if number % 1000 == 0:
                print(f"{name}: {number:,} of {count:,}", file=sys.stderr)
        print(f"{count:,} spoilt {name}: each is refused where it is wrong, and none fails otherwise")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, *sys.argv[2:])
