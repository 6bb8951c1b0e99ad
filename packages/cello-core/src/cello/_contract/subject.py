"""A plugin that is judged: how a process gets to have it, and its wheel."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._plugins.scan import entries_of, scan
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import Distribution

    from cello._plugins.scan import Entry

__all__ = ["Answer", "Subject"]

#: How long a process of a rule may take, in seconds.
PATIENCE_S = 120

_OURS = re.compile("CELLO_|PYTHON|COV_CORE_|COVERAGE_")


class Answer(NamedTuple):
    """What a process of a rule found."""

    #: What is wrong, in words.
    broken: list[str]
    declared: list[tuple[str, str]]


class Subject:
    """A plugin that is judged.

    Shape: `plugin` is the name of one that is installed, or the path of a wheel; `folder` is there, for what is written
    to judge it. `enabling` is the code that an application enables it with, which has `app`; without it all
    its methods are called that begin with `enable_` and need no arguments.
    Errors: OptionError for a plugin that is not installed, and for a wheel that cannot be read.
    """

    def __init__(self, plugin: str | os.PathLike[str], folder: str | os.PathLike[str], enabling: str = "") -> None:
        self.folder = os.fspath(folder)
        self._enabling = enabling
        self._paths = [os.path.abspath(path) for path in sys.path]
        self._extracted = ""
        said = os.fspath(plugin)
        if said.endswith(".whl"):
            self._wheel = os.path.abspath(said)
            self.entries = self._extract()
        else:
            self._wheel = ""
            self.entries = [entry for entry in scan() if entry.name == said]
            if not self.entries:
                names = ", ".join(sorted({entry.name for entry in scan()})) or "none"
                raise OptionError(
                    f"the plugin {said!r} is not installed: there are {names}; or give the path of a wheel"
                )

    @property
    def wheel(self) -> str:
        """The path of its wheel; of an installed plugin one that has what is installed."""
        if not self._wheel:
            self._wheel = _packed(self.entries[0], self.folder)
        return self._wheel

    def ask(self, question: str, *, others: bool = False, disabled: bool = False, beside: str = "") -> Answer:
        """Has a fresh process find out, in which there is this plugin alone, or all others, or it is disabled.

        Shape: `beside` is a folder with a further plugin, `contract_rival`.
        Errors: RuntimeError where the process ends otherwise than by answering.
        """
        import json
        import signal
        import subprocess
        from contextlib import suppress

        answer = os.path.join(self.folder, f"{question}.json")
        names = [entry.name for entry in self.entries]
        asked = {
            "question": question,
            "names": names,
            "packages": sorted({entry.target.partition(":")[0].partition(".")[0] for entry in self.entries}),
            "distributions": sorted({entry.distribution for entry in self.entries}),
            "enabling": self._enabling,
            "site": self._extracted,
            "answer": answer,
        }
        variables = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [beside, self._extracted, *self._paths]))
        if disabled:
            variables["CELLO_PLUGINS_DISABLE"] = ",".join(names)
        elif not others:
            variables["CELLO_PLUGINS_AUTOLOAD"] = "0"
            variables["CELLO_PLUGINS"] = ",".join([*names, *(["contract_rival"] if beside else [])])
        command = (sys.executable, "-W", "error", "-m", "cello._contract.process", json.dumps(asked))
        said = os.path.join(self.folder, f"{question}.txt")
        # Not a pipe: it would be open as long as anything that the plugin has started.
        with open(said, "wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                code = process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"the process has not ended after {PATIENCE_S} seconds") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code or not os.path.exists(answer):
            with open(said, encoding="utf-8", errors="replace") as file:
                last = "\n".join(file.read().strip().splitlines()[-8:])
            raise RuntimeError(f"the process ended with {code}, and said {last!r}")
        with open(answer, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
        return Answer(found["broken"], [(kind, name) for kind, name in found["declared"]])

    def _extract(self) -> list[Entry]:
        """Puts what is in the wheel where processes find it, as an installer does; its plugins."""
        from zipfile import BadZipFile, ZipFile

        self._extracted = os.path.join(self.folder, "site")
        try:
            with ZipFile(self._wheel) as archive:
                archive.extractall(self._extracted)
        except (OSError, BadZipFile) as error:
            raise OptionError(f"{self._wheel} cannot be read as a wheel: {error}") from None
        found: list[Entry] = []
        for name in sorted(os.listdir(self._extracted)):
            stem, kind = os.path.splitext(name)
            path = os.path.join(self._extracted, name, "entry_points.txt")
            if kind == ".dist-info" and os.path.exists(path):
                distribution, _, version = stem.partition("-")
                with open(path, encoding="utf-8") as file:
                    found += entries_of(distribution.replace("_", "-"), version, file.read())
        return found


def _packed(entry: Entry, folder: str) -> str:
    """A wheel of what is installed."""
    from importlib.metadata import distribution
    from zipfile import ZipFile

    found = distribution(entry.distribution)
    name = f"{entry.distribution.replace('-', '_')}-{found.version}"
    path = os.path.join(folder, f"{name}-py3-none-any.whl")
    with ZipFile(path, "w") as archive:
        for part in ("METADATA", "WHEEL", "entry_points.txt"):
            archive.writestr(f"{name}.dist-info/{part}", found.read_text(part) or "")
        for member, file in _files(found, entry):
            archive.write(file, member)
    return path


def _files(found: Distribution, entry: Entry) -> Iterator[tuple[str, str]]:
    """The files of a distribution by their names in a wheel; of one that is editable those of its package."""
    from importlib.util import find_spec

    package = entry.target.partition(":")[0].partition(".")[0]
    names = [str(name) for name in found.files or () if "__pycache__" not in name.parts and ".." not in name.parts]
    if any(name.startswith((f"{package}/", f"{package}.py")) for name in names):
        for name in names:
            if ".dist-info/" not in name:
                yield name, str(found.locate_file(name))
        return
    spec = find_spec(package)
    places: Sequence[str] = (spec and spec.submodule_search_locations) or ()
    for place in places:
        for folder, folders, files in os.walk(place):
            folders[:] = [one for one in folders if one != "__pycache__"]
            for file in files:
                path = os.path.join(folder, file)
                yield os.path.join(package, os.path.relpath(path, place)), path
