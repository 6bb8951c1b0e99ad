"""Environments that have nothing but what was built, and what that needs from others."""

from __future__ import annotations

import email
import json
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from wheel_building import BuildError, Built, run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Environment"]

PATIENCE_S = 30.0

APPLICATION = """
from cello import App

app = App()


@app.get("/")
def hello():
    return {"message": "Hello, Cello!"}
"""

#: The distributions of ours and the plugins among them; each plugin is imported.
INSTALLED = """
import importlib.metadata as metadata, json

found = metadata.distributions()
ours = sorted(one.name for one in found if one.name.startswith("cello-"))
plugins = {entry.name: entry.load().CELLO_API for entry in metadata.entry_points(group="cello")}
print(json.dumps([ours, sorted(plugins)]))
"""

#: Every name that a family brings to applications, one that is misspelt, and how their absence is told.
MISSING = """
import json
from traceback import format_exception_only
from cello._plugins.catalogue import CATALOGUE

uses = {"export": "from cello import {}", "module": "import cello.{}", "App method": "from cello import App; App().{}"}
asked = [(use.format(name), family) for kind, use in uses.items() for name, family in CATALOGUE.get(kind, {}).items()]
told = {}
for code, family in [*asked, ("from cello import Blueprnt", None)]:
    try:
        exec(code)
    except (ImportError, AttributeError) as error:
        told[code] = [family, "".join(format_exception_only(error))]
    else:
        told[code] = [family, None]
print(json.dumps(told))
"""


class Environment:
    """A virtual environment in a folder of its own."""

    def __init__(self, folder: Path, built: Built) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        self._built = built
        run(["uv", "venv", "--quiet", "--python", sys.executable, folder])

    def install(self, requirement: str) -> None:
        """Installs one of our distributions, which never comes from an index; what it needs from others does."""
        command = ["uv", "pip", "install", "--quiet", "--python", str(self.python)]
        if foreign := sorted(self._foreign(Requirement(requirement), set())):
            run([*command, *foreign], folder=self.folder)
        run([*command, "--no-index", "--find-links", str(self._built.folder), requirement], folder=self.folder)
        run(["uv", "pip", "check", "--quiet", "--python", self.python], folder=self.folder)

    def _foreign(self, wanted: Requirement, seen: set[str]) -> set[str]:
        """What a distribution of ours, and those of ours that it needs, ask of others."""
        if str(wanted) in seen:
            return set()
        seen.add(str(wanted))
        with zipfile.ZipFile(self._built.wheel(wanted.name)) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(archive.read(name))
        found: set[str] = set()
        for line in metadata.get_all("Requires-Dist", []):
            needed = Requirement(line)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                continue
            needed.marker = None
            found |= self._foreign(needed, seen) if needed.name.startswith("cello-") else {str(needed)}
        return found

    def run(self, source: str) -> str:
        """Runs a program of Python's there; its standard output."""
        return run([self.python, "-I", "-c", source], folder=self.folder)

    def installed(self) -> tuple[list[str], list[str]]:
        """The distributions of ours that are there, and the families among them."""
        ours, families = json.loads(self.run(INSTALLED))
        return ours, families

    def missing_complaints(self) -> list[str]:
        """What is unhelpful where a name is used that no family here brings.

        Every export, module and App method of a family has to be told with its distribution and how that is installed;
        a typing error with the name that was meant.
        """
        complaints: list[str] = []
        for code, (family, words) in json.loads(self.run(MISSING)).items():
            helpful = [f"cello-{family}", "pip install"] if family else ["'Blueprint'"]
            if words is None:
                complaints.append(f"{code!r} does something without cello-{family}")
            elif missed := [text for text in helpful if text not in words]:
                complaints.append(f"by {code!r} one reads {words!r}, and nothing of {', '.join(missed)}")
        return complaints

    def serve(self) -> dict[str, str]:
        """Serves an application by the command line, and stops it; its answer.

        Errors: BuildError where it does not serve, or does not stop as it should.
        """
        (self.folder / "service.py").write_text(APPLICATION)
        process = subprocess.Popen(
            [self.folder / "bin/cello", "run", "service:app", "--port", "0"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        try:
            said = process.stdout.readline()
            address = re.search(r"http://\S+", said)
            if address is None:
                raise BuildError(f"it does not serve: {said}{process.stdout.read()}")
            with urllib.request.urlopen(address[0], timeout=PATIENCE_S) as answer:
                body: dict[str, str] = json.load(answer)
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        if process.returncode:
            raise BuildError(f"it ended with exit code {process.returncode}: {rest}")
        return body
