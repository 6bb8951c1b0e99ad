"""What is looked for in a wheel and in an sdist: each rule has one that breaks it, and it alone."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import wheel_contents
from projects import ROOT, Project, version
from wheel_building import machine_paths
from wheel_contents import sdist_complaints, wheel_complaints
from wheels import framework

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = f"cello_framework-{version()}"
INFORMATION = f"{NAME}.dist-info"
MACHINE = ["/home/somebody/"]


def members(project: Project) -> dict[str, bytes]:
    """What the wheel of the framework holds, but for RECORD."""
    table = project.table
    fields = [
        "Metadata-Version: 2.4",
        f"Name: {project.name}",
        f"Version: {version()}",
        f"Summary: {table['description']}",
        f"License-Expression: {table['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {table['requires-python']}",
        *(f"Provides-Extra: {extra}" for extra in project.extras),
    ]
    metadata = "\n".join([*fields, "", (project.folder / "README.md").read_text()])
    return {
        f"{INFORMATION}/METADATA": metadata.encode(),
        f"{INFORMATION}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFORMATION}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes(),
    }


def record_of(contents: dict[str, bytes]) -> bytes:
    """RECORD, of what is there."""
    rows = [f"{INFORMATION}/RECORD,,"]
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join(rows).encode()


def complaints_of(folder: Path, contents: dict[str, bytes], record: bytes | None = None) -> list[str]:
    """What is said of a wheel with these contents."""
    path = folder / f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**contents, f"{INFORMATION}/RECORD": record or record_of(contents)}.items():
            archive.writestr(name, data)
    return wheel_complaints(path, framework(), MACHINE)


def test_nothing_is_said_of_a_wheel_that_is_right(tmp_path: Path) -> None:
    assert complaints_of(tmp_path, members(framework())) == []


def with_member(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    """Puts a member in."""
    return lambda contents: contents.update({name: data})


def replacing(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    """Replaces text in a member."""
    return lambda contents: contents.update({name: contents[name].replace(old, new, 1)})


BROKEN = {
    "a test": (with_member("tests/test_it.py", b""), "tests/test_it.py does not belong there"),
    "a cache": (with_member("__pycache__/it.pyc", b""), "__pycache__/it.pyc does not belong there"),
    "a path": (
        replacing(f"{INFORMATION}/WHEEL", b"any\n", b"any\nBuilder: /home/somebody/wheels\n"),
        f"{INFORMATION}/WHEEL names /home/somebody/",
    ),
    "a license": (
        replacing(f"{INFORMATION}/licenses/LICENSE", b"MIT", b"GPL"),
        "its license is not that of the repository",
    ),
    "a version": (
        replacing(f"{INFORMATION}/METADATA", f"Version: {version()}".encode(), b"Version: 1.9"),
        f"its Version is '1.9', not '{version()}'",
    ),
    "an extra": (
        replacing(f"{INFORMATION}/METADATA", b"Provides-Extra: full", b"Provides-Extra: fuller"),
        "its extras are not those of the project",
    ),
    "a description": (
        replacing(f"{INFORMATION}/METADATA", b"# cello-framework", b"# another"),
        "its description is not the README",
    ),
    "a bill": (
        with_member(f"{INFORMATION}/sboms/crates.json", b"{}"),
        "its bills of materials are not those that `hatch run gen` writes",
    ),
}


@pytest.mark.parametrize(("breaking", "complaint"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_one_rule_is_told_by_that_rule_alone(
    tmp_path: Path, breaking: Callable[[dict[str, bytes]], None], complaint: str
) -> None:
    contents = members(framework())
    breaking(contents)
    assert contents != members(framework())
    assert complaints_of(tmp_path, contents) == [complaint]


def test_a_record_that_is_not_of_the_files_is_told(tmp_path: Path) -> None:
    contents = members(framework())
    record = record_of(contents)
    wheel = f"{INFORMATION}/WHEEL"
    changed = {**contents, wheel: contents[wheel] + b"\n"}
    assert complaints_of(tmp_path, changed, record) == [f"RECORD has another hash or size of {wheel}"]
    without = b"\n".join(line for line in record.splitlines() if wheel.encode() not in line)
    assert complaints_of(tmp_path, contents, without) == [f"RECORD leaves out {wheel}"]
    more = record + f"\n{INFORMATION}/lost,sha256=,0".encode()
    assert complaints_of(tmp_path, contents, more) == [f"RECORD names {INFORMATION}/lost, which is not there"]


def test_a_wheel_of_another_version_is_no_wheel_of_ours(tmp_path: Path) -> None:
    contents = {name.replace(version(), "1.9"): data for name, data in members(framework()).items()}
    assert complaints_of(tmp_path, contents) == [f"it has no {INFORMATION}/, or not all of it"]


@pytest.mark.parametrize(
    ("claimed", "needed", "right"),
    [
        ("manylinux_2_34_x86_64", "manylinux_2_34_x86_64", True),
        ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", True),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_x86_64", True),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_28_x86_64", False),
        ("manylinux_2_9_x86_64", "manylinux_2_17_x86_64", False),
        ("manylinux_2_34_x86_64", "linux_x86_64", False),
        ("linux_x86_64", "manylinux_2_17_x86_64", False),
    ],
)
def test_a_tag_may_promise_no_older_glibc_than_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: str, needed: str, right: bool
) -> None:

    def run(_: list[str]) -> str:
        return f'{{"overall_tag": "{needed}"}}'

    monkeypatch.setattr(wheel_contents, "run", run)
    complaints = [*wheel_contents.tag_complaints(tmp_path / f"cello_core-{version()}-cp312-abi3-{claimed}.whl")]
    assert bool(complaints) is not right


def sdist(folder: Path, *lost: str, **more: bytes) -> list[str]:
    """What is said of an sdist that lacks some of what it needs, and has more."""
    contents: dict[str, bytes] = dict.fromkeys(["LICENSE", "PKG-INFO", "README.md", "pyproject.toml"], b"")
    path = folder / f"{NAME}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {**contents, **more}.items():
            if name not in lost:
                member = tarfile.TarInfo(f"{NAME}/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return sdist_complaints(path, framework(), MACHINE)


def test_an_sdist_has_what_it_is_built_of_and_nothing_else(tmp_path: Path) -> None:
    assert sdist(tmp_path) == []
    assert sdist(tmp_path, "LICENSE") == [f"{NAME}/LICENSE is missing"]
    assert sdist(tmp_path, **{"src/cello/_kernel.abi3.so": b""}) == [
        f"{NAME}/src/cello/_kernel.abi3.so does not belong there"
    ]
    assert sdist(tmp_path, **{"notes.txt": b"see /home/somebody/notes"}) == [f"{NAME}/notes.txt names /home/somebody/"]


def test_the_folders_of_this_machine_are_looked_for_and_those_of_every_machine_are_not() -> None:
    paths = machine_paths()
    assert f"{ROOT}/" in paths
    assert all(path.startswith("/") and path.endswith("/") and path.strip("/") for path in paths)
    assert "/usr/" not in paths
