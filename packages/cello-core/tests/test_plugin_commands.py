"""`cello plugins`: what it says of plugins that are well, and of those that are not."""

from __future__ import annotations

import json
import re
import resource
import sys
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from cello._plugins.wheel import RULES, check_wheel
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
        "trace": "",
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
    assert 'cello_broken/plugin.py", line 1, in <module>' in found["broken"]["trace"]
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


CONFIG = """
from dataclasses import dataclass
from cello.plugin import secret

@dataclass(frozen=True)
class MailConfig:
    host: str
    port: int = 587
    copies: tuple[str, ...] = ()
    password: str = secret(default="")
"""


def test_what_a_plugin_is_configured_with_is_said_with_its_types_its_sources_and_no_secret(
    site: Path, tmp_path: Path, plugins: Callable[..., Stopped], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "mail", f'{PLUGIN}    plugin.config("mail", "cello_mail.config:MailConfig")\n', config=CONFIG)
    (tmp_path / "cello.toml").write_text('[mail]\nhosts = "a"\nport = "many"\n')
    monkeypatch.setenv("CELLO_MAIL_COPIES", "a, b")
    monkeypatch.setenv("CELLO_MAIL_PASSWORD", "hush")
    told = plugins("info", "mail")
    assert told.exit_code == 0
    assert told.stdout.partition("\n[mail]\n")[2].splitlines() == [
        "  key       type          default  value  by",
        "  host      text",
        "  port      whole number  587      many   cello.toml:3",
        "  copies    list of text           a, b   CELLO_MAIL_COPIES",
        "  password  text                   •••    CELLO_MAIL_PASSWORD",
        "  hosts                                   cello.toml:2",
        "  cello.toml:3: port is 'many': must be a whole number",
        "  cello.toml:2: the section mail has no key 'hosts': did you mean host?",
    ]


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
        "'zz_left' of the plugin left (cello-left) asks to stand before 'zz_right', "
        "'zz_right' of the plugin right (cello-right) asks to stand before 'zz_left'\n",
    )


def test_what_a_plugin_that_is_not_there_may_declare_is_no_contradiction(
    site: Path, plugins: Callable[..., Stopped]
) -> None:
    install(site, "left", middleware("zz_left", "phase=Phase.SHIELD", 'before="zz_lost"'))
    told = plugins("order")
    assert (told.exit_code, told.stdout) == (3, "")
    assert "asks to stand before 'zz_lost', which is not there" in told.stderr
    install(site, "lost", "import nothing_of_the_kind")
    told = plugins("order")
    assert told.exit_code == 0
    reason = "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    assert told.stderr.endswith(f"it may be of a plugin that is not loaded (lost failed: {reason})\n")
    assert "  zz_lost  " in told.stdout


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


# --- check


SOUND = """
from dataclasses import dataclass
from cello.plugin import RouteOption

@dataclass(frozen=True)
class Config: ...

@dataclass
class Soft: ...

def enable(app): ...
def add_arguments(parser): ...
def run(options): ...
option = RouteOption(print)
word = "word"
"""


def test_what_plugins_declare_is_loaded_and_looked_at(site: Path, plugins: Callable[..., Stopped]) -> None:
    declared = (
        '    plugin.app_method("enable_it", "cello_sound.more:enable")\n'
        '    plugin.command("it", "cello_sound.more", "do it")\n'
        '    plugin.config("sound", "cello_sound.more:Config")\n'
        '    plugin.route_option("sound", "cello_sound.more:option", phase=Phase.EDGE, value="cello_sound.more:word")\n'
    )
    install(site, "sound", PLUGIN + declared, more=SOUND)
    told = plugins("check")
    assert (told.exit_code, told.stderr) == (0, "")
    assert "sound (cello-sound): as it has to be\n" in told.stdout


def test_what_is_not_what_it_is_declared_to_be_is_told_of_each(site: Path, plugins: Callable[..., Stopped]) -> None:
    declared = (
        '    plugin.app_method("enable_it", "cello_unsound.more:word")\n'
        '    plugin.export("Nothing", "cello_unsound.more")\n'
        '    plugin.command("it", "cello_unsound.more:word", "do it")\n'
        '    plugin.config("unsound", "cello_unsound.more:Soft")\n'
        '    plugin.route_option("it", "cello_unsound.more:word", phase=Phase.PERMIT)\n'
        '    plugin.request_attribute("it", "nothing_of_the_kind:word")\n'
    )
    install(site, "unsound", PLUGIN + declared, more=SOUND)
    told = plugins("check")
    assert (told.exit_code, told.stderr) == (3, "cello: not as it has to be: unsound\n")
    at = told.stdout.index("unsound (cello-unsound):\n")
    assert told.stdout[at:].splitlines()[1:7] == [
        "  the App method 'enable_it': cello_unsound.more:word cannot be called",
        "  the export 'Nothing': cello_unsound.more:Nothing cannot be had: AttributeError: "
        "module 'cello_unsound.more' has no attribute 'Nothing'",
        "  the command 'it': cello_unsound.more:word has no add_arguments and no run",
        "  the config section 'unsound': cello_unsound.more:Soft is no frozen dataclass",
        "  the route option 'it': cello_unsound.more:word is no RouteOption",
        "  the request attribute 'it': nothing_of_the_kind:word cannot be had: ModuleNotFoundError: "
        "No module named 'nothing_of_the_kind'",
    ]


def test_a_failure_a_conflict_and_a_contradiction_are_not_as_they_have_to_be(
    site: Path, plugins: Callable[..., Stopped]
) -> None:
    install(site, "broken", "import nothing_of_the_kind")
    for name, other in (("left", "right"), ("right", "left")):
        exported = f'    plugin.export("Thing", "cello_{name}.more:thing")\n'
        declared = (
            f'    plugin.middleware("zz_{name}", "cello_{name}.more:run", phase=Phase.EDGE, before="zz_{other}")\n'
        )
        install(site, name, PLUGIN + exported + declared, more="thing = 1\ndef run(): ...\n")
    told = plugins("check")
    assert told.exit_code == 3
    assert told.stderr == "cello: not as it has to be: broken, left, right, the order of middleware\n"
    assert "the export 'Thing' is declared by right (cello-right), too" in told.stdout
    assert "'zz_left' of the plugin left (cello-left) asks to stand before 'zz_right'" in told.stdout


FILES = {
    "my_plugin/__init__.py": "",
    "my_plugin/py.typed": "",
    "my_plugin/plugin.py": "from cello.plugin import hookimpl\nCELLO_API = 1\n",
    "my_plugin/feature.py": "from cello import App, __version__\nfrom my_plugin import plugin\n",
    "my_plugin-1.0.dist-info/entry_points.txt": "[cello]\nmine = my_plugin.plugin\n",
    "my_plugin-1.0.dist-info/METADATA": "Name: My-Plugin\nRequires-Dist: cello-core[x]<3,>=2; python_version>'3'\n",
}

#: By rule, what breaks it, and it alone: files that are other, None for those that are not there.
BREAKING: list[tuple[str, dict[str, str | None]]] = [
    ("wheel", {"my_plugin-1.0.dist-info/METADATA": None}),
    ("wheel", {"my_plugin/feature.py": "def"}),
    ("entry-point", {"my_plugin-1.0.dist-info/entry_points.txt": "[other]\nmine = my_plugin.plugin\n"}),
    ("entry-point", {"my_plugin-1.0.dist-info/entry_points.txt": "[cello]\nmine = my_plugin.plugins\n"}),
    ("package", {"more/__init__.py": "", "more/py.typed": ""}),
    ("package", {"my_plugin-1.0.dist-info/METADATA": "Name: other\nRequires-Dist: cello-core>=2\n"}),
    ("typed", {"my_plugin/py.typed": None}),
    ("dependency", {"my_plugin-1.0.dist-info/METADATA": "Name: my.plugin\nRequires-Dist: cello-corelli>=2\n"}),
    ("dependency", {"my_plugin-1.0.dist-info/METADATA": "Name: my_plugin\nRequires-Dist: cello-core\n"}),
    ("private", {"my_plugin/feature.py": "def f():\n    import cello._kernel\n"}),
    ("private", {"my_plugin/feature.py": "from cello import _kernel\n"}),
    ("private", {"my_plugin/feature.py": "from cello._scope import Scope\n"}),
    ("private", {"my_plugin/feature.py": "from cello.app import _EVENTS\n"}),
    ("lazy", {"my_plugin/plugin.py": "from my_plugin import feature\n"}),
    ("lazy", {"my_plugin/plugin.py": "from . import feature\n"}),
    ("lazy", {"my_plugin/plugin.py": "try:\n    import my_plugin.feature\nfinally: ...\n"}),
]


def built(folder: Path, changed: dict[str, str | None]) -> Path:
    """A wheel with these files in place of those that are right."""
    path = folder / "my_plugin-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name, text in {**FILES, **changed}.items():
            if text is not None:
                archive.writestr(name, text)
    return path


def test_a_wheel_that_keeps_all_rules_is_as_it_has_to_be(tmp_path: Path, plugins: Callable[..., Stopped]) -> None:
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from my_plugin import feature\n"
    lazy += "def f():\n    from my_plugin import feature\n"
    path = built(tmp_path, {"my_plugin/plugin.py": lazy})
    assert plugins("check", "--static", str(path)) == Stopped(0, f"{path}: as it has to be\n", "")
    assert plugins("check", "--static") == Stopped(2, "", "cello: --static is for a wheel: give its path\n")


@pytest.mark.timeout(60)
def test_a_wheel_is_run_too_by_the_rules_of_the_contract(tmp_path: Path, plugins: Callable[..., Stopped]) -> None:
    source = PLUGIN + '    plugin.export("Mine", "my_plugin.feature:plugin")\n'
    path = built(tmp_path, {"my_plugin/plugin.py": source})
    assert plugins("check", str(path)) == Stopped(0, f"{path}: as it has to be\n", "")
    for changed, words in (
        (
            source.replace("cello_register", "cello_regsiter"),
            "active: .* there is no hook cello_regsiter: did you mean",
        ),
        (
            source.replace("feature:plugin", "feature:it"),
            "targets: .* module 'my_plugin.feature' has no attribute 'it'",
        ),
    ):
        told = plugins("check", str(built(tmp_path, {"my_plugin/plugin.py": changed})))
        assert told.exit_code == 3
        assert re.search(f"^  {words}", told.stdout, re.MULTILINE)


@pytest.mark.parametrize(("rule", "changed"), BREAKING)
def test_a_wheel_that_breaks_a_rule_is_refused_with_its_name(
    tmp_path: Path, rule: str, changed: dict[str, str | None]
) -> None:
    assert {rule for rule, _ in check_wheel(str(built(tmp_path, changed)))} == {rule}


def test_every_rule_is_broken_by_a_wheel() -> None:
    assert list(dict.fromkeys(rule for rule, _ in BREAKING)) == [*RULES]


def test_what_is_wrong_with_a_wheel_is_told_with_its_place(tmp_path: Path, plugins: Callable[..., Stopped]) -> None:
    path = built(tmp_path, {"my_plugin/feature.py": "import cello\nfrom cello._scope import Scope\n"})
    assert plugins("check", str(path)) == Stopped(
        3,
        f"{path}:\n  private: my_plugin/feature.py:2 imports cello._scope.Scope, which may be another in the next "
        "version\n",
        f"cello: {path} is not as the wheel of a plugin has to be\n",
    )
    assert plugins("check", "nothing.whl") == Stopped(
        2, "", "cello: nothing.whl cannot be read: No such file or directory\n"
    )
    (tmp_path / "text.whl").write_text("text")
    told = plugins("check", "text.whl")
    assert (told.exit_code, told.stdout.splitlines()[1]) == (
        3,
        "  wheel: it is no wheel: build one, such as by python -m build --wheel",
    )
