"""The configuration of plugins: its sources, what they may say, and how mistakes in it are told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cello
import pytest
from cello import App
from cello._plugins import sections
from cello._plugins.conversion import conversion
from cello._plugins.settings import settings
from cello._plugins.settings_check import check_configuration
from cello._plugins.variables import VARIABLES
from cello.errors import OptionError, PluginError
from cello.plugin import Registrar, configured, secret
from hypothesis import given
from hypothesis import strategies as st
from plugging import module, plugin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = Path(cello.__file__).parent


class Level(Enum):
    """How much is told."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Tea:
    """A configuration with keys of many types."""

    cups: int = 1
    kind: str = "green"
    sweet: bool = False
    pot: Path = Path("pot")
    level: Level = Level.LOW
    when: Literal["early", "late"] = "late"
    guests: tuple[str, ...] = ()
    steep: timedelta = timedelta(seconds=60)
    milk: float | None = None
    token: str = secret(default="")

    def __post_init__(self) -> None:
        if self.cups > 9:
            raise ValueError(f"so many cups are too many, says {self.token}")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder without a file, and no sections but those of the test."""
    monkeypatch.chdir(tmp_path)
    for registry in (sections._declared, sections._asked):
        monkeypatch.setattr(sections, "_declared" if registry is sections._declared else "_asked", {})
    yield


def write(text: str, name: str = "cello.toml") -> None:
    Path(name).write_text(text)


def test_what_is_given_goes_before_the_environment_it_before_the_file_and_that_before_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('[tea]\ncups = 2\nkind = "black"\nsweet = true\n')
    monkeypatch.setenv("CELLO_TEA_CUPS", "3")
    monkeypatch.setenv("CELLO_TEA_KIND", "white")
    tea = configured("tea", Tea, cups=4, kind=None)
    assert (tea.cups, tea.kind, tea.sweet, tea.when) == (4, "white", True, "late")


def test_text_of_the_environment_becomes_the_type_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"SWEET": "on", "POT": "/a/b", "LEVEL": "high", "WHEN": "early", "GUESTS": "a, b,", "STEEP": "PT2M"}
    for name, text in {**said, "MILK": ""}.items():
        monkeypatch.setenv(f"CELLO_TEA_{name}", text)
    tea = configured("tea", Tea)
    assert (tea.sweet, tea.pot, tea.level, tea.when) == (True, Path("/a/b"), Level.HIGH, "early")
    assert (tea.guests, tea.steep, tea.milk) == (("a", "b"), timedelta(minutes=2), None)


def test_values_of_the_file_become_the_type_of_the_key() -> None:
    write('[tea]\npot = "a"\nlevel = "high"\nguests = ["a"]\nsteep = 2.5\nmilk = 1\n')
    tea = configured("tea", Tea)
    assert (tea.pot, tea.level, tea.guests, tea.steep) == (Path("a"), Level.HIGH, ("a",), timedelta(seconds=2.5))
    assert isinstance(tea.milk, float)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cups = true", "cello.toml:2: cups is True: must be a whole number"),
        ("cups = 1.0", "cello.toml:2: cups is 1.0: must be a whole number"),
        ('sweet = "yes"', "cello.toml:2: sweet is 'yes': must be true or false"),
        ('guests = "a"', "cello.toml:2: guests is 'a': must be a list of text"),
        ("guests = [7]", r"cello.toml:2: guests is \[7\]: element 1 must be text"),
        ('level = "none"', "cello.toml:2: level is 'none': must be one of low, high"),
        ("cup = 1", "cello.toml:2: the section tea has no key 'cup': did you mean cups"),
    ],
)
def test_what_cannot_be_in_the_file_is_told_with_its_line(line: str, words: str) -> None:
    write(f"[tea]\n{line}\n")
    with pytest.raises(OptionError, match=words):
        configured("tea", Tea)


def test_what_cannot_be_in_the_environment_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLO_TEA_CUPS", "many")
    with pytest.raises(OptionError, match="CELLO_TEA_CUPS is 'many': must be an integer"):
        configured("tea", Tea)
    assert configured("tea", Tea, cups=2).cups == 2
    monkeypatch.setenv("CELLO_TEA_CUP", "1")
    with pytest.raises(OptionError, match=r"CELLO_TEA_CUP is set, .* no key 'cup': did you mean CELLO_TEA_CUPS"):
        configured("tea", Tea, cups=2)


def test_what_no_variable_can_say_is_told_where_one_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Served:
        weights: dict[str, int] = field(default_factory=dict[str, int])
        other: Tea | None = None

    for key, told in {"WEIGHTS": "table of whole number", "OTHER": "Tea, or nothing"}.items():
        monkeypatch.setenv(f"CELLO_SERVED_{key}", "many")
        words = f"CELLO_SERVED_{key} is 'many': its type is {told}, which no variable can say: say it in the file"
        with pytest.raises(OptionError, match=words):
            configured("served", Served)
        monkeypatch.delenv(f"CELLO_SERVED_{key}")


def test_what_is_given_and_cannot_be_is_an_error_of_the_call() -> None:
    with pytest.raises(TypeError, match="cups of tea is 'x': must be a whole number"):
        configured("tea", Tea, cups="x")
    with pytest.raises(TypeError, match="the section tea has no key 'cup': did you mean cups"):
        configured("tea", Tea, cup=1)
    with pytest.raises(ValueError, match="level of tea is 'none': must be one of low, high"):
        configured("tea", Tea, level="none")


def test_what_the_dataclass_refuses_is_told_with_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="too many"):
        configured("tea", Tea, cups=10)
    monkeypatch.setenv("CELLO_TEA_CUPS", "10")
    with pytest.raises(OptionError, match=r"tea cannot be: so many cups .*; cups is 10 by CELLO_TEA_CUPS"):
        configured("tea", Tea)


def test_a_key_that_must_be_given_is_told_with_its_variable() -> None:
    @dataclass(frozen=True)
    class Needy:
        word: str

    with pytest.raises(OptionError, match=r"word in the section \[needy\] is not given: .* CELLO_NEEDY_WORD"):
        configured("needy", Needy)


def test_an_annotation_that_is_not_there_at_run_time_is_told() -> None:
    @dataclass(frozen=True)
    class Typed:
        pot: Sequence[str] = ()

    words = r"the configuration \S+Typed: an annotation of \S+ cannot be resolved: name 'Sequence' is not defined"
    with pytest.raises(PluginError, match=words):
        configured("typed", Typed)


def test_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Safe:
        pin: int = secret(default=1234)

    monkeypatch.setenv("CELLO_SAFE_PIN", "hush")
    with pytest.raises(OptionError) as refused:
        configured("safe", Safe)
    assert str(refused.value) == "CELLO_SAFE_PIN is •••: must be whole number"
    monkeypatch.setenv("CELLO_TEA_TOKEN", "hush")
    monkeypatch.setenv("CELLO_TEA_CUPS", "10")
    with pytest.raises(OptionError) as refused:
        configured("tea", Tea)
    assert "hush" not in str(refused.value)
    assert "hush" not in repr(configured("tea", Tea, cups=1))
    assert "hush" not in repr(settings("tea", Tea) + settings("safe", Safe))
    assert "1234" not in repr(settings("safe", Safe))


@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_what_the_dataclass_says_of_a_secret_is_not_shown_nor_of_what_it_is_made_of(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    @dataclass(frozen=True)
    class Safe:
        words: tuple[str, ...] = secret(default=())
        by_name: dict[str, list[str]] = secret(default_factory=dict[str, list[str]])  # noqa: RUF009 - it makes a field

        def __post_init__(self) -> None:
            raise kind(f"{self.words[0]} is too plain, {self.words!r} and {self.by_name.get('a')} are")

    monkeypatch.setenv("CELLO_SAFE_WORDS", "hush,hash")
    with pytest.raises(
        OptionError, match=r"safe cannot be: ••• is too plain, .*; words is ••• by CELLO_SAFE_WORDS"
    ) as told:
        configured("safe", Safe, by_name={"a": ["psst"]})
    assert not re.search("hush|hash|psst", str(told.value))
    monkeypatch.delenv("CELLO_SAFE_WORDS")
    with pytest.raises(kind, match=r"^••• is too plain, ••• and ••• are$"):
        configured("safe", Safe, words=("hush", "hash"), by_name={"a": ["psst"]})


def test_who_asks_is_told_of_each_key_what_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[tea]\nsweet = true\ncup = 1\n")
    monkeypatch.setenv("CELLO_TEA_CUPS", "many")
    told = {one.key: one for one in settings("tea", Tea)}
    assert (told["kind"].type, told["kind"].value, told["kind"].origin) == ("text", "green", "default")
    assert (told["sweet"].value, told["sweet"].origin) == ("true", "cello.toml:2")
    assert (told["cups"].value, told["cups"].origin) == ("many", "CELLO_TEA_CUPS")
    assert told["cups"].problem.endswith("must be an integer")
    assert "did you mean cups" in told["cup"].problem


def test_the_longest_section_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Short:
        pot_lid: str = ""

    @dataclass(frozen=True)
    class Long:
        lid: str = ""

    configured("tea", Short)
    configured("tea_pot", Long)
    monkeypatch.setenv("CELLO_TEA_POT_LID", "x")
    assert configured("tea_pot", Long).lid == "x"
    assert not configured("tea", Short).pot_lid


def test_the_file_is_pyproject_where_there_is_no_other_and_the_one_that_is_named_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("[tool.cello.tea]\ncups = 2\n", "pyproject.toml")
    assert configured("tea", Tea).cups == 2
    write("[tea]\ncups = 3\n")
    assert configured("tea", Tea).cups == 3
    write("[tea]\ncups = 4\n", "other.toml")
    monkeypatch.setenv("CELLO_CONFIG", str(tmp_path / "other.toml"))
    assert configured("tea", Tea).cups == 4
    monkeypatch.setenv("CELLO_CONFIG", "none.toml")
    with pytest.raises(OptionError, match=r"CELLO_CONFIG is 'none.toml': there is no such file"):
        configured("tea", Tea)


def test_a_file_that_is_none_is_told() -> None:
    write("[tea\n")
    with pytest.raises(OptionError, match=r"cello.toml is no TOML: .*line 1"):
        configured("tea", Tea)
    Path("cello.toml").unlink()
    write('[tool]\ncello = "hush"\n', "pyproject.toml")
    with pytest.raises(OptionError, match=r"^pyproject.toml: tool.cello is str, and no table: [^h]*$"):
        configured("tea", Tea)


def declaring(section: str) -> Any:
    def register(plugin: Registrar) -> None:
        plugin.config(section, "tea_of_a_test:Tea")

    return plugin_of(register)


def test_at_start_all_is_checked_that_anybody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    App(plugins=[declaring("tea")])
    with module("tea_of_a_test", Tea=Tea):
        write("[teas]\n")
        with pytest.raises(OptionError, match=r"cello.toml:1: there is no config section 'teas': did you mean 'tea'"):
            check_configuration()
        Path("cello.toml").unlink()
        monkeypatch.setenv("CELLO_TEA_CUPS", "many")
        with pytest.raises(OptionError, match="CELLO_TEA_CUPS is 'many'"):
            check_configuration()
    with pytest.raises(PluginError, match="the config section tea: tea_of_a_test:Tea cannot be imported"):
        check_configuration()


def test_a_plugin_cannot_have_a_section_that_spells_a_variable_of_the_frameworks_own() -> None:
    with pytest.raises(PluginError, match="'worker', which would spell CELLO_WORKER_TIMEOUT"):
        App(plugins=[declaring("worker")])
    with pytest.raises(ValueError, match="'max_requests' is the framework's own: it would spell CELLO_MAX_REQUESTS"):
        configured("max_requests", Tea)


def test_the_list_of_the_frameworks_own_variables_is_what_the_code_reads() -> None:
    here = SOURCE / "_plugins/variables.py"
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py") if path != here)
    read = set(re.findall(r'"(CELLO_[A-Z_]*[A-Z])"', text)) | {f"CELLO_{name}" for name in ("BIND", "HOST", "PORT")}
    assert "CELLO_PLUGINS_DISABLE" in read
    assert read - {"CELLO_API"} == VARIABLES  # which is a name in plugins


@given(st.lists(st.text(st.characters(exclude_characters=","), min_size=1).map(str.strip)))
def test_a_list_is_what_was_joined_by_commas(parts: list[str]) -> None:
    of_text = conversion(tuple[str, ...]).from_text
    assert of_text is not None
    assert of_text(",".join(parts)) == tuple(filter(None, parts))


@given(st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.timedeltas()))
def test_what_text_says_of_a_value_is_the_value(value: Any) -> None:
    of_text = conversion(type(value)).from_text
    assert of_text is not None
    if isinstance(value, timedelta):
        text = f"{'-' if value < timedelta() else ''}PT{abs(value).days * 24}H{abs(value).seconds}"
        text += f".{abs(value).microseconds:06}S"
    else:
        text = str(value)
    assert of_text(text) == value


APP = """
from dataclasses import dataclass, field
from cello import App
from cello.plugin import configured

@dataclass(frozen=True)
class Tea:
    cups: int = 1

app = App()
print("cups", configured("tea", Tea).cups, flush=True)
"""


def routes(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `cello routes` of that application does."""
    (folder / "tea_app.py").write_text(APP)
    command = [sys.executable, "-m", "cello", "routes", "tea_app:app"]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_process_is_configured_by_its_environment_and_its_file(tmp_path: Path) -> None:
    (tmp_path / "cello.toml").write_text("[tea]\ncups = 2\n")
    assert routes(tmp_path).stdout.startswith("cups 2\n")
    assert routes(tmp_path, CELLO_TEA_CUPS="3").stdout.startswith("cups 3\n")


def test_a_process_with_a_configuration_that_cannot_be_ends_with_2(tmp_path: Path) -> None:
    done = routes(tmp_path, CELLO_TEA_CUPS="many")
    assert (done.returncode, "CELLO_TEA_CUPS is 'many': must be an integer" in done.stderr) == (2, True)
    (tmp_path / "cello.toml").write_text("[coffee]\n")
    done = routes(tmp_path)
    assert (done.returncode, "there is no config section 'coffee'" in done.stderr) == (2, True)
