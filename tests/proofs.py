"""Do the tests of a rule turn red where the rule is broken? `make proofs` breaks each rule and tells which do not.

A rule is broken where the package keeps it: where a docstring or comment cites it, or else, where its tests alone go.
A place is proved once a test of the rule says of a fault in it that something is wrong; a rule, once all its places are.
What is found goes to `.proofs/verdicts.jsonl`, from which the next run goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import settings

from tests.examination import Examination, Options, Project, Verdict
from tests.servers import drop_databases, shared
from tests.trials import PLAIN, Outcome, Trial, Trials

ROOT = Path(__file__).parents[1]
AT_ONCE = 2
FORGET = 20
"""So many trials leave their databases behind before they are dropped."""

Examining = Generator[Trial, Outcome, Verdict]


class Run:
    """Goes through rules, two trials at a time, and tells of each rule as soon as it is known."""

    def __init__(self, examination: Examination, *, anew: bool, verbose: bool) -> None:
        self.examination, self.anew, self.verbose = examination, anew, verbose
        self.notes = examination.notes / "verdicts.jsonl"
        self.verdicts: list[Verdict] = []
        self.began, self.examined = time.monotonic(), 0

    def through(self, rules: Sequence[str], *, drop: bool) -> None:
        """Examine them. `drop`: the databases of the tests go from time to time."""
        known = {} if self.anew else self._known()
        waiting, active = list(rules), dict[int, tuple[str, Examining]]()
        ready: list[tuple[str, Examining, Trial]] = []
        left = FORGET

        def go_on(rule: str, examining: Examining, outcome: Outcome | None) -> None:
            try:
                trial = next(examining) if outcome is None else examining.send(outcome)
            except StopIteration as stop:
                self._note(stop.value, len(rules))
            else:
                ready.append((rule, examining, trial))

        while waiting or ready or active:
            while left and (waiting or ready) and len(active) < AT_ONCE:
                if ready:
                    rule, examining, trial = ready.pop(0)
                    active[self.examination.trials.begin(trial)] = rule, examining
                    left -= drop
                    continue
                rule = waiting.pop(0)
                if verdict := known.get(self.examination.key(rule)):
                    self._tell(verdict, len(rules))
                else:
                    go_on(rule, self.examination.examine(rule), None)
            if active:
                number, outcome = self.examination.trials.next()
                go_on(*active.pop(number), outcome)
            elif not left:
                _drop()
                left = FORGET

    def _note(self, verdict: Verdict, of: int) -> None:
        verdict.key = self.examination.key(verdict.rule)
        with self.notes.open("a") as file:
            file.write(json.dumps(asdict(verdict)) + "\n")
        self.examined += 1
        self._tell(verdict, of)

    def _tell(self, verdict: Verdict, of: int) -> None:
        self.verdicts.append(verdict)
        shown = sys.stderr.isatty()
        if self.verbose or not verdict.holds:
            print(f"{chr(13)}\033[K{verdict.said()}" if shown else verdict.said(), flush=True)
        text = f"{len(self.verdicts)} of {of} rules, {self.unproved()} not proved"
        if self.examined and len(self.verdicts) < of:
            rest = (time.monotonic() - self.began) / self.examined * (of - len(self.verdicts))
            text += f", about {rest / 60:.0f} min left" if rest > 90 else f", about {rest:.0f} s left"
        print(f"\r\033[K{text}" if shown else text, end="" if shown else "\n", file=sys.stderr, flush=True)

    def unproved(self) -> int:
        """How many are not proved so far."""
        return sum(not verdict.holds for verdict in self.verdicts)

    def _known(self) -> dict[str, Verdict]:
        if not self.notes.exists():
            return {}
        told = [Verdict(**json.loads(line)) for line in self.notes.read_text().splitlines()]
        return {verdict.key: verdict for verdict in told}


class Workshop:
    """The pytest plugin in whose hands the collected tests are: it does not run them, it forks."""

    def __init__(self, arguments: argparse.Namespace, project: Project, rules: Sequence[str]) -> None:
        self.arguments, self.project, self.rules = arguments, project, rules
        self.status = 2

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        settings.register_profile("proofs", database=None, parent=settings())
        settings.load_profile("proofs")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """What is named is collected even where it cannot be run, as without Ruby what compares with it."""
        ignored = config.hook.pytest_ignore_collect
        items[:] = [item for item in items if not ignored(collection_path=item.path, config=config)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            print("the tests cannot be collected", file=sys.stderr)
            return True
        asked = self.arguments
        with tempfile.TemporaryDirectory(prefix="proofs-", ignore_cleanup_errors=True) as folder:
            trials = Trials(session, self.project.root, self.project.package, Path(folder))
            options = Options(asked.mutants, asked.seed, every=asked.every)
            run = Run(Examination(self.project, options, trials), anew=asked.anew, verbose=asked.verbose)
            wanted = {
                name
                for rule in self.rules
                for test in run.examination.of(rule)
                for name in getattr(trials.items[test], "fixturenames", ())
            }
            try:
                with shared(postgres="postgres" in wanted, temporal="temporal" in wanted) as servers:
                    os.environ |= servers
                    run.through(self.rules, drop="DATABASE_URL" in servers)
                self.status = 1 if run.unproved() else 0
            except KeyboardInterrupt:
                self.status = 130
            finally:
                trials.stop()
            print(f"\n{len(run.verdicts)} rules examined, {run.unproved()} not proved")
        return True


def _drop() -> None:
    """Drop the databases of the trials so far, in a process of its own."""
    child = os.fork()
    if not child:
        try:
            asyncio.run(drop_databases(os.environ["DATABASE_URL"]))
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make proofs", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="RULE", help="rules to examine; without any: all")
    parser.add_argument("--rules", type=int, metavar="N", help="so many of them, by lot")
    parser.add_argument("--seed", type=int, default=0, help="of all lots (0)")
    parser.add_argument("--mutants", type=int, default=8, help="faults a place (8)")
    parser.add_argument("--every", action="store_true", help="on after the first fault that is seen")
    parser.add_argument("--anew", action="store_true", help="do not go on from former runs")
    parser.add_argument("--verbose", action="store_true", help="tell of what is proved, too")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--package", default="journeys", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Examine rules; the exit status is 1 where one is not proved."""
    arguments = _arguments(words)
    root = arguments.root.resolve()
    os.chdir(root)
    os.environ |= {"JOURNEYS_EXAMPLES": "0.2"}
    if root != ROOT:
        sys.path.insert(0, str(root))
    project = Project.at(root, arguments.package)
    if unknown := set(arguments.names) - set(project.rules):
        print(f"no such rule: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rules = [rule for rule in project.rules if not arguments.names or rule in arguments.names]
    if arguments.rules is not None and arguments.rules < len(rules):
        chosen = random.Random(arguments.seed).sample(rules, arguments.rules)
        rules = [rule for rule in rules if rule in chosen]
    files = sorted({test.partition("::")[0] for tests in project.tests.values() for test in tests})
    if arguments.names or arguments.rules is not None:
        files = sorted({test.partition("::")[0] for rule in rules for test in project.tests.get(rule, ())})
    for number in (signal.SIGINT, signal.SIGTERM):  # also where whoever started it ignores them
        signal.signal(number, signal.default_int_handler)
    workshop = Workshop(arguments, project, rules)
    __import__(arguments.package)
    pytest.main([*PLAIN, f"--rootdir={root}", *files], plugins=[workshop])
    return workshop.status


if __name__ == "__main__":
    sys.exit(main())
