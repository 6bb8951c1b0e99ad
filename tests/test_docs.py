"""The documentation is true: its examples run, its tables are those of the code, what it names is there."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import cello
import cello.errors
import pytest
from pages import GUIDES, PLUGINS, REFERENCE, ROOT, blocks, code_spans, table, text_of, without_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

PACKAGES = sorted(ROOT.glob("packages/*"))
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/guide.md", *GUIDES, *PLUGINS, *REFERENCE]
FILE_SUFFIXES = (".json", ".lock", ".md", ".py", ".pyi", ".rs", ".sh", ".toml", ".txt", ".yml")

#: What the examples of the guide and the reference take for granted.
PRELUDE = """\
from cello import App, FormData, Request, Response

app = App()


class Database:
    async def close(self):
        print("closed", flush=True)


async def connect_to_database():
    return Database()


"""
#: And what those of one page do.
PRELUDES = {
    "docs/reference/forms.md": """\
part = "--x\\r\\nContent-Disposition: form-data; name={0}; filename={0}\\r\\n\\r\\n{1}\\r\\n"
archive = (b"PK\\5\\6" + bytes(18)).decode()
form = FormData.parse(
    "multipart/form-data; boundary=x",
    (part.format("archive", archive) + part.format("table", "a,b") + "--x--\\r\\n").encode(),
)


""",
    "docs/reference/response.md": """\
with open("film.mp4", "wb") as film:
    film.write(b"a film")


""",
}


#: Their examples serve nothing, or are several files, and have tests of their own.
ASGI_GUIDE = "docs/guides/asgi.md"
LOOP_GUIDE = "docs/guides/loop.md"
TESTING_GUIDE = "docs/guides/testing.md"
PACKAGE_PAGES = [f"packages/{path.name}/README.md" for path in PACKAGES]
EXAMPLES = [
    pytest.param(name, block, id=f"{name}-{number}")
    for name in ["README.md", "docs/guide.md", *GUIDES, *REFERENCE, *PACKAGE_PAGES]
    if name not in (ASGI_GUIDE, LOOP_GUIDE, TESTING_GUIDE)
    for number, block in enumerate(blocks(name, "python"))
]


def test_the_pages_have_examples() -> None:
    pages = {str(example.id).rpartition("-")[0] for example in EXAMPLES}
    names = ("app", "errors", "forms", "json", "request", "response", "routing")
    assert pages >= {"README.md", "docs/guide.md", "packages/cello-core/README.md"}
    assert pages >= {f"docs/reference/{name}.md" for name in names}


def filled(path: str) -> str:
    """A path that a route of an example answers."""
    return re.sub(r"\{(\*?\w+)(:\w+)?\}", lambda found: "7" if found[1] == "id" else "violin", path)


@pytest.mark.parametrize(("page", "block"), EXAMPLES)
def test_every_example_is_served_and_stops_cleanly(serve: Serve, page: str, block: str) -> None:
    is_whole = "from cello import App" in block
    assert is_whole == ("app.run()" in block)
    server = serve(block if is_whole else f"{PRELUDE}{PRELUDES.get(page, '')}{block}\n\napp.run()\n")
    for path in re.findall(r'^@app\.get\("([^"]*)"\)$', block, re.MULTILINE):
        assert server.get(filled(path)).status == 200
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


def test_the_guides_first_example_answers_what_it_says(serve: Serve) -> None:
    server = serve(blocks("docs/guide.md", "python")[0])
    told = re.search(r"`curl localhost:8000(/\S+)` answers\n`(.*)`", text_of("docs/guide.md"))
    assert told
    assert server.get(told[1]).body.decode() == told[2]


def test_the_example_of_json_answers_what_it_says(serve: Serve) -> None:
    server = serve(blocks("docs/reference/json.md", "python")[0])
    assert server.get("/item").body.decode() == blocks("docs/reference/json.md", "json")[0].strip()


def test_the_example_of_the_loop_s_guide_prints_what_it_says() -> None:
    block = blocks(LOOP_GUIDE, "python")[0]
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [done.stdout.strip()] == re.findall(r"^cello\.loop\.run\(main\(\)\)  # (.*)$", block, re.MULTILINE)


def test_the_tests_of_the_guide_of_testing_pass(tmp_path: Path) -> None:
    files = dict(re.findall(r"^# (\w+\.py)\n(.*)", block, re.DOTALL)[0] for block in blocks(TESTING_GUIDE, "python"))
    assert len(files) == 5
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    plugins = ["-p", "cello._pytest", "-p", "pytest_asyncio.plugin"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, "8 passed" in done.stdout) == (0, True), done.stdout


def test_the_example_of_the_guide_of_asgi_prints_what_it_says(tmp_path: Path) -> None:
    app, ask, traced = blocks(ASGI_GUIDE, "python")
    for name, text in ("app.py", app), ("ask.py", ask):
        assert text.startswith(f"# {name}\n")
        (tmp_path / name).write_text(text)
    subprocess.run([sys.executable, "-c", traced], cwd=tmp_path, check=True)
    done = subprocess.run([sys.executable, "ask.py"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == blocks(ASGI_GUIDE, "text")[0]


def test_every_name_of_ours_in_the_documentation_is_there() -> None:
    spans = {span for page in PAGES for span in code_spans(without_blocks(page))}
    dotted = {span for span in spans if re.fullmatch(r"cello(\.\w+)+(\(.*\))?", span)}
    dotted -= {"cello.toml"}  # a file
    assert "cello.loop.EventLoop" in dotted
    for span in dotted:
        found: Any = cello
        for part in span.partition("(")[0].split(".")[1:]:
            found = getattr(found, part, None) or __import__(f"cello.{part}", fromlist=["_"])
        assert found is not None
    assert "`cello.errors.HTTPError(status, detail)`" in text_of("docs/guide.md")
    assert list(inspect.signature(cello.errors.HTTPError).parameters)[:2] == ["status", "detail"]


def looks_like_a_path(span: str) -> bool:
    """Whether a code span names a file or a folder of the repository."""
    if re.search(r"[\s<>(){}\[\]=:;,]", span) or span.startswith(("/", "-")):
        return False
    return "/" in span or span.endswith(FILE_SUFFIXES)


def is_there(path: str) -> bool:
    """Whether a path exists; a bare file name may be of any folder of ours."""
    if (ROOT / path).exists():
        return True
    folders = ("crates", "packages", "tests", "examples", "conformance", "benchmarks", "docs", "tools")
    return "/" not in path and any(found for folder in folders for found in (ROOT / folder).rglob(path))


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = without_blocks(page)
    paths = [span for span in code_spans(text) if looks_like_a_path(span)]
    assert len(paths) >= 3
    assert not [path for path in paths if not is_there(path)]


def anchors(path: Path) -> set[str]:
    """What links can lead to in a page: its headings, as they are made into anchors."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    pages = [*PAGES, "CHANGELOG.md", *(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)]+)", without_blocks(page))]
    local = [(page, *link.partition("#")[::2]) for page, link in links if not link.startswith("https://")]
    assert len(local) >= 5
    for page, link, anchor in local:
        target = (ROOT / page).parent / link if link else ROOT / page
        assert target.exists(), (page, link)
        assert not anchor or anchor in anchors(target), (page, link, anchor)


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
