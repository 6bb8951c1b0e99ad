"""The list of what is not asked over every carrier: each entry has a reason, and names what there is."""

from __future__ import annotations

import ast
import tomllib
from typing import Any

from carrying import CARRIERS, FOLDER, Exceptions
from pages import ROOT

TESTS = ROOT / "packages/cello-core/tests"
ENTRIES: list[dict[str, Any]] = tomllib.loads((FOLDER / "carrier_exceptions.toml").read_text())["exception"]

#: How many files and tests are on the list of each carrier. Tests become fewer, and never more; files become more where
#: a new one is about the process, and not about HTTP.
MOST = {"test-client": (15, 3), "async-test-client": (16, 6), "asgi": (16, 28)}


def test_the_list_has_not_grown() -> None:
    counts = {carrier: Exceptions.of(carrier) for carrier in CARRIERS}
    assert {carrier: (len(found.files), len(found.tests)) for carrier, found in counts.items()} == MOST


def test_every_entry_has_a_reason_and_names_what_there_is() -> None:
    assert ENTRIES
    for entry in ENTRIES:
        assert entry.keys() <= {"reason", "carriers", "files", "tests", "may_pass"}
        assert entry["reason"]
        assert {*entry.get("carriers", CARRIERS)} <= {*CARRIERS}
        assert entry.get("files") or entry.get("tests")
        for file in entry.get("files", ()):
            assert (TESTS / file).is_file(), file
        for test in entry.get("tests", ()):
            file, _, name = test.partition("::")
            functions = [
                node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)
            ]
            assert name in functions, test


def test_nothing_stands_on_the_list_twice() -> None:
    for carrier in CARRIERS:
        mine = [entry for entry in ENTRIES if carrier in entry.get("carriers", CARRIERS)]
        names = [name for entry in mine for kind in ("files", "tests") for name in entry.get(kind, ())]
        assert len(names) == len({*names})
