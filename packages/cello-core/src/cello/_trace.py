"""Tracebacks with the frames of libraries folded away, so that the user's own lines stand out."""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import textwrap
import traceback
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Frame", "Told", "fold", "from_user", "is_library", "is_ours", "render", "said", "tell"]

_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple({f"{_PATHS[key]}{os.sep}" for key in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = f"{os.path.dirname(os.path.abspath(__file__))}{os.sep}"

_ARGUMENT = re.compile(r"'(\w+)' object is not an instance of '(\w+)'")
#: What is said of a function from which something is wanted that it was to return.
_UNCALLED = re.compile(
    r"'builtin_function_or_method' object has no attribute"
    r"|'(builtin_function_or_method|function|method)' object is not (iterable|subscriptable)"
)
_OF_REQUEST = re.compile(r"'cello\.Request' object has no attribute '(\w+)'")
_OF_LOOPS = ("asyncio.run() cannot be called from a running event loop", "This event loop is already running")
_PARAMETER = re.compile(r"while processing '(\w+)'")

#: How many of a chain's exceptions, of a group's members and of a user's frames are told, from either end.
_CAUSES = 10
_MEMBERS = 10
_FRAMES = 50
#: How often a line is told that called itself.
_REPEATS = 3
#: How deep groups are told that are in groups.
_DEPTH = 10


class Frame(NamedTuple):
    """A line of the user's that was being run."""

    path: str
    line: int
    name: str
    names: dict[str, Any]

    def source(self, around: int = 0) -> Iterator[tuple[int, str]]:
        """The line, and so many before and after it that the file has, by number."""
        for number in range(max(1, self.line - around), self.line + around + 1):
            try:
                text = linecache.getline(self.path, number, self.names)
            except Exception:  # a module's own loader may raise anything
                return
            if text:
                yield number, text.rstrip()


class Told(NamedTuple):
    """One exception. A str among the rest stands for what is not told: frames of libraries, or too many of anything."""

    words: str
    #: Outermost first.
    steps: list[Frame | str]
    #: The members of a group, each with its causes and by its place.
    members: list[tuple[str, list[Told | str]]]


def fold(error: BaseException) -> str:
    """An exception's words and frames, outermost first, causes before what they caused, and a group's members in it."""
    return render(tell(error))


def from_user(error: Exception) -> Exception:
    """The exception, told from the first of the user's frames on: what led to them is the import of a module."""
    trace = error.__traceback__
    while trace is not None and is_library(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return error.with_traceback(trace)


def tell(error: BaseException, depth: int = 0) -> list[Told | str]:
    """An exception, after its causes."""
    chain: dict[int, BaseException] = {}
    current: BaseException | None = error
    while current is not None and id(current) not in chain:
        chain[id(current)] = current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    links = list(reversed(chain.values()))
    left_out = len(links) - 2 * _CAUSES
    if left_out <= 0:
        return [_tell_one(link, depth) for link in links]
    told: list[Told | str] = [_tell_one(link, depth) for link in links[:_CAUSES] + links[-_CAUSES:]]
    told.insert(_CAUSES, f"… {left_out} more exceptions")
    return told


def said(error: BaseException) -> str | None:
    """What an exception says where that is what newcomers meet, with what is to be done; None of another."""
    words = str(error)
    advised: str | None = None
    if isinstance(error, NameError) and error.name == "request":
        advised = f"{words}: have the function take it, as in `def handler(request):`"
    elif isinstance(error, TypeError | AttributeError) and "'coroutine' object " in words:
        advised = f"{words}: write await before the call that gave it"
    elif isinstance(error, TypeError) and "unexpected keyword argument" in words:
        from cello._mistake import called

        advised = called(words, {})
    elif isinstance(error, TypeError) and (found := _ARGUMENT.fullmatch(words)):
        # What a native function says, which has the name of the parameter in a note.
        note = _PARAMETER.fullmatch("".join(getattr(error, "__notes__", ())))
        advised = f"{note[1]} is to be {found[2]}, not {found[1]}" if note else None
    elif isinstance(error, TypeError | AttributeError) and _UNCALLED.match(words):
        advised = f"{words}: call it, with () behind its name"
    elif isinstance(error, AttributeError) and (found := _OF_REQUEST.fullmatch(words)):
        from cello._elsewhere import REQUEST

        advised = f"{words}: write {REQUEST[found[1]]}" if found[1] in REQUEST else None
    elif isinstance(error, TypeError) and words == "the first argument must be callable":
        advised = f"{words}: give the function itself, without calling it"
    elif isinstance(error, RuntimeError) and words in _OF_LOOPS:
        advised = f"{words}: make the function an async def, and write await"
    return None if advised is None else f"{type(error).__name__}: {advised}"


def render(told: list[Told | str]) -> str:
    """What was told, as text."""
    return "\nwhich led to\n".join(link if isinstance(link, str) else _render_one(link) for link in told)


def _tell_one(error: BaseException, depth: int) -> Told:
    words = said(error) or "".join(traceback.format_exception_only(error)).rstrip()
    steps = _steps(error)
    members: list[tuple[str, list[Told | str]]] = []
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error).exceptions
        for number, member in enumerate(group[: _MEMBERS if depth < _DEPTH else 0], 1):
            members.append((f"{number} of {len(group)}:", tell(member, depth + 1)))
        if len(members) < len(group):
            members.append((f"… {len(group) - len(members)} more exceptions", []))
    return Told(words, steps, members)


def _steps(error: BaseException) -> list[Frame | str]:
    steps: list[Frame | str] = []
    folded: list[str] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if is_library(code.co_filename):
            folded.append(_library(code.co_filename))
            continue
        steps += _count(folded)
        folded = []
        steps.append(Frame(code.co_filename, line, code.co_qualname, frame.f_globals))
    steps = _without_repeats([*steps, *_count(folded)])
    left_out = len(steps) - 2 * _FRAMES
    return steps if left_out <= 0 else [*steps[:_FRAMES], f"… {left_out} more frames", *steps[-_FRAMES:]]


def _without_repeats(steps: list[Frame | str]) -> list[Frame | str]:
    kept: list[Frame | str] = []
    for _, run in groupby(steps, lambda step: step if isinstance(step, str) else step[:3]):
        same = list(run)
        kept += same[:_REPEATS]
        if len(same) > _REPEATS:
            kept.append(f"… the same {len(same) - _REPEATS} more times")
    return kept


def _render_one(told: Told) -> str:
    lines = [told.words]
    for step in told.steps:
        if isinstance(step, str):
            lines.append(f"  {step}")
            continue
        lines.append(f"  {step.path}:{step.line} in {step.name}")
        lines += [f"      {text.strip()}" for _, text in step.source() if text.strip()]
    for place, member in told.members:
        lines.append(f"  {place}")
        if member:
            lines.append(textwrap.indent(render(member), "    "))
    return "\n".join(lines)


def is_library(path: str) -> bool:
    """Whether a file is none of the user's."""
    return path.startswith(_LIBRARIES) or is_ours(path) or path.startswith("<frozen")


def is_ours(path: str) -> bool:
    """Whether a file is the framework's."""
    return path.startswith(_OURS)


def _library(path: str) -> str:
    """The package or module that a library's file belongs to."""
    if is_ours(path):
        return "cello"
    longest = max((prefix for prefix in _LIBRARIES if path.startswith(prefix)), key=len, default="")
    return path[len(longest) :].split(os.sep)[0].removesuffix(".py")


def _count(folded: list[str]) -> list[str]:
    if not folded:
        return []
    frames = "frame" if len(folded) == 1 else "frames"
    return [f"… {len(folded)} {frames} in {', '.join(dict.fromkeys(folded))}"]
