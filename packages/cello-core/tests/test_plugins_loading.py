"""How plugins are found and loaded: apart from each other, as the environment says, and named where they fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cello
import pluggy
import pytest
from cello import App
from cello._plugins.choice import choice
from cello._plugins.opening import opened
from cello._plugins.scan import Entry, scan
from cello.errors import OptionError, PluginError
from plugging import install, module, plugin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cello.plugin import Registrar

#: The beginning of a plugin's module.
HEAD = "from cello.plugin import Phase, hookimpl\nCELLO_API = 1\n"


def registering(*lines: str) -> str:
    """The source of a plugin that declares something."""
    return f"{HEAD}@hookimpl\ndef cello_register(plugin):\n    " + "\n    ".join(lines or ("pass",))


def method(name: str, target: str = "os:getcwd") -> str:
    """A line that declares an App method."""
    return f"plugin.app_method({name!r}, {target!r})"


def run(folder: Path, code: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Python with the standard library, cello and pluggy, and the plugins of a folder: no others."""
    if not (folder / "pluggy").exists():
        (folder / "pluggy").symlink_to(Path(pluggy.__file__).parent)
    paths = [str(folder), str(Path(cello.__file__).parent.parent)]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path[:0] = {paths!r}\n{code}"],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


STATES = """
import json
from cello import App
app = App()
print(json.dumps({one.name: [one.state, one.distribution, one.reason, one.trace] for one in app._plugins.all}))
"""


def states(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """What becomes of each plugin of a folder: its state, distribution, reason and trace."""
    done = run(folder, STATES, environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def distribution(folder: Path, name: str, text: str | bytes) -> None:
    """A distribution with these entry points and nothing else."""
    (folder / name).mkdir(parents=True)
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name / "entry_points.txt").write_bytes(content)


# --- what is found


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("[cello]\na = b.c\n", ["b.c"]),
        ("[console_scripts]\nx = y:z\n\n[cello]\na = b.c:d.e\n[other]\nf = g\n", ["b.c:d.e"]),
        ("  [ cello ]\r\n  a=b  :  c [extra, more]\r\n", ["b:c"]),
        ("# [cello]\n[cello]\n# a = b\n; c = d\n\ne = f\n", ["f"]),
        ("[cello]\na = b\na = b\n", ["b"]),
        ("[Cello]\na = b\n", []),
        ("[cello.other]\na = b\n", []),
        ("[cello]\nno equals sign\n", []),
        (b"[cello]\n\xff\xfe = b\na = c\n", ["b", "c"]),
        (b"\xff\xfe\x00", []),
        ("", []),
    ],
)
def test_entry_points_are_read_as_tools_write_them(tmp_path: Path, text: str | bytes, targets: list[str]) -> None:
    distribution(tmp_path, "x_y-1.2.dist-info", text)
    found = scan([str(tmp_path)])
    assert sorted(entry.target for entry in found) == targets
    assert {(entry.distribution, entry.version) for entry in found} <= {("x-y", "1.2")}


@pytest.mark.parametrize(
    ("folder", "version"), [("x-1.0.egg-info", "1.0"), ("x-1.0-py3.12.egg-info", "1.0"), ("x.egg-info", "")]
)
def test_older_kinds_of_information_are_read_too(tmp_path: Path, folder: str, version: str) -> None:
    distribution(tmp_path, folder, "[cello]\na = b\n")
    assert scan([str(tmp_path)]) == [Entry("a", "b", "x", version)]


def test_of_a_distribution_that_is_there_twice_the_first_counts(tmp_path: Path) -> None:
    distribution(tmp_path / "first", "x_y-2.dist-info", "[cello]\na = first\n")
    distribution(tmp_path / "second", "X.Y-1.dist-info", "[cello]\na = second\n")
    distribution(tmp_path / "bare", "x_y-3.dist-info", "")
    paths = [str(tmp_path / name) for name in ("first", "second", "first", "bare")]
    assert [entry.target for entry in scan(paths)] == ["first"]
    assert scan(paths[::-1]) == []


def test_plugins_in_an_archive_are_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("x-1.dist-info/entry_points.txt", b"[cello]\na = \xff\n")
        archive.writestr("x/plugin.py", "")
    assert [entry[0] for entry in scan([str(tmp_path / "all.zip")])] == ["a"]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"no archive")
    (tmp_path / "x-1.dist-info" / "entry_points.txt").mkdir(parents=True)
    (tmp_path / "y-1.egg-info").write_text("Name: y")
    distribution(tmp_path, "z-1.dist-info", "[cello]\na = b\n")
    paths = [str(tmp_path / "no.zip"), str(tmp_path / "nothing"), str(tmp_path)]
    assert [entry.name for entry in scan(paths)] == ["a"]


# --- what fails


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("raise SystemExit(7)", "SystemExit: 7"),
        ("class Rude(BaseException): ...\nraise Rude('a\\nb')", "Rude: a b"),
        ("error = ValueError('x')\nerror.add_note('y')\nraise error", "ValueError: x"),
        ("def (", "SyntaxError: invalid syntax"),
        ("x = 1", "it does not say which version of the interface it speaks: this is CELLO_API = 1"),
        ("CELLO_API = 2", "it speaks 2: this is CELLO_API = 1"),
        ("CELLO_API = True", "it speaks True: this is CELLO_API = 1"),
        (HEAD, "it implements none of the hooks"),
        (f"{HEAD}@hookimpl\ndef cello_regster(plugin): ...", "there is no hook cello_regster: did you mean cello_reg"),
        (f"{HEAD}def cello_register(plugin): ...", "its function cello_register is not marked: write @hookimpl above"),
        (f"{HEAD}@hookimpl\nasync def cello_register(plugin): ...", "cello_register is asynchronous"),
        (f"{HEAD}@hookimpl\ndef cello_startup(app): yield", "its hook cello_startup yields"),
        (
            f"{HEAD}@hookimpl\ndef cello_register(registrar): ...",
            "Argument(s) {'registrar'} are declared in the hookim",
        ),
        (registering(method("a"), "1 / 0"), "ZeroDivisionError: division by zero"),
        (registering(method("a"), method("a")), "the App method 'a' is declared twice"),
        (registering(method("get")), "it declares the App method 'get', which is a name of the framework's own"),
        (registering(method("a", "no target")), "the target of 'a' is 'no target': write it as"),
        (registering("plugin.app_method('a', print)"), "the target of 'a' is <built-in function print>"),
        (registering("plugin.export('errors', 'os')"), "the export 'errors', which is a name of the framework's own"),
        (registering("plugin.route_option('tags', 'a:b', phase=Phase.EDGE)"), "it declares the route option 'tags'"),
        (registering("plugin.route_option('a', 'a:b', phase=3)"), "phase=3 of the route option 'a' is no phase"),
        (registering("plugin.request_attribute('json', 'a:b')"), "it declares the request attribute 'json'"),
        (registering("plugin.command('run', 'a:b', 'runs')"), "it declares the command 'run'"),
        (registering("plugin.command('other', 'a:b', ' ')"), "the command 'other' says nothing of what it does"),
    ],
)
def test_a_plugin_that_fails_says_why_and_nothing_of_it_stays(tmp_path: Path, source: str, reason: str) -> None:
    name = install(tmp_path, "broken", source, distribution=f"broken-{abs(hash(source))}")
    sys.path.insert(0, str(tmp_path))
    try:
        plugin = opened(Entry("broken", f"{name}.plugin", "a-broken-one", "1.0"))
    finally:
        sys.path.remove(str(tmp_path))
    assert (plugin.state, plugin.declarations, plugin.distribution) == ("failed", (), "a-broken-one")
    assert reason in plugin.reason
    assert "\n" not in plugin.reason
    # What Python raised is traced; what is wrong by a rule of the platform is in its words alone.
    assert plugin.trace.startswith("Traceback") == bool(re.match(r"(\w+Error|SystemExit|Rude): ", plugin.reason))


def test_a_class_is_no_plugin(tmp_path: Path) -> None:
    source = f"{HEAD}class Greeting:\n    CELLO_API = 1\n    @hookimpl\n    def cello_register(self, plugin): ...\n"
    package = install(tmp_path, "greeting", source)
    (tmp_path / f"{package}-1.0.dist-info/entry_points.txt").write_text(
        f"[cello]\ngreeting = {package}.plugin:Greeting\n"
    )
    assert states(tmp_path)["greeting"][2] == "Greeting is a class: name a module, or an object of it"


def test_everything_else_works_where_a_plugin_fails(tmp_path: Path) -> None:
    install(tmp_path, "good", registering(method("enable_good")))
    install(tmp_path, "broken", "raise SystemExit('no more')")
    assert {name: found[0] for name, found in states(tmp_path).items()} == {"good": "active", "broken": "failed"}
    code = """
from cello import App
from cello.testing import TestClient
app = App()
assert app.enable_good.__self__ is app
app.get("/")(lambda: "served")
with TestClient(app) as client:
    print(client.get("/").text)
"""
    site = str(Path(pluggy.__file__).parent.parent)
    done = run(tmp_path, f"sys.path.append({site!r})\n{code}", {"CELLO_PLUGINS_DISABLE": "observability"})
    assert (done.returncode, done.stdout) == (0, "served\n"), done.stderr
    assert "the plugin broken of cello-broken failed, and is left out: SystemExit: no more" in done.stderr


def test_ctrl_c_while_plugins_are_loaded_ends_the_process(tmp_path: Path) -> None:
    install(tmp_path, "slow", "raise KeyboardInterrupt")
    assert "KeyboardInterrupt" in run(tmp_path, STATES).stderr


def test_two_plugins_of_one_name_are_both_left_out_and_name_each_other(tmp_path: Path) -> None:
    for number in "12":
        install(tmp_path, "same", registering(method("a")), distribution=f"greeting-{number}")
    code = STATES.replace("print(", "print(*(f'{one.state} {one.reason}' for one in app._plugins.all), sep='\\n') or (")
    first, second = run(tmp_path, code).stdout.splitlines()
    assert first.startswith("failed greeting-2 has a plugin of this name, too")
    assert second.startswith("failed greeting-1 has a plugin of this name, too")
    assert "has a plugin of this name, too" in run(tmp_path, "from cello import App; App(plugins=['same'])").stderr


def test_a_plugin_that_makes_an_application_while_it_is_imported_fails(tmp_path: Path) -> None:
    install(tmp_path, "eager", f"from cello import App\nApp()\n{registering()}")
    install(tmp_path, "curious", f"import cello\ncello.Something\n{registering()}")
    install(tmp_path, "modest", f"from cello import testing, errors\n{registering()}")
    found = states(tmp_path)
    for name in ("eager", "curious"):
        assert "a plugin makes an App, or asks for what plugins bring, while it is imported" in found[name][2]
    assert found["modest"][0] == "active" or "httpx" in found["modest"][2]


def test_a_plugin_is_loaded_once_by_all_threads(tmp_path: Path) -> None:
    install(tmp_path, "counted", f"print('imported')\n{registering('print(1)')}")
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from cello import App
together = Barrier(8)
def make(_):
    together.wait()
    return App()._plugins
with ThreadPoolExecutor(8) as threads:
    assert len(set(threads.map(make, range(8)))) == 1
App(plugins=["counted"])
App(plugins=["counted"], autoload=False)
"""
    done = run(tmp_path, code)
    assert (done.stdout, done.stderr) == ("imported\n1\n", "")


# --- which are wanted


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "active active"),
        ({"CELLO_PLUGINS_DISABLE": " a, other"}, "disabled active"),
        ({"CELLO_PLUGINS_AUTOLOAD": "0"}, "disabled disabled"),
        ({"CELLO_PLUGINS_AUTOLOAD": "off", "CELLO_PLUGINS": "b"}, "disabled active"),
        ({"CELLO_PLUGINS_AUTOLOAD": "no", "CELLO_PLUGINS": "a,b", "CELLO_PLUGINS_DISABLE": "b"}, "active disabled"),
    ],
)
def test_the_environment_says_which_are_loaded(tmp_path: Path, environment: dict[str, str], expected: str) -> None:
    install(tmp_path, "a", registering())
    install(tmp_path, "b", registering())
    assert " ".join(found[0] for found in states(tmp_path, environment).values()) == expected


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CELLO_PLUGINS_AUTOLOAD": "perhaps"}, "CELLO_PLUGINS_AUTOLOAD is 'perhaps': use 1 or 0"),
        ({"CELLO_PLUGINS": "greeting"}, "set CELLO_PLUGINS_AUTOLOAD=0, too"),
        ({"CELLO_PLUGINS": "greting", "CELLO_PLUGINS_AUTOLOAD": "0"}, "'greting': did you mean 'greeting'?"),
        ({"CELLO_PLUGINS": "x", "CELLO_PLUGINS_AUTOLOAD": "0"}, "no such plugin is installed; there are greeting"),
        ({"CELLO_PLUGINS_DISABLE": "greetin"}, "CELLO_PLUGINS_DISABLE names 'greetin': did you mean 'greeting'?"),
    ],
)
def test_a_variable_that_cannot_be_is_an_error(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    install(tmp_path, "greeting", registering())
    done = run(tmp_path, STATES, environment)
    assert done.returncode == 1
    assert words in done.stderr


def test_strict_a_plugin_that_fails_is_an_error_with_its_trace(tmp_path: Path) -> None:
    install(tmp_path, "broken", "1 / 0")
    done = run(tmp_path, STATES, {"CELLO_PLUGINS_STRICT": "1"})
    assert "the plugin broken of cello-broken failed: ZeroDivisionError: division by zero" in done.stderr
    assert "cello_broken/plugin.py" in done.stderr
    assert states(tmp_path, {"CELLO_PLUGINS_STRICT": "1", "CELLO_PLUGINS_DISABLE": "broken"})


def test_the_variables_are_checked() -> None:
    with pytest.raises(OptionError, match="CELLO_PLUGINS_STRICT is 'maybe'"):
        choice({"CELLO_PLUGINS_STRICT": "maybe"})


def test_an_application_says_itself_which_it_has(tmp_path: Path) -> None:
    install(tmp_path, "a", registering(method("of_a")))
    install(tmp_path, "b", registering(method("of_b")))
    code = """
from cello import App
import cello_a.plugin
def has(app): return [name for name in ("of_a", "of_b") if hasattr(app, name)]
print(has(App()), has(App(autoload=False)), has(App(plugins=["b"], autoload=False)))
print(has(App(plugins=[cello_a.plugin], autoload=False)), len(App(plugins=[cello_a.plugin])._plugins.all))
"""
    done = run(tmp_path, code)
    assert done.stdout == "['of_a', 'of_b'] [] ['of_b']\n['of_a'] 2\n", done.stderr
    done = run(tmp_path, code, {"CELLO_PLUGINS_AUTOLOAD": "0", "CELLO_PLUGINS_DISABLE": "b"})
    assert done.stdout == "[] [] []\n['of_a'] 2\n", done.stderr


def test_what_an_application_cannot_have_is_refused() -> None:
    with pytest.raises(TypeError, match="plugins= is a list"):
        App(plugins="security")
    with pytest.raises(TypeError, match="which is no plugin"):
        App(plugins=[object()])
    with pytest.raises(TypeError, match="which is no plugin"):
        App(plugins=[type("Greeting", (), {"CELLO_API": 1})])
    with pytest.raises(PluginError, match="plugins= names 'not there'"):
        App(plugins=["not there"], autoload=False)


def test_two_objects_of_one_kind_are_two_plugins() -> None:
    def first(plugin: Registrar) -> None:
        plugin.app_method("a", "os:getcwd")

    def second(plugin: Registrar) -> None:
        plugin.app_method("b", "os:getcwd")

    app: Any = App(plugins=[plugin_of(first), plugin_of(second)])
    assert app.a.__self__ is app.b.__self__


# --- what they cost, and leave


def test_without_a_plugin_pluggy_is_not_imported(tmp_path: Path) -> None:
    code = "import cello\ncello.App()\nprint('pluggy' in sys.modules)"
    assert run(tmp_path, code).stdout == "False\n"
    install(tmp_path, "idle", "1 / 0")
    assert run(tmp_path, code, {"CELLO_PLUGINS_DISABLE": "idle"}).stdout == "False\n"


def test_thirty_plugins_are_found_and_loaded_in_no_time(tmp_path: Path) -> None:
    for number in range(30):
        install(tmp_path, f"p{number}", registering(*(method(f"enable_{number}_{each}") for each in range(5))))
    code = "import time, cello, cello.plugin\nbegin = time.process_time()\napp = cello.App()\n"
    code += "print(time.process_time() - begin, len(app._plugins.active))"
    taken_s, count = run(tmp_path, code).stdout.split()
    assert count == "30"
    # Of 30 ms on the machine where it was measured.
    assert float(taken_s) < 5 * 0.03


# --- what is not there


def test_a_name_that_two_plugins_bring_is_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("a", "b"):
        install(
            tmp_path,
            name,
            registering(
                method("enable"),
                "plugin.export('Thing', 'os:getcwd')",
                "plugin.command('things', 'os', 'does things')",
                "plugin.route_option('thing', 'os:getcwd', phase=Phase.PERMIT)",
                "plugin.middleware('thing', 'os:getcwd', phase=Phase.PERMIT)",
                "plugin.provider('Cache', 'os:getcwd')",
            ),
        )
    code = """
from cello import App
from cello.errors import CelloError
from cello._cli import main
def told(action):
    try:
        action()
    except (Exception, SystemExit) as error:
        print(type(error).__name__, error)
def use(): from cello import Thing
def stand(): return "x"
def ordered():
    from cello._compose import compose
    from cello._threads import Threads
    compose(App().add_middleware(lambda request, call_next: None, name="thing"), Threads(1))
told(lambda: App().enable())
told(use)
told(lambda: App().get("/", thing=1))
told(ordered)
told(lambda: main(["things"]))
"""
    done = run(tmp_path, code)
    both = "is declared by a (cello-a) and b (cello-b): disable one of them"
    assert done.stdout.splitlines() == [
        f"AttributeError the App method 'enable' {both}",
        f"ImportError the export 'Thing' {both}",
        f"PluginError the route option 'thing' {both}",
        f"PluginError the middleware 'thing' {both}",
        "SystemExit 3",
    ]
    assert f"cello: the command 'things' {both}" in done.stderr


def test_an_export_is_imported_by_name_and_what_cannot_be_is_told(tmp_path: Path) -> None:
    install(
        tmp_path,
        "a",
        registering(
            "plugin.export('Thing', 'cello_a.thing')",
            "plugin.export('Lost', 'cello_a.lost')",
            "plugin.export('Gone', 'cello_a.thing')",
        ),
        thing="class Thing: ...",
    )
    code = """
import cello
print("cello_a.thing" in sys.modules)
from cello import Thing
import cello_a.thing
print(Thing is cello_a.thing.Thing, cello.Thing is Thing)
for name in ("Lost", "Gone", "Nothing", "testing_"):
    try:
        exec(f"from cello import {name}")
    except ImportError as error:
        print(error)
from cello import json, errors, middleware
"""
    done = run(tmp_path, code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["False", "True True"]
    assert lines[2].startswith(
        "the export 'Lost' of the plugin a (cello-a) cannot be had from cello_a.lost:Lost: Module"
    )
    assert lines[3].startswith(
        "the export 'Gone' of the plugin a (cello-a) cannot be had from cello_a.thing:Gone: Attr"
    )
    assert lines[4].startswith("cannot import name 'Nothing' from 'cello'")
    assert lines[5].startswith("cannot import name 'testing_' from 'cello'")


def test_an_app_method_that_cannot_be_had_says_whose_it_is() -> None:
    def register(plugin: Registrar) -> None:
        plugin.app_method("lost", "not_there_at_all:enable")
        plugin.app_method("data", "method_of_a_test:data")

    app: Any = App(plugins=[plugin_of(register)])
    with pytest.raises(
        PluginError, match=r"the App method 'lost' of the plugin .* cannot be had from not_there_at_all"
    ):
        app.lost()
    with module("method_of_a_test", data=7), pytest.raises(PluginError, match="is 7, which cannot be called"):
        app.data()
