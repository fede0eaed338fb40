"""What can be wrong with a definition: a code, a place, a message and a hint; and the nearest right spelling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    "J000": "Something went wrong that has no code of its own. It is a fault of ours: please report the file.",
    "J001": "The file cannot be read: it is missing, not UTF-8, or too large.",
    "J002": "The text is not YAML.",
    "J003": "A key stands twice in one mapping; only one of them would count.",
    "J004": "The file says no `kind`, or one that does not exist.",
    "J005": "The file says no `format`, or one that this version cannot read.",
    "J006": "A Python file failed while it was loaded, or holds no definition.",
    "J007": "The document is no mapping of keys to values, or is nested too deeply.",
    "J100": "A value has the wrong shape.",
    "J101": "A key that does not exist.",
    "J102": "A key that must be there is missing.",
    "J103": "A value is not among those that are allowed.",
    "J104": "Exactly one of several keys must be there.",
    "J105": "A step type that does not exist.",
    "J106": "A time zone that does not exist.",
    "J107": "A span, an instant or a time of day that cannot be read.",
    "J108": "A part of the language that a later version brings.",
    "J109": "A filter or trigger without a subject, or with one that does not exist.",
    "J110": "A name or id that is not written as names are.",
    "J201": "`then` names a step that is not there.",
    "J202": "A step that nobody can reach.",
    "J203": "People would walk in a circle: steps go forwards only.",
    "J204": "Two steps have the same id.",
    "J205": "The weights do not make 100.",
    "J206": "Two variants, paths or conversions have the same name.",
    "J207": "A filter or trigger names a step that sends no message, or that comes later.",
    "J208": "An experiment without a conversion event on the canvas.",
    "J209": "A context variable is used where there is no entry yet.",
    "J301": "A template that is not there.",
    "J302": "A template that does not parse.",
    "J303": "A channel that is not installed, or does not go with the template.",
    "J304": "A segment that is not there, or that contains itself.",
    "J305": "A template's content is not what its channel wants.",
    "J306": "Two definitions of one kind have the same name.",
    "J307": "A catalog whose fields or selections are not as catalogs have them.",
    "J308": "A content block whose name or content is not as content blocks have them.",
    "J309": "The settings of a workspace under the name of another.",
    "J310": "A template asks for a value that there is not, or that is always empty: a standard attribute, a namespace, or a name of one.",
    "J311": "A template names a content block or a catalog that is not there.",
    "J312": "A template does what its channel cannot do.",
    "J401": "More than 200 steps.",
    "J402": "More than 4 conversions.",
    "J403": "A delay, window or span over its limit.",
    "J404": "Too many paths, groups, variables or values.",
    "J405": "An instant whose year is out of bounds.",
    "J901": "A warning: an email without an unsubscribe link in its text.",
    "J902": "A warning: `${…}` outside of braces stays as it is.",
    "J903": "A warning: an assignment to the name of a standard attribute does not change that attribute.",
    "J904": "A warning: `time_zone` is given no name of a zone, and does nothing.",
    "J905": "A warning: the reason of `abort_message` is fixed text, and Liquid in it is not run.",
    "J906": "A warning: a word in `connected_content`, or one with a colon in `catalog_items`, belongs to no option.",
    "J907": "A warning: a pair of `message_extras` is dropped, or is sent with its quotes.",
    "J908": "A warning: `:retry` where it does nothing.",
    "J909": "A warning: a variable that nothing sets.",
    "J910": "A warning: `event_properties` in a step that is no message, where they are always empty.",
    "J911": "A warning: a template names a selection that the file of its catalog does not have.",
}
"""Every code with what it means; the docs have a page of them."""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """As they are shown: each once, by its place and its code."""
    return sorted(set(problems), key=lambda problem: (problem.where, problem.code))


MANY, SHOWN = 20, 10
"""Of more words than that, a hint names so many."""


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word among `words` that `word` was probably meant to be."""
    known = sorted(set(words))
    lowered = {each.lower().replace("-", "_"): each for each in known}
    wanted = word.lower().replace("-", "_").replace(" ", "_")
    if wanted in lowered:
        return lowered[wanted]
    found = get_close_matches(wanted, list(lowered), n=1, cutoff=0.55)
    return lowered[found[0]] if found else None


def meant(word: str, words: Iterable[str]) -> str:
    """A hint: the nearest right spelling, or else what is allowed: of very many words the ten most alike."""
    known = sorted(set(words))
    near = nearest(word, known)
    if near:
        return f"did you mean “{near}”?"
    if len(known) > MANY:
        alike = sorted(get_close_matches(word, known, n=SHOWN, cutoff=0))
        return f"allowed: {', '.join(alike)}, and {len(known) - SHOWN} more"
    return f"allowed: {', '.join(known)}" if known else ""


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
