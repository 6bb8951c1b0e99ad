"""What a newcomer sees who makes a mistake: programs with one, and the screens they give, kept as snapshots.

A snapshot is made of sections. `===== app.py` is a file; `===== $ python app.py` is a command, with all it prints, and
with ` &` goes on beside the next; `===== GET /` is a request made meanwhile, with its answer, and
`===== GET / in a browser` one with the page that is shown. What stands in the files is run, so a new snapshot is a file
with its headings; `snapshots.py` says how to fill it in.
"""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from interpreters import PYTHONS, ROOT, interpreter
from pages import blocks
from serving import PATIENCE_S, SLOW, Stopped, run_source
from snapshots import RENEWS, check, steady

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve

SNAPSHOTS = Path(__file__).parent / "snapshots" / "mistakes"
FILES = sorted(SNAPSHOTS.glob("*.txt"))
HEADING = re.compile(r"^===== (.*)\n", re.MULTILINE)
RUNNING = re.compile(r"running at http://127\.0\.0\.1:(\d+)\n")
#: The folder of the newcomer's program.
HOME = "/home/ada/shop"

#: One screen.
LINES, COLUMNS = 25, 110


def sections(text: str) -> Iterator[tuple[str, str]]:
    """The headings of a snapshot, each with what stands below it."""
    _, *found = HEADING.split(text)
    yield from zip(found[::2], found[1::2], strict=True)


def is_file(name: str) -> bool:
    """Whether a heading is that of a file."""
    return name.endswith(".py") and not name.startswith("$ ")


class Terminal:
    """A command in a terminal of its own, in a folder, and what is to be read there."""

    def __init__(self, folder: Path, command: str, python: str, port: int) -> None:
        words = shlex.split(command)
        program = {"python": [python], "cello": [python, "-m", "cello"]}[words[0]]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CELLO_")}
        self._screen, terminal = os.openpty()
        self.process = subprocess.Popen(
            [*program, *words[1:]],
            cwd=folder,
            env={
                **environment,
                "PYTHONPATH": str(ROOT / "packages/cello-core/src"),
                "CELLO_PORT": str(port),
                "COLUMNS": str(COLUMNS),
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._read = b""

    @property
    def printed(self) -> str:
        """What it has printed by now."""
        return self._read.decode().replace("\r\n", "\n")

    def wait_until_it_runs(self) -> int | None:
        """The port on which it serves; None where it ended before."""
        while not (running := RUNNING.search(self.printed)):
            if not self._more():
                return None
        return int(running[1])

    def end(self) -> str:
        """Ends it, and gives all that was printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        while self._screen >= 0 and self._more():
            pass
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
        if self._screen >= 0:
            os.close(self._screen)
            self._screen = -1
        return self.printed

    def _more(self) -> bool:
        try:
            read = os.read(self._screen, 65536)
        except OSError:  # as Linux says that the last process has closed it
            return False
        self._read += read
        return bool(read)


def answer(port: int, request: str) -> str:
    """The answer to a request as a client shows it."""
    line, _, browser = request.partition(" in a browser")
    method, path, *body = line.split(" ", 2)
    headers = {"accept": "text/html"} if browser or request.endswith(" in a browser") else {}
    if body:
        headers["content-type"] = "application/json"
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body="".join(body) or None, headers=headers)
        response = connection.getresponse()
        content_type = response.getheader("content-type") or ""
        text = response.read().decode()
    if "html" in content_type:
        text = as_shown(text)
    elif "json" in content_type:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return f"{response.status} {response.reason}, {content_type}\n{text}\n"


def as_shown(page: str) -> str:
    """The words of a page, a line for each line that a browser shows."""
    body = page.partition("<body>")[2] or page
    body = re.sub(r"<h2>Header fields.*", "", body, flags=re.DOTALL)
    body = re.sub(r"<mark>(.*?)</mark>", r"\n▶\1\n", body)
    body = re.sub(r"<(span|p|h1|h2|section|pre|/p|/h1|/h2|/section|/pre)\b[^>]*>", "\n", body)
    text = html.unescape(re.sub(r"<[^>]+>", "", body))
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def seen(text: str, folder: Path, python: str) -> str:
    """Runs what a snapshot says, and writes down what is to be seen."""
    found = list(sections(text))
    names = {f"{folder}": HOME, f"{ROOT}": "…", python: "python"}
    outputs: dict[int, str] = {}
    beside: list[tuple[int, Terminal]] = []
    port = 0
    for name, words in found:
        if is_file(name):
            (folder / name).write_text(words.strip("\n") + "\n")
    try:
        for index, (name, _) in enumerate(found):
            if not name.startswith("$ "):
                continue
            terminal = Terminal(folder, name[2:].removesuffix(" &"), python, port)
            beside.append((index, terminal))
            serving = terminal.wait_until_it_runs()
            if name.endswith(" &"):
                port = serving or 0
                names |= {f"port {port} ": "port PORT ", f"--port {port + 1}": "--port PORT+1"}
                continue
            for later, (request, _) in enumerate(found[index + 1 :], index + 1):
                if request.startswith("$ "):
                    break
                outputs[later] = answer(serving, request) if serving else "(nothing answers)\n"
            terminal.end()
    finally:
        for index, terminal in beside:
            outputs[index] = terminal.end()
    if "kept everybody" not in text:  # on a busy machine any handler may be slow
        outputs = {index: SLOW.sub("", words) for index, words in outputs.items()}
    shown = [
        f"===== {name}\n{steady(outputs[index], names) if index in outputs else words.strip(chr(10)) + chr(10)}"
        for index, (name, words) in enumerate(found)
    ]
    return text[: text.index("===== ")] + "\n".join(shown)


def test_the_ten_mistakes_that_everybody_makes_are_kept() -> None:
    names = {path.stem for path in FILES}
    assert names >= {
        "missing_return",
        "wrong_annotation",
        "unknown_option",
        "await_forgotten",
        "route_conflict",
        "port_in_use",
        "blocking_call",
        "unserialisable_value",
        "circular_dependency",
        "handler_not_callable",
    }


@pytest.mark.parametrize("snapshot", [pytest.param(path, id=path.stem) for path in FILES])
def test_a_mistake_takes_one_screen_without_a_line_of_the_framework(snapshot: Path) -> None:
    shown = [(name, words.strip()) for name, words in sections(snapshot.read_text()) if not is_file(name)]
    assert any(name.startswith("$ ") for name, _ in shown)
    for name, words in shown:
        lines = words.splitlines()
        assert len(lines) <= LINES, name
        assert "cello/_" not in words, name
        if "json" not in lines[0]:
            assert max(map(len, lines)) <= COLUMNS, name


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("snapshot", [pytest.param(path, id=path.stem) for path in FILES])
def test_a_mistake_gives_the_screen_that_is_kept(snapshot: Path, version: str, tmp_path: Path) -> None:
    python = sys.executable if version == PYTHONS[0] else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    if RENEWS and version != PYTHONS[0]:
        pytest.skip("renewed by the first of the interpreters")
    check(snapshot, seen(snapshot.read_text(), tmp_path, python))


def test_the_guide_shows_screens_that_are_kept() -> None:
    kept = "".join(path.read_text() for path in FILES)
    screens = blocks("docs/guides/mistakes.md", "text")
    assert len(screens) > 9
    assert [screen for screen in screens if screen not in kept] == []


# --- what is no mistake in the use of the framework


@pytest.mark.parametrize("raised", ["TypeError('mine')", "ValueError('mine')", "LookupError('mine')"])
def test_what_a_script_raises_itself_is_told_by_python(tmp_path: Path, raised: str) -> None:
    stopped = run_source(tmp_path, f"from cello import App\napp = App()\nraise {raised}\n")
    assert stopped.exit_code == 1
    assert stopped.stderr.startswith("Traceback (most recent call last):\n")
    assert stopped.stderr.endswith("Error: mine\n")


def test_whoever_has_a_hook_for_exceptions_keeps_it(tmp_path: Path) -> None:
    source = """
        import sys
        sys.excepthook = lambda kind, error, trace: print(kind.__name__)
        from cello import App
        App().get("/", tag=1)
    """
    assert run_source(tmp_path, source) == Stopped(1, "TypeError\n", "")


def test_in_production_there_are_no_hints(serve: Serve) -> None:
    server = serve(
        """
        from cello import App, Blueprint

        app = App()
        nowhere = Blueprint("/nowhere")

        @nowhere.get("/")
        @app.get("/")
        def nothing():
            {}

        app.run()
        """,
        "--env",
        "production",
        "--workers",
        "1",
    )
    assert server.get("/").json() is None
    assert server.stop().stderr == ""


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("get('/')", "-> None: {}"),
        ("get('/', status=204)", ": {}"),
        ("get('/')", ": raise LookupError"),
        ("get('/')", ": yield b''"),
        ("get('/')", ": return 1 or None"),
        ("post('/')", ": {}"),
    ],
)
def test_a_handler_that_says_so_or_returns_something_gets_no_hint(serve: Serve, route: str, body: str) -> None:
    server = serve(f"from cello import App\napp = App()\n@app.{route}\ndef handler() {body}\napp.run()")
    assert server.stop().stderr == ""
