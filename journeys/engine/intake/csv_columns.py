"""The columns of a CSV file: who a row is about, which attributes it sets, which event it describes."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from journeys.canvas.never_matching import CONSENTS, GROUPS, TRUTHS
from journeys.engine.intake.csv_rows import Quoted, Row
from journeys.engine.people.standard_attributes import COLUMNS, STANDARD

Kind = Literal["attributes", "events"]

IDENTIFIERS = (
    "external_id",
    "user_alias_name",
    "user_alias_label",
    "braze_id",
    "anonymous_id",
    "email",
    "phone",
)
STANDARDS = frozenset({*COLUMNS, *CONSENTS, *STANDARD, GROUPS})
IGNORED = frozenset({"import_line", "import_reason"})
SUBSCRIPTION = ("subscription_group_id", "subscription_state")
"""One group a row (CSV-5)."""
MOST_COLUMNS = 1_000
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?")  # CSV-4, D11
PADDED = re.compile(r"-?0\d+(\.\d+)?")
PROPERTY = re.compile(r"(?:(.*)\.)?properties\.(.+)")
MARKUP = re.compile(r"<\s*(script|iframe|html|body|img|a|div|p)\b", re.IGNORECASE)  # CSV-9


class Unusable(ValueError):
    """A file that cannot be imported at all; the text says why, and what would help."""


@dataclass(slots=True)
class Header:
    """The first row of a file, understood. `remarks` is what there is to say of it."""

    kind: Kind
    names: tuple[str, ...]
    remarks: list[str] = field(default_factory=list)
    _types: dict[str, str] = field(default_factory=dict)
    _warned: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, row: Row | None, kind: Kind, file: str) -> Self:
        """Understand a header. Raises `Unusable`."""
        if row is None:  # CSV-1
            raise Unusable(f"{file} is empty: a header row was expected")
        if row.wrong is not None:
            raise Unusable(f"{file}:1: the header cannot be read: {row.wrong}")
        names = tuple(str(name).strip() for name in row.cells)
        header = cls(kind, names)
        header._check(file)
        header._remark()
        return header

    def _check(self, file: str) -> None:
        place = f"{file}:1: "
        if len(self.names) > MOST_COLUMNS:
            raise Unusable(f"{place}the file has {len(self.names)} columns; at most {MOST_COLUMNS} are read")
        twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if "" in self.names or twice:
            said = f"the column “{twice[0]}” appears twice" if twice and twice[0] else "a column has no name"
            raise Unusable(place + said)
        if not set(self.names) & set(IDENTIFIERS):
            hint = ""
            if len(self.names) == 1 and (";" in self.names[0] or "\t" in self.names[0]):
                hint = "; the separator seems to be something other than a comma"
            raise Unusable(
                f"{place}no column identifies a person: one of {', '.join(IDENTIFIERS)} is needed{hint}"
            )
        alias = {"user_alias_name", "user_alias_label"} & set(self.names)
        if len(alias) == 1:
            raise Unusable(place + "an alias needs both user_alias_name and user_alias_label")
        if alias and "external_id" in self.names:  # CSV-2
            raise Unusable(place + "external_id and an alias cannot be in one file")
        missing = [name for name in ("name", "time") if name not in self.names]
        if self.kind == "events" and missing:
            raise Unusable(f"{place}a file of events needs the column “{missing[0]}”")

    def _remark(self) -> None:
        for name in self.names:
            if self.kind == "events":
                known = name in (*IDENTIFIERS, "name", "time", "event_id", *IGNORED) or PROPERTY.fullmatch(
                    name
                )
                if not known:
                    self.remarks.append(
                        f"the column {name} is ignored: properties are named <event>.properties.<key>"
                    )
            elif name not in (*STANDARDS, *IDENTIFIERS, *IGNORED, *SUBSCRIPTION):  # CSV-3
                self._remark_look_alike(name)

    def _remark_look_alike(self, name: str) -> None:
        """CSV-3: `First_name` is a custom attribute, and hardly meant to be."""
        plain = name.lower().replace(" ", "_").replace("-", "_")
        near = difflib.get_close_matches(plain, sorted({*STANDARDS, *IDENTIFIERS}), 1, cutoff=0.9)
        if near:
            self.remarks.append(f"the column {name} becomes a custom attribute; did you mean {near[0]}?")

    def object_of(self, row: Row) -> tuple[dict[str, Any] | str, list[str]]:
        """The object that a row stands for, as `/users/track` takes it, or why it is refused; and remarks."""
        if row.wrong is not None:
            return row.wrong, []
        if len(row.cells) != len(self.names):  # CSV-1
            return f"the row has {len(row.cells)} cells, the header {len(self.names)}", []
        # CSV-4
        given = {name: cell for name, cell in zip(self.names, row.cells, strict=True) if cell.strip()}
        remarks: list[str] = []
        who = _who(given)
        if isinstance(who, str):
            return who, []
        rest = {
            name: cell
            for name, cell in given.items()
            if name not in IDENTIFIERS or name in ("email", "phone")
        }
        if self.kind == "attributes":
            values = {
                name: self._value(name, cell, remarks) for name, cell in rest.items() if self._is_read(name)
            }
            return {**values, **_subscription(rest), **who}, remarks
        return self._event(rest, who, remarks), remarks

    @staticmethod
    def _is_read(name: str) -> bool:
        return name not in IGNORED and name not in SUBSCRIPTION

    def _event(self, rest: Mapping[str, str], who: Mapping[str, Any], remarks: list[str]) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for name, cell in rest.items():
            found = PROPERTY.fullmatch(name)
            if found and found[1] in (None, rest.get("name")):  # CSV-6
                properties[found[2]] = self._value(name, cell, remarks)
        event: dict[str, Any] = {**who, "properties": properties}
        # CSV-6
        return event | {name: str(rest[name]) for name in ("name", "time", "event_id") if name in rest}

    def _value(self, name: str, cell: str, remarks: list[str]) -> Any:
        if MARKUP.search(cell):  # CSV-9
            self._once(remarks, name, "markup", f"{name} contains HTML; it is stored unchanged")
        if name in STANDARDS and name not in TRUTHS:  # CSV-3
            return str(cell).strip()
        value = typed(cell)
        if isinstance(value, str) and not isinstance(cell, Quoted) and PADDED.fullmatch(value):
            self._once(remarks, name, "padded", f"{name}: “{value}” begins with a zero and is kept as text")
        kind = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        before = self._types.setdefault(name, kind)
        if before != kind:
            self._once(
                remarks, name, "mixed", f"{name} was {before} so far and is {kind} here: “{str(cell)[:40]}”"
            )
        return value

    def _once(self, remarks: list[str], name: str, what: str, text: str) -> None:
        if (name, what) not in self._warned:
            self._warned.add((name, what))
            remarks.append(text)


def _subscription(cells: Mapping[str, str]) -> dict[str, Any]:
    """The state in a subscription group that a row says (CSV-5)."""
    said = {name: str(cells[name]).strip() for name in SUBSCRIPTION if name in cells}
    return {GROUPS: [said]} if said else {}  # CSV-5


def typed(cell: str) -> bool | int | float | str:
    """The value of a cell: true and false, numbers with a point, else text; in quotes always text (CSV-4, D11).

    Example:
        >>> typed("12"), typed("1.5"), typed("TRUE"), typed("0130"), typed(Quoted("12"))
        (12, 1.5, True, '0130', '12')
    """
    text = str(cell)
    if isinstance(cell, Quoted):  # CSV-4
        return text
    text = text.strip()
    if text.lower() in ("true", "false"):  # CSV-4
        return text.lower() == "true"
    if NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)  # CSV-4
    return text


def _who(given: Mapping[str, str]) -> dict[str, Any] | str:
    """Who a row is about: the id or alias first, then the e-mail address, then the phone (CSV-2)."""
    for name in ("external_id", "anonymous_id"):
        if name in given:
            return {name: str(given[name]).strip()}
    alias: Sequence[str] = [
        str(given[name]).strip() for name in ("user_alias_name", "user_alias_label") if name in given
    ]
    if len(alias) == 2:
        return {
            "user_alias": {"alias_name": alias[0], "alias_label": alias[1]},
            "_update_existing_only": False,
        }
    if "braze_id" in given:
        return {"braze_id": str(given["braze_id"]).strip()}
    for name in ("email", "phone"):
        if name in given:
            return {name: str(given[name]).strip()}
    return "the row identifies no person: " + ", ".join(IDENTIFIERS[:4]) + ", email or phone is needed"
