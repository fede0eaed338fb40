"""Runs chosen tests in processes forked from one that has all in memory, on the package as it is or with a fault in it.

A fault within a function is put into the function that is there. Any other is written to a copy of the package, which
is imported anew. What a test says when it fails tells whether it found the fault: it must not just have stumbled.
"""

from __future__ import annotations

import ast
import functools
import gc
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Literal

import coverage
import pytest
from pydantic import ValidationError

from tests.faults import Fault, SchemaFault

Result = Literal["green", "red", "stumbled", "endless"]
PLAIN = (
    *("-qq", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("--hypothesis-seed=0", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""How pytest is called: in a process that has its plugins in memory already."""


@dataclass(frozen=True)
class Trial:
    """Tests to run until one fails. `fault` None: all of them, and what they cover is told."""

    tests: Sequence[str]
    fault: Fault | SchemaFault | None = None
    anew: bool = False
    seconds: float = 600
    processor: int = 300


@dataclass
class Outcome:
    """What became of a trial. `red`: a test says that something is wrong; `stumbled`: something else went wrong."""

    result: Result
    what: str = ""
    test: str = ""
    why: str = ""
    covered: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)


class Recorder:
    """A pytest plugin that notes the first failure, and how long each test took."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.failed: tuple[Result, str, str] | None = None
        self.took: dict[str, float] = defaultdict(float)
        self.skipped: set[str] = set()

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo[Any]) -> None:
        if self.failed is None or not self.failed[2]:
            assert call.excinfo is not None
            error = call.excinfo.value
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            self.failed = ("red" if self._says(error) else "stumbled"), node.nodeid, said

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[report.nodeid] += report.duration
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.add(report.nodeid)
        if report.failed and self.failed is None:
            self.failed = "stumbled", report.nodeid, ""  # what it says comes right after

    def _says(self, error: BaseException) -> bool:
        """Whether it is the test that speaks, or the package: not Python, or a library, that cannot go on."""
        if isinstance(error, BaseExceptionGroup):
            return any(self._says(each) for each in error.exceptions)
        frames = traceback.extract_tb(error.__traceback__)
        if frames and f"{os.sep}tests{os.sep}" in frames[-1].filename:  # it missed what it looked for
            return True
        if frames and isinstance(error, AssertionError) and "_pytest" in frames[-1].filename:
            return True  # what was raised says something else
        ours = type(error).__module__.split(".")[0] == self.package
        return ours or isinstance(error, pytest.fail.Exception | TimeoutError | ValidationError)


class Trials:
    """Forks one process a trial. Made once all tests are collected, so that everything is in memory."""

    def __init__(self, session: pytest.Session, root: Path, package: str, folder: Path) -> None:
        self.session, self.root, self.package, self.folder = session, root, package, folder
        self.items = {item.nodeid: item for item in session.items}
        self.running: dict[int, tuple[Trial, Path, float]] = {}
        self.numbers: dict[int, int] = {}
        self.number = 0
        self.functions: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
        self.caches: list[Any] = []
        for each in gc.get_objects():
            if isinstance(each, FunctionType):
                code = each.__code__
                self.functions[code.co_filename, code.co_qualname, code.co_firstlineno].append(each)
            elif isinstance(each, functools._lru_cache_wrapper):
                self.caches.append(each)
        gc.freeze()

    def begin(self, trial: Trial) -> int:
        """Begin a trial; its number."""
        self.number += 1
        number, place = self.number, self.folder / str(self.number)
        place.mkdir()
        child = os.fork()
        if not child:
            self._never_returns(trial, place)
        self.running[child] = trial, place, time.monotonic() + trial.seconds
        self.numbers[child] = number
        return number

    def next(self) -> tuple[int, Outcome]:
        """Wait for one of the running trials; its number and its outcome."""
        while True:
            for child, (trial, place, ends) in list(self.running.items()):
                done, status, used = os.wait4(child, os.WNOHANG)
                late = not done and time.monotonic() > ends
                if late:
                    with suppress(ProcessLookupError):
                        os.killpg(child, signal.SIGKILL)
                    done, status, used = os.wait4(child, 0)
                if done:
                    del self.running[child]
                    with suppress(ProcessLookupError):  # what it left behind
                        os.killpg(child, signal.SIGKILL)
                    busy = used.ru_utime + used.ru_stime > trial.processor / 2
                    outcome = self._outcome(place, status, late=late, busy=busy)
                    shutil.rmtree(place, ignore_errors=True)
                    return self.numbers.pop(child), outcome
            time.sleep(0.01)

    def stop(self) -> None:
        """End all that runs."""
        for child in self.running:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
        self.running.clear()

    def _outcome(self, place: Path, status: int, *, late: bool, busy: bool) -> Outcome:
        told = place / "outcome"
        what = (place / "what").read_text() if (place / "what").exists() else ""
        if told.exists() and not late:
            return Outcome(**json.loads(told.read_text()), what=what)
        if late and not busy:
            return Outcome("red", what, why="its tests wait for ever")
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if ended in (signal.SIGXCPU, signal.SIGKILL):
            return Outcome("endless", what)
        return Outcome("stumbled", what, why=f"the process ended with {status}")

    def _never_returns(self, trial: Trial, place: Path) -> None:
        """The life of a child."""
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CPU, (trial.processor, trial.processor + 5))
            output = os.open(place / "said", os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.dont_write_bytecode = True
            recorder, covered = Recorder(self.package), {}
            if trial.fault is None:
                covered = self._watched(trial, recorder)
            else:
                source = (self.root / trial.fault.place.file).read_text(encoding="utf-8")
                what, mutant = trial.fault.made(source)
                (place / "what").write_text(what)
                if trial.anew or isinstance(mutant, str) or not self._swap(trial.fault, mutant):
                    self._import_anew(trial, mutant, place, recorder)
                else:
                    self._run(trial, recorder)
            result, test, why = recorder.failed or ("green", "", "")
            took = {test: round(seconds, 2) for test, seconds in recorder.took.items()}
            took = {test: seconds for test, seconds in took.items() if test not in recorder.skipped}
            told = {"result": result, "test": test, "why": why, "covered": covered, "took": took}
            (place / "part").write_text(json.dumps(told))
            (place / "part").rename(place / "outcome")
        except BaseException as error:
            (place / "failed").write_text(repr(error))
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(0 if (place / "outcome").exists() else 1)

    def _run(self, trial: Trial, recorder: Recorder) -> None:
        """Run the tests as pytest does, up to the first that fails."""
        config = self.session.config
        config.pluginmanager.register(recorder)
        items = [self.items[test] for test in trial.tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if recorder.failed:
                return

    def _watched(self, trial: Trial, recorder: Recorder) -> dict[str, dict[str, list[int]]]:
        """Run the tests, and tell the lines of the package that each of them runs."""
        watch = coverage.Coverage(
            data_file=None, config_file=False, include=[f"{self.root / self.package}/*"]
        )

        class Switch:
            def pytest_runtest_logstart(self, nodeid: str) -> None:
                watch.switch_context(nodeid)

        self.session.config.pluginmanager.register(Switch())
        watch.start()
        try:
            self._run(trial, recorder)
        finally:
            watch.stop()
        found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        data = watch.get_data()
        for file in data.measured_files():
            name = Path(file).relative_to(self.root).as_posix()
            for line, tests in data.contexts_by_lineno(file).items():
                for test in tests:
                    found[test][name].append(line)
        found.pop("", None)
        return found

    def _swap(self, fault: Fault | SchemaFault, mutant: ast.Module) -> bool:
        """Put the fault into the functions that are in memory, where that can be done."""
        if fault.body is None:
            return False
        file = str(self.root / fault.place.file)
        first = fault.body.decorator_list[0].lineno if fault.body.decorator_list else fault.body.lineno
        last = fault.body.end_lineno or first
        swapped = False
        for code in _codes(compile(mutant, file, "exec", dont_inherit=True)):
            if first <= code.co_firstlineno <= last:
                for function in self.functions.get((file, code.co_qualname, code.co_firstlineno), ()):
                    if function.__code__.co_freevars != code.co_freevars:
                        return False
                    function.__code__ = code
                    swapped = True
        for cache in self.caches:
            cache.cache_clear()
        return swapped

    def _import_anew(self, trial: Trial, mutant: ast.Module | str, place: Path, recorder: Recorder) -> None:
        """Run the tests on a copy of the package that has the fault; processes that they start have it too."""
        assert trial.fault is not None
        copied = place / "copy"
        file = trial.fault.place.file
        overlay(self.root, copied, file, mutant if isinstance(mutant, str) else ast.unparse(mutant))
        if "migrations" in file:
            os.environ.pop("JOURNEYS_TEMPLATE_DATABASE", None)
        ours = {self.package, *(item.nodeid.split("/")[0] for item in self.session.items)}
        for name in list(sys.modules):
            module = sys.modules[name]
            file = getattr(module, "__file__", None) or ""
            if name.split(".")[0] in ours or file.startswith(f"{self.root}{os.sep}tests"):
                del sys.modules[name]
        sys.path.insert(0, str(copied))
        os.environ |= {
            "PYTHONPATH": f"{copied}{os.pathsep}{self.root}",
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        __import__(self.package)
        result = pytest.main(
            [*PLAIN, "-x", f"--rootdir={self.root}", *(str(self.root / test) for test in trial.tests)],
            plugins=[recorder],
        )
        if result and recorder.failed is None:
            recorder.failed = "stumbled", "", f"pytest ends with {result!r}"


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def overlay(root: Path, target: Path, file: str, source: str) -> None:
    """A copy of a folder by links, but for one file and what is beside it: Alembic goes where a link leads."""
    target.mkdir()
    first, _, rest = file.partition("/")
    for path in root.iterdir():
        if path.name == first or (path.name.startswith(".") and path.is_dir()):
            continue
        if rest or path.is_dir():
            (target / path.name).symlink_to(path)
        else:
            shutil.copy2(path, target)
    if rest:
        overlay(root / first, target / first, rest, source)
    else:
        (target / first).write_text(source, encoding="utf-8")
