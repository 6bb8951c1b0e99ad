"""Forms and uploaded files as a handler sees them, read from bytes."""

from __future__ import annotations

import csv
import gc
import inspect
import io
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from cello import FormData, UploadedFile
from cello.errors import BadRequest, HTTPError
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

MULTIPART = "multipart/form-data; boundary=XbX"
URLENCODED = "application/x-www-form-urlencoded"
LARGE = bytes(range(256)) * 4097
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def part(parameters: str, content: bytes, *fields: str) -> bytes:
    """A part as it is written."""
    head = "\r\n".join(["--XbX", f"Content-Disposition: form-data; {parameters}", *fields, "", ""])
    return head.encode() + content + b"\r\n"


def form_of(*parts: bytes) -> FormData:
    """A form of these parts."""
    return FormData.parse(MULTIPART, b"".join(parts) + b"--XbX--\r\n")


def file_of(content: bytes, parameters: str = 'filename="x.bin"', *fields: str) -> UploadedFile:
    """The file of a form that has one."""
    file = form_of(part(f'name="f"; {parameters}', content, *fields)).get_file("f")
    assert file is not None
    return file


def awaited(value: Any) -> Any:
    """What `await` gives, of something that is never waited for."""

    async def wait() -> Any:
        return await value

    coroutine = wait()
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


# --- fields and files by name


def test_fields_and_files_are_found_by_name_with_all_their_values() -> None:
    form = form_of(
        part('name="a"', b"1"),
        part('name="f"; filename="x"', b"first"),
        part('name="a"', "ü☺".encode()),
        part('name="a"; filename="y"', b"second"),
    )
    file = form.get_file("f")
    other = form.get_file("a")
    assert isinstance(file, UploadedFile)
    assert isinstance(other, UploadedFile)
    assert (form.get("a"), form["a"], form.get_or("a", "0")) == ("1", "1", "1")
    assert form.get_all("a") == ["1", "ü☺", other]
    assert (form.get("f"), form["f"]) == (file, file)
    assert form.get_files() == [file, other]
    assert form.get_files("a") == [other]
    assert (form.field_names(), form.file_names()) == (["a"], ["a", "f"])
    assert (form.field_count(), form.file_count()) == (2, 2)
    assert (form.has_field("a"), form.has_field("f")) == (True, False)
    assert (form.has_file("a"), form.has_file("f")) == (True, True)


def test_a_name_that_is_not_there_has_nothing() -> None:
    form = form_of(part('name="a"', b"1"))
    default = object()
    assert (form.get("b"), form.get("b", default), form.get_or("b", default)) == (None, default, default)
    assert (form.get_all("b"), form.get_file("a"), form.get_files("a"), form.get_files()) == ([], None, [], [])
    assert (form.has_field("b"), form.has_file("b"), "b" in form, 1 in form) == (False, False, False, False)
    with pytest.raises(KeyError, match="b"):
        form["b"]


def test_a_form_is_a_mapping_that_keeps_duplicates() -> None:
    form = FormData.parse(URLENCODED, b"a=1&b=2&a=3")
    assert (len(form), list(form), form.keys()) == (2, ["a", "b"], ["a", "b"])
    assert form.items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert form.values() == ["1", "2", "3"]
    assert dict(form) == {"a": "1", "b": "2"}
    assert "a" in form
    assert not FormData.parse(URLENCODED, b"")


def test_what_a_form_gives_is_a_copy() -> None:
    form = FormData.parse(URLENCODED, b"a=1&a=2")
    for given_out in (form.get_all("a"), form.keys(), form.values(), form.items(), form.field_names()):
        given_out.clear()
    assert (form.get_all("a"), form.keys(), form.items()) == (["1", "2"], ["a"], [("a", "1"), ("a", "2")])


def test_a_form_and_its_files_can_be_awaited_and_used_without() -> None:
    form = form_of(part('name="f"; filename="x"', b"1"))
    files = form.get_files()
    assert awaited(form) is form
    assert awaited(files) is files
    assert isinstance(files, list)
    assert inspect.isawaitable(form)


def test_the_names_of_a_form_are_printed_and_its_values_are_not() -> None:
    assert repr(FormData.parse(URLENCODED, b"user=a&password=secret")) == "<FormData user, password>"


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_urlencode_writes_is_read(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import urlencode

    form = FormData.parse(URLENCODED, urlencode(pairs).encode())
    assert form.items() == [pair for pair in pairs if pair != ("", "") or len(urlencode([pair])) > 0]


def test_text_that_is_no_utf_8_is_replaced() -> None:
    assert form_of(part('name="a"', b"x\xff")).get("a") == "x\ufffd"
    assert FormData.parse(URLENCODED, b"a=%ff").get("a") == "\ufffd"


def test_a_file_that_was_not_chosen_is_not_there() -> None:
    form = form_of(part('name="f"; filename=""', b"", "Content-Type: application/octet-stream"), part('name="a"', b""))
    assert (form.keys(), form.get_file("f"), form["a"]) == (["a"], None, "")


# --- refusals


@pytest.mark.parametrize(
    ("content_type", "body", "status", "words"),
    [
        ("application/json", b"{}", 415, 'The content type "application/json" is no form\'s.'),
        ("multipart/form-data", b"", 400, "The form cannot be read: the Content-Type of the form has no boundary"),
        (MULTIPART, b"x", 400, "at byte 1."),
        (MULTIPART, part("name=a", b"")[:-2], 400, "The form cannot be read: the form ends in the content of a part"),
        (MULTIPART, part("name=a", b"") * 1001, 413, "The form is refused: the form has more than 1000 parts."),
        (MULTIPART, part("name=a", b"x" * (1 << 20) + b"x"), 413, 'the field "a" is larger than 1 MiB.'),
        (URLENCODED, b"a&" * 1001, 413, "The form is refused: the form has more than 1000 fields."),
    ],
    ids=["no form", "no boundary", "no parts", "cut short", "many parts", "a long field", "many pairs"],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes, status: int, words: str) -> None:
    with pytest.raises(HTTPError) as refused:
        FormData.parse(content_type, body)
    assert refused.value.status == status
    assert words in str(refused.value)
    assert isinstance(refused.value, BadRequest) == (status == 400)


def test_a_file_of_more_than_10_mib_is_refused() -> None:
    assert file_of(b"x" * (10 << 20)).size == 10 << 20
    with pytest.raises(HTTPError, match='the file "f" is larger than 10 MiB'):
        file_of(b"x" * ((10 << 20) + 1))


# --- files


def test_a_small_file_is_in_memory_and_a_large_one_on_disk() -> None:
    small, large = file_of(b"x" * (1 << 20)), file_of(LARGE)
    assert small.temp_path is None
    path = large.temp_path
    assert path is not None
    with open(path, "rb") as file:  # noqa: PTH123
        assert file.read() == LARGE
    assert subprocess.run(["cat", path], capture_output=True, check=True).stdout == LARGE


@pytest.mark.parametrize("content", [b"0123456789", LARGE], ids=["in memory", "on disk"])
def test_a_file_reads_like_a_file(content: bytes) -> None:
    file = file_of(content)
    assert (file.size, file.size()) == (len(content), len(content))
    assert (file.read(3), file.tell()) == (content[:3], 3)
    assert (file.read(), file.read(), file.read(1)) == (content[3:], b"", b"")
    assert (file.seek(2), file.read(2), file.seek(-1, os.SEEK_END), file.read()) == (
        2,
        content[2:4],
        len(content) - 1,
        content[-1:],
    )
    file.seek(0)
    assert b"".join(file) == content
    assert file.file.seekable()
    assert (file.readable(), file.seekable(), file.closed) == (True, True, False)


@pytest.mark.parametrize("content", [b"0123456789", LARGE], ids=["in memory", "on disk"])
def test_what_a_file_gives_can_be_awaited_and_used_without(content: bytes, tmp_path: Path) -> None:
    file = file_of(content)
    assert awaited(file.read()) == content
    assert awaited(file.seek(0)) == 0
    assert awaited(file.read_text("latin-1")) == content.decode("latin-1")
    assert awaited(file.save(tmp_path / "kept")) == str(tmp_path / "kept")
    assert isinstance(file.seek(0), int)
    assert isinstance(file.read(), bytes)


def test_text_is_the_whole_content_in_the_encoding_that_is_asked_for() -> None:
    file = file_of("ü".encode())
    file.read(1)
    assert (file.read_text(), file.tell()) == ("ü", 1)
    assert file.read_text("latin-1") == "Ã¼"
    with pytest.raises(UnicodeDecodeError):
        file.read_text("ascii")
    assert file.read_text("ascii", "replace") == "\ufffd\ufffd"


@pytest.mark.parametrize("content", [b"content", LARGE], ids=["in memory", "on disk"])
def test_a_file_is_saved_whole_over_what_is_there(content: bytes, tmp_path: Path) -> None:
    file = file_of(content)
    file.read(5)
    target = tmp_path / "kept"
    target.write_bytes(b"x" * (len(content) + 10))
    assert file.save(target) == str(target)
    assert target.read_bytes() == content
    assert file.tell() == 5


def test_a_file_is_saved_into_a_folder_under_its_cleaned_name(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert file_of(b"1", 'filename="../../x.txt"').save(folder) == str(folder / "x.txt")
    assert file_of(b"1", 'filename="C:\\a\\y.txt"').save(str(folder)) == str(folder / "y.txt")
    assert {path.name for path in folder.iterdir()} == {"x.txt", "y.txt"}
    with pytest.raises(ValueError, match="no filename"):
        file_of(b"1", 'filename=".."').save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        file_of(b"1").save(tmp_path / "none" / "x")
    assert missing.value.filename == str(tmp_path / "none" / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("filename", "kept", "extension"),
    [
        ("a.TXT", "a.TXT", "txt"),
        ("a.tar.gz", "a.tar.gz", "gz"),
        ("dir/ü ☺.png", "ü ☺.png", "png"),
        ("a%22b", 'a"b', None),
        (".bashrc", ".bashrc", None),
        ("a\tb\x7f.c", "ab.c", "c"),
        ("/etc/", "", None),
    ],
)
def test_a_filename_is_one_component_of_a_path(filename: str, kept: str, extension: str | None) -> None:
    file = file_of(b"1", f'filename="{filename}"')
    assert (file.filename, file.extension()) == (kept, extension)


@pytest.mark.parametrize(
    ("declared", "content", "found"),
    [
        ("image/png", PNG, "image/png"),
        ("image/png", b"%PDF-1.7\n", "application/pdf"),
        ("application/octet-stream", PNG, "image/png"),
        ("text/csv; charset=utf-8", b"a,b\n", "text/csv; charset=utf-8"),
        (None, PNG, "image/png"),
        (None, b"words", "application/octet-stream"),
        ("image/png", b"%PDF-1.7\n" + LARGE, "application/pdf"),
    ],
)
def test_the_type_is_the_clients_unless_the_bytes_contradict_it(
    declared: str | None, content: bytes, found: str
) -> None:
    fields = [f"Content-Type: {declared}"] if declared else []
    file = file_of(content, "filename=x", *fields)
    assert (file.content_type, file.declared_content_type) == (found, declared)


@pytest.mark.parametrize("padding", [0, 2 << 20], ids=["in memory", "on disk"])
def test_a_file_serves_libraries_that_want_one(padding: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.csv", "x,y\n1,2\n")
        written.writestr("padding", b"\0" * padding)
    file = file_of(archive.getvalue())
    assert (file.temp_path is not None) == (padding > 0)
    for readable in (file, file.file):
        with zipfile.ZipFile(readable) as read:
            rows = csv.reader(io.TextIOWrapper(read.open("a.csv"), encoding="utf-8"))
            assert list(rows) == [["x", "y"], ["1", "2"]]


def test_a_closed_file_is_gone() -> None:
    small, large = file_of(b"small"), file_of(LARGE)
    path = large.temp_path
    assert path is not None
    for file in (small, large):
        with file as entered:
            assert entered is file
            file.read(1)
        assert (file.closed, file.readable(), file.seekable(), file.temp_path) == (True, False, False, None)
        assert file.size > 0
        for method in (file.read, file.read_text, file.tell):
            with pytest.raises(ValueError, match="closed"):
                method()
        file.close()
    assert not os.path.exists(path)  # noqa: PTH110


def open_files() -> int:
    """How many files the process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_temporary_files_vanish_with_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    gc.collect()
    before = open_files()
    form = form_of(*(part(f"name=f; filename={name}", LARGE) for name in "abc"))
    assert open_files() == before + 3
    assert all(file.read(10) == LARGE[:10] for file in form.get_files())
    assert not list(tmp_path.iterdir())
    del form
    assert open_files() == before


def test_a_temporary_file_has_no_name_that_a_killed_process_could_leave(tmp_path: Path) -> None:
    code = f"""
import os, signal
from cello import FormData
body = b'--x\\r\\nContent-Disposition: form-data; name=f; filename=f\\r\\n\\r\\n' + bytes(2 << 20) + b'\\r\\n--x--'
form = FormData.parse("multipart/form-data; boundary=x", body)
assert os.readlink(form.get_file("f").temp_path).startswith({str(tmp_path)!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert ended.returncode == -9
    assert not list(tmp_path.iterdir())


def test_a_folder_for_temporary_files_that_is_not_there_is_the_servers_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(OSError, match="could not be kept in a temporary file"):
        file_of(LARGE)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    for content in (body, part("name=a; filename=f", body) + b"--XbX--", b"--XbX\r\n" + body):
        try:
            FormData.parse(MULTIPART, content)
        except HTTPError as refused:
            assert refused.status in (400, 413)
