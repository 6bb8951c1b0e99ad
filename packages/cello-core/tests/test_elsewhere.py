"""Names that newcomers look for where they are not, and what they are told to write."""

from __future__ import annotations

import re
from importlib import import_module
from traceback import format_exception

import cello
import pytest
from cello import App, Request, Response
from cello._elsewhere import IN_MODULES, METHODS, NAMES, REQUEST
from cello.testing import TestClient


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_other_frameworks_is_told_with_what_is_written_here(name: str) -> None:
    assert name not in dir(App)
    with pytest.raises(AttributeError) as caught:
        getattr(App(), name)
    assert str(caught.value) == f"App has no {name}: write {METHODS[name]}"
    assert "Did you mean" not in "".join(format_exception(caught.value))
    found = re.search(r"app\.(\w+)\(", METHODS[name])
    assert found is None or hasattr(App, found[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_other_frameworks_is_told_with_what_is_written_here(name: str) -> None:
    with pytest.raises(ImportError) as caught:
        exec(f"from cello import {name}")
    assert str(caught.value) == f"cello has no {name}: write {NAMES[name]}"
    first, _, rest = re.split(r"[^\w.]", NAMES[name])[0].partition(".")
    assert not rest or hasattr(Response, rest)
    assert first in {*cello.__all__, "HTTPError", "raise", "request", "the"}


@pytest.mark.parametrize("name", REQUEST)
def test_an_attribute_of_other_requests_is_told_with_what_is_written_here(name: str) -> None:
    app = App()

    @app.get("/")
    def ask(request: Request) -> object:
        return getattr(request, name)

    with TestClient(app, debug=True, raise_server_exceptions=False) as client:
        detail = client.get("/").json()["detail"]
    assert detail == f"AttributeError: 'cello.Request' object has no attribute {name!r}: write {REQUEST[name]}"
    written = re.search(r"request\.(\w+)", REQUEST[name])
    assert written is not None
    assert hasattr(Request, written[1])


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in IN_MODULES for name in IN_MODULES[module]])
def test_a_name_that_stands_in_a_module_is_told_with_its_module(module: str, name: str) -> None:
    assert name in import_module(module).__all__
    with pytest.raises(ImportError) as caught:
        exec(f"from cello import {name}")
    assert str(caught.value) == f"cello has no {name}: write from {module} import {name}"
    assert not hasattr(cello, name)
