"""Tracebacks with the frames of libraries folded away, so that the user's own lines stand out."""

from __future__ import annotations

import linecache
import os
import sysconfig
import textwrap
import traceback
from typing import cast

__all__ = ["fold"]

_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple({f"{_PATHS[key]}{os.sep}" for key in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = f"{os.path.dirname(os.path.abspath(__file__))}{os.sep}"

#: How many of a chain's exceptions are told, from either end.
_CAUSES = 10


def fold(error: BaseException) -> str:
    """An exception's words and frames, outermost first, causes before what they caused, and a group's members in it."""
    chain: dict[int, BaseException] = {}
    current: BaseException | None = error
    while current is not None and id(current) not in chain:
        chain[id(current)] = current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    links = list(reversed(chain.values()))
    left_out = len(links) - 2 * _CAUSES
    if left_out <= 0:
        told = [_fold_one(link) for link in links]
    else:
        told = [_fold_one(link) for link in links[:_CAUSES] + links[-_CAUSES:]]
        told.insert(_CAUSES, f"… {left_out} more exceptions")
    return "\nwhich led to\n".join(told)


def _fold_one(error: BaseException) -> str:
    lines = ["".join(traceback.format_exception_only(error)).rstrip()]
    folded: list[str] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if _is_library(path):
            folded.append(_library(path))
            continue
        lines += _count(folded)
        folded = []
        lines.append(f"  {path}:{line} in {frame.f_code.co_qualname}")
        source = linecache.getline(path, line, frame.f_globals).strip()
        if source:
            lines.append(f"      {source}")
    lines += _count(folded)
    if isinstance(error, BaseExceptionGroup):
        members = cast("BaseExceptionGroup[BaseException]", error).exceptions
        for number, member in enumerate(members, 1):
            lines += [f"  {number} of {len(members)}:", textwrap.indent(fold(member), "    ")]
    return "\n".join(lines)


def _is_library(path: str) -> bool:
    return path.startswith(_LIBRARIES) or path.startswith(_OURS) or path.startswith("<frozen")


def _library(path: str) -> str:
    """The package or module that a library's file belongs to."""
    if path.startswith(_OURS):
        return "cello"
    longest = max((prefix for prefix in _LIBRARIES if path.startswith(prefix)), key=len, default="")
    return path[len(longest) :].split(os.sep)[0].removesuffix(".py")


def _count(folded: list[str]) -> list[str]:
    if not folded:
        return []
    frames = "frame" if len(folded) == 1 else "frames"
    return [f"  … {len(folded)} {frames} in {', '.join(dict.fromkeys(folded))}"]
