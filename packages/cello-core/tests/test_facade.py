"""`cello` as the one name: what families and plugins bring to it, and what is told of what is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import cello
import declared
import pytest
from plugging import install
from projects import Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLUGIN = """
from cello.plugin import hookimpl

CELLO_API = 1

@hookimpl
def cello_register(plugin):
    plugin.export("RateLimitConfig", "cello_security.guards:Role")
"""

#: Has the framework know a family that is made up, with the files that are generated for it.
KNOWN = """
import sys, traceback
sys.path.insert(0, {folder!r})
import cello
from cello._plugins.catalogue import CATALOGUE
cello.__path__.append({folder!r} + "/facade")
CATALOGUE.update({{"module": {{"guards": "security"}}, "export": {{"RateLimitConfig": "security"}},
                   "App method": {{"enable_cors": "security"}}}})
"""


def told(folder: Path, code: str, environment: Mapping[str, str] | None = None) -> str:
    """What a program tells at last, where there is a family with the module guards: its print, or its error."""
    generated = declared.forwarders(
        folder / "facade", {"guards": Project(folder, {"project": {"name": "cello-security"}})}
    )
    for path, text in generated.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", f"{KNOWN.format(folder=str(folder))}\n{code}"],
        env={**os.environ, "CELLO_PLUGINS_DISABLE": "", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    return next(line for line in reversed(lines) if not line.startswith(" "))


@pytest.fixture
def security(tmp_path: Path) -> Path:
    """A folder in which the family is installed."""
    install(tmp_path, "security", PLUGIN, guards="class Role: ...\n")
    return tmp_path


# --- modules of families


@pytest.mark.parametrize(
    "code",
    [
        "import cello.guards, cello_security.guards\nprint(cello.guards is cello_security.guards)",
        "from cello import guards\nfrom cello_security.guards import Role\nprint(guards.Role is Role)",
        "from cello.guards import Role\nimport cello_security\nprint(cello_security.guards.Role is Role)",
        "import cello.guards\nimport cello.guards as again\nprint(again.__name__ == 'cello_security.guards')",
        "import cello._plugins\nprint('cello_security' not in sys.modules)",
    ],
)
def test_a_module_of_a_family_is_that_of_the_framework_too(security: Path, code: str) -> None:
    assert told(security, code) == "True"


MISSING = "ModuleNotFoundError: cello.guards comes from cello-security, "


@pytest.mark.parametrize("code", ["import cello.guards", "from cello import guards", "from cello.guards import Role"])
def test_a_module_of_a_family_that_is_not_installed_says_how_it_is(tmp_path: Path, code: str) -> None:
    assert told(tmp_path, code) == f'{MISSING}which is not installed: pip install "cello-security>=2"'


def test_a_module_of_a_family_that_is_not_loaded_says_why(tmp_path: Path, security: Path) -> None:
    code = "from cello.guards import Role"
    assert told(security, code, {"CELLO_PLUGINS_DISABLE": "security"}) == (
        f"{MISSING}whose plugin is disabled: CELLO_PLUGINS_DISABLE names it"
    )
    assert "CELLO_PLUGINS_AUTOLOAD is off" in told(security, code, {"CELLO_PLUGINS_AUTOLOAD": "0"})
    (tmp_path / "cello_security/plugin.py").write_text("CELLO_API = 7")
    words = "it speaks 7: this is CELLO_API = 1 (`cello plugins info security` says more)"
    assert told(security, code) == f"{MISSING}whose plugin failed: {words}"


def test_a_module_that_its_family_has_not_is_of_another_version_and_what_it_lacks_itself_is_told(
    security: Path,
) -> None:
    module = security / "cello_security/guards.py"
    module.write_text("import nothing_of_the_kind")
    assert told(security, "import cello.guards") == "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    module.unlink()
    assert told(security, "import cello.guards").startswith(f"{MISSING}which is of another version")


OWN_NAME = "what the plugin security has is imported by its own name, cello_security"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import cello.gaurds", "No module named 'cello.gaurds': did you mean cello.guards?"),
        ("import cello.midleware.x", "No module named 'cello.midleware': did you mean cello.middleware?"),
        ("import cello.nonsense", "No module named 'cello.nonsense'"),
        ("import cello.security", f"No module named 'cello.security': {OWN_NAME}"),
        ("import cello._nothing", "No module named 'cello._nothing'"),
        ("import cello.app.nothing", "No module named 'cello.app.nothing'; 'cello.app' is not a package"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
    ],
)
def test_a_module_that_is_not_there_says_what_was_meant(security: Path, code: str, words: str) -> None:
    assert told(security, code) == f"ModuleNotFoundError: {words}"


# --- names


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from cello import Dependz", "Did you mean: 'Depends'?"),
        ("from cello import midleware", "Did you mean: 'middleware'?"),
        ("from cello import RateLimitConfg", "Did you mean: 'RateLimitConfig'?"),
        ("cello.RateLimitConfg", "Did you mean: 'RateLimitConfig'?"),
        ("from cello import nonsense", f"cannot import name 'nonsense' from 'cello' ({cello.__file__})"),
    ],
)
def test_a_misspelt_name_is_told_with_the_one_that_was_meant(security: Path, code: str, words: str) -> None:
    assert told(security, code).endswith(words)


ELSEWHERE = 'comes from cello-security, which is not installed: pip install "cello-security>=2"'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from cello import RateLimitConfig", f"ImportError: RateLimitConfig {ELSEWHERE}"),
        (
            "from cello import RateLimitConfg",
            f"ImportError: there is no RateLimitConfg: did you mean RateLimitConfig? RateLimitConfig {ELSEWHERE}",
        ),
        (
            "cello.App().enable_corss()",
            f"AttributeError: there is no enable_corss: did you mean enable_cors? enable_cors {ELSEWHERE}",
        ),
    ],
)
def test_a_name_of_a_family_that_is_not_installed_is_told_misspelt_or_not(
    tmp_path: Path, code: str, words: str
) -> None:
    assert told(tmp_path, code) == words


# --- names of plugins that are not loaded


STRANGER = """
from cello.plugin import Phase, hookimpl

CELLO_API = 1

@hookimpl
def cello_register(plugin):
    plugin.app_method("enable_words", "words:enable")
    plugin.export("Words", "words")
    plugin.route_option("word", "words:option", phase=Phase.EDGE)
    plugin.command("speak", "words:command", "says a word")
    plugin.provider("Cache", "words:Cache")
"""
USES = {
    "App method": "cello.App().enable_words()",
    "export": "from cello import Words",
    "route option": "cello.App().get('/', word=1)",
    "command": "from cello._cli import main\nmain(['speak'])",
    "provider": "from cello.providers import Cache\ncello.App().provided(Cache)",
}


@pytest.mark.parametrize("use", USES)
def test_a_name_that_nobody_has_is_told_with_the_plugins_that_may_have_it(tmp_path: Path, use: str) -> None:
    install(tmp_path, "words", STRANGER, distribution="words")
    may = "it may be of a plugin that is not loaded "
    disabled = told(tmp_path, USES[use], {"CELLO_PLUGINS_DISABLE": "words,observability"})
    assert f"{may}(words is disabled: CELLO_PLUGINS_DISABLE names it)" in disabled
    (tmp_path / "words/plugin.py").write_text("import nothing_of_the_kind")
    failed = told(tmp_path, USES[use])
    assert f"{may}(words failed: ModuleNotFoundError: No module named 'nothing_of_the_kind')" in failed


@pytest.mark.parametrize("use", ["App method", "route option"])
def test_a_name_that_another_application_has_is_told_with_whose_it_is(tmp_path: Path, use: str) -> None:
    install(tmp_path, "words", STRANGER, distribution="words")
    words = "comes from the plugin words (words), which is not one of the application's"
    assert words in told(tmp_path, USES[use].replace("App()", "App(autoload=False)"))


def test_python_suggests_no_other_name_where_it_is_known_whose_it_is(tmp_path: Path) -> None:
    for name in ("left", "right"):
        install(tmp_path, name, STRANGER.replace("enable_words", "enable_limits_of_words"))
    words = told(tmp_path, "cello.App().enable_limits_of_words()")
    assert words.endswith("is declared by left (cello-left) and right (cello-right): disable one of them")


def test_a_name_is_listed_before_it_is_imported(security: Path) -> None:
    names = "{'Depends', 'RateLimitConfig', 'App', '__version__'}"
    code = f"print({names} <= {{*dir(cello)}}, 'cello_security.guards' in sys.modules)"
    assert told(security, code) == "True False"
    assert told(security, code, {"CELLO_PLUGINS_AUTOLOAD": "perhaps"}) == "False False"
