"""`cello plugins`: what it says of plugins that are well, and of those that are not."""

from __future__ import annotations

import json
import resource
import sys
from typing import TYPE_CHECKING, Any

import pytest
from plugging import install
from serving import Stopped, run_to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: CPU time that a list of thirty plugins may take: five times what it is to take.
LISTED_WITHIN_S = 5 * 0.150

PLUGIN = """
from cello.plugin import Phase, Registrar, hookimpl

CELLO_API = 1

@hookimpl
def cello_register(plugin: Registrar) -> None:
"""

GREETING = PLUGIN + (
    '    plugin.app_method("enable_greeting", "cello_greeting.feature:enable")\n'
    '    plugin.export("Greeting", "cello_greeting.feature")\n'
    '    plugin.middleware("greeting", "cello_greeting.feature:Greeting", phase=Phase.TRANSFORM, after=("?etag",))\n'
    '    plugin.command("greet", "cello_greeting.command", "greet somebody")\n'
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plugins can be installed into."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    for variable in ("CELLO_PLUGINS", "CELLO_PLUGINS_AUTOLOAD", "CELLO_PLUGINS_DISABLE", "CELLO_PLUGINS_STRICT"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def plugins(tmp_path: Path) -> Callable[..., Stopped]:
    """Runs a command of `cello plugins`."""
    return lambda *words: run_to_its_end(tmp_path, sys.executable, "-m", "cello", "plugins", *words)


def listed(told: Stopped) -> dict[str, dict[str, Any]]:
    """The plugins of a list in JSON, by name; those that the tests' own environment has are in it, too."""
    assert (told.exit_code, told.stderr) == (0, "")
    return {row["name"]: row for row in json.loads(told.stdout)["plugins"]}


def middleware(name: str, *more: str) -> str:
    """A plugin with a middleware."""
    return f'{PLUGIN}    plugin.middleware("{name}", "anything:here", {", ".join(more)})\n'


# --- list


def test_a_plugin_is_listed_with_what_it_brings(site: Path, plugins: Callable[..., Stopped]) -> None:
    install(site, "greeting", GREETING)
    row = listed(plugins("list", "--json"))["greeting"]
    assert row == {
        "name": "greeting",
        "distribution": "cello-greeting",
        "version": "1.0",
        "target": "cello_greeting.plugin",
        "state": "active",
        "reason": "",
        "brings": {
            "app_methods": 1,
            "exports": 1,
            "middleware": 1,
            "route_options": 0,
            "request_attributes": 0,
            "commands": 1,
            "config_sections": 0,
            "providers": 0,
        },
    }
    (line,) = (line for line in plugins("list").stdout.splitlines() if line.startswith("greeting"))
    assert line.split(maxsplit=4) == [
        *("greeting", "cello-greeting", "1.0", "active"),
        "1 App method, 1 export, 1 middleware, 1 command",
    ]


@pytest.mark.parametrize("strict", ["0", "1"])
def test_beside_a_broken_plugin_the_others_are_listed(
    site: Path, plugins: Callable[..., Stopped], monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("CELLO_PLUGINS_STRICT", strict)
    install(site, "greeting", GREETING)
    install(site, "broken", "import nothing_of_the_kind")
    found = listed(plugins("list", "--json"))
    assert found["greeting"]["state"] == "active"
    assert (found["broken"]["state"], found["broken"]["distribution"]) == ("failed", "cello-broken")
    assert found["broken"]["reason"] == "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    told = plugins("list")
    assert told.exit_code == 0
    assert "\nbroken (cello-broken): ModuleNotFoundError: No module named 'nothing_of_the_kind'\n" in told.stdout


def test_two_that_declare_one_name_are_both_in_conflict(site: Path, plugins: Callable[..., Stopped]) -> None:
    for name in ("left", "right"):
        install(site, name, f'{PLUGIN}    plugin.app_method("enable_it", "cello_{name}:enable")\n')
    found = listed(plugins("list", "--json"))
    assert [found[name]["state"] for name in ("left", "right")] == ["conflict", "conflict"]
    assert found["left"]["reason"] == "the App method 'enable_it' is declared by right (cello-right), too"


def test_several_may_provide_one_protocol(site: Path, plugins: Callable[..., Stopped]) -> None:
    for name in ("left", "right"):
        install(site, name, f'{PLUGIN}    plugin.provider("Cache", "cello_{name}:Cache")\n')
    found = listed(plugins("list", "--json"))
    assert [found[name]["state"] for name in ("left", "right")] == ["active", "active"]


def test_a_disabled_plugin_is_listed_with_who_disables_it(
    site: Path, plugins: Callable[..., Stopped], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "greeting", GREETING)
    monkeypatch.setenv("CELLO_PLUGINS_DISABLE", "greeting")
    row = listed(plugins("list", "--json"))["greeting"]
    assert (row["state"], row["reason"]) == ("disabled", "CELLO_PLUGINS_DISABLE names it")
    assert sum(row["brings"].values()) == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CELLO_PLUGINS_AUTOLOAD": "perhaps"}, "CELLO_PLUGINS_AUTOLOAD is 'perhaps': use 1 or 0"),
        ({"CELLO_PLUGINS_STRICT": "x"}, "CELLO_PLUGINS_STRICT is 'x': use 1 or 0"),
        (
            {"CELLO_PLUGINS_AUTOLOAD": "0", "CELLO_PLUGINS": "greting,greeting"},
            "CELLO_PLUGINS names 'greting': did you mean 'greeting'?",
        ),
    ],
)
def test_a_variable_that_cannot_be_is_told_beside_the_list(
    site: Path,
    plugins: Callable[..., Stopped],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    words: str,
) -> None:
    install(site, "greeting", GREETING)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = plugins("list")
    assert (told.exit_code, told.stderr) == (0, f"cello: {words}\n")
    assert "greeting" in told.stdout
    as_json = plugins("list", "--json")
    assert json.loads(as_json.stdout)["problems"] == [words]
    assert listed(as_json)["greeting"]["state"] == "active"
    for command in (("info", "greeting"), ("order",)):
        told = plugins(*command)
        assert (told.exit_code, told.stderr) == (0, f"cello: {words}\n")


def test_thirty_plugins_are_listed_in_little_time(site: Path, plugins: Callable[..., Stopped]) -> None:
    for number in range(30):
        install(site, f"p{number}", GREETING.replace("reet", f"reet{number}_"))
    took: list[float] = []
    told = plugins("list")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = plugins("list", "--json")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    found = listed(told)
    assert {found[f"p{number}"]["state"] for number in range(30)} == {"active"}
    assert min(took) < LISTED_WITHIN_S


# --- info


def test_what_a_plugin_declares_is_said_with_its_targets(site: Path, plugins: Callable[..., Stopped]) -> None:
    install(site, "greeting", GREETING)
    assert plugins("info", "greeting") == Stopped(
        0,
        """\
greeting
  distribution  cello-greeting 1.0
  target        cello_greeting.plugin
  state         active

Brings
  App method  enable_greeting  cello_greeting.feature:enable
  export      Greeting         cello_greeting.feature:Greeting
  middleware  greeting         cello_greeting.feature:Greeting  TRANSFORM; after ?etag
  command     greet            cello_greeting.command           greet somebody
""",
        "",
    )


def test_of_a_broken_plugin_the_whole_trace_is_told(site: Path, plugins: Callable[..., Stopped]) -> None:
    package = install(site, "broken", "def fail():\n    raise ValueError('seven\\nwords')\n\n\nfail()\n")
    told = plugins("info", "broken")
    assert (told.exit_code, told.stderr) == (0, "")
    assert "  state         failed\n" in told.stdout
    assert "\nTrace\nTraceback (most recent call last):\n" in told.stdout
    assert f'{package}/plugin.py", line 5, in <module>\n    fail()\n' in told.stdout
    assert told.stdout.endswith("ValueError: seven\nwords\n")


def test_an_unknown_plugin_is_refused_with_a_suggestion(site: Path, plugins: Callable[..., Stopped]) -> None:
    install(site, "greeting", GREETING)
    assert plugins("info", "greting") == Stopped(
        2, "", "cello: no plugin 'greting' is installed: did you mean 'greeting'?\n"
    )


def test_an_option_that_is_nearly_one_is_refused_with_it(plugins: Callable[..., Stopped]) -> None:
    assert plugins("list", "--jsno") == Stopped(2, "", "cello: there is no option --jsno: did you mean --json?\n")
    assert "cello plugins: error: the following arguments are required: COMMAND" in plugins().stderr


# --- order


@pytest.fixture
def stacked(site: Path) -> Path:
    """Plugins whose middleware has reasons to stand where it does."""
    install(site, "watching", middleware("zz_first", "phase=Phase.EDGE"))
    install(site, "beta", middleware("zz_beta", "phase=Phase.SHIELD"))
    install(site, "alpha", middleware("zz_alpha", "phase=Phase.SHIELD", 'after=("zz_gamma", "?zz_nobody")'))
    install(site, "gamma", middleware("zz_gamma", "phase=Phase.SHIELD"))
    return site


def test_declared_middleware_is_listed_in_its_order_with_the_reason(
    stacked: Path, plugins: Callable[..., Stopped]
) -> None:
    assert stacked.is_dir()
    told = plugins("order")
    assert (told.exit_code, told.stderr) == (0, "")
    rows = [line.split(maxsplit=3) for line in told.stdout.splitlines() if " zz_" in line]
    assert [row[:3] for row in rows] == [
        ["EDGE", "zz_first", "watching"],
        ["SHIELD", "zz_beta", "beta"],
        ["SHIELD", "zz_gamma", "gamma"],
        ["SHIELD", "zz_alpha", "alpha"],
    ]
    assert rows[2][3] == "by its name"
    assert rows[3][3].split(maxsplit=2) == ["zz_gamma,", "?zz_nobody", "it asks to stand after zz_gamma"]


def test_a_contradiction_is_told_with_its_circle(site: Path, plugins: Callable[..., Stopped]) -> None:
    install(site, "left", middleware("zz_left", "phase=Phase.SHIELD", 'before="zz_right"'))
    install(site, "right", middleware("zz_right", "phase=Phase.SHIELD", 'before="zz_left"'))
    assert plugins("order") == Stopped(
        3,
        "",
        "cello: the middleware of the installed plugins cannot be put in order: "
        "'zz_right' stands before 'zz_left', 'zz_left' stands before 'zz_right'\n",
    )


def test_the_order_of_an_application_is_that_of_its_own_middleware(
    stacked: Path, tmp_path: Path, plugins: Callable[..., Stopped]
) -> None:
    assert stacked.is_dir()
    (tmp_path / "shop.py").write_text(
        "from cello import App\n"
        "from cello.middleware import Phase\n"
        "async def one(request, call_next): ...\n"
        "app = App()\n"
        "app.use(one)\n"
        "app.add_middleware(one, name='zz_alpha')\n"
        "app.add_middleware(one, name='mine', phase=Phase.SHIELD, before='zz_alpha')\n"
        "app.add_middleware(one, name='zz_first')\n"
    )
    told = plugins("order", "shop")
    assert (told.exit_code, told.stderr) == (0, "")
    assert [line.split()[:2] for line in told.stdout.splitlines()[1:-1]] == [
        ["EDGE", "zz_first"],
        ["SHIELD", "mine"],
        ["SHIELD", "zz_alpha"],
    ]
    assert "mine asks to stand before it" in told.stdout
    assert told.stdout.splitlines()[-1].split(maxsplit=1) == ["one", "use() was given it"]
