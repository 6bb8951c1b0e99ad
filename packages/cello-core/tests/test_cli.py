"""The `cello` command: its table of commands, its help, and how it ends; and `cello routes`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cello._commands import COMMANDS
from serving import Stopped, run_to_its_end
from snapshots import check

if TYPE_CHECKING:
    from collections.abc import Callable

CELLO = (sys.executable, "-m", "cello")
SNAPSHOTS = Path(__file__).parent / "snapshots"

SHOP = """
from cello import App, Blueprint
from cello.routing import IntConstraint

async def timing(request, call_next):
    return await call_next(request)

app = App()
app.use(timing)
users = Blueprint("/users", tags=["people"], timeout=2.5)
admin = App()

@app.get("/")
def home():
    return "home"

@users.get("/{name}", deprecated=True)
def by_name(request):
    return "by name"

@users.get("/{id}", constraints={"id": IntConstraint()}, middleware=[timing])
async def by_id(request):
    return "by id"

@admin.post("/users")
def add():
    return "added"

app.register_blueprint(users)
app.mount("/admin", admin)
app.run()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP))
    return tmp_path


@pytest.fixture
def cello(tmp_path: Path) -> Callable[..., Stopped]:
    """Runs the command, in the test's folder."""
    return lambda *words: run_to_its_end(tmp_path, *CELLO, *words)


# --- the command


def test_the_help_names_every_command_and_what_it_does(cello: Callable[..., Stopped]) -> None:
    told = cello("--help")
    assert (told.exit_code, told.stderr) == (0, "")
    for name, words in COMMANDS.items():
        assert f"    {name.ljust(9)} {words}\n" in told.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(cello: Callable[..., Stopped], command: str) -> None:
    told = cello(command, "--help")
    assert (told.exit_code, told.stderr) == (0, "")
    words = COMMANDS[command]
    assert told.stdout.startswith(f"usage: cello {command} [-h]")
    assert f"\n\n{words[0].upper()}{words[1:]}.\n" in told.stdout


def test_the_help_imports_nothing_heavy() -> None:
    code = "import sys\nfrom cello import _cli\ntry: _cli.main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        env={**os.environ, "CELLO_PLUGINS_AUTOLOAD": "0"},  # a plugin imports what it wants
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"argparse", "cello._cli"} <= loaded
    assert not loaded & {
        "asyncio",
        "inspect",
        "dataclasses",
        "json",
        "difflib",
        "cello._compose",
        "cello._commands.run",
    }


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "cello: error: the following arguments are required: COMMAND\n"),
        (("serve",), "cello: error: argument COMMAND: invalid choice: 'serve'"),
        (("routes",), "cello routes: error: the following arguments are required: MODULE[:APP]\n"),
        (("routes", "shop", "--jsno"), "cello: there is no option --jsno: did you mean --json?\n"),
        (("routes", "shop", "--sort", "colour"), "cello routes: error: argument --sort: invalid choice: 'colour'"),
        (("shell", "shop", "more"), "cello shell: error: unrecognized arguments: more\n"),
        (("explain", "GET", "shop"), "cello explain: error: the following arguments are required: MODULE[:APP]\n"),
    ],
)
def test_bad_usage_is_told_and_ends_with_2(cello: Callable[..., Stopped], words: tuple[str, ...], error: str) -> None:
    ended = cello(*words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert error in ended.stderr


@pytest.mark.parametrize("command", [("routes",), ("explain", "GET", "/"), ("shell",)], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("nothing", "cello: there is no module 'nothing' here: give MODULE:APP, such as app:app\n"),
        ("shop:other", "cello: shop has no App named 'other'; it has app, admin\n"),
        ("shop.py", "cello: shop.py names no module: give MODULE:APP, such as shop:app\n"),
    ],
)
def test_an_application_that_is_not_there_is_told_in_one_line_and_ends_with_3(
    shop: Path, cello: Callable[..., Stopped], command: tuple[str, ...], target: str, error: str
) -> None:
    assert shop.is_dir()
    assert cello(*command, target) == Stopped(3, "", error)


@pytest.mark.parametrize("command", [("routes",), ("explain", "GET", "/"), ("shell",)], ids=lambda words: words[0])
def test_what_is_told_at_start_is_told_by_every_command(
    tmp_path: Path, cello: Callable[..., Stopped], command: tuple[str, ...]
) -> None:
    (tmp_path / "twice.py").write_text(
        "from cello import App\napp = App()\n\n@app.get('/a')\ndef one(): ...\n\n@app.get('/a')\ndef two(): ...\n"
    )
    told = cello(*command, "twice")
    assert (told.exit_code, told.stdout) == (3, "")
    assert told.stderr.startswith("cello: GET /a has two handlers")
    assert told == cello("run", "twice", "--port", "0")


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(shop: Path) -> None:
    command = f"{sys.executable} -u -m cello routes shop --json | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=shop, capture_output=True, text=True)
    assert done.stderr == ""


# --- cello routes


def test_the_routes_are_listed_as_the_router_decides(shop: Path, cello: Callable[..., Stopped]) -> None:
    assert shop.is_dir()
    listed = cello("routes", "shop")
    assert (listed.exit_code, listed.stderr) == (0, "")
    check(SNAPSHOTS / "routes.txt", listed.stdout)


def test_the_routes_are_listed_as_they_were_registered(shop: Path, cello: Callable[..., Stopped]) -> None:
    assert shop.is_dir()
    listed = json.loads(cello("routes", "shop:app", "--json", "--sort", "registration").stdout)
    assert [route["path"] for route in listed] == ["/", "/users/{name}", "/users/{id}", "/admin/users"]
    assert listed[2] == {
        "method": "GET",
        "path": "/users/{id}",
        "handler": {"name": "by_id", "file": "shop.py", "line": 21},
        "middleware": 2,
        "options": {"tags": ["people"], "timeout": 2.5, "constraints": {"id": "int"}},
    }


def test_an_application_without_routes_says_so(tmp_path: Path, cello: Callable[..., Stopped]) -> None:
    (tmp_path / "empty.py").write_text("from cello import App\napp = App()\n")
    assert cello("routes", "empty") == Stopped(0, "The application has no routes.\n", "")
    assert cello("routes", "empty", "--json") == Stopped(0, "[]\n", "")
