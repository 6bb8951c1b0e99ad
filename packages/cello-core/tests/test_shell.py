"""`cello shell`: Python with an application that has started."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from serving import PATIENCE_S, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMAND = (sys.executable, "-m", "cello", "shell", "shop")

SHOP = """
from cello import App

app = App()


@app.on_event("startup")
async def start():
    app.state.stock = {"violin": 3}
    print("started", flush=True)


@app.on_event("shutdown")
async def stop():
    print("stopped", flush=True)


@app.get("/stock")
def stock():
    return app.state.stock


@app.get("/fail")
def fail():
    raise LookupError("nothing is here")


app.run()
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def pipe(shop: Path) -> Callable[[str], Stopped]:
    """Pipes a program into the shell."""

    def run(source: str) -> Stopped:
        done = subprocess.run(
            COMMAND, cwd=shop, input=textwrap.dedent(source), capture_output=True, text=True, timeout=PATIENCE_S
        )
        return Stopped.of(done.returncode, done.stdout, done.stderr)

    return run


# --- a program that is piped


def test_a_program_has_the_application_between_its_start_and_its_stop(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("print(app.state.stock)\n")
    assert ended == Stopped(0, "started\n{'violin': 3}\nstopped\n", "")


def test_a_program_awaits_at_its_top_level(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("""
        import asyncio

        async def later(number):
            await asyncio.sleep(0)
            return number

        task = asyncio.create_task(later(1))
        for number in range(2, 4):
            print(await later(number))
        print(await task, __name__)
    """)
    assert ended == Stopped(0, "started\n2\n3\n1 __console__\nstopped\n", "")


def test_a_program_that_fails_is_told_with_its_own_lines_and_ends_with_1(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("def half(number):\n    return number / 0\n\nhalf(1)\nprint('not come to')\n")
    assert (ended.exit_code, ended.stdout) == (1, "started\nstopped\n")
    lines = [line for line in ended.stderr.splitlines() if "^" not in line]
    assert lines == [
        "Traceback (most recent call last):",
        '  File "<stdin>", line 4, in <module>',
        "    half(1)",
        '  File "<stdin>", line 2, in half',
        "    return number / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_a_program_that_is_none_is_told_and_ends_with_1(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("1 +\n")
    assert (ended.exit_code, ended.stdout) == (1, "started\nstopped\n")
    assert ended.stderr.endswith("SyntaxError: invalid syntax\n")


def test_a_program_ends_with_the_code_it_chooses(pipe: Callable[[str], Stopped]) -> None:
    assert pipe("raise SystemExit(7)") == Stopped(7, "started\nstopped\n", "")


def test_an_application_that_cannot_start_is_told_and_ends_with_3(shop: Path, pipe: Callable[[str], Stopped]) -> None:
    (shop / "shop.py").write_text(SHOP.replace("app.state.stock =", "app.state.stock: int = 1 / 0; _ ="))
    ended = pipe("print('not come to')")
    assert (ended.exit_code, ended.stdout) == (3, "")
    assert ended.stderr.startswith(f"cello: the startup function start ({shop / 'shop.py'}:")
    assert "ZeroDivisionError" in ended.stderr


def test_a_program_asks_the_application_through_its_client(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("reply = await client.get('/stock')\nprint(reply.status_code, reply.json())\n")
    assert ended == Stopped(0, "started\n200 {'violin': 3}\nstopped\n", "")


def test_what_a_handler_raises_is_raised_where_it_is_asked(pipe: Callable[[str], Stopped]) -> None:
    ended = pipe("await client.get('/fail')")
    assert (ended.exit_code, ended.stdout) == (1, "started\nstopped\n")
    assert ended.stderr.endswith("LookupError: nothing is here\n")


def test_without_httpx_there_is_no_client_and_all_else(shop: Path, pipe: Callable[[str], Stopped]) -> None:
    (shop / "httpx.py").write_text("raise ImportError('as if it were not installed')")
    ended = pipe("print(app.state.stock, 'client' in globals())")
    assert ended == Stopped(0, "started\n{'violin': 3} False\nstopped\n", "")


# --- what is typed


class Terminal:
    """A shell at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(COMMAND[0], COMMAND, {**os.environ, "TERM": "dumb", "PYTHON_BASIC_REPL": "1"})

    def until(self, words: str) -> str:
        """What comes up to some words."""
        seen = ""
        while words not in seen:
            assert select.select([self.descriptor], [], [], PATIENCE_S)[0], f"{words!r} did not come: {seen!r}"
            seen += os.read(self.descriptor, 4096).decode().replace("\r\n", "\n")
        return seen

    def type(self, line: str, until: str = ">>> ") -> list[str]:
        """Types a line; what comes until the next prompt, without the line."""
        os.write(self.descriptor, f"{line}\n".encode())
        lines = self.until(until).splitlines()
        return [seen for seen in lines if seen.strip() not in ("", line, until.strip())]

    def end(self) -> tuple[str, int]:
        """Types the end of the file; what comes, and the exit code."""
        os.write(self.descriptor, b"\x04")
        seen = b""
        try:
            while more := os.read(self.descriptor, 4096):
                seen += more
        except OSError:  # the other end is closed
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return seen.decode().strip(), code


@pytest.fixture
def terminal(shop: Path) -> Iterator[Terminal]:
    """A shell at a terminal, at its first prompt."""
    terminal = Terminal(shop)
    assert "`app` has started" in terminal.until(">>> ")
    yield terminal
    if terminal.pid:
        os.kill(terminal.pid, 9)
        os.waitpid(terminal.pid, 0)
    os.close(terminal.descriptor)


def test_what_is_typed_is_answered_until_the_end(terminal: Terminal) -> None:
    assert terminal.type("app.state.stock['violin']") == ["3"]
    assert terminal.type("import asyncio") == []
    assert terminal.type("await asyncio.sleep(0, 4) + _") == ["7"]
    assert "coroutine object" in terminal.type("client.get('/stock')")[0]
    assert terminal.type("0")[0].endswith("RuntimeWarning: coroutine 'AsyncClient.get' was never awaited")
    assert terminal.type("1 / 0")[-1] == "ZeroDivisionError: division by zero"
    assert terminal.end() == ("stopped", 0)


def test_ctrl_c_ends_what_is_awaited_and_no_more(terminal: Terminal) -> None:
    assert terminal.type("import asyncio") == []
    os.write(terminal.descriptor, b"print('wai' + 'ting', flush=True); await asyncio.sleep(1000)\n")
    terminal.until("waiting")
    os.write(terminal.descriptor, b"\x03")
    assert "KeyboardInterrupt" in terminal.until(">>> ")
    assert terminal.type("1 + 1") == ["2"]
    assert terminal.end() == ("stopped", 0)
