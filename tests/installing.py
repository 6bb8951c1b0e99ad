"""Environments of their own, for tests of what is installed: with core in them as its wheel has it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import cello
import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CELLO", "Environment", "package", "run", "wheel"]

#: The folder of core's package.
CELLO = Path(cello.__file__).parent


def wheel(folder: Path, distribution: str, files: Mapping[str, bytes | Path], entry_points: str = "") -> Path:
    """A wheel with these files."""
    name = f"{distribution.replace('-', '_')}-1.0"
    contents = {path: found.read_bytes() if isinstance(found, Path) else found for path, found in files.items()}
    contents[f"{name}.dist-info/METADATA"] = f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 1.0\n".encode()
    contents[f"{name}.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if entry_points:
        contents[f"{name}.dist-info/entry_points.txt"] = entry_points.encode()
    record = ""
    for path, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    built = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(built, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
        archive.writestr(f"{name}.dist-info/RECORD", f"{record}{name}.dist-info/RECORD,,\n")
    return built


def package(folder: Path, name: str) -> dict[str, bytes | Path]:
    """The files of a package, as a wheel has them."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


class Environment:
    """An environment of its own, with core in it as its wheel has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "environment/bin/python"
        run("uv", "venv", "--quiet", "--python", sys.executable, folder / "environment")
        version = f"python{sysconfig.get_python_version()}"
        self.site = folder / f"environment/lib/{version}/site-packages"
        self.install(wheel(folder, "cello-core", package(CELLO, "cello")))
        self.install(wheel(folder, "pluggy", package(Path(pluggy.__file__).parent, "pluggy")))

    def install(self, built: Path) -> None:
        """Installs a wheel, hard-linked from a cache as installers do."""
        cache = self.folder / "cache"
        command = ("uv", "pip", "install", "--quiet", "--no-deps", "--no-index", "--cache-dir", cache)
        run(*command, "--link-mode", "hardlink", "--python", self.python, built)

    def install_editable(self, distribution: str, files: Mapping[str, bytes], entry_points: str) -> None:
        """Installs a distribution whose files stay where they are, found by a path."""
        source = self.folder / "source" / distribution
        for path, content in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        link = {f"_{distribution}.pth": f"{source}\n".encode()}
        self.install(wheel(self.folder, distribution, link, entry_points))

    def plugins(self, *words: str) -> str:
        """What a command of `cello plugins` says here."""
        return run(self.python, "-m", "cello", "plugins", *words, folder=self.folder)

    def mypy(self, path: Path) -> set[int]:
        """The lines of a file in which mypy finds an error."""
        told = run(
            *(sys.executable, "-m", "mypy", "--strict", "--output", "json", "--python-executable", self.python, path),
            folder=self.folder,
            codes=(0, 1),
        )
        return {error["line"] for error in map(json.loads, told.splitlines()) if error["severity"] == "error"}

    def pyright(self, path: Path) -> set[int]:
        """The lines of a file in which pyright finds an error."""
        settings = {"include": [path.name], "typeCheckingMode": "strict", "reportUnusedExpression": False}
        settings |= {"reportUnusedVariable": False, "reportUnusedImport": False}
        (self.folder / "pyrightconfig.json").write_text(json.dumps(settings))
        command = (sys.executable, "-m", "pyright", "--pythonpath", self.python, "--outputjson")
        told = json.loads(run(*command, folder=self.folder, codes=(0, 1)))
        assert told["summary"]["filesAnalyzed"] == 1
        found = told["generalDiagnostics"]
        return {error["range"]["start"]["line"] + 1 for error in found if error["severity"] == "error"}


def run(*command: str | Path, folder: Path | None = None, codes: tuple[int, ...] = (0,)) -> str:
    """What a command says that sees nothing of the environment of the tests."""
    seen = re.compile("PYTHONPATH|MYPYPATH|CELLO_|VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not seen.match(name)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode in codes, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
