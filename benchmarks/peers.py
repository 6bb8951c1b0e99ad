"""The servers of `peers.toml` and the loops of `loops.toml`: how each is started, where its environment lies."""

import os
import shutil
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("BENCH_CACHE", "/tmp/bench"))

Kind = Literal["subject", "limit", "peer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One server, or one loop, beside which or as which Cello is measured."""

    name: str
    command: list[str]
    kind: Kind = "peer"
    environment: str = ""
    packages: list[str] = field(default_factory=list[str])
    lacks: dict[str, str] = field(default_factory=dict[str, str])
    only: list[str] = field(default_factory=list[str])
    note: str = ""

    @property
    def venv(self) -> Path:
        """The virtual environment that only this server uses."""
        return CACHE / "venvs" / (self.environment or self.name)

    @property
    def requirements(self) -> Path:
        """The pinned versions of its environment."""
        return HERE / "requirements" / f"{self.name}.txt"

    def python(self, given: Path | None) -> Path:
        """The interpreter of its environment, which `given` replaces for a subject."""
        return given if given and self.kind == "subject" else self.venv / "bin" / "python"

    def command_line(self, port: int, python: Path | None) -> list[str]:
        """Fill in the command; `python` replaces the environment of a subject."""
        return [part.format(bin=self.python(python).parent, cache=CACHE, port=port) for part in self.command]

    def why_missing(self, python: Path | None) -> str:
        """Say why the server cannot be started, or nothing where it can."""
        program = self.command_line(0, python)[0]
        return "" if shutil.which(program) else f"{Path(program).name} of {self.name} is not built"


def load_peers(file: str = "peers.toml") -> dict[str, Peer]:
    """Read one of the two files, in its order."""
    tables = cast("dict[str, dict[str, Any]]", tomllib.loads((HERE / file).read_text()))
    return {name: Peer(name, **table) for name, table in tables.items()}


def load_loops() -> dict[str, Peer]:
    """Read the loops."""
    return load_peers("loops.toml")
