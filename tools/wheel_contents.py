"""What a wheel and an sdist must hold, and what they must not."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import io
import json
import re
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

from projects import ROOT, Project, version
from wheel_building import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["sdist_complaints", "wheel_complaints"]

#: What is in no sdist: it was compiled, or belongs to a tool.
LEFT_OVER = re.compile(r"(^|/)(__pycache__|\.[a-z]+_cache|target|\.venvs?)/|\.(so|pyc|pyd|o|rlib)$")


def wheel_complaints(path: Path, project: Project, machine: Iterable[str]) -> list[str]:
    """What is wrong with a wheel; `machine` are the paths that it may not name."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    information = f"{project.name.replace('-', '_')}-{version()}.dist-info/"
    told = {name.removeprefix(information): data for name, data in contents.items() if name.startswith(information)}
    if not {"METADATA", "RECORD", "WHEEL"} <= told.keys():
        return [f"it has no {information}, or not all of it"]
    return [
        *record_complaints(contents, f"{information}RECORD"),
        *member_complaints({name for name in contents if not name.startswith(information)}, project),
        *metadata_complaints(told, project),
        *bill_complaints(told, project),
        *path_complaints(contents, machine),
        *(tag_complaints(path) if project.is_native else pure_complaints(path)),
    ]


def record_complaints(contents: Mapping[str, bytes], record: str) -> Iterator[str]:
    """RECORD names every file with the right hash and size, and no other."""
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(contents[record].decode()))}
    yield from (f"RECORD leaves out {name}" for name in contents.keys() - rows.keys())
    yield from (f"RECORD names {name}, which is not there" for name in rows.keys() - contents.keys())
    for name in (contents.keys() & rows.keys()) - {record}:
        digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
        if rows[name] != (f"sha256={digest}", str(len(contents[name]))):
            yield f"RECORD has another hash or size of {name}"


def member_complaints(members: set[str], project: Project) -> Iterator[str]:
    """The packages hold what Git has of them, and the native module: no test, no cache, nothing forgotten."""
    listed = run(["git", "ls-files", "src"], folder=project.folder).splitlines()
    expected = {name.removeprefix("src/") for name in listed}
    if project.is_native:
        expected.add(f"{project.settings['tool']['maturin']['module-name'].replace('.', '/')}.abi3.so")
    yield from (f"{name} is missing" for name in sorted(expected - members))
    yield from (f"{name} does not belong there" for name in sorted(members - expected))
    yield from (f"{name} has no py.typed" for name in project.packages if f"{name}/py.typed" not in members)


def metadata_complaints(told: Mapping[str, bytes], project: Project) -> Iterator[str]:
    """The metadata say what the project says, and the license is there."""
    metadata = email.message_from_bytes(told["METADATA"])
    table = project.table
    expected = {
        "Name": project.name,
        "Version": version(),
        "Summary": table["description"],
        "Requires-Python": table["requires-python"],
        "License-Expression": table["license"],
        "License-File": "LICENSE",
    }
    for field, value in expected.items():
        if metadata[field] != value:
            yield f"its {field} is {metadata[field]!r}, not {value!r}"
    if sorted(metadata.get_all("Provides-Extra", [])) != sorted(project.extras):
        yield "its extras are not those of the project"
    if (project.folder / "README.md").read_text().strip() not in str(metadata.get_payload()).replace("\r\n", "\n"):
        yield "its description is not the README"
    if told.get("licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        yield "its license is not that of the repository"


def bill_complaints(told: Mapping[str, bytes], project: Project) -> Iterator[str]:
    """A wheel with crates in it has the bill of them, as it was generated, and no other."""
    bill = f"{project.name}.cdx.json"
    expected = {f"sboms/{bill}": (project.folder / bill).read_bytes()} if project.is_native else {}
    if {name: data for name, data in told.items() if name.startswith("sboms/")} != expected:
        yield "its bills of materials are not those that `hatch run gen` writes"


def path_complaints(contents: Mapping[str, bytes], machine: Iterable[str]) -> Iterator[str]:
    """No file names a folder of the machine that built it."""
    for path in machine:
        yield from (f"{name} names {path}" for name, data in contents.items() if path.encode() in data)


def tag_complaints(path: Path) -> Iterator[str]:
    """The tag of a wheel promises no older glibc than auditwheel finds that it needs."""
    found = json.loads(run([sys.executable, "-m", "auditwheel", "show", "--json", path]))["overall_tag"]
    for tag in path.stem.rpartition("-")[2].split("."):
        claimed, needed = glibc(tag), glibc(found)
        if claimed is None or needed is None or claimed < needed:
            yield f"its tag is {tag}, and auditwheel finds {found}"


def pure_complaints(path: Path) -> Iterator[str]:
    """What is Python alone is for every platform."""
    if not path.name.endswith("-py3-none-any.whl"):
        yield f"its tag is {path.stem.split('-', 2)[2]}, not py3-none-any"


def glibc(tag: str) -> tuple[int, int] | None:
    """The version of glibc that a tag of manylinux promises to be enough; None for every other tag."""
    older = {"manylinux2014": (2, 17)}
    named = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    return (int(named[1]), int(named[2])) if named else older.get(tag.partition("_")[0])


def sdist_complaints(path: Path, project: Project, machine: Iterable[str]) -> list[str]:
    """What is wrong with an sdist; `machine` are the paths that it may not name."""
    top = f"{project.name.replace('-', '_')}-{version()}/"
    with tarfile.open(path) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        contents = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in files}
    expected = {f"{top}{name}" for name in ("LICENSE", "PKG-INFO", "README.md", "pyproject.toml")}
    return [
        *(f"{name} is missing" for name in sorted(expected - contents.keys())),
        *(f"{name} does not belong there" for name in sorted(contents) if LEFT_OVER.search(name)),
        *(f"{name} stands outside {top}" for name in sorted(contents) if not name.startswith(top)),
        *path_complaints(contents, machine),
    ]
