"""The pages about plugins are true: their examples run, and what they name is there, with the arguments that it has."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import cello.middleware
import pytest
from cello._plugins import hookspecs, installed
from cello._plugins.declaration import Kind
from cello._plugins.variables import VARIABLES
from cello.plugin import Registrar
from pages import ROOT, blocks, code_spans, table, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving import Launch, Serve

COMPATIBILITY, CONFIGURATION, HOOKS, INDEX, PHASES, WRITING = (
    f"docs/plugins/{name}.md" for name in ("compatibility", "configuration", "hooks", "index", "phases", "writing")
)


def files(page: str) -> dict[str, str]:
    """The files that a page shows: each begins with its name."""
    shown = [re.fullmatch(r"# (\S+\.\w+)\n(.*)", block, re.DOTALL) for block in blocks(page, "(?:python|toml)")]
    return {found[1]: found[2] for found in shown if found}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Writes files, in folders of their own."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


def arguments_of(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """The parameters of a function: of each its name, its kind and its default."""
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    return [(one.name, one.kind, one.default) for one in parameters]


def arguments_told(span: str) -> list[tuple[str, Any, Any]]:
    """The same of a function as a page tells it."""
    made: dict[str, Any] = {}
    source = ast.parse(f"def {span}: ...")
    exec(compile(source, "page", "exec"), made)
    return arguments_of(made[span.partition("(")[0]])


def told(page: str, *columns: str) -> dict[str, str]:
    """The calls in the first column of a table, by the name that is called."""
    return {span.partition("(")[0]: span for row in table(page, *columns) for span in code_spans(row[0])}


def test_every_hook_is_told_with_its_arguments() -> None:
    hooks: dict[str, Callable[..., Any]] = {name: getattr(hookspecs, name) for name in hookspecs.__all__}
    shown = told(HOOKS, "hook", "when", "where", "where it fails")
    assert len(hooks) >= 3
    assert [*shown] == sorted(hooks, key=[*shown].index)
    assert {name: arguments_told(span) for name, span in shown.items()} == {
        name: arguments_of(hook) for name, hook in hooks.items()
    }


def test_every_method_of_the_registrar_is_told_with_its_arguments() -> None:
    methods = {name: method for name, method in vars(Registrar).items() if not name.startswith("_")}
    shown = told(HOOKS, "method of the registrar", "what it declares", "what the target is")
    assert len(methods) >= 8
    assert shown.keys() == methods.keys()
    for name, method in methods.items():
        assert arguments_told(shown[name]) == arguments_of(method), name


def test_every_kind_is_declared_in_the_walk() -> None:
    methods = {name for name in vars(Registrar) if not name.startswith("_")}
    declared = set(re.findall(r"^    plugin\.(\w+)\(", files(WRITING)["src/tenants/plugin.py"], re.MULTILINE))
    assert methods - declared == {"provider"}


def test_the_phases_are_told_in_their_order_with_what_families_have_there() -> None:
    rows = table(PHASES, "phase", "what stands there", "of the families")
    assert [code_spans(phase)[0] for phase, _, _ in rows] == [f"Phase.{phase.name}" for phase in cello.middleware.Phase]
    shown = {name: code_spans(phase)[0] for phase, _, names in rows for name in code_spans(names)}
    families = {name: whose[0][1].phase for name, whose in installed().names(Kind.MIDDLEWARE).items()}
    ours = {name: phase for name, phase in families.items() if name in shown}
    assert ours
    assert shown == {name: f"Phase.{phase.name}" for name, phase in ours.items() if phase}


def test_every_family_is_told_with_its_methods() -> None:
    documents = [tomllib.loads(path.read_text())["project"] for path in ROOT.glob("packages/*/pyproject.toml")]
    families = {name for one in documents for name in one.get("entry-points", {}).get("cello", {})}
    rows = {re.findall(r"\[(\w+)\]", family)[0]: names for family, names in table(INDEX, "family", "what it brings")}
    assert families
    assert rows.keys() == families
    methods = {name: whose[0][0].name for name, whose in installed().names(Kind.APP_METHOD).items()}
    for family, names in rows.items():
        assert {*code_spans(names)} == {name for name, whose in methods.items() if whose == family}


def test_every_variable_is_told() -> None:
    shown = {code_spans(name)[0].partition("=")[0] for name, _ in table(INDEX, "variable", "what it says")}
    ours = {name for name in VARIABLES if name.startswith("CELLO_PLUGINS")}
    assert len(ours) >= 4
    assert shown == ours


def test_what_is_said_of_a_broken_plugin_is_what_the_log_says(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "stale.py": "CELLO_API = 2\n",
            "stale_plugin-1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: stale-plugin\nVersion: 1.0\n",
            "stale_plugin-1.0.dist-info/entry_points.txt": "[cello]\nstale = stale\n",
        },
    )
    source = "from cello import App\nfrom cello.testing import TestClient\nwith TestClient(App()): pass"
    done = run(tmp_path, "-c", source)
    assert done.returncode == 0, done.stderr
    assert blocks(INDEX, "text")[0] in done.stderr


def served() -> list[Any]:
    """The examples that are whole applications."""
    pages = (INDEX, HOOKS)
    found = [(page, block) for page in pages for block in blocks(page, "python") if "app.run()" in block]
    assert len(found) >= 3
    return [pytest.param(block, id=f"{page}-{number}") for number, (page, block) in enumerate(found)]


@pytest.mark.parametrize("block", served())
def test_every_example_is_served_and_stops_cleanly(serve: Serve, block: str) -> None:
    server = serve(block)
    assert server.get("/").status == 200
    assert server.get("/").status == 200
    stopped = server.stop()
    assert stopped.is_clean, stopped
    assert ("visitors: 2\n" in stopped.stdout) == ("count_visitors" in block)


def test_the_hook_of_a_later_version_is_no_error() -> None:
    made: dict[str, Any] = {}
    code = "\n".join(blocks(COMPATIBILITY, "python"))
    exec(compile(code, "page", "exec"), made)
    assert made["CELLO_API"] == 1
    assert made["cello_something_new"].cello_impl["optionalhook"]


def test_the_order_of_the_example_is_the_one_that_is_told(tmp_path: Path) -> None:
    write(tmp_path, files(PHASES))
    done = run(tmp_path, "-m", "cello", "plugins", "order", "shop:app")
    assert (done.returncode, done.stdout) == (0, blocks(PHASES, "text")[0])


def test_a_circle_is_told_as_the_page_says(tmp_path: Path) -> None:
    tea = """
from cello.testing import TestClient
from shop import app, pass_on
app.add_middleware(pass_on, name="tea", before="milk", after="milk")
app.add_middleware(pass_on, name="milk")
with TestClient(app): pass
"""
    write(tmp_path, {**files(PHASES), "tea.py": tea})
    assert f"cello: {blocks(PHASES, 'text')[1]}" in run(tmp_path, "tea.py").stderr


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    """The plugin of the walk, as `cello plugins new` makes it and the page goes on, installed as an editable is."""
    assert run(tmp_path, "-m", "cello", "plugins", "new", "tenants").returncode == 0
    folder = tmp_path / "tenants"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    shown = tomllib.loads(blocks(WRITING, "toml")[0])
    assert project["dependencies"] == shown["dependencies"]
    assert project["entry-points"]["cello"] == shown["project"]["entry-points"]["cello"]
    write(folder, files(WRITING))
    (folder / "shop.py").rename(tmp_path / "shop.py")
    name, version = project["name"], project["version"]
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    names = sorted(str(path.relative_to(folder / "src")) for path in folder.glob("src/**/*") if path.is_file())
    write(
        folder / "src",
        {
            f"{name}-{version}.dist-info/METADATA": metadata,
            f"{name}-{version}.dist-info/entry_points.txt": "[cello]\ntenants = tenants.plugin\n",
            f"{name}-{version}.dist-info/RECORD": "".join(f"{name},,\n" for name in names),
        },
    )
    return folder


def path_with(folder: Path) -> str:
    """PYTHONPATH with a folder more."""
    return os.pathsep.join(filter(None, [str(folder / "src"), os.environ.get("PYTHONPATH", "")]))


def test_the_plugin_of_the_walk_passes_its_tests_and_the_contract(tenants: Path) -> None:
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path_with(tenants)}
    done = run(tenants, "-m", "pytest", "-q", **variables)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 10


def test_the_plugin_of_the_walk_is_as_it_has_to_be_and_has_its_command(tenants: Path) -> None:
    path = path_with(tenants)
    checked = run(tenants, "-m", "cello", "plugins", "check", PYTHONPATH=path)
    assert "tenants (tenants): as it has to be\n" in checked.stdout, checked
    names = re.findall(r"`CELLO_TENANTS_NAMES=(\S+)`", text_of(WRITING))[0]
    counted = run(tenants, "-m", "cello", "tenants", "--count", PYTHONPATH=path, CELLO_TENANTS_NAMES=names)
    assert (counted.returncode, counted.stdout) == (0, "2\n"), counted.stderr


def test_the_shop_of_the_walk_is_open_to_its_tenants(launch: Launch, tenants: Path) -> None:
    server = launch(sys.executable, "shop.py", "--port", "0", environment={"PYTHONPATH": path_with(tenants)})
    assert server.get("/orders").status == 403
    answer = server.request("GET", "/orders", headers={"x-tenant": "globex"})
    assert answer.json() == {"tenant": "globex"}
    assert server.stop().is_clean


MAIL = """
from cello import App
import mail
try:
    config = mail.enable(App()).state.mail
    print(config, config.password)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_the_configuration_comes_from_its_sources(tmp_path: Path) -> None:
    write(tmp_path, {**files(CONFIGURATION), "ask.py": MAIL})
    done = run(tmp_path, "ask.py", CELLO_MAIL_PORT="2525", CELLO_MAIL_PASSWORD="hunter2")
    assert done.stdout == (
        "MailConfig(host='mail.example.org', port=2525, security='starttls', timeout=datetime.timedelta(seconds=30), "
        "copies_to=('archive@example.org', 'office@example.org')) hunter2\n"
    )


def test_what_cannot_be_is_told_as_the_page_says(tmp_path: Path) -> None:
    write(tmp_path, {**files(CONFIGURATION), "ask.py": MAIL})
    rows = [(code_spans(said)[0], code_spans(error)[0]) for said, error in table(CONFIGURATION, "said", "error")]
    assert len(rows) >= 4
    for said, error in rows:
        variable, _, value = said.partition("=")
        assert run(tmp_path, "ask.py", **{variable: value}).stdout == f"OptionError: {error}\n"
