"""The tutorial is true: its pages are followed, file by file and command by command, and what they show is compared."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pages import ROOT, code_spans, table, text_of
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [
    f"docs/tutorial/{page}" for page in re.findall(r"^\d\. \[.*\]\((.*)\)", text_of("docs/tutorial/index.md"), re.M)
]
PATIENCE_S = 50.0
#: What `docs/tutorial/index.md` says is not run.
PREPARATION = ("cd cello", "cd ..", "pip install", "python -m venv", ". ")
SOURCE = ROOT / "packages/cello-core/src"
ELLIPSIS = "…"


@dataclass
class Reader:
    """Somebody who does what the pages say."""

    folder: Path
    server: Server | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    ran: list[str] = field(default_factory=list[str])

    def write(self, path: str, text: str) -> None:
        """Writes a file as a page has it."""
        (self.folder / path).write_text(text)

    def change(self, path: str, lines: list[str]) -> None:
        """Changes a file: each group of lines that go is there once, and those that come are put in its place."""
        text = (self.folder / path).read_text()
        for group in "\n".join(lines).split("\n\n"):
            gone = "".join(f"{line[1:]}\n" for line in group.splitlines() if line.startswith("-"))
            come = "".join(f"{line[1:]}\n" for line in group.splitlines() if line.startswith("+"))
            assert gone
            assert f"\n{text}".count(f"\n{gone}") == 1, f"{path} has these lines not once:\n{gone}"
            text = text.replace(gone, come)
        self.write(path, text)

    def run(self, command: str) -> str | None:
        """Does what a command says; what it said, or None where it was not run."""
        self.ran.append(command)
        if command == "^C":
            return self.interrupt()
        if command.startswith(PREPARATION):
            return None
        word, *arguments = shlex.split(command)
        match word, *arguments:
            case "cd", folder:
                self.folder /= folder
                return ""
            case "hatch", "run", "demo":
                return self.serve(ROOT, *demo_command())
            case "cello", "run", *_:
                return self.serve(self.folder, "-m", "cello", *arguments)
            case "curl", *options, address:
                return self.ask(options, address)
            case "cello" | "pytest", *_:
                done = subprocess.run(
                    [sys.executable, "-m", word, *arguments],
                    cwd=self.folder,
                    env=self.surroundings(),
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE_S,
                )
                return done.stdout + done.stderr
            case _:
                raise AssertionError(f"nobody knows how to run {command}")

    def surroundings(self) -> dict[str, str]:
        """The environment: Cello and the project are installed, and nothing else that pytest would load."""
        path = os.pathsep.join([str(SOURCE), str(self.folder / "src")])
        return {**os.environ, **self.environment, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def serve(self, folder: Path, *arguments: str) -> str:
        """Starts a server that stays, or one that ends by itself with what is wrong."""
        assert self.server is None
        command = [sys.executable, *arguments, "--port", "0"]
        try:
            self.server = Server.run(command, folder, environment=self.surroundings())
        except AssertionError as error:
            return str(error).partition("\n")[2]
        return self.server.banner[-1].replace(str(self.server.port), "8000")

    def interrupt(self) -> str:
        """Stops the server, as Ctrl-C does."""
        assert self.server is not None
        server, self.server = self.server, None
        assert server.stop(signal.SIGINT).exit_code == 0
        return ""

    def ask(self, options: list[str], address: str) -> str:
        """Answers as curl does."""
        assert self.server is not None
        path = address.removeprefix("localhost:8000")
        assert path.startswith("/"), address
        match options:
            case [] | ["-i"]:
                request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            case ["--json", body] | ["-i", "--json", body]:
                request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                request += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            case _:
                raise AssertionError(f"nobody knows the options {options}")
        answer = self.server.exchange(request.encode()).decode().replace("\r\n", "\n")
        return answer if "-i" in options else answer.partition("\n\n")[2]

    def end(self) -> None:
        """Ends what still runs."""
        if self.server is not None:
            self.server.end()


def demo_command() -> list[str]:
    """What `hatch run demo` starts once everything is built."""
    scripts = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]["default"]["scripts"]
    _, command = scripts["demo"]
    return [word for word in command.split() if word.endswith(".py")]


def dialogues(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a block, and what each is shown to say."""
    for part in re.findall(r"^(?:\$ .*|\^C)\n(?:(?!\$ |\^C$).*\n)*", block, re.MULTILINE):
        command, _, said = part.partition("\n")
        yield command.removeprefix("$ "), said


def is_as_shown(said: str, shown: str) -> bool:
    """Whether it said what is shown, where `…` may be anything."""
    pieces = [re.escape(piece.strip("\n")) for piece in shown.strip("\n").split(ELLIPSIS)]
    return re.fullmatch(r"(?s:.*)".join(pieces), said.strip("\n")) is not None


def test_a_stranger_who_follows_the_pages_sees_what_they_show(tmp_path: Path) -> None:
    reader = Reader(tmp_path, environment={"NOTES_FOLDER": str(tmp_path / "notes")})
    shown = 0
    try:
        for page in PAGES:
            for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE):
                if language == "console":
                    for command, text in dialogues(block):
                        said = reader.run(command)
                        assert said is not None or not text, command
                        assert said is None or not text or is_as_shown(said, text), f"{page}: {command}\n{said}"
                        shown += bool(text)
                    continue
                head, _, text = block.partition("\n")
                path = head.removeprefix("# ")
                assert Path(path).suffix == ".py", f"{page} does not say which file it is: {head}"
                if language == "diff":
                    reader.change(path, text.splitlines())
                else:
                    assert language == "python"
                    reader.write(path, text)
    finally:
        reader.end()
    assert shown >= 10
    assert {command.split()[0] for command in reader.ran} >= {"hatch", "cello", "pytest", "curl", "^C"}
    assert reader.server is None


def test_what_stands_in_for_a_command_is_told() -> None:
    told = {
        span.partition("…")[0].strip()
        for row in table("docs/tutorial/index.md", "command", "what is run in its place")
        for span in code_spans(row[0])
    }
    assert told >= {command.strip() for command in PREPARATION}
