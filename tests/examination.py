"""Examines a rule: breaks what keeps it, piece by piece, and sees whether a test of the rule says so."""

from __future__ import annotations

import ast
import hashlib
import json
import random
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests import pages
from tests.faults import Fault, SchemaFault, faults, schema_faults
from tests.places import Place, places
from tests.trials import Outcome, Trial, Trials

OWN = {
    f"{name}.py"
    for name in (
        "proofs",
        "examination",
        "mutants",
        "faults",
        "spoiling",
        "trials",
        "places",
        "pages",
        "servers",
    )
}
"""What serves this and no test."""


AnyFault = Fault | SchemaFault


@dataclass
class Verdict:
    """What became of a rule. `proved` and `open` are places, the others faults.

    A test may have seen a fault, the fault may have survived, or have been so coarse that the test only stumbled.
    """

    rule: str
    proved: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    stumbled: list[str] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    wrong: str = ""
    tried: int = 0
    by_coverage: bool = False
    key: str = ""

    @property
    def holds(self) -> bool:
        return not self.wrong and not self.open and bool(self.proved)

    def said(self) -> str:
        """What to tell of it, on several lines."""
        if self.holds and not self.survived and not self.mute:
            return f"{self.rule}: proved"
        lines = [
            f"{self.rule}: {'proved' if self.holds else 'NOT PROVED'}{': ' * bool(self.wrong)}{self.wrong}"
        ]
        lines += [f"  open: {place}" for place in self.open]
        lines += [f"  cannot be broken: {place}" for place in self.mute]
        lines += [f"  survived: {one}" for one in self.survived]
        if not self.holds:
            lines += [f"  seen: {one}" for one in self.seen]
            lines += [f"  means nothing: {one}" for one in self.stumbled]
        return "\n".join(lines)


@dataclass(frozen=True)
class Options:
    """How much is tried: faults a place, by which lot, with how many rows of a table; `every`: on after the first that is seen."""

    mutants: int = 8
    seed: int = 0
    rows: int = 8
    every: bool = False


@dataclass(eq=False)
class Project:
    """What is examined: a package, its tests in `tests`, and its rules in `docs/rules`."""

    root: Path
    package: str
    rules: list[str]
    tests: Mapping[str, Sequence[str]]
    cited: Mapping[str, Sequence[Place]]

    @classmethod
    def at(cls, root: Path, package: str) -> Project:
        kept = pages.kept(root)
        return cls(root, package, kept, pages.cited(root), places(root / package, kept))

    @cache  # noqa: B019 - one project a process
    def tree(self, file: str) -> ast.Module:
        return ast.parse((self.root / file).read_text(encoding="utf-8"))

    @cache  # noqa: B019
    def hashed(self, file: str) -> str:
        return hashlib.sha256((self.root / file).read_bytes()).hexdigest()[:16]

    @cache  # noqa: B019
    def whole(self) -> str:
        """Changes where any code of the package does, or of what serves its tests."""
        digest = hashlib.sha256()
        for path in sorted([*(self.root / self.package).rglob("*.*"), *(self.root / "tests").glob("*.py")]):
            if path.suffix == ".py" and path.name not in OWN and not path.name.startswith("test_"):
                digest.update(_code(path).encode())
            elif path.suffix == ".sql":
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def _code(path: Path) -> str:
    """A file without its docstrings and comments; where its lines stand counts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
            node.value.end_col_offset = node.end_col_offset = 0
    return path.name + ast.dump(tree, include_attributes=True)


class Examination:
    """How rules are examined: each as a generator that asks for trials and is sent their outcomes."""

    def __init__(self, project: Project, options: Options, trials: Trials) -> None:
        self.project, self.options, self.trials = project, options, trials
        self.lines: dict[str, dict[str, Any]] = {}
        self.notes = project.root / ".proofs"
        self.notes.mkdir(exist_ok=True)
        with_lines = self.notes / "lines.json"
        if with_lines.exists():
            self.lines = json.loads(with_lines.read_text())

    def of(self, rule: str) -> list[str]:
        """The tests of a rule; of a table's rows, those that name it."""
        found: list[str] = []
        for cited in self.project.tests.get(rule, ()):
            name, _, row = cited.partition("[")
            those = [test for test in self.trials.items if test.partition("[")[0] == name]
            if row:
                found += [test for test in those if test == cited]
                continue
            named = [test for test in those if self._row(test)]
            found += [test for test in named if rule in self._row(test)] or those
        return list(dict.fromkeys(found))

    def _row(self, test: str) -> list[str]:
        """The rules of which a row of a table is: a parameter is their numbers and no more, or ends on them."""
        call = getattr(self.trials.items[test], "callspec", None)
        texts = [each for each in call.params.values() if isinstance(each, str)] if call else []
        return [
            rule
            for text in texts
            if (rules := pages.rules_in(text)) and (len(text) < 8 * len(rules) or text.endswith(")"))
            for rule in rules
        ]

    def examine(self, rule: str) -> Generator[Trial, Outcome, Verdict]:
        """Break a rule until each of its places is proved or has had its share of faults."""
        verdict = Verdict(rule)
        tests = self.of(rule)
        if not tests:
            verdict.wrong = "no test cites it that can be run here"
            return verdict
        wrong = yield from self._watch(tests)
        if wrong:
            verdict.wrong = wrong
            return verdict
        found = [place for place in self.project.cited.get(rule, ()) if self._faults(place)]
        if not found:
            found = yield from self._covered(rule, tests)
            verdict.by_coverage = True
        if not found:
            verdict.wrong = "no place is known that keeps it: cite it where it is kept"
            return verdict
        for place in found:
            yield from self._break(rule, place, tests, verdict)
        return verdict

    def _break(
        self, rule: str, place: Place, tests: Sequence[str], verdict: Verdict
    ) -> Generator[Trial, Outcome, None]:
        survivors: list[str] = []
        proved = tried = 0
        for fault in self._chosen(rule, place, tests)[: 3 * self.options.mutants]:
            if tried == self.options.mutants:
                break
            outcome = yield self._trial(fault, tests)
            said = f"{fault.place.file}:{fault.line}: {outcome.what}"
            verdict.tried += 1
            tried += outcome.result in ("green", "red")
            if outcome.result == "red":
                proved += 1
                verdict.seen.append(f"{said} [{outcome.why}]")
                if not self.options.every:
                    break
            elif outcome.result == "green":
                survivors.append(said)
            else:
                verdict.stumbled.append(f"{said} [{outcome.result}: {outcome.why}]")
        verdict.survived += survivors
        if proved or survivors:
            (verdict.proved if proved else verdict.open).append(str(place))
        else:  # whatever is done to it, the tests stumble: nothing can be said of it
            verdict.mute.append(str(place))

    def _reach(self, fault: AnyFault, tests: Sequence[str]) -> list[str]:
        """The tests that come to the statement with the fault."""
        span = set(range(fault.statement[0], fault.statement[1] + 1))
        return [test for test in tests if span & set(self._lines(test, fault.place.file))]

    def _trial(self, fault: AnyFault, tests: Sequence[str]) -> Trial:
        """A trial by the tests that come there, the quickest first, and by some rows of each table only.

        Where none comes, it may be run as the package is imported: then it is imported with the fault.
        """
        reach = self._reach(fault, tests) if fault.body is not None else []
        rows: Counter[str] = Counter()
        chosen = []
        for test in sorted(reach or tests, key=lambda test: (self._took(test), test)):
            table = test.partition("[")[0]
            rows[table] += 1
            if rows[table] <= self.options.rows:
                chosen.append(test)
        seconds = sum(self._took(test) for test in chosen)
        return Trial(chosen, fault, not reach, 60 + 10 * seconds, 20 + int(4 * seconds))

    @cache  # noqa: B019
    def _faults(self, place: Place) -> list[AnyFault]:
        if place.file.endswith(".sql"):
            return list(schema_faults((self.project.root / place.file).read_text(encoding="utf-8"), place))
        return list(faults(self.project.tree(place.file), place))

    def _chosen(self, rule: str, place: Place, tests: Sequence[str]) -> list[AnyFault]:
        """The faults of a place in an order by lot, one a line first; what no test of the rule runs is left out."""
        run = {line for test in tests for line in self._lines(test, place.file)}
        known = self._faults(place)
        found = [
            fault
            for fault in known
            if fault.body is None or run & set(range(fault.statement[0], fault.statement[1] + 1))
        ]
        if all(fault.body is None for fault in found):
            found = list(known)
        random.Random(f"{self.options.seed} {rule} {place.name}").shuffle(found)
        before: Counter[int] = Counter()
        ranked = []
        for fault in found:
            ranked.append((before[fault.line], fault))
            before[fault.line] += 1
        return [fault for _, fault in sorted(ranked, key=lambda pair: pair[0])]

    def _watch(self, tests: Sequence[str]) -> Generator[Trial, Outcome, str]:
        """Run tests as they are, unless it is known what they cover; tells what is wrong with them."""
        unknown = [test for test in tests if self.lines.get(test, {}).get("key") != self._key(test)]
        if unknown:
            outcome = yield Trial(unknown)
            if outcome.result != "green":
                return f"its tests are {outcome.result} as things are: {outcome.test} {outcome.why}"
            for test in unknown:
                self.lines[test] = {
                    "key": self._key(test),
                    "took": outcome.took.get(test),
                    "lines": outcome.covered.get(test, {}),
                }
            (self.notes / "lines.json").write_text(json.dumps(self.lines))
        skipped = [test for test in tests if self.lines[test]["took"] is None]
        return "its tests are skipped here" if len(skipped) == len(tests) else ""

    def _key(self, test: str) -> str:
        return self.project.whole() + self.project.hashed(test.partition("::")[0])

    def _took(self, test: str) -> float:
        return float(self.lines[test]["took"] or 0)

    def _lines(self, test: str, file: str) -> list[int]:
        lines: list[int] = self.lines[test]["lines"].get(file, [])
        return lines

    def _covered(self, rule: str, tests: Sequence[str]) -> Generator[Trial, Outcome, list[Place]]:
        """The lines to which the fewest tests of other rules go, where no code cites a rule."""
        files = {test.partition("::")[0] for test in tests}
        others = [
            test
            for other in self.project.rules
            if other != rule
            for test in self.of(other)
            if test.partition("::")[0] in files and test not in tests
        ]
        yield from self._watch(others)
        counts: dict[tuple[str, int], int] = {}
        for test in tests:
            for file, lines in self.lines[test]["lines"].items():
                counts.update(dict.fromkeys(((file, line) for line in lines), 0))
        for test in others:
            for file, lines in self.lines.get(test, {}).get("lines", {}).items():
                for line in lines:
                    if (file, line) in counts:
                        counts[file, line] += 1
        fewest = min(counts.values(), default=0)
        found = [Place(file, line, line, "") for (file, line), count in counts.items() if count == fewest]
        found = [place for place in sorted(found) if self._faults(place)]
        return random.Random(f"{self.options.seed} {rule}").sample(found, min(2, len(found)))

    def key(self, rule: str) -> str:
        """Changes where the rule must be examined anew."""
        files = sorted({test.partition("::")[0] for test in self.of(rule)})
        asked = [self.options.seed, self.options.mutants, self.options.every]
        where = [str(place) for place in self.project.cited.get(rule, ())]
        parts = [rule, *asked, self.project.whole(), *map(self.project.hashed, files), *where]
        return " ".join(map(str, parts))
