"""The contract of plugins: each rule refuses the wheel that breaks it, and it alone."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from cello._contract import RULES, ContractError, Subject
from cello.errors import OptionError
from pages import code_spans, table
from plugging import install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLUGIN = """
from cello.plugin import Phase, hookimpl

CELLO_API = 1


@hookimpl
def cello_register(plugin):
    plugin.app_method("enable_words", "words.feature:enable")
    plugin.export("Words", "words.feature")
    plugin.middleware("words", "words.feature:middleware", phase=Phase.TRANSFORM)
    plugin.route_option("word", "words.feature:option", phase=Phase.TRANSFORM)
    plugin.request_attribute("words", "words.feature:of_request")
    plugin.command("words", "words.command", "says a word")
    plugin.config("words", "words.feature:WordsConfig")


@hookimpl
def cello_startup(app):
    app.state.words = ["one"]


@hookimpl
def cello_shutdown(app):
    app.state.words.clear()
"""

FEATURE = '''
from dataclasses import dataclass

from cello import App, Request
from cello.plugin import RouteOption


@dataclass(frozen=True)
class WordsConfig:
    """What is said."""

    word: str = "one"


class Words:
    """What is exported."""


def middleware(request, call_next):
    return call_next(request)


def of_request(request: Request) -> str:
    return "one"


def check(value, said):
    return None


option = RouteOption(check)


def enable(app: App, word: str = "one") -> App:
    """Has an application know a word."""
    return app.add_middleware(middleware, name="words")
'''

COMMAND = """
def add_arguments(parser):
    parser.add_argument("--loud")


def run(options):
    print("one")
"""

METADATA = """Metadata-Version: 2.4
Name: words
Version: 1.0
License-Expression: MIT
Requires-Dist: cello-core>=2,<3
"""

FILES = {
    "words/__init__.py": "",
    "words/py.typed": "",
    "words/plugin.py": PLUGIN,
    "words/feature.py": FEATURE,
    "words/command.py": COMMAND,
    "words-1.0.dist-info/METADATA": METADATA,
    "words-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "words-1.0.dist-info/entry_points.txt": "[cello]\nwords = words.plugin\n",
}

NEIGHBOUR = """
from cello.plugin import hookimpl

CELLO_API = 1


@hookimpl
def cello_register(plugin):
    plugin.app_method("enable_neighbours", "cello_neighbour.feature:enable")
"""

HOLD = """

def hold():
    import words.more

    words.more.FILES.append(open("/dev/null"))
"""

STARTUP = '    app.state.words = ["one"]'
INFORMATION = "words-1.0.dist-info"


def within(text: str, old: str, new: str) -> str:
    """A text with a part of it replaced, which is there."""
    assert old in text
    return text.replace(old, new, 1)


#: By rule what breaks it, and it alone: files that are other, None for one that is not there; and what is said.
BREAKING: dict[str, tuple[dict[str, str | None], str]] = {
    "wheel": ({"words/more.py": "def"}, "words/more.py cannot be parsed"),
    "entry-point": ({f"{INFORMATION}/entry_points.txt": "[jazz]\nwords = words.plugin\n"}, 'none in the group "cello"'),
    "package": ({"others/__init__.py": "", "others/py.typed": ""}, "it holds others"),
    "typed": ({"words/py.typed": None}, "words/py.typed is missing"),
    "dependency": (
        {f"{INFORMATION}/METADATA": within(METADATA, "Requires-Dist: cello-core>=2,<3\n", "")},
        "it does not ask for cello-core",
    ),
    "private": ({"words/more.py": 'IT = __import__("cello._route")\n'}, r"words/more.py:1 imports cello\._route"),
    "lazy": (
        {"words/plugin.py": within(PLUGIN, "CELLO_API", "__import__('words.' + 'feature')\nCELLO_API")},
        "declaring imports words.feature, which is own",
    ),
    "active": (
        {"words/plugin.py": within(PLUGIN, "CELLO_API = 1", "CELLO_API = 7")},
        "speaks 7: this is CELLO_API = 1",
    ),
    "targets": (
        {"words/plugin.py": within(PLUGIN, "words.feature:of_request", "words.feature:of_nobody")},
        "'words.feature' has no attribute 'of_nobody'",
    ),
    "alone": (
        {"words/plugin.py": within(PLUGIN, STARTUP, f"    import cello_neighbour\n{STARTUP}")},
        "cello-neighbour, which the plugin's distribution does not require",
    ),
    "together": (
        {"words/plugin.py": within(PLUGIN, "enable_words", "enable_neighbours")},
        "'enable_neighbours' is declared by neighbour .* and words",
    ),
    "conflicts": (
        {"words/plugin.py": within(PLUGIN, STARTUP, f"    app.enable_words\n{STARTUP}")},
        "beside a plugin that claims its names nothing starts",
    ),
    "leaks": (
        {"words/more.py": "FILES = []\n", "words/plugin.py": within(PLUGIN, STARTUP, f"    hold()\n{STARTUP}") + HOLD},
        "100 starts and stops leave 100 file descriptors behind",
    ),
    "trace": ({"words.pth": "import words.feature\n"}, "its module words.feature is imported"),
}


@pytest.fixture(autouse=True)
def neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another plugin that is installed."""
    feature = 'from cello import App\n\n\ndef enable(app: App) -> App:\n    """Nothing."""\n    return app\n'
    install(tmp_path / "installed", "neighbour", NEIGHBOUR, feature=feature)
    monkeypatch.setattr("sys.path", [str(tmp_path / "installed"), *sys.path])


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Writes a wheel."""

    def build(files: dict[str, str]) -> Path:
        path = tmp_path / "words-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path

    return build


def changed(rule: str) -> dict[str, str]:
    """The files of a wheel that breaks a rule."""
    return {name: text for name, text in {**FILES, **BREAKING[rule][0]}.items() if text is not None}


def kept(wheel: Path, folder: Path, rule: str) -> None:
    """Has a wheel judged by a rule.

    Errors: ContractError.
    """
    (folder / rule).mkdir()
    RULES[rule](Subject(wheel, folder / rule))


def test_every_rule_is_broken_by_a_wheel() -> None:
    assert list(BREAKING) == [*RULES]


@pytest.mark.parametrize("rule", RULES)
def test_a_plugin_that_is_as_it_has_to_be_keeps_each_rule(
    build: Callable[..., Path], tmp_path: Path, rule: str
) -> None:
    kept(build(FILES), tmp_path, rule)


@pytest.mark.parametrize("rule", RULES)
def test_what_breaks_a_rule_is_refused_with_its_name(build: Callable[..., Path], tmp_path: Path, rule: str) -> None:
    with pytest.raises(ContractError, match=BREAKING[rule][1]) as refused:
        kept(build(changed(rule)), tmp_path, rule)
    assert refused.value.rule == rule
    assert str(refused.value).startswith(f"the rule {rule!r} is broken:\n  ")


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("rule", RULES)
def test_what_breaks_a_rule_breaks_no_other(build: Callable[..., Path], tmp_path: Path, rule: str) -> None:
    wheel = build(changed(rule))
    for other in RULES:
        if other != rule:
            kept(wheel, tmp_path, other)


#: What else leaves more behind with each start, by what is said.
LEAKING = {
    "100 threads": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "100 handlers and filters of logging": "logging.getLogger('words').addHandler(logging.NullHandler())",
    "100 variables of the environment": "os.environ[f'WORD_{len(os.environ)}'] = 'one'",
    "100 applications": "sys.modules.setdefault('words.kept', []).append(app)",
    "100 objects of its own": "sys.modules.setdefault('words.kept', []).append(Kept())",
    "100 child processes": "sys.modules.setdefault('words.kept', []).append(subprocess.Popen(['sleep', '100']))",
}


@pytest.mark.parametrize("said", LEAKING)
def test_what_is_left_behind_is_told(build: Callable[..., Path], tmp_path: Path, said: str) -> None:
    imports = "import logging, os, subprocess, sys, threading"
    source = within(PLUGIN, STARTUP, f"    {imports}\n    {LEAKING[said]}\n{STARTUP}")
    with pytest.raises(ContractError, match=f"100 starts and stops leave {said} behind"):
        kept(build({**FILES, "words/plugin.py": f"{source}\n\nclass Kept: ...\n"}), tmp_path, "leaks")


#: What else targets can have wrong: what is replaced in the feature, by what, and what is said.
UNFIT = [
    ("def enable(app: App, word", "def enable(*, app: App, word", "is to take the App first"),
    ('word: str = "one") -> App:\n    """Has', 'word="one"):\n    """Has', "the type of word, what it returns"),
    ('    """Has an application know a word."""\n', "", "words.feature:enable has no docstring"),
    ("def middleware(request, call_next)", "def middleware(request)", "is no middleware"),
    ("def of_request(request: Request)", "def of_request()", "is to take the request alone"),
    ("@dataclass(frozen=True)", "@dataclass", "is no frozen dataclass"),
    ('    """What is said."""\n', "", "words.feature:WordsConfig has no docstring"),
    ("option = RouteOption(check)", "option = check", "is no RouteOption"),
]


@pytest.mark.parametrize(("old", "new", "said"), UNFIT)
def test_a_target_that_does_not_fit_is_told(
    build: Callable[..., Path], tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        kept(build({**FILES, "words/feature.py": within(FEATURE, old, new)}), tmp_path, "targets")


def test_an_application_enables_it_as_the_test_says(build: Callable[..., Path], tmp_path: Path) -> None:
    source = within(FEATURE, 'word: str = "one") -> App:', "word: str) -> App:")
    wheel = build(
        {**FILES, "words/feature.py": within(source, "    return app.add", "    assert word\n    return app.add")}
    )
    RULES["alone"](Subject(wheel, tmp_path, "app.enable_words('two')"))
    with pytest.raises(ContractError, match=r"an application with it fails: AssertionError:  \(.*feature.py:\d+\)"):
        RULES["alone"](Subject(wheel, tmp_path, "app.enable_words('')"))


def test_a_plugin_that_is_installed_keeps_the_rules_of_wheels_too(tmp_path: Path) -> None:
    for rule in ("wheel", "entry-point", "package", "private", "lazy", "active"):
        kept_installed(tmp_path, rule)
    with pytest.raises(ContractError, match=r"cello_neighbour/py\.typed is missing"):
        kept_installed(tmp_path, "typed")


def kept_installed(folder: Path, rule: str) -> None:
    """Has the neighbour judged by a rule."""
    (folder / rule).mkdir()
    RULES[rule](Subject("neighbour", folder / rule))


def test_a_plugin_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"the plugin 'neighbor' is not installed: there are neighbour.*; or give"):
        Subject("neighbor", tmp_path)
    with pytest.raises(OptionError, match=r"nothing\.whl cannot be read as a wheel"):
        Subject(tmp_path / "nothing.whl", tmp_path)


def test_a_plugins_test_is_three_lines(build: Callable[..., Path], tmp_path: Path) -> None:
    wheel = build(changed("typed"))
    source = f"from cello.testing import plugin_contract\n\ntest_contract = plugin_contract({str(wheel)!r})\n"
    (tmp_path / "test_plugin.py").write_text(source)
    options = ("-q", "-p", "no:cacheprovider", "-k", "typed or private")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", *options, "test_plugin.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert "1 failed, 1 passed" in ran.stdout
    assert "FAILED test_plugin.py::test_contract[typed]" in ran.stdout
    assert "words/py.typed is missing" in ran.stdout


def test_the_reference_has_every_rule() -> None:
    rows = table("docs/reference/testing.md", "rule", "what it asks of a plugin")
    assert [code_spans(row[0])[0] for row in rows] == [*RULES]
