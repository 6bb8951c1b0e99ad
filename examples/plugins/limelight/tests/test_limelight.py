"""Feature flags, as applications have them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cello
import pytest
from cello import App, Request
from cello.errors import StartError
from cello.testing import TestClient

FLAGS = {"new-checkout": False, "dark": True}


@pytest.fixture
def app() -> Any:
    """An application with a route that has a flag."""
    app: Any = App()

    def checkout() -> str:
        return "the new one"

    def flags(request: Any) -> list[str]:
        return [*request.flags]

    app.get("/checkout", flag="new-checkout")(checkout)
    app.get("/")(flags)
    return app


def test_a_route_is_there_where_its_feature_is_on(app: Any) -> None:
    assert app.enable_limelight(FLAGS, header="X-Limelight") is app
    with TestClient(app) as client:
        assert client.get("/checkout").status_code == 404
        there = client.get("/checkout", headers={"x-limelight": "dark, new-checkout"})
        assert (there.status_code, there.text) == (200, "the new one")
        assert client.get("/").json() == ["dark"]
        assert client.get("/", headers={"x-limelight": "-dark,new-checkout,nothing"}).json() == ["new-checkout"]


def test_without_a_header_field_no_client_chooses(app: Any) -> None:
    app.enable_limelight(FLAGS)
    with TestClient(app) as client:
        assert client.get("/checkout", headers={"x-limelight": "new-checkout"}).status_code == 404


def test_a_flag_that_nobody_has_defined_is_an_error_at_start(app: Any) -> None:
    app.enable_limelight({"dark": True})
    with pytest.raises(StartError) as refused, TestClient(app):
        pass
    assert str(refused.value.__cause__) == "flag='new-checkout' of GET /checkout is no feature: there are dark"


def test_a_flag_of_an_application_without_features_is_an_error_at_start(app: Any) -> None:
    with pytest.raises(StartError) as refused, TestClient(app):
        pass
    assert str(refused.value.__cause__) == "flag='new-checkout' of GET /checkout needs app.enable_limelight()"


def test_what_is_asked_for_is_told_at_the_end(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    app.enable_limelight(FLAGS)
    with caplog.at_level("INFO", "limelight"), TestClient(app) as client:
        client.get("/checkout")
    messages = [record.message for record in caplog.records if record.name == "limelight"]
    assert messages == ["features asked for: new-checkout 1 times, dark 0 times"]


def test_a_feature_that_there_is_not_is_an_error(app: Any) -> None:
    app.enable_limelight(FLAGS)

    def nothing(request: Any) -> bool:
        return bool(request.flags.is_on("nothing"))

    app.get("/nothing")(nothing)
    with TestClient(app) as client, pytest.raises(KeyError, match="there are dark, new-checkout"):
        client.get("/nothing")


def test_a_request_of_an_application_without_features_has_none() -> None:
    app = App()

    @app.get("/")
    def home(request: Request) -> str:
        return str(getattr(request, "flags"))  # noqa: B009 - the types of requests know nothing of it

    with TestClient(app) as client, pytest.raises(RuntimeError, match=r"needs app\.enable_limelight"):
        client.get("/")


@pytest.mark.parametrize("name", ["", "-dark", "a b", "a,b"])
def test_what_cannot_be_a_name_is_refused(app: Any, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a feature"):
        app.enable_limelight({name: True})


def test_what_is_no_name_of_a_flag_is_refused(app: Any) -> None:
    with pytest.raises(TypeError, match="flag=7 of the route /seven is no name of a feature"):
        app.get("/seven", flag=7)


def test_its_configuration_is_exported() -> None:
    exported: Any = cello
    assert exported.LimelightConfig().flags == {}


def listed(folder: Path, *words: str) -> str:
    """What the command says in a folder."""
    command = [sys.executable, "-m", "cello", "limelight", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=True).stdout


def test_the_command_lists_the_features_that_are_configured(tmp_path: Path) -> None:
    assert listed(tmp_path) == "No features are configured.\n"
    (tmp_path / "cello.toml").write_text("[limelight.flags]\nnew-checkout = false\ndark = true\n")
    assert listed(tmp_path) == "dark: on\nnew-checkout: off\n"
    assert listed(tmp_path, "--on") == "dark: on\n"
