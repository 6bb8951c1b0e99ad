"""What type checkers say of what plugins bring, installed from wheels and as editables."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import cello
import pluggy
import pytest
from cello._plugins.stubs import families
from cello.plugin import Registrar

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.timeout(180)

MARK = "# rejected"
CELLO = Path(cello.__file__).parent

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


def wheel(folder: Path, distribution: str, files: Mapping[str, bytes | Path], entry_points: str = "") -> Path:
    """A wheel with these files."""
    name = f"{distribution.replace('-', '_')}-1.0"
    contents = {path: found.read_bytes() if isinstance(found, Path) else found for path, found in files.items()}
    contents[f"{name}.dist-info/METADATA"] = f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 1.0\n".encode()
    contents[f"{name}.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if entry_points:
        contents[f"{name}.dist-info/entry_points.txt"] = entry_points.encode()
    record = ""
    for path, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    built = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(built, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
        archive.writestr(f"{name}.dist-info/RECORD", f"{record}{name}.dist-info/RECORD,,\n")
    return built


def package(folder: Path, name: str) -> dict[str, bytes | Path]:
    """The files of a package, as a wheel has them."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


GREETING = {
    "greeting/__init__.py": b"",
    "greeting/py.typed": b"",
    "greeting/plugin.py": PLUGIN.encode(),
    "greeting/feature.py": FEATURE.encode(),
}
ENTRY_POINTS = "[cello]\ngreeting = greeting.plugin\n"


class Environment:
    """An environment of its own, with core in it as its wheel has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "environment/bin/python"
        run("uv", "venv", "--quiet", "--python", sys.executable, folder / "environment")
        version = f"python{sysconfig.get_python_version()}"
        self.site = folder / f"environment/lib/{version}/site-packages"
        self.install(wheel(folder, "cello-core", package(CELLO, "cello")))
        self.install(wheel(folder, "pluggy", package(Path(pluggy.__file__).parent, "pluggy")))

    def install(self, built: Path) -> None:
        """Installs a wheel, hard-linked from a cache as installers do."""
        cache = self.folder / "cache"
        command = ("uv", "pip", "install", "--quiet", "--no-deps", "--no-index", "--cache-dir", cache)
        run(*command, "--link-mode", "hardlink", "--python", self.python, built)

    def install_editable(self, distribution: str, files: Mapping[str, bytes], entry_points: str) -> None:
        """Installs a distribution whose files stay where they are, found by a path."""
        source = self.folder / "source" / distribution
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        link = {f"_{distribution}.pth": f"{source}\n".encode()}
        self.install(wheel(self.folder, distribution, link, entry_points))

    def plugins(self, *words: str) -> str:
        """What a command of `cello plugins` says here."""
        return run(self.python, "-m", "cello", "plugins", *words, folder=self.folder)

    def mypy(self, path: Path) -> set[int]:
        """The lines of a file in which mypy finds an error."""
        told = run(
            *(sys.executable, "-m", "mypy", "--strict", "--output", "json", "--python-executable", self.python, path),
            folder=self.folder,
            codes=(0, 1),
        )
        return {error["line"] for error in map(json.loads, told.splitlines()) if error["severity"] == "error"}

    def pyright(self, path: Path) -> set[int]:
        """The lines of a file in which pyright finds an error."""
        settings = {"include": [path.name], "typeCheckingMode": "strict", "reportUnusedExpression": False}
        settings |= {"reportUnusedVariable": False, "reportUnusedImport": False}
        (self.folder / "pyrightconfig.json").write_text(json.dumps(settings))
        command = (sys.executable, "-m", "pyright", "--pythonpath", self.python, "--outputjson")
        told = json.loads(run(*command, folder=self.folder, codes=(0, 1)))
        assert told["summary"]["filesAnalyzed"] == 1
        found = told["generalDiagnostics"]
        return {error["range"]["start"]["line"] + 1 for error in found if error["severity"] == "error"}


def run(*command: str | Path, folder: Path | None = None, codes: tuple[int, ...] = (0,)) -> str:
    """What a command says that sees nothing of the environment of the tests."""
    seen = re.compile("PYTHONPATH|MYPYPATH|CELLO_|VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not seen.match(name)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode in codes, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


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
