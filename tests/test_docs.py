"""The documentation is true: its examples run, its tables are those of the code, what it names is there."""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cello
import pytest
from cello import _launch, _options, errors

if TYPE_CHECKING:
    from serving import Serve

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/guide.md", "docs/guides/loop.md"]
FILE_SUFFIXES = (".json", ".lock", ".md", ".py", ".pyi", ".rs", ".sh", ".toml", ".txt", ".yml")

#: What the examples of the guide take for granted.
PRELUDE = """\
from cello import App, Request, Response

app = App()


class Database:
    async def close(self):
        print("closed", flush=True)


async def connect_to_database():
    return Database()


"""


def text_of(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text()


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)


def without_blocks(name: str) -> str:
    """A page's prose and tables."""
    return re.sub(r"^```.*?^```$", "", text_of(name), flags=re.DOTALL | re.MULTILINE)


def table(name: str, *columns: str) -> list[list[str]]:
    """The rows of the one table of a page that has these columns."""
    head = "| " + " | ".join(columns) + " |"
    _, found, rest = text_of(name).partition(f"{head}\n|{'---|' * len(columns)}\n")
    assert found, f"{name} has no table {head}"
    lines = rest.partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert rows
    assert all(len(row) == len(columns) for row in rows)
    return rows


def code_spans(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


EXAMPLES = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ["README.md", "docs/guide.md", *(f"packages/{path.name}/README.md" for path in ROOT.glob("packages/*"))]
    for number, block in enumerate(blocks(name, "python"))
]


def test_the_pages_have_examples() -> None:
    pages = {str(example.id).rpartition("-")[0] for example in EXAMPLES}
    assert pages == {"README.md", "docs/guide.md", "packages/cello-core/README.md"}


@pytest.mark.parametrize("block", EXAMPLES)
def test_every_example_is_served_and_stops_cleanly(serve: Serve, block: str) -> None:
    is_whole = "from cello import App" in block
    assert is_whole == ("app.run()" in block)
    server = serve(block if is_whole else f"{PRELUDE}{block}\n\napp.run()\n")
    for path in re.findall(r'^@app\.get\("(.*)"\)$', block, re.MULTILINE):
        assert server.get(re.sub(r"\{\w+\}", "7", path)).status == 200
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    assert ("closed" in stopped.stdout) == ("database.close()" in block)


def test_the_readmes_first_example_answers_what_it_says(serve: Serve) -> None:
    block = blocks("README.md", "python")[0]
    server = serve(block)
    assert server.get("/").json() == {"message": "Hello, Cello!"}
    assert server.get("/users/7").json() == {"id": "7", "name": "Alice"}
    comment = re.findall(r"^app\.run\(\)  # (.*)$", block, re.MULTILINE)
    assert comment == [server.banner[-1].strip().replace(f":{server.port}", ":8000")]


def test_the_example_of_the_loop_s_guide_prints_what_it_says() -> None:
    block = blocks("docs/guides/loop.md", "python")[0]
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [done.stdout.strip()] == re.findall(r"^cello\.loop\.run\(main\(\)\)  # (.*)$", block, re.MULTILINE)


OPTION_COLUMNS = ("command line", "argument", "environment", "default")


def test_the_guides_options_are_those_of_the_command_line() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    _options.add_options(parser)
    actual = [(action.option_strings, action.dest) for action in parser._actions]
    rows = table("docs/guide.md", *OPTION_COLUMNS)
    assert [(code_spans(row[0]), *code_spans(row[1])) for row in rows] == actual


def test_the_guides_options_are_the_arguments_of_run() -> None:
    parameters = [name for name in inspect.signature(cello.App.run).parameters if name != "self"]
    assert [code_spans(row[1])[0] for row in table("docs/guide.md", *OPTION_COLUMNS)] == parameters


def test_the_guides_options_are_read_from_the_environment_and_have_these_defaults() -> None:
    other: dict[str, tuple[str, Any]] = {
        "host": ("0.0.0.0", "0.0.0.0"),
        "port": ("9000", 9000),
        "env": ("production", "production"),
        "debug": ("0", False),
        "logs": ("0", False),
    }
    named: set[str] = set()
    for _, argument, environment, default in table("docs/guide.md", *OPTION_COLUMNS):
        name = code_spans(argument)[0]
        for variable in code_spans(environment):
            named.add(variable)
            word, value = other.pop(name) if variable == f"CELLO_{name.upper()}" else ("9001", 9001)
            assert getattr(_options.resolve({}, {}, {variable: word}), name) == value
        value = getattr(_options.resolve({}, {}, {}), name)
        if default == "on in development":
            assert value is True
            assert getattr(_options.resolve({}, {"env": "production"}, {}), name) is False
        elif default.startswith("as "):
            source = code_spans(default)[0]
            for choice in (True, False):
                assert getattr(_options.resolve({}, {source: choice}, {}), name) is choice
        else:
            assert re.split("[; ]", default)[0] == str(value)
    assert not other
    # The words of App.run() name the same variables.
    assert named == set(re.findall(r"`([A-Z_]*(?:CELLO_|PORT)[A-Z_]*)`", cello.App.run.__doc__ or ""))


def test_the_guides_exit_codes_are_those_of_the_code() -> None:
    line = re.search(r"^Exit codes: (.*)\.$", text_of("docs/guide.md"), re.MULTILINE)
    assert line
    codes = [int(words.split()[0]) for words in line[1].split(", ")]
    assert codes == [0, _launch.EXIT_USAGE, _launch.EXIT_START, _launch.EXIT_INTERRUPTED]


#: For each row of the guide's table of limits, the fields that it tells of.
LIMITS = {
    "head of a request": ("head_bytes", "header_fields"),
    "target": ("uri_bytes",),
    "body": ("body_bytes",),
    "bodies of all requests together": ("buffered_bytes", "buffer_room"),
    "connections": ("connections",),
    "time for the head": ("head",),
    "time between two pieces of a body": ("body",),
    "time the client takes nothing of the answer": ("write",),
    "time between two requests": ("keep_alive",),
}


def defaults() -> dict[str, str]:
    """The defaults of `limits.rs` as the guide would write them."""
    words: dict[str, str] = {}
    source = text_of("crates/cello-kernel/src/limits.rs")
    for block in re.findall(r"fn default\(\) -> Self \{\n\s*Self \{\n(.*?)\n\s*\}\n", source, re.DOTALL):
        for line in block.splitlines():
            name, _, value = line.strip().rstrip(",").partition(": ")
            if seconds := re.fullmatch(r"Duration::from_secs\((\d+)\)", value):
                words[name] = f"{seconds[1]} s"
            elif shifted := re.fullmatch(r"(\d+) << (10|20)", value):
                words[name] = f"{shifted[1]} {'KiB' if shifted[2] == '10' else 'MiB'}"
            elif name == "header_fields":
                words[name] = f"{value} fields"
            elif value not in ("None", "FormLimits::default()"):
                words[name] = f"{int(value):,}"
    return words


def answers() -> dict[str, str]:
    """What becomes of a request over each limit, by the comments of `limits.rs`: a status, or "closed"."""
    source = text_of("crates/cello-kernel/src/limits.rs")
    documented = re.findall(r"/// (.*)\n    pub (\w+): ", source)
    return {name: found[0] for comment, name in documented if (found := re.findall(r"\b\d{3}\b|closed", comment))}


def test_the_guides_limits_are_those_of_the_kernel() -> None:
    found = defaults()
    assert len(found) > 10
    assert {name for fields in LIMITS.values() for name in fields} == set(found)
    rows = table("docs/guide.md", "what", "limit", "answer")
    assert [row[0] for row in rows] == list(LIMITS)
    for what, limit, answer in rows:
        words = [found[name] for name in LIMITS[what]]
        assert ", ".join(words) == limit or (words[0] == limit and f" {words[1]}," in answer), what
        ends = {answers()[name] for name in LIMITS[what]}
        assert len(ends) == 1, what
        assert re.findall(r"\b\d{3}\b|closed", answer) == [*ends], what


def test_the_guide_names_the_life_of_a_stop_as_it_is() -> None:
    from cello._serve import SHUTDOWN_TIMEOUT_S

    assert f"for up to {SHUTDOWN_TIMEOUT_S:.0f} seconds" in text_of("docs/guide.md")


def test_the_guide_and_the_reference_name_what_a_request_offers() -> None:
    offered = {name for name in vars(cello.Request) if not name.startswith("_")}
    sentence = re.search(r"^A request has (.*?)\.", text_of("docs/guide.md"), re.MULTILINE)
    assert sentence
    assert {name.removesuffix("()") for name in code_spans(sentence[1])} <= offered
    cells = re.findall(r"^\| (`.*?) \|", text_of("docs/reference/request.md"), re.MULTILINE)
    assert {span.partition("(")[0] for cell in cells for span in code_spans(cell)} >= offered


def test_every_name_of_ours_in_the_documentation_is_there() -> None:
    spans = {span for page in PAGES for span in code_spans(without_blocks(page))}
    dotted = {span for span in spans if re.fullmatch(r"cello(\.\w+)+(\(.*\))?", span)}
    assert "cello.loop.EventLoop" in dotted
    for span in dotted:
        found: Any = cello
        for part in span.partition("(")[0].split(".")[1:]:
            found = getattr(found, part, None) or __import__(f"cello.{part}", fromlist=["_"])
        assert found is not None
    assert "`cello.errors.HTTPError(status, detail)`" in text_of("docs/guide.md")
    assert list(inspect.signature(errors.HTTPError).parameters)[:2] == ["status", "detail"]


def looks_like_a_path(span: str) -> bool:
    """Whether a code span names a file or a folder of the repository."""
    if re.search(r"[\s<>(){}\[\]=:;,]", span) or span.startswith(("/", "-")):
        return False
    return "/" in span or span.endswith(FILE_SUFFIXES)


def is_there(path: str) -> bool:
    """Whether a path exists; a bare file name may be of any folder of ours."""
    if (ROOT / path).exists():
        return True
    folders = ("crates", "packages", "tests", "examples", "conformance", "benchmarks", "docs")
    return "/" not in path and any(found for folder in folders for found in (ROOT / folder).rglob(path))


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = without_blocks(page)
    paths = [span for span in code_spans(text) if looks_like_a_path(span)]
    assert len(paths) >= 3
    assert not [path for path in paths if not is_there(path)]


def test_every_link_leads_somewhere() -> None:
    pages = [*PAGES, "CHANGELOG.md", *(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", without_blocks(page))]
    local = [(page, link) for page, link in links if not link.startswith("https://")]
    assert len(local) >= 5
    assert not [(page, link) for page, link in local if not ((ROOT / page).parent / link).exists()]


def test_the_architectures_map_shows_the_folders_there_are() -> None:
    shown = blocks("ARCHITECTURE.md", "")[0]
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert set(re.findall(r"([a-z]+)/", shown)) == there - {"target", "dist"}
    members = {path.name for folder in ("crates", "packages") for path in (ROOT / folder).iterdir()}
    assert set(re.findall(r"cello-\w+", shown)) == members


FEATURES = [pytest.param(*row, id=row[0][:40]) for row in table("README.md", "feature", "shown by")]


@pytest.mark.parametrize(("feature", "shown_by"), FEATURES)
def test_every_feature_of_the_readme_is_shown_by_tests(feature: str, shown_by: str) -> None:
    files = code_spans(shown_by)
    assert feature
    assert files
    assert re.fullmatch(r"`[^`]+`(, `[^`]+`)*", shown_by)
    for name in files:
        source = text_of(name)
        assert re.search(r"^def test_\w+\(|^\s*#\[(tokio::)?test\]$", source, re.MULTILINE), name


def scripts() -> set[str]:
    """The commands of `hatch run`."""
    found = tomllib.loads(text_of("hatch.toml"))["envs"]["default"]["scripts"]
    return {*found}


def test_every_command_that_is_named_is_one_of_hatchs_and_each_of_those_is_named() -> None:
    named = {
        page: set(re.findall(r"hatch run ([\w-]+)", text_of(page)))
        for page in ["README.md", "CONTRIBUTING.md", "conftest.py", ".ci/run", "benchmarks/README.md"]
    }
    assert {"test", "lint"} <= named["CONTRIBUTING.md"]
    assert set().union(*named.values()) <= scripts()
    listed = [code_spans(row[0]) for row in table("CONTRIBUTING.md", "command", "what it does")]
    assert {command for (command,) in listed} == {f"hatch run {script}" for script in scripts()}


def test_the_files_that_hatchs_commands_run_are_there() -> None:
    paths = re.findall(r"python (\S+\.py)|-m '[^']*' (\S+\.py)", text_of("hatch.toml"))
    assert len(paths) >= 4
    assert all((ROOT / (script or tests)).is_file() for script, tests in paths)
