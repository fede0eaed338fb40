"""Problems of definitions: a code, a place, a message and a hint, such as the nearest correct spelling."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a file: line and column count from 1; both are 0 where something lies in no file."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. Printed as `file:line:column: CODE message (hint)`."""

    code: str
    where: Where
    message: str
    hint: str = ""

    @property
    def identity(self) -> tuple[str, Where, str]:
        """What makes two problems the same, whatever is advised."""
        return self.code, self.where, self.message

    @property
    def warning(self) -> bool:
        """Whether the definition may run all the same."""
        return self.code.startswith("J9")

    def __str__(self) -> str:
        return f"{self.where}: {self.code} {self.message}" + (f" ({self.hint})" if self.hint else "")

    def as_json(self) -> dict[str, Any]:
        """The problem as a program reads it."""
        return {
            "code": self.code,
            "file": self.where.file,
            "line": self.where.line,
            "column": self.where.column,
            "message": self.message,
            "hint": self.hint,
        }


CODES = {
    "J000": "An internal error that has no code of its own. Please report it together with the file.",
    "J001": "The file cannot be read: it is missing, not UTF-8, or too large.",
    "J002": "The text is not YAML.",
    "J003": "A key appears twice in one mapping; only one of them would count.",
    "J004": "The file has no `kind`, or one that does not exist.",
    "J005": "The file has no `format`, or one that this version cannot read.",
    "J006": "A Python file fails while it is loaded, or has no definition.",
    "J007": "The document is not a mapping of keys to values, or is nested too deeply.",
    "J008": "A folder without any definition.",
    "J100": "A value has the wrong shape.",
    "J101": "A key that does not exist.",
    "J102": "A required key is missing.",
    "J103": "A value is not one of those that are allowed.",
    "J104": "Exactly one of several keys must be given.",
    "J105": "A step type that does not exist.",
    "J106": "A time zone that does not exist.",
    "J107": "A span, an instant or a time of day that cannot be read.",
    "J108": "A part of the language that this version does not support yet.",
    "J109": "A filter or trigger without a subject, or with one that does not exist.",
    "J110": "A name or id that is too long or has characters that are not allowed.",
    "J111": "A filter or trigger that can never match, or that always holds: what it looks at is never there.",
    "J112": "A schedule by the clock without an occurrence between its start and its end.",
    "J201": "`then` names a step that does not exist.",
    "J202": "A step that cannot be reached.",
    "J203": "The steps make a loop: steps go forwards only.",
    "J204": "Two steps have the same id.",
    "J205": "The weights do not add up to 100.",
    "J206": "Two variants, paths or conversions have the same name.",
    "J207": "A filter or trigger names a step that sends no message, or that comes later.",
    "J208": "An experiment without a conversion event on the canvas.",
    "J209": "A context variable, or the key of an entry, is used where there is no entry yet.",
    "J210": "A canvas without steps: whoever enters is through at once.",
    "J211": "A comparison with the key of an entry in a canvas without a `key`.",
    "J301": "A template that does not exist.",
    "J302": "A template that cannot be parsed.",
    "J303": "A channel that is not installed, or that the template is not for.",
    "J304": "A segment that does not exist, or that contains itself.",
    "J305": "A template's content does not fit its channel.",
    "J306": "Two definitions of one kind have the same name.",
    "J307": "A catalog with fields or selections that are not valid.",
    "J308": "A content block with a name or content that is not valid.",
    "J309": "The settings of a workspace under the name of another.",
    "J310": "A template uses a value that does not exist, or that is always empty: a standard attribute, a namespace, or a name in a namespace.",
    "J311": "A template names a content block, a catalog or a promotion list that does not exist.",
    "J312": "A template uses something that its channel does not support.",
    "J313": "A content block or a template that is managed by API.",
    "J314": "A subscription group that does not exist.",
    "J401": "More than 200 steps.",
    "J402": "More than 4 conversions.",
    "J403": "A delay, window or span over its limit.",
    "J404": "Too many paths, groups, variables or values.",
    "J405": "An instant whose year is out of bounds.",
    "J406": "The control group of a published canvas would grow.",
    "J407": "A schedule by the clock whose last occurrence is past.",
    "J408": "The global control group of a published workspace would have another share.",
    "J901": "A warning: an email without an unsubscribe link in its text.",
    "J902": "A warning: `${…}` outside of braces is printed as it is.",
    "J903": "A warning: an assignment to the name of a standard attribute does not change that attribute.",
    "J904": "A warning: the argument of `time_zone` is not the name of a zone, so it has no effect.",
    "J905": "A warning: the reason of `abort_message` is fixed text; Liquid in it is not run.",
    "J906": "A warning: a word in `connected_content`, or one with a colon in `catalog_items`, belongs to no option.",
    "J907": "A warning: a pair of `message_extras` is dropped, or is sent with its quotes.",
    "J908": "A warning: `:retry` where it has no effect.",
    "J909": "A warning: a variable that nothing sets.",
    "J910": "A warning: `event_properties` in a step other than a message, where they are always empty.",
    "J911": "A warning: a template names a selection that the file of its catalog does not have.",
    "J912": "A warning: a tag, or a word in a tag, that does nothing.",
    "J913": "A warning: Liquid where none is run: it stays as it is.",
    "J914": "A warning: a text in curly quotes, which are part of it.",
    "J915": "A warning: a schedule by the clock whose last occurrence is past: nobody enters any more.",
    "J916": "A warning: a local time that is past in some zones: their people do not enter.",
    "J917": "A warning: a name with a letter of another alphabet, or with a character that cannot be seen.",
    "J918": "A warning: a filter or a template asks for, or a user update sets, a custom attribute whose name is nearly that of a standard one.",
    "J919": "A warning: a filter asks whether a value is above or below a text that is no number and no time: it is compared letter by letter.",
    "J920": "A warning: a schedule that repeats, and a rule of re-entry that keeps people out of its next occurrence.",
}
"""Every code with what it means; the docs have a page of them."""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """As they are shown: each once, by its place and its code."""
    return sorted(set(problems), key=lambda problem: (problem.where, problem.code))


MANY, SHOWN = 20, 10
"""With more words than the first number, a hint names the second number of them."""


LONGEST_WORD = 100
"""Characters of a word that is compared with others."""


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word among `words` that `word` was probably meant to be."""
    known = sorted(set(words))
    lowered = {each.lower().replace("-", "_"): each for each in known}
    wanted = word[:LONGEST_WORD].lower().replace("-", "_").replace(" ", "_")
    if wanted in lowered:
        return lowered[wanted]
    found = get_close_matches(wanted, list(lowered), n=1, cutoff=0.55)
    return lowered[found[0]] if found else None


def squashed(word: str) -> str:
    """The letters of a word alone, as `firstName`, `First-Name` and `first_name` have in common: in lower case."""
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


OTHER_WORDS = {
    "yes": "steps", "true": "steps", "no": "otherwise", "false": "otherwise", "else": "otherwise", "default": "otherwise",
    "if": "when", "condition": "when", "filter": "when", "branches": "paths", "trigger": "schedule", "wait": "duration",
    "actions": "steps", "goto": "then", "next": "then", "segments": "audience",
}  # fmt: skip
"""Words that people write for keys of this language."""


def intended(word: str, words: Iterable[str]) -> str | None:
    """The key among `words` that `word` was probably meant to be: another word for it, or another spelling."""
    known = set(words)
    other = OTHER_WORDS.get(word.lower())
    return other if other in known else nearest(word, known)


def meant(word: str, words: Iterable[str]) -> str:
    """A hint: the nearest right spelling, or else what is allowed: of very many words the ten most alike."""
    known = sorted(set(words))
    near = nearest(_plain(word), known)
    if near:
        return f"did you mean “{near}”?{foreign_character(word)}"
    if len(known) > MANY:
        alike = sorted(get_close_matches(word[:LONGEST_WORD], known, n=SHOWN, cutoff=0))
        return f"allowed: {', '.join(alike)}, and {len(known) - SHOWN} more"
    return f"allowed: {', '.join(known)}" if known else ""


def _plain(word: str) -> str:
    """The word without what surrounds it by mistake, or cannot be seen in it."""
    return "".join(sign for sign in word if unicodedata.category(sign) != "Cf").strip(CURLY + " ")


def misspelt(name: str, words: Iterable[Any]) -> str | None:
    """The word that was probably meant to be this name, and looks like it."""
    others = (word for word in words if isinstance(word, str) and word != name)
    return next((word for word in others if nearest(_plain(word), [name])), None)


CURLY = "“”„‟‘’‚‛«»"
"""Quotes of print, which mean nothing to YAML."""


def foreign_character(word: str) -> str:
    """What is said of the first letter beyond ASCII in a word that is none of ours: by its name, as it may look like another."""
    sign = next((each for each in word if not each.isascii()), None)
    return "" if sign is None else told_of(sign)


def told_of(sign: str) -> str:
    """What is said of a character: its name, and whether it can be seen."""
    name = f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip()
    unseen = unicodedata.category(sign) in ("Cf", "Zs")
    return f" It contains {name}, which cannot be seen" if unseen else f" “{sign}” is {name}"


def shown(value: Any) -> str:
    """A value as an author wrote it, for a message: scalars in quotes, others by what they are."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number beyond 64 bits"
    said = str(value).lower() if isinstance(value, bool) else str(value)
    return f"“{said[:60]}”"


def wrong(code: str, message: str, hint: str = "", *, at: Sequence[str | int] = ()) -> PydanticCustomError:
    """What a validator raises: carries code, message and hint to the place that knows the file.

    `at`: the path of what is wrong, below the value that the validator looks at.
    """
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "at": tuple(at)})


class Refused(Exception):
    """A definition that cannot be used, with all its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))
