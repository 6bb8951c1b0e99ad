"""Options, exit codes and limits, as the reference tells of them, are those of the code."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from typing import TYPE_CHECKING, Any

import cello
import pytest
from cello import _cli, _config, _launch, _options
from cello._commands import COMMANDS
from cello._commands.plugins import COMMANDS as PLUGINS_COMMANDS
from cello._explained import Explanation
from cello._plugins import hookspecs
from cello._plugins.variables import VARIABLES
from cello._plugins.wheel import RULES
from cello._project import make, make_plugin
from cello._route_options import RouteOptions
from cello.plugin import Registrar
from pages import code_spans, table, text_of, without_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# --- options

OPTION_COLUMNS = ("command line", "argument", "environment", "default")


APP_PAGE = "docs/reference/app.md"


def test_the_options_that_are_told_are_those_of_the_command_line() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    _options.add_options(parser)
    actual = [(action.option_strings, action.dest) for action in parser._actions]
    rows = table(APP_PAGE, *OPTION_COLUMNS)
    assert [(code_spans(row[0]), *code_spans(row[1])) for row in rows] == actual


def test_the_options_that_are_told_are_the_arguments_of_run() -> None:
    parameters = [name for name in inspect.signature(cello.App.run).parameters if name != "self"]
    assert [code_spans(row[1])[0] for row in table(APP_PAGE, *OPTION_COLUMNS)] == parameters
    assert [code_spans(row[0])[0] for row in table(APP_PAGE, "option", "what it takes", "what it does")] == parameters


def test_the_options_that_are_told_are_read_from_the_environment_and_have_these_defaults() -> None:
    other: dict[str, tuple[str, Any]] = {
        "host": ("0.0.0.0", "0.0.0.0"),
        "port": ("9000", 9000),
        "bind": ("unix:/run/app.sock", ("unix:/run/app.sock",)),
        "env": ("production", "production"),
        "debug": ("0", False),
        "workers": ("4", 4),
        "cpu_affinity": ("1", True),
        "shutdown_timeout": ("2.5", 2.5),
        "shutdown_delay": ("2.5", 2.5),
        "max_requests": ("1000", 1000),
        "max_requests_jitter": ("50", 50),
        "max_rss": ("512M", 512 << 20),
        "worker_timeout": ("2.5", 2.5),
        "preload": ("1", True),
        "reload": ("1", True),
        "reload_include": ("*.md,*.yaml", ("*.md", "*.yaml")),
        "reload_exclude": ("drafts", ("drafts",)),
        "logs": ("0", False),
    }
    named: set[str] = set()
    for _, argument, environment, default in table(APP_PAGE, *OPTION_COLUMNS):
        name = code_spans(argument)[0]
        for variable in code_spans(environment):
            named.add(variable)
            word, value = other.pop(name) if variable == f"CELLO_{name.upper()}" else ("9001", 9001)
            assert getattr(_options.resolve({}, {}, {variable: word}), name) == value
        value = getattr(_options.resolve({}, {}, {}), name)
        if default == "on in development":
            assert value is True
            assert getattr(_options.resolve({}, {"env": "production"}, {}), name) is False
        elif default == "off":
            assert value is False
        elif default.startswith("none"):
            assert value == ()
        elif default.startswith("as "):
            source = code_spans(default)[0]
            for choice in (True, False):
                assert getattr(_options.resolve({}, {source: choice}, {}), name) is choice
        else:
            assert re.split("[; ]", default)[0] == (f"{value:g}" if isinstance(value, float) else str(value))
    assert not other
    # The words of App.run() name some of them.
    assert named > set(re.findall(r"`([A-Z_]*(?:CELLO_|PORT)[A-Z_]*)`", cello.App.run.__doc__ or "")) > set()


def test_the_options_that_the_guide_names_are_those_of_the_command_line() -> None:
    told = {option for row in table(APP_PAGE, *OPTION_COLUMNS) for option in code_spans(row[0])}
    assert {span for span in code_spans(without_blocks("docs/guide.md")) if re.fullmatch("--[a-z-]+", span)} == told


def test_the_words_for_true_and_false_are_those_that_options_take() -> None:
    (row,) = (row for row in table(APP_PAGE, "option", "what it takes", "what it does") if row[0] == "`debug`")
    assert code_spans(row[1]) == [word for word in (*_options._TRUE, *_options._FALSE) if word]


def test_the_exit_codes_that_are_told_are_those_of_the_code() -> None:
    codes = [code for code, _ in table(APP_PAGE, "exit code", "why")]
    expected = [0, _launch.EXIT_USAGE, _launch.EXIT_START, _launch.EXIT_INTERRUPTED]
    assert codes == [*map(str, expected), "any"]


CLI_PAGE = "docs/reference/cli.md"


def test_the_commands_that_are_told_are_those_that_there_are() -> None:
    rows = table(CLI_PAGE, "command", "what it does")
    assert [code_spans(row[0]) for row in rows] == [[f"cello {name}"] for name in COMMANDS]
    rows = table(CLI_PAGE, "command of `plugins`", "what it does")
    assert [code_spans(row[0]) for row in rows] == [[f"cello plugins {name}"] for name in PLUGINS_COMMANDS]


def test_what_a_command_is_told_to_take_is_what_it_takes() -> None:
    told = [
        (*code_spans(row[0]), *code_spans(row[1]))
        for row in table(CLI_PAGE, "command", "takes", "what it is", "default")
    ]
    actual = [one for name in COMMANDS for one in taken(f"cello {name}", _cli.parser_of(name))]
    assert told == actual


def taken(command: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """What a command takes, or each of those within it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in vars(action)["choices"].items():
                yield from taken(f"{command} {name}", inner)
        elif action.dest != "help":
            yield command, action.option_strings[-1] if action.option_strings else str(action.metavar)


def test_the_values_of_an_option_that_has_a_choice_are_told_with_its_default() -> None:
    rows = {tuple(code_spans(row[1])): row for row in table(CLI_PAGE, "command", "takes", "what it is", "default")}
    (sort,) = (action for action in _cli.parser_of("routes")._actions if action.choices)
    assert code_spans(rows["--sort",][2]) == [*(sort.choices or ())]
    assert rows["--sort",][3] == sort.default


def test_every_exit_code_of_the_commands_is_told() -> None:
    codes = [code for code, _ in table(CLI_PAGE, "exit code", "why")]
    expected = [0, 1, _launch.EXIT_USAGE, _launch.EXIT_START, _launch.EXIT_INTERRUPTED]
    assert codes == [*map(str, expected), "any"]


def test_what_an_explanation_is_told_to_have_is_what_it_has() -> None:
    rows = table(CLI_PAGE, "key", "in the text", "what")
    keys = [key for row in rows for key in code_spans(row[0])]
    assert sorted(keys) == sorted(member.name for member in dataclasses.fields(Explanation))


def test_the_files_that_a_new_project_is_told_to_have_are_those_it_gets(tmp_path: Path) -> None:
    told = [path for row in table(CLI_PAGE, "file", "what it is") for path in code_spans(row[0])]
    assert sorted(told) == sorted(make("shop", str(tmp_path / "shop")))


def test_the_files_that_a_new_plugin_is_told_to_have_are_those_it_gets(tmp_path: Path) -> None:
    told = [path for row in table(CLI_PAGE, "file of a plugin", "what it is") for path in code_spans(row[0])]
    assert sorted(told) == sorted(make_plugin("rate_limit", str(tmp_path / "rate_limit"), "MIT"))


def test_the_rules_that_a_wheel_is_told_to_keep_are_those_it_is_checked_for() -> None:
    assert [code_spans(row[0])[0] for row in table(CLI_PAGE, "rule", "what it asks of a wheel")] == [*RULES]


def test_the_options_of_a_route_are_those_that_decorators_take() -> None:
    rows = table(APP_PAGE, "option", "what", "default", "errors")
    assert [code_spans(row[0]) for row in rows] == [[name] for name in RouteOptions.__annotations__]


def test_the_life_of_a_stop_is_told_as_it_is() -> None:
    assert f"for up to {_config.SHUTDOWN_TIMEOUT_S:.0f} seconds" in text_of(APP_PAGE)


# --- limits

LIMITS_PAGE = "docs/reference/limits.md"

#: For each row of the tables of limits, the structure and the field that it tells of.
LIMITS = {
    "head of a request, request line included": "Limits.head_bytes",
    "header fields of a request": "Limits.header_fields",
    "target: path and query": "Limits.uri_bytes",
    "body": "Limits.body_bytes",
    "bodies of all requests together": "Limits.buffered_bytes",
    "connections": "Limits.connections",
    "from the first byte of a head to its end": "Timeouts.head",
    "between two pieces of a body": "Timeouts.body",
    "while the client takes nothing of the answer": "Timeouts.write",
    "between two requests": "Timeouts.keep_alive",
    "for room among the bodies": "Timeouts.buffer_room",
    "for a handler": "Timeouts.handler",
    "a file": "FormLimits.file_bytes",
    "a value that is no file": "FormLimits.field_bytes",
    "a form, boundaries included": "FormLimits.form_bytes",
    "parts, or pairs of a urlencoded form": "FormLimits.parts",
    "header fields of a part, in bytes": "FormLimits.head_bytes",
    "header fields of a part": "FormLimits.head_fields",
    "a file in memory": "FormLimits.memory_bytes",
}


def limits_source() -> str:
    """Where the kernel has its limits."""
    return text_of("crates/cello-kernel/src/limits.rs") + text_of("crates/cello-kernel/src/form/limits.rs")


def in_words(value: str) -> str:
    """A default of the kernel as the reference writes it."""
    if seconds := re.fullmatch(r"Duration::from_secs\((\d+)\)", value):
        return f"{seconds[1]} s"
    if shifted := re.fullmatch(r"(\d+) << (10|20)", value):
        return f"{shifted[1]} {'KiB' if shifted[2] == '10' else 'MiB'}"
    return "none" if value == "None" else f"{int(value.replace('_', '')):,}"


def defaults() -> dict[str, str]:
    """The defaults of the kernel's limits, in words."""
    pattern = r"impl Default for (\w+) \{\n.*?\n        Self \{\n(.*?)\n        \}\n"
    words: dict[str, str] = {}
    for name, lines in re.findall(pattern, limits_source(), re.DOTALL):
        for field, value in re.findall(r"(\w+): (.*),", lines):
            if not value.endswith("::default()"):
                words[f"{name}.{field}"] = in_words(value)
    return words


def answers() -> dict[str, str]:
    """What becomes of a request over each limit, by the comments there: a status, "closed", or "none"."""
    words: dict[str, str] = {}
    pattern = r"/// ([^\n]*)\n#[^\n]*\npub struct (\w+) \{\n(.*?)\n\}"
    for of_all, name, fields in re.findall(pattern, limits_source(), re.DOTALL):
        for comment, field in re.findall(r"((?:    ///.*\n)+)    pub (\w+): ", fields):
            told = " ".join(comment.replace("///", "").split())
            ends = re.findall(r"\b\d{3}\b|closed|nothing is refused", told) or re.findall(r"\b\d{3}\b", of_all)
            words[f"{name}.{field}"] = ends[0].replace("nothing is refused", "none") if ends else ""
    return words


def test_the_limits_that_are_told_are_those_of_the_kernel() -> None:
    found, ends = defaults(), answers()
    assert set(LIMITS.values()) == set(found)
    text = text_of(LIMITS_PAGE).partition("## What else is bounded")[0]
    rows = re.findall(r"^\| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
    assert {rows[0]} == {row for row in rows if row[1] == "limit"}
    told = [row for row in rows if row != rows[0]]
    assert [what for what, *_ in told] == list(LIMITS)
    for what, limit, answer in told:
        field = LIMITS[what]
        assert limit == found[field], what
        assert (re.findall(r"\b\d{3}\b|closed", answer) or ["none"])[0] == ends[field], what


#: Where else the reference tells of limits, and the constants that they are.
CONSTANTS = {
    "depth of JSON, both ways": ("crates/cello-py/src/json/mod.rs", "MAX_DEPTH"),
    "a constraint's regex, compiled": ("crates/cello-kernel/src/router/constraint.rs", "REGEX_BYTES"),
    "a cookie's name and value": ("crates/cello-py/src/response/cookie.rs", "PAIR_BYTES"),
    "an attribute of a cookie": ("crates/cello-py/src/response/cookie.rs", "ATTRIBUTE_BYTES"),
    "`detail` and `title` of an error": ("packages/cello-core/src/cello/_problem.py", "TEXT_CHARACTERS"),
    "what is read ahead of a streamed answer": ("crates/cello-py/src/outflow.rs", "ROOM_BYTES"),
    "requests in flight when the server stops": ("packages/cello-core/src/cello/_config.py", "SHUTDOWN_TIMEOUT_S"),
}


def test_what_else_is_bounded_is_bounded_so() -> None:
    rows = table(LIMITS_PAGE, "what", "limit", "beyond it")
    assert [row[0] for row in rows] == list(CONSTANTS)
    for what, limit, _ in rows:
        path, name = CONSTANTS[what]
        value = re.search(rf"^(?:const )?{name}(?:: \w+)? = ([^;\n]*?)(?:\.0)?;?$", text_of(path), re.MULTILINE)
        assert value, what
        assert limit.removesuffix(limit.lstrip("0123456789,")) == in_words(value[1]).partition(" ")[0], what


# --- plugins


@pytest.mark.parametrize(
    ("head", "owner", "names"),
    [
        (("hook", "when it is called"), hookspecs, hookspecs.__all__),
        (
            ("member of a registrar", "what it declares"),
            Registrar,
            [name for name in vars(Registrar) if not name.startswith("_")],
        ),
    ],
    ids=["hooks", "registrar"],
)
def test_each_hook_and_each_declaration_is_told_with_its_exact_arguments(
    head: tuple[str, str], owner: object, names: list[str]
) -> None:
    told = [code_spans(row[0])[0] for row in table("docs/reference/plugin.md", *head)]
    assert len(told) >= 3
    assert sorted(told) == sorted(f"{name}({arguments_of(getattr(owner, name))})" for name in names)


def arguments_of(function: Callable[..., Any]) -> str:
    """The parameters of a function as one writes them, without their annotations."""
    parameters = [one for name, one in inspect.signature(function).parameters.items() if name != "self"]
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    return str(inspect.Signature(bare))[1:-1]


def test_the_variables_of_plugins_are_told() -> None:
    told = " ".join(code_spans(without_blocks("docs/reference/plugin.md")))
    variables = [name for name in VARIABLES if name.startswith("CELLO_PLUGINS")]
    assert len(variables) >= 4
    assert not [name for name in variables if name not in told]
