"""A pytest plugin: puts a suite on one event loop and writes down what becomes of each test.

Set by the environment:
    CLIENTS_LOOP     the loop: asyncio or cello
    CLIENTS_RECORD   the file to write, a JSON object a line: a run that dies still tells how far it came
    CLIENTS_ONLY     a JSON list of test ids: no others are run
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

LOOP = os.environ["CLIENTS_LOOP"]
RECORD = Path(os.environ["CLIENTS_RECORD"])
ONLY = os.environ.get("CLIENTS_ONLY")

made: Counter[str] = Counter()
reports: list[pytest.TestReport] = []


def count_loops() -> None:
    """Counts every loop that is made from now on, by its type."""
    initialize = asyncio.BaseEventLoop.__init__

    def initialize_counted(loop: asyncio.BaseEventLoop) -> None:
        made[f"{type(loop).__module__}.{type(loop).__qualname__}"] += 1
        initialize(loop)

    setattr(asyncio.BaseEventLoop, "__init__", initialize_counted)  # noqa: B010 - a method is not to be assigned to


def replace_loop() -> None:
    """Makes Cello's loop what asyncio gives to whoever asks for a new one, or for a selector loop by name."""
    from cello.loop import EventLoop

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return EventLoop()

    asyncio.set_event_loop_policy(Policy())  # pyright: ignore[reportDeprecated] - only from 3.14 on
    for name in ("SelectorEventLoop", "EventLoop"):
        if hasattr(asyncio, name):
            setattr(asyncio, name, EventLoop)


def write(**entry: object) -> None:
    """Adds a line to the record."""
    with RECORD.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def verdict_of(reports: Iterable[pytest.TestReport]) -> tuple[str, str]:
    """The verdict of a test's phases, and where it failed the end of the reason."""
    verdict: str = "none"
    for report in reports:
        if report.failed:
            return "failed", f"{report.when}: {report.longreprtext}"[-2000:]
        if report.when == "call" or report.skipped:
            verdict = report.outcome
            if hasattr(report, "wasxfail"):
                verdict = "xpassed" if report.passed else "xfailed"
    return verdict, ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that nobody asked for."""
    if ONLY is None:
        return
    wanted = set(json.loads(Path(ONLY).read_text()))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = [item for item in items if item.nodeid in wanted]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Takes a file that cannot be imported for a test that fails."""
    if report.failed:
        write(test=report.nodeid, verdict="failed", why=f"collection: {report.longreprtext}"[-2000:])


def pytest_runtest_logstart(nodeid: str) -> None:
    """Notes that a test begins."""
    reports.clear()
    write(test=nodeid, verdict="unfinished", why="")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Takes in a phase of the test."""
    reports.append(report)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Notes what became of the test."""
    verdict, why = verdict_of(reports)
    write(test=nodeid, verdict=verdict, why=why)


def pytest_sessionfinish() -> None:
    """Notes which loops were made."""
    write(loops=made)


count_loops()
if LOOP == "cello":
    replace_loop()
