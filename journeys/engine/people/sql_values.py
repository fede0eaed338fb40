"""What the operators of filters say of JSON values, in SQL: what `audience/operators.py` says of them in Python.

What SQL cannot say exactly is said by two bounds. A null of SQL is no match; only a negation has to care.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeys.canvas.storable_characters import storable
from journeys.canvas.wall_clock import plus
from journeys.engine.audience.operators import number, time_of

YES, NO = "true", "false"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A condition that holds wherever the filter matches, and one that holds nowhere else: the same where SQL is exact."""

    upper: str
    lower: str


ALWAYS, NEVER, UNKNOWN = Bounds(YES, YES), Bounds(NO, NO), Bounds(YES, NO)


def exactly(condition: str) -> Bounds:
    """What SQL can say."""
    return Bounds(condition, condition)


def at_most(condition: str) -> Bounds:
    """What SQL cannot say: the condition holds wherever the filter matches."""
    return Bounds(condition, NO)


def all_of(several: Sequence[Bounds]) -> Bounds:
    """All of them hold."""
    return Bounds(
        _joined("and", [one.upper for one in several]), _joined("and", [one.lower for one in several])
    )


def any_of(several: Sequence[Bounds]) -> Bounds:
    """One of them holds."""
    return Bounds(
        _joined("or", [one.upper for one in several]), _joined("or", [one.lower for one in several])
    )


def none_of(one: Bounds) -> Bounds:
    """It does not hold: the bounds change places."""
    return Bounds(_negated(one.lower), _negated(one.upper))


def _joined(word: str, several: Sequence[str]) -> str:
    """Conditions with `and` or `or` between them, without those that decide nothing."""
    idle, decided = (YES, NO) if word == "and" else (NO, YES)
    kept = list(dict.fromkeys(each for each in several if each != idle))
    if decided in kept:
        return decided
    return idle if not kept else kept[0] if len(kept) == 1 else "(" + f" {word} ".join(kept) + ")"


def _negated(condition: str) -> str:
    return {YES: NO, NO: YES}.get(condition, f"(({condition}) is not true)")


@dataclass(slots=True)
class Parameters:
    """The values of a statement, each once. They stand in its text as «n» until it is numbered."""

    values: list[Any] = field(default_factory=list)
    _places: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, value: Any, sort: str) -> str:
        """The place of a value, with its type in PostgreSQL."""
        key = sort, repr(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return f"«{self._places[key]}»::{sort}"

    def numbered(self, text: str, first: int) -> tuple[str, tuple[Any, ...]]:
        """The text with `$n` from this number on, and the values that it names, in order."""
        order = list(dict.fromkeys(map(int, _PLACE.findall(text))))
        numbers = {place: first + index for index, place in enumerate(order)}
        said = _PLACE.sub(lambda found: f"${numbers[int(found[1])]}", text)
        return said, tuple(self.values[place] for place in order)


_PLACE = re.compile(r"«(\d+)»")


@dataclass(frozen=True, slots=True)
class Read:
    """An operand that is read from the profile: a JSON value, null in SQL where there is none. None: SQL cannot read it."""

    value: str | None


Some = Callable[[Callable[[str], str]], str]
"""The values that a path leads to: takes what is said of one, and says that it holds of some."""


def nothing(_test: Callable[[str], str]) -> str:
    """A path that leads nowhere."""
    return NO


def there(value: str) -> str:
    """A value is there, and is not null."""
    return f"jsonb_typeof({value}) <> 'null'"


def sayable(text: str) -> bool:
    """Whether PostgreSQL can hold a text: no stored value has what it cannot hold."""
    return bool(storable(text) == text)


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of conditions, as they are judged at an instant."""

    parameters: Parameters
    now: datetime

    def holds(self, operator: str, some: Some, operand: Any) -> Bounds:
        """The condition on the values that a path leads to (CTX-25).

        `operand` is a literal, `Read`, a tuple of these, or None: there is none to compare with.
        """
        reads = [
            one for one in (operand if isinstance(operand, tuple) else (operand,)) if isinstance(one, Read)
        ]
        if any(one.value is None for one in reads):
            return UNKNOWN
        given = all_of([exactly(there(str(one.value))) for one in reads])
        return all_of([given, self._holds(operator, some, operand)])

    def _holds(self, operator: str, some: Some, operand: Any) -> Bounds:
        match operator:
            case "exists":
                found = exactly(some(there))
                return found if operand else none_of(found)
            case "equals" if operand is None:
                return none_of(exactly(some(there)))
            case "not_equals" if operand is None:
                return none_of(exactly(some(lambda value: f"{value} @> 'null'")))
            case "not_equals":
                return none_of(self._some(some, lambda value: self._test("equals", value, operand)))
            case "none_of":
                return none_of(self._some(some, lambda value: self._test("one_of", value, operand)))
            case "between":
                return self._some(
                    some,
                    lambda value: all_of(
                        [self._test("at_least", value, operand[0]), self._test("at_most", value, operand[1])]
                    ),
                )
        return self._some(some, lambda value: self._test(operator, value, operand))

    @staticmethod
    def _some(some: Some, test: Callable[[str], Bounds]) -> Bounds:
        return Bounds(some(lambda value: test(value).upper), some(lambda value: test(value).lower))

    def _test(self, operator: str, value: str, operand: Any) -> Bounds:
        """Whether one value meets the operator; of `null` nothing but the negations holds."""
        match operator:
            case "equals":
                return all_of([exactly(there(value)), self._equal(value, operand)])
            case "one_of":
                return all_of([exactly(there(value)), self._one_of(value, operand)])
            case "within_last":
                return self._between(value, plus(self.now, -operand), self.now)
            case "within_next":
                return self._between(value, self.now, plus(self.now, operand))
            case "before" | "after":
                return self._instant(value, {"before": "<", "after": ">"}[operator], operand)
            case "more_than" | "less_than" | "at_least" | "at_most":
                return self._ordered(value, COMPARED[operator], operand)
            case "matches":
                return self._pattern(value, operand)
        return self._text(operator, value, operand)

    # Equality -------------------------------------------------------------------------------------------------

    def _equal(self, value: str, operand: Any) -> Bounds:
        """The value is this, or a list with this in it (EXT-3)."""
        if isinstance(operand, Read):
            read = str(operand.value)
            alike = f"{value} @> {read}"
            scalar = (
                f"jsonb_typeof({read}) in ('string', 'boolean') or ({_is(read, 'number')} and {_small(read)})"
            )
            return Bounds(f"case when {scalar} then {alike} else {value} is not null end",
                          f"case when {scalar} then {alike} else false end")  # fmt: skip
        if operand is None:
            return exactly(f"{value} @> 'null'")
        if isinstance(operand, str) and not sayable(operand):
            return NEVER
        if _large(operand):
            return at_most(f"jsonb_typeof({value}) in ('number', 'array')")
        return exactly(f"{value} @> {self.parameters.add(operand, 'jsonb')}")  # EXT-3

    def _one_of(self, value: str, several: Sequence[Any]) -> Bounds:
        plain = [one for one in several if isinstance(one, str | int | float) and not _large(one)]
        said = [one for one in plain if not isinstance(one, str) or sayable(one)]
        found = [
            self._equal(value, one) for one in several if one is None or isinstance(one, Read) or _large(one)
        ]
        if said:
            found.append(exactly(f"{value} @> any({self.parameters.add(said, 'jsonb[]')})"))
        return any_of(found)

    # Order ----------------------------------------------------------------------------------------------------

    def _ordered(self, value: str, sign: str, operand: Any) -> Bounds:
        """Numbers by size, times by their order, other texts by their characters."""
        if isinstance(operand, Read):
            read = str(operand.value)
            numbers = f"{_is(value, 'number')} and {_is(read, 'number')}"
            sized = f"({value} {sign} {read} or not {_small(read)})"
            return at_most(
                f"case when {numbers} then {sized} else {_is(value, 'string')} and {_is(read, 'string')} end"
            )
        if number(operand):
            if _large(operand):
                return at_most(_is(value, "number"))
            return exactly(
                f"({_is(value, 'number')} and {value} {sign} {self.parameters.add(operand, 'jsonb')})"
            )
        if not isinstance(operand, str):
            return NEVER
        if not sayable(operand):
            return at_most(_is(value, "string"))
        at, characters = (
            time_of(operand),
            f'{_string(value)} collate "C" {sign} {self.parameters.add(operand, "text")}',
        )
        if at is None:
            return exactly(f"({_is(value, 'string')} and {characters})")
        place = self.parameters.add(at, "timestamptz")
        return _timed(value, lambda instant: f"{instant} {sign} {place}", characters)

    def _instant(self, value: str, sign: str, operand: Any) -> Bounds:
        if isinstance(operand, Read):
            return at_most(f"({_is(value, 'string')} and {_is(str(operand.value), 'string')})")
        at = time_of(operand)
        if at is None:
            return NEVER
        place = self.parameters.add(at, "timestamptz")
        return _timed(value, lambda instant: f"{instant} {sign} {place}")

    def _between(self, value: str, first: datetime, last: datetime) -> Bounds:
        places = [self.parameters.add(each, "timestamptz") for each in (first, last)]
        return _timed(value, lambda instant: f"{instant} between {places[0]} and {places[1]}")

    # Texts ----------------------------------------------------------------------------------------------------

    def _text(self, operator: str, value: str, operand: Any) -> Bounds:
        """`contains`, `starts_with`, `ends_with`: in any case; of a list `contains` is an element of it."""
        lists = NEVER
        if operator == "contains":
            lists = all_of([exactly(_is(value, "array")), self._equal(value, operand)])
        if isinstance(operand, Read):
            return any_of(
                [lists, at_most(f"({_is(value, 'string')} and {_is(str(operand.value), 'string')})")]
            )
        if not isinstance(operand, str) or not sayable(operand):
            return lists
        part = _ascii_part(operator, operand)
        place, lowered = self.parameters.add(part.lower(), "text"), _lowered(_string(value))
        found = {
            "contains": f"position({place} in {lowered}) > 0",
            "starts_with": f"starts_with({lowered}, {place})",
            "ends_with": f"right({lowered}, {len(part)}) = {place}",
        }[operator]
        texts = f"({_is(value, 'string')} and {found})"
        return any_of([lists, exactly(texts) if part == operand else at_most(texts)])

    def _pattern(self, value: str, pattern: str) -> Bounds:
        """Patterns are RE2's, so SQL says those only that are a text with no signs of patterns in it."""
        plain = _PLAIN.fullmatch(pattern)
        if plain is None:
            return at_most(_is(value, "string"))
        wanted = re.sub(r"\\(.)", r"\1", plain["text"]).lower()
        place = self.parameters.add(wanted, "text")
        looked_at = f"lower(translate(left({_string(value)}, 255), 'ſ\u212a', 'sk') collate \"C\")"
        found = [f"starts_with({looked_at}, {place})"] if plain["start"] else []
        found += [f"right({looked_at}, {len(wanted)}) = {place}"] if plain["end"] else []
        if plain["start"] and plain["end"]:
            found = [f"{looked_at} = {place}"]
        return exactly(
            f"({_is(value, 'string')} and {found[0] if found else f'position({place} in {looked_at}) > 0'})"
        )


COMPARED = {"more_than": ">", "less_than": "<", "at_least": ">=", "at_most": "<="}

_PLAIN = re.compile(r"(?P<start>\^?)(?P<text>(?:[A-Za-z0-9 @_,;:=&%#!<>~'\"/-]|\\[.@+*?/()-])+)(?P<end>\$?)")
"""A pattern that is a plain text, at the start or the end or anywhere."""


def _is(value: str, sort: str) -> str:
    return f"jsonb_typeof({value}) = '{sort}'"


def _string(value: str) -> str:
    return f"({value} #>> '{{}}')"


EXACT_BELOW = 2**53
"""Below it integers and floating-point numbers are told apart by their decimals as by their values."""


def _large(value: Any) -> bool:
    return number(value) and not (math.isfinite(value) and abs(value) < EXACT_BELOW)


def _small(value: str) -> str:
    return f"({value} > '-{EXACT_BELOW}' and {value} < '{EXACT_BELOW}')"


def _lowered(text: str) -> str:
    """A text in lower case as far as ASCII goes; two other letters become such as well."""
    return f"lower(replace(translate({text}, '\u212a', 'k'), '\u0130', 'i\u0307') collate \"C\")"


def _ascii_part(operator: str, text: str) -> str:
    """The part of a text that SQL can look for in any case: the text itself where it has ASCII letters only."""
    runs = re.split(r"[^\x00-\x7f]+", text)
    return (
        runs[0] if operator == "starts_with" else runs[-1] if operator == "ends_with" else max(runs, key=len)
    )


_DAY = "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13578]|1[02])-(29|30|31)|(0[469]|11)-(29|30))"
_CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_OFFSET = "(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"


def _timed(value: str, test: Callable[[str], str], otherwise: str = NO) -> Bounds:
    """What holds of a text that is a time, and of one that is none; of other forms of times SQL knows nothing (ATT-6).

    29 February is one of them: it takes a calendar to say whether there is such a day.
    """
    text = _string(value)
    matched = f'{text} collate "C" ~'
    said = (
        f"case when {_is(value, 'string')} then case"
        f" when {matched} '^{_DAY}$' then {test(f'({text} || $$ 00:00Z$$)::timestamptz')}"
        f" when {matched} '^{_DAY}{_CLOCK}$' then {test(f'({text} || $$Z$$)::timestamptz')}"
        f" when {matched} '^{_DAY}{_CLOCK}{_OFFSET}$' then {test(f'{text}::timestamptz')}"
        f" when length({text}) < 8 or ({matched} '^[A-Za-z]' and not {matched} '^[A-Za-z]{{3}} ') then {otherwise}"
    )
    return Bounds(f"{said} else true end else false end", f"{said} else false end else false end")
