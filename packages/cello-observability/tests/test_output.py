"""Where lines go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cello_observability.output import Output


def test_a_file_is_appended_to_and_made_anew_where_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("before\n")
    output = Output(str(file))
    output.write("one\n")
    file.rename(tmp_path / "old.log")
    output.write("two\n")
    file.unlink()
    output.write("three\n")
    output.close()
    output.close()
    assert (tmp_path / "old.log").read_text() == "before\none\n"
    assert file.read_text() == "three\n"
    assert not file.stat().st_mode & 0o007


def test_a_file_is_closed_with_its_output(tmp_path: Path) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(100):
        Output(str(tmp_path / "app.log")).close()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_long_line_of_one_process_is_not_cut_by_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    code = """
import sys
from cello_observability.output import Output
output = Output(sys.argv[1])
for _ in range(50):
    output.write(sys.argv[2] * 20_000 + "\\n")
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(file), letter]) for letter in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted(letter * 20_000 for letter in "abc" for _ in range(50))
