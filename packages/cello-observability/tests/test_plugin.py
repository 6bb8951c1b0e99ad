"""The family as a plugin: declared by names alone, by the public doors, and gone without a trace."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cello_observability
import pytest
from cello import App
from cello.plugin import Phase, Registrar
from cello.testing import plugin_contract
from cello_observability import plugin, request_id, structured_logging

if TYPE_CHECKING:
    from collections.abc import Callable

test_contract = plugin_contract("observability")

DECLARED: dict[str, Callable[..., Any]] = {
    "enable_request_id": request_id.enable,
    "enable_structured_logging": structured_logging.enable,
}


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return ran.stdout


@pytest.mark.parametrize("name", DECLARED)
def test_an_app_method_is_the_function_of_the_package(name: str) -> None:
    app: Any = App()
    assert getattr(app, name).__func__ is DECLARED[name]
    assert next(iter(inspect.signature(DECLARED[name]).parameters)) == "app"


def test_declaring_imports_nothing_of_the_family_but_its_declaration() -> None:
    code = "import cello_observability.plugin, sys; print(*(name for name in sys.modules if 'observab' in name))"
    assert set(run(code).split()) == {"cello_observability", "cello_observability.plugin"}
    assert "logging" not in run("import cello, sys; cello.App(); print(*sys.modules)").split()


def test_who_enables_nothing_imports_nothing_when_the_application_starts_and_stops() -> None:
    code = """
import sys
from cello import App
from cello.testing import TestClient
with TestClient(App()): pass
print(*(name for name in sys.modules if 'observab' in name))
"""
    assert set(run(code).split()) == {"cello_observability", "cello_observability.plugin"}


def test_what_is_declared_is_there() -> None:
    registrar = Registrar()
    plugin.cello_register(registrar)
    declared = list(registrar._declarations.values())
    assert {one.name for one in declared} == {*DECLARED, "request_id", "structured_logging"}
    for one in declared:
        assert one.load() is not None
        assert one.phase is None or one.phase is Phase.EDGE


def test_what_the_package_lists_as_public_is_there() -> None:
    assert cello_observability.__all__ == sorted(cello_observability.__all__)
    assert all(getattr(cello_observability, name) for name in cello_observability.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        cello_observability.Nothing  # noqa: B018
