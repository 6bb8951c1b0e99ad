"""The suite over another carrier than TCP: `pytest --carrier test-client`.

Every test that serves an application by the `serve` fixture is one of it, but for `carrier_exceptions.toml`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["CARRIERS", "Exceptions"]

FOLDER = Path(__file__).parent
TCP = "tcp"
CARRIERS = ("test-client", "async-test-client", "asgi")


class Exceptions(NamedTuple):
    """What cannot hold over a carrier, by the reason: whole files, and tests."""

    files: dict[str, str]
    tests: dict[str, str]
    #: Those of the tests that pass by chance.
    lucky: set[str]

    @classmethod
    def of(cls, carrier: str) -> Exceptions:
        """Reads the list; what is on it twice counts once."""
        entries = tomllib.loads((FOLDER / "carrier_exceptions.toml").read_text())["exception"]
        mine = [entry for entry in entries if carrier in entry.get("carriers", CARRIERS)]
        files, tests = (
            {name: entry["reason"] for entry in mine for name in entry.get(kind, ())} for kind in ("files", "tests")
        )
        lucky = {name for entry in mine if entry.get("may_pass") for name in entry["tests"]}
        return cls(files, tests, lucky)


def name_of(item: pytest.Item) -> str:
    """A test as the list has it: without its parameters, of which all count or none does."""
    return f"{item.path.name}::{item.name.partition('[')[0]}"


@pytest.fixture(scope="session")
def driver(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What runs an application's script, where the interpreter does not."""
    carrier = str(pytestconfig.getoption("carrier"))
    if carrier == TCP:
        return []
    # Hundreds of processes import the same, which is compiled once, whatever the environment says of that.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return ["-X", f"pycache_prefix={tmp_path_factory.mktemp('compiled')}", str(FOLDER / "driving.py"), carrier]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    parser.addoption("--carrier", choices=[TCP, *CARRIERS], default=TCP, help="how requests come to an application")
    parser.addoption(
        "--exceptions", action="store_true", help="run what the carrier excepts, each of which has to fail"
    )


def pytest_configure(config: pytest.Config) -> None:
    """What has to fail leaves its sockets open."""
    if config.getoption("exceptions"):
        config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests that the carrier has, or those that it excepts."""
    carrier = str(config.getoption("carrier"))
    if carrier == TCP:
        return
    exceptions = Exceptions.of(carrier)
    served = [item for item in items if "serve" in getattr(item, "fixturenames", ())]
    suite = [item for item in served if item.path.name not in exceptions.files]
    is_excepted = bool(config.getoption("exceptions"))
    chosen = [item for item in suite if (name_of(item) in exceptions.tests) == is_excepted]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Has an excepted test pass by its failure, and fail where it passes."""
    report = yield
    carrier = str(item.config.getoption("carrier"))
    if item.config.getoption("exceptions") and carrier != TCP and report.when == "call":
        if report.failed:
            report.outcome = "passed"
            report.longrepr = None
        elif name_of(item) not in Exceptions.of(carrier).lucky:
            report.outcome = "failed"
            report.longrepr = f"{name_of(item)} passes: take it off tests/carrier_exceptions.toml"
    return report
