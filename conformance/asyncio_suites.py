"""CPython's own asyncio tests, out of the library of the interpreter that runs this, against Cello's event loop.

    python3.13 conformance/asyncio_suites.py [test_streams …] [-k PATTERN] [--loop stock]

A module runs in a process of its own, so that one that hangs or crashes costs no other. What asyncio makes loops of is
replaced before the tests are imported, every loop that a case makes is counted, and one of asyncio's own is a failure:
nothing passes here on the wrong loop, though a case may make none, or a mock. Where a module repeats its cases for
every selector, they run once, on the loop as its users make it.

Prints `asyncio-MODULE: passed/total` for each module; what CPython itself skips on this platform is no part of the
total. Exits 1 where a case fails that asyncio_exceptions.toml does not name, where one that it names passes or is gone,
or where fewer than 99 % of a module's cases pass; 2 where the interpreter came without its tests.
"""

from __future__ import annotations

import argparse
import asyncio
import asyncio.base_events
import asyncio.unix_events
import faulthandler
import importlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType, TracebackType

    type Failure = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

MODULES = [
    "test_events",
    "test_streams",
    "test_sock_lowlevel",
    "test_server",
    "test_buffered_proto",
    "test_ssl",
    "test_sslproto",
    "test_subprocess",
    "test_unix_events",
    "test_sendfile",
]
EXCEPTIONS = Path(__file__).with_name("asyncio_exceptions.toml")
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
WANTED = 0.99
VARIANTS = {
    "EpollSelector": "EPollEventLoopTests",
    "KqueueSelector": "KqueueEventLoopTests",
    "PollSelector": "PollEventLoopTests",
    "SelectSelector": "SelectEventLoopTests",
}
NO_TESTS = f"""\
{sys.executable} came without its own tests (test.test_asyncio). They are in libpython{PYTHON}-testsuite on Debian and
Ubuntu, in python3-test on Fedora, and part of every Python that is built from its sources (pyenv install {PYTHON})."""


# --- in the process that runs one module


class Recorder(unittest.TestResult):
    """Writes the verdict on each case as it falls, with the loops that the case has made."""

    def __init__(self, report: IO[str], loops: Counter[str]) -> None:
        super().__init__()
        self.buffer = True
        self._report = report
        self._loops = loops
        self._is_in_case = False

    def startTest(self, test: unittest.TestCase) -> None:
        for kept in (self.errors, self.failures, self.skipped, self.unexpectedSuccesses):
            kept.clear()
        super().startTest(test)
        self._is_in_case = True
        self._write({"began": case_id(test)})

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self._is_in_case = False
        self._record(test)

    def addError(self, test: unittest.TestCase, err: Failure) -> None:
        super().addError(test, err)
        if not self._is_in_case:  # a class or a module could not be set up
            self._record(test)

    def _record(self, test: unittest.TestCase) -> None:
        outcome, detail = "passed", ""
        if broken := [*self.errors, *self.failures]:
            outcome, detail = "failed", "\n".join(text for _, text in broken)
        elif self.unexpectedSuccesses:
            outcome, detail = "failed", "passed, which CPython does not expect"
        elif self.skipped:
            outcome, detail = "skipped", self.skipped[0][1]
        self._write({"case": case_id(test), "outcome": outcome, "detail": detail, "loops": dict(self._loops)})
        self._loops.clear()

    def _write(self, line: dict[str, Any]) -> None:
        # At once, so that nothing is lost with the process, or written twice by one that a test forks off.
        self._report.write(json.dumps(line) + "\n")
        self._report.flush()


def run_here(name: str, loop: str, pattern: str | None, timeout_s: float, report: IO[str]) -> None:
    """Runs one module in this process."""
    faulthandler.dump_traceback_later(timeout_s, exit=True)
    if loop == "cello":
        replace_loop()
    loops = count_loops()
    module = importlib.import_module(f"test.test_asyncio.{name}")
    keep_one_variant(module)
    loader = unittest.TestLoader()
    if pattern is not None:
        loader.testNamePatterns = [pattern if "*" in pattern else f"*{pattern}*"]
    suite = loader.loadTestsFromModule(module)
    report.write(json.dumps({"cases": [case_id(case) for case in cases_of(suite)]}) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        suite.run(Recorder(report, loops))
        os.chdir("/")
    faulthandler.cancel_dump_traceback_later()


def replace_loop() -> None:
    """Has asyncio, by whatever public name, make loops of ours."""
    from cello.loop import EventLoop

    for holder, name in [
        (asyncio, "SelectorEventLoop"),
        (asyncio, "EventLoop"),
        (asyncio.DefaultEventLoopPolicy, "_loop_factory"),
    ]:
        if hasattr(holder, name):  # asyncio.EventLoop is new in 3.13
            setattr(holder, name, EventLoop)


def count_loops() -> Counter[str]:
    """What kinds of loops are made from now on: 'cello', 'stock', and the 'mock' ones, which are a test's own."""
    counted: Counter[str] = Counter()
    stock = asyncio.unix_events._UnixSelectorEventLoop
    begin: Callable[[Any], None] = asyncio.base_events.BaseEventLoop.__init__

    def counting(self: Any) -> None:
        module = type(self).__module__.partition(".")[0]
        counted[module if module == "cello" else "stock" if isinstance(self, stock) else "mock"] += 1
        begin(self)

    setattr(asyncio.base_events.BaseEventLoop, "__init__", counting)
    return counted


def keep_one_variant(module: ModuleType) -> None:
    """Of the classes that repeat a module's cases for each selector, keeps the platform's own, on the default loop."""
    kept = VARIANTS[selectors.DefaultSelector.__name__]
    for name in {*VARIANTS.values()} - {kept}:
        if hasattr(module, name):
            delattr(module, name)
    if hasattr(module, kept):
        setattr(getattr(module, kept), "create_event_loop", default_loop)


def default_loop(_: unittest.TestCase) -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop()


def cases_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases_of(item)
        else:
            yield item


def case_id(case: unittest.TestCase) -> str:
    return case.id().removeprefix("test.test_asyncio.").partition(".")[2] or case.id()


# --- in the process that judges


@dataclass
class Run:
    """What came of one module."""

    module: str
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    details: dict[str, str] = field(default_factory=dict[str, str])
    loops: Counter[str] = field(default_factory=Counter[str])
    on_stock: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    def having(self, outcome: str) -> list[str]:
        return [case for case, came in self.outcomes.items() if came == outcome]

    @property
    def passed(self) -> int:
        return len(self.having("passed"))

    @property
    def total(self) -> int:
        return len(self.outcomes) - len(self.having("skipped"))


def run_apart(name: str, loop: str, pattern: str | None, timeout_s: float) -> Run:
    """Runs one module in a process of its own."""
    run = Run(name)
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report"), Path(folder, "output")
        command = [sys.executable, __file__, name, "--loop", loop, "--timeout", str(timeout_s), "--report", str(report)]
        began = time.monotonic()
        with output.open("w") as sink:
            process = subprocess.Popen(
                command if pattern is None else [*command, "-k", pattern],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
            try:
                process.wait(timeout_s + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with suppress(ProcessLookupError, PermissionError):  # what the tests have started and not ended
                os.killpg(process.pid, signal.SIGKILL)
        run.seconds = time.monotonic() - began
        read_report(run, report)
        if process.returncode != 0:
            run.complaints.append(f"ended with {process.returncode}:\n{output.read_text(errors='replace')[-20_000:]}")
    return run


def read_report(run: Run, report: Path) -> None:
    """Notes the verdicts; a case without one has failed."""
    lines = report.read_text().splitlines() if report.exists() else []
    for line in map(json.loads, lines):
        if "cases" in line:
            run.outcomes = dict.fromkeys(line["cases"], "failed")
            run.details = dict.fromkeys(line["cases"], "never came to run")
        elif "began" in line:
            run.details[line["began"]] = "never came to an end"
        else:
            run.outcomes[line["case"]] = line["outcome"]
            run.details[line["case"]] = line["detail"]
            run.loops.update(line["loops"])
            if "stock" in line["loops"]:
                run.on_stock.append(line["case"])


def judge(run: Run, loop: str, reasons: dict[str, str], *, whole: bool) -> None:
    """Excuses what the list names, and complains of what is wrong with the module as a whole."""
    for case in reasons:
        if run.outcomes.get(case) == "failed":
            run.outcomes[case] = "excused"
        elif run.outcomes.get(case) == "passed":
            run.complaints.append(f"{case} passes: it is to be excused no longer")
        elif whole and case not in run.outcomes:
            run.complaints.append(f"{case} is excused, and no case on {PYTHON}")
    if loop == "cello" and run.on_stock:
        run.complaints.append(f"these made loops of asyncio's own: {', '.join(run.on_stock)}")
    if whole and not run.loops[loop]:
        run.complaints.append(f"made no loop of {loop}: nothing is proved")
    if whole and run.passed < WANTED * run.total:
        run.complaints.append(f"fewer than {WANTED:.0%} pass")


def reasons_for(module: str, exceptions: Path) -> dict[str, str]:
    """The cases of a module that are excused on this version of Python, and why."""
    entries = tomllib.loads(exceptions.read_text()).get(module, [])
    return {entry["case"]: entry["reason"] for entry in entries if PYTHON in entry["python"]}


def show(run: Run, reasons: dict[str, str]) -> None:
    """Prints everything but the counts."""
    for case in run.having("failed"):
        print(f"\nFAILED {run.module} {case}\n{run.details[case].rstrip()}")
    for case in run.having("excused"):
        print(f"excused {run.module} {case}: {reasons[case]}")
    for reason, count in Counter(run.details[case] for case in run.having("skipped")).items():
        print(f"skipped {run.module} {count} cases: {reason}")
    for complaint in run.complaints:
        print(f"\nWRONG {run.module}: {complaint}")


def show_counts(runs: list[Run], loop: str) -> None:
    """Prints the table, and the lines that other programs read."""
    outcomes = ["passed", "skipped", "excused", "failed"]
    kinds = ["cello", "stock", "mock"]
    print(f"\nPython {sys.version.split()[0]}, loop {loop}")
    print(f"{'':20}{'run':>9}" + "".join(f"{title:>9}" for title in [*outcomes, "seconds", *kinds]), "loops")
    for run in runs:
        counts = [len(run.outcomes), *(len(run.having(outcome)) for outcome in outcomes)]
        loops = [run.loops[kind] for kind in kinds]
        numbers = [*map(str, counts), f"{run.seconds:.1f}", *map(str, loops)]
        print(f"{run.module:20}" + "".join(f"{number:>9}" for number in numbers))
    for run in runs:
        print(f"{run.module.replace('test_', 'asyncio-', 1).replace('_', '-')}: {run.passed}/{run.total}")


def main() -> int:
    parser = argparse.ArgumentParser(description="CPython's own asyncio tests against Cello's event loop.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; without one, all")
    parser.add_argument("-k", dest="pattern", help="only cases whose name matches; the share that passes is not judged")
    parser.add_argument("--loop", choices=["cello", "stock"], default="cello", help="stock: asyncio's own, to compare")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="what a module may take")
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS, metavar="FILE", help="which cases are excused")
    parser.add_argument("--report", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := {*options.modules} - {*MODULES}:
        parser.error(f"no such module: {', '.join(sorted(unknown))}")
    if options.report is not None:
        with Path(options.report).open("w") as report:
            run_here(options.modules[0], options.loop, options.pattern, options.timeout, report)
        return 0
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_asyncio") is None:
        print(NO_TESTS, file=sys.stderr)
        return 2
    runs: list[Run] = []
    for module in options.modules or MODULES:
        run = run_apart(module, options.loop, options.pattern, options.timeout)
        reasons = reasons_for(module, options.exceptions) if options.loop == "cello" else {}
        judge(run, options.loop, reasons, whole=options.pattern is None)
        show(run, reasons)
        runs.append(run)
    show_counts(runs, options.loop)
    bad = [run.module for run in runs if run.complaints or run.having("failed")]
    print(f"not as it should be: {', '.join(bad)}" if bad else "all as it should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
