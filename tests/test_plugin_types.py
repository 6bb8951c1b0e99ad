"""What type checkers say of what plugins bring, installed from wheels and as editables."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import declared
import pytest
from cello._plugins.stubs import families
from cello.plugin import Registrar
from installing import CELLO, Environment, run, wheel
from projects import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

MARK = "# rejected"

PLUGIN = """\
from cello.plugin import Phase, Registrar, hookimpl

CELLO_API = 1


@hookimpl
def cello_register(plugin: Registrar) -> None:
    plugin.app_method("enable_greeting", "greeting.feature:enable")
    plugin.export("GreetingConfig", "greeting.feature")
    plugin.export("GREETING", "greeting.feature:GreetingConfig.word")
    plugin.route_option("audience", "greeting.feature:audience", phase=Phase.PERMIT, value="greeting.feature:Audience")
    plugin.route_option("mood", "greeting.feature:audience", phase=Phase.PERMIT)
    plugin.request_attribute("visitor", "greeting.feature:visitor")
"""

FEATURE = """\
from collections.abc import Sequence
from dataclasses import dataclass

from cello import App, Request
from cello.plugin import RouteOption

type Audience = Sequence[str]


@dataclass(frozen=True)
class GreetingConfig:
    word: str = "Hello"


class Visitor:
    name: str = "Ada"


def enable(app: App, word: str | None = None, *, times: int = 1) -> App:
    return app


def visitor(request: Request) -> Visitor:
    return Visitor()


def _check(value: object, said: str) -> None: ...


audience = RouteOption(_check)
"""

USE = """\
from typing import assert_type

from cello import App, GreetingConfig, Request
from cello import Greeting  # rejected
from greeting.feature import Visitor

app = App()
assert_type(app.enable_greeting("Hi", times=2), App)
app.enable_greeting(7)  # rejected
app.enable_greeting("Hi", 2)  # rejected
app.enable_greeting(time=2)  # rejected
app.enable_greetings()  # rejected
assert_type(GreetingConfig().word, str)
GreetingConfig(7)  # rejected


@app.get("/", audience=["all"], mood=object(), timeout=1.0)
def home(request: Request) -> str:
    assert_type(request.visitor, Visitor)
    request.visiter  # rejected
    number: int = request.visitor.name  # rejected
    return request.visitor.name


app.get("/a", audience=[7])  # rejected
app.get("/b", audiences=["all"])  # rejected
"""


GREETING = {
    "greeting/__init__.py": b"",
    "greeting/py.typed": b"",
    "greeting/plugin.py": PLUGIN.encode(),
    "greeting/feature.py": FEATURE.encode(),
}
ENTRY_POINTS = "[cello]\ngreeting = greeting.plugin\n"


def check_use(environment: Environment) -> None:
    """Fails unless both checkers reject exactly what is marked."""
    path = environment.folder / "use.py"
    path.write_text(USE)
    marked = {number for number, line in enumerate(USE.splitlines(), 1) if MARK in line}
    assert len(marked) == 10
    assert environment.mypy(path) == marked
    assert environment.pyright(path) == marked


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment with core in it."""
    if shutil.which("uv") is None:
        pytest.skip("there is no uv here")
    return Environment(tmp_path)


def test_what_a_plugin_from_a_wheel_brings_is_known_to_both_checkers(environment: Environment) -> None:
    environment.install(wheel(environment.folder, "greeting", GREETING, ENTRY_POINTS))
    assert json.loads(environment.plugins("list", "--json"))["stubs"] == "stale"
    assert "`cello plugins stubs` tells them" in environment.plugins("list")
    assert "_contrib_strangers.pyi tells type checkers what these bring: greeting\n" in environment.plugins("stubs")
    assert json.loads(environment.plugins("list", "--json"))["stubs"] == "current"
    assert "`cello plugins stubs`" not in environment.plugins("list")
    check_use(environment)


def test_what_an_editable_plugin_brings_is_known_to_both_checkers(environment: Environment) -> None:
    environment.install_editable("greeting", GREETING, ENTRY_POINTS)
    environment.plugins("stubs")
    check_use(environment)


def test_of_a_family_that_is_not_installed_pyright_says_that_it_knows_nothing(environment: Environment) -> None:
    registrar = Registrar()
    registrar.app_method("enable_greeting", "greeting.feature:enable")
    registrar.export("GreetingConfig", "greeting.feature")
    (environment.site / "cello/_contrib.pyi").write_text(families(registrar._declarations.values()))
    path = environment.folder / "use.py"
    path.write_text('from cello import App\n\nApp().enable_greeting("Hi")\nApp().enable_greeting(7)\nApp().other\n')
    assert environment.pyright(path) == {3, 4, 5}
    # To mypy it is Any, as everything is that comes from a module that it does not find.
    assert environment.mypy(path) == {5}
    environment.install(wheel(environment.folder, "greeting", GREETING, ENTRY_POINTS))
    assert environment.pyright(path) == environment.mypy(path) == {4, 5}


def test_a_module_of_a_family_is_known_to_both_checkers_under_the_name_of_the_framework(
    environment: Environment,
) -> None:
    security = Project(environment.folder, {"project": {"name": "cello-security"}})
    for path, text in declared.forwarders(environment.site / "cello", {"guards": security}).items():
        path.write_text(text)
    role = b'__all__ = ["Role"]\n\nclass Role:\n    def __init__(self, name: str) -> None: ...\n\nclass Hidden: ...\n'
    files = {"cello_security/__init__.py": b"", "cello_security/py.typed": b"", "cello_security/guards.py": role}
    environment.install(wheel(environment.folder, "cello-security", files))
    path = environment.folder / "use.py"
    path.write_text(
        "import cello.guards\n"
        "from cello.guards import Role\n"
        "from cello.guards import Hidden  # rejected\n"
        'role: Role = cello.guards.Role("admin")\n'
        "cello.guards.Role(7)  # rejected\n"
    )
    assert environment.mypy(path) == environment.pyright(path) == {3, 5}


def test_the_stub_is_replaced_and_what_an_installer_has_in_its_cache_stays_as_it_was(environment: Environment) -> None:
    stub = environment.site / "cello/_contrib_strangers.pyi"
    shipped = stub.read_text()
    cached = environment.folder / "linked.pyi"
    os.link(stub, cached)
    environment.install(wheel(environment.folder, "greeting", GREETING, ENTRY_POINTS))
    environment.plugins("stubs")
    assert cached.read_text() == shipped != stub.read_text()
    assert [path.name for path in stub.parent.glob("_contrib*")].count(stub.name) == 1
    run("uv", "pip", "uninstall", "--quiet", "--python", environment.python, "greeting")
    assert json.loads(environment.plugins("list", "--json"))["stubs"] == "stale"
    environment.plugins("stubs")
    assert stub.read_text() == shipped == (CELLO / stub.name).read_text()


def test_what_two_plugins_declare_is_told_to_no_checker(environment: Environment) -> None:
    for name in ("greeting", "other"):
        files = {path.replace("greeting", name): text for path, text in GREETING.items()}
        environment.install(wheel(environment.folder, name, files, ENTRY_POINTS.replace("greeting", name)))
    told = environment.plugins("stubs")
    assert "greeting (greeting): what another declares, too, is left out" in told
    assert "enable_greeting" not in (environment.site / "cello/_contrib_strangers.pyi").read_text()


def test_a_stub_that_cannot_be_written_is_told(environment: Environment) -> None:
    stub = environment.site / "cello/_contrib_strangers.pyi"
    stub.unlink()
    stub.mkdir()
    with pytest.raises(AssertionError, match=r"cello: \S+/_contrib_strangers.pyi cannot be written: "):
        environment.plugins("stubs")
    assert [path.name for path in stub.parent.glob("_contrib_strangers*")].count(stub.name) == 1
