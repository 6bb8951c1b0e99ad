"""Fixtures of every package's tests, and the rule that nothing is skipped where everything is there."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import Browser
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serving import Launch, Serve

ROOT = Path(__file__).parent
REQUIRE_ALL = os.environ.get("CELLO_REQUIRE_SERVICES") == "1"
ALLOWED_SKIPS = (ROOT / "tests" / "allowed_skips.txt").read_text().splitlines()

pytest_plugins = ["carrying"]
#: The plugins of strangers, whose tests are run where they are installed.
collect_ignore = ["examples/plugins"]

skipped: list[str] = []


def pytest_configure() -> None:
    """A change of the kernel is never tested against a stale build."""
    built = next((ROOT / "packages/cello-core/src/cello").glob("_kernel*.so"), None)
    newest = max(path.stat().st_mtime for path in ROOT.glob("crates/*/src/**/*.rs"))
    if built is None or built.stat().st_mtime < newest:
        raise pytest.UsageError("the native kernel is older than its sources: `hatch run build`, or `hatch run test`")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what was skipped, or failed as expected."""
    if report.skipped and report.nodeid not in ALLOWED_SKIPS:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run for a skip, where all services are promised to be there."""
    if REQUIRE_ALL and skipped:
        print(f"\nskipped, with CELLO_REQUIRE_SERVICES=1: {', '.join(skipped)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def serve(tmp_path: Path, driver: list[str]) -> Iterator[Serve]:
    """Serves the source of an application in a process of its own."""
    servers: list[Server] = []

    def start(source: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        server = Server.start(folder, source, *arguments, environment=environment, driver=driver)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts commands that serve, in processes of their own."""
    servers: list[Server] = []

    def start(*command: str, environment: Mapping[str, str] | None = None, descriptors: Sequence[int] = ()) -> Server:
        servers.append(Server.run(list(command), tmp_path, environment=environment, descriptors=descriptors))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def garbage_in_order() -> Iterator[None]:
    """Garbage is collected by the test alone, and so in the order in which it was made.

    A collection between a loop's making and that of its sockets has them finalized before the loop, which is to close
    them: they warn for themselves, and it fails.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real browser, which opens pages in tabs of their own."""
    program = Browser.program()
    if program is None:
        pytest.skip("chromium is not installed")
    browser = Browser.start(program, tmp_path_factory.mktemp("browser"))
    yield browser
    browser.end()
