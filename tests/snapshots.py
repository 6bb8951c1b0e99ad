"""Snapshots: what a person is to see, kept in files and compared whole.

Where it is to look otherwise, `CELLO_RENEW_SNAPSHOTS=1 hatch run test PATH` writes the files anew; what has changed in
them is read before it is committed.
"""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["RENEWS", "check", "steady"]

#: Whether files are written in place of being compared.
RENEWS = os.environ.get("CELLO_RENEW_SNAPSHOTS") == "1"

#: What differs from run to run, and what stands for it.
_UNSTEADY = {
    r"\x1b\[[0-9;]*m": "",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b": "ID",
    r"\b0x[0-9a-f]{6,}\b": "0x…",
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?": "TIME",
    r"\b\d+(\.\d+)? ?(ns|µs|ms|s)\b": r"N \2",
    r"((?:127\.0\.0\.1|localhost|\[::1\]):)\d+\b": r"\1PORT",
    r"\b(process|pid) \d+\b": r"\1 N",
    r'(/src/cello/\w+\.py", line) \d+': r"\1 N",
}


def check(path: Path, seen: str) -> None:
    """Compares what is seen with what the file keeps, or writes it there where snapshots are renewed.

    Errors: AssertionError with the difference, and how to renew the file.
    """
    if RENEWS:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(seen)
        return
    kept = path.read_text() if path.exists() else ""
    if kept == seen:
        return
    lines = difflib.unified_diff(kept.splitlines(), seen.splitlines(), "kept", "seen", lineterm="")
    difference = "\n".join(lines) or "(ends of lines)"
    raise AssertionError(
        f"{path.name} is not what is seen. If it is meant to be, renew it: "
        f"CELLO_RENEW_SNAPSHOTS=1 python -m pytest {path.parent}\n{difference}"
    )


def steady(text: str, names: Mapping[str, str]) -> str:
    """The text with names in place of what is different at each run.

    Shape: `names` says what stands for a piece of text, as `{str(tmp_path): "."}`; longer pieces go first. Addresses,
    ports, ids, times and durations need none.
    """
    for piece in sorted(names, key=len, reverse=True):
        text = text.replace(piece, names[piece])
    for pattern, word in _UNSTEADY.items():
        text = re.sub(pattern, word, text)
    return text
