"""Builds the distributions: of each its sdist, and out of that, in another place, its wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from projects import ROOT, projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["BuildError", "Built", "build", "machine_paths", "run"]

PATIENCE_S = 1800
#: What would make another build of it, as that of the tests is.
TUNING = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "MATURIN_PEP517_ARGS", "PYO3_PYTHON")
#: The lowest tag of manylinux that the symbols allow: an installer that builds for itself alone does not ask for one.
MATURIN_ARGUMENTS = "--locked --compatibility pypi"


class BuildError(Exception):
    """A command failed; the message is the end of what it said."""


class Built:
    """The folder of what was built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wheel(self, name: str) -> Path:
        """The wheel of a distribution."""
        return self._only(f"{name.replace('-', '_')}-*.whl")

    def sdist(self, name: str) -> Path:
        """The sdist of a distribution."""
        return self._only(f"{name.replace('-', '_')}-*.tar.gz")

    def _only(self, pattern: str) -> Path:
        found = [*self.folder.glob(pattern)]
        if len(found) != 1:
            raise BuildError(f"one {pattern} is expected in {self.folder}, and there are {len(found)}")
        return found[0]


def run(command: Sequence[str | Path], *, folder: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """Runs a command, without what tunes a build; its standard output.

    Errors: BuildError where it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in TUNING}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-40:]
        raise BuildError("\n".join([" ".join(map(str, command)), *said]))
    return done.stdout


def cargo_home() -> Path:
    """Where Cargo keeps the sources of crates."""
    return Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))


def target() -> Path:
    """Where Cargo keeps what is compiled: one place, whichever the folder that is built in."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()


def machine_paths() -> list[str]:
    """The folders of this machine that nothing which is built may name, each with a slash at its end."""
    rustup = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))
    folders = {ROOT, Path.home(), cargo_home(), rustup, target(), Path(sys.prefix), Path(sys.base_prefix)}
    # What every machine has is no trace of this one.
    return sorted({f"{folder}/" for folder in folders} - {"//", "/usr/", "/usr/local/"})


def remapping() -> str:
    """The flags with which rustc names no folder of this machine, as Cargo's environment has them."""
    run(["cargo", "fetch", "--quiet", "--locked"])
    registries = sorted((cargo_home() / "registry/src").iterdir())
    renamed = {target(): "/target", **dict.fromkeys(registries, "/crates")}
    return "\x1f".join(f"--remap-path-prefix={folder}={name}" for folder, name in renamed.items())


def build(folder: Path) -> Built:
    """Builds every distribution into a folder.

    Errors: BuildError.
    """
    variables = {
        "CARGO_ENCODED_RUSTFLAGS": remapping(),
        "CARGO_TARGET_DIR": str(target()),
        "MATURIN_PEP517_ARGS": MATURIN_ARGUMENTS,
    }
    for project in projects():
        # The wheel is made of the sdist, unpacked where nothing else of the checkout is.
        command = ["uv", "build", "--quiet", "--python", sys.executable, "--out-dir", str(folder), str(project.folder)]
        run(command, variables=variables)
    return Built(folder)
