"""Mistakes in how the framework is used, as a terminal shows them: what is wrong and what to do, then where.

The last is told as in a trace: file, line and name, and the line itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, cast

from cello._handler import inner, short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from cello._trace import Frame

__all__ = ["at", "called", "caller", "frame_of", "mistake", "show", "show_place", "watch"]

#: Lines that are longer are broken between words.
_COLUMNS = 110
#: Of more functions the first and the last are told.
_FUNCTIONS = 10


def at(*functions: Any) -> str:
    """Where functions stand, each on lines of its own, for the end of a message."""
    told = list(map(_place, functions))
    if len(told) > _FUNCTIONS:
        half = _FUNCTIONS // 2
        told[half:-half] = [f"\n  … {len(told) - _FUNCTIONS} more"]
    return "".join(told)


def frame_of(function: Any) -> Frame | None:
    """The place where a function, a class or the class of an object was written, with its decorators; None for one that
    has none, and for those of libraries.
    """
    import inspect

    from cello._trace import Frame, is_library

    function = inspect.unwrap(inner(inspect.unwrap(function)))
    code = getattr(function, "__code__", None)
    name = short_name(function)
    if code is None and not isinstance(function, type):
        called: object = getattr(type(cast("object", function)), "__call__", None)  # noqa: B004 - the method itself is wanted
        code = getattr(called, "__code__", None)
    if code is not None:
        path, line = code.co_filename, code.co_firstlineno
    else:
        try:
            path, line = inspect.getsourcefile(function) or "", inspect.getsourcelines(function)[1]
        except (OSError, TypeError):
            return None
    return None if is_library(path) else Frame(path, line, name, {})


def caller() -> str:
    """Where the user's own code is that called the framework, for the end of a message; empty where there is none."""
    from cello._trace import is_library

    frame: FrameType | None = sys._getframe()
    while frame is not None and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return "" if frame is None else show_place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def show_place(path: str, line: int, name: str) -> str:
    """A line of the user's, for the end of a message."""
    from cello._trace import Frame

    return _told(Frame(path, line, name, {}))


def show(words: str) -> None:
    """Tells whoever reads standard error: a person in lines of a terminal's width, a program in the lines that are."""
    words = f"cello: {words}"
    if sys.stderr.isatty():
        from shutil import get_terminal_size
        from textwrap import fill

        columns = min(get_terminal_size().columns, _COLUMNS)
        lines = [
            line if line.startswith(" ") else fill(line, columns, break_long_words=False, break_on_hyphens=False)
            for line in words.splitlines()
        ]
        words = "\n".join(lines)
    print(words, file=sys.stderr)


def watch() -> None:
    """Has a script that ends with a mistake tell it, in place of a traceback through the framework.

    Where it is a worker, its supervisor is told of every exception, which all workers have alike.
    Any other is told as ever, and whoever has a hook of their own keeps it.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _hook


def mistake(error: BaseException) -> str | None:
    """What is told of an exception that the framework raised because of how it was called; None for another."""
    from cello._trace import is_library
    from cello.errors import CelloError

    if not isinstance(error, TypeError | ValueError | CelloError) or error.__cause__ is not None:
        return None
    steps = list(_steps(error.__traceback__))
    users = [step for step in steps if not is_library(step.tb_frame.f_code.co_filename)]
    if not users:
        return None
    if steps[-1] is users[-1]:
        words = called(str(error), users[-1].tb_frame.f_globals)
    else:
        words = str(error) if _is_ours(steps[-1]) else None
    if words is None:
        return None
    frames = [(step.tb_frame.f_code, step.tb_lineno) for step in users[-_FUNCTIONS:]]
    return words + "".join(show_place(code.co_filename, line, code.co_qualname) for code, line in frames)


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    try:
        words = mistake(error)
    except Exception:  # what is odd about an exception must not hide it
        words = None
    if isinstance(error, Exception) and _is_supervisors(words, error):
        return
    if words is None:
        sys.__excepthook__(kind, error, trace)
    else:
        show(words)


def _is_supervisors(words: str | None, error: Exception) -> bool:
    """Has the supervisor of a worker tell why the worker's script failed, where this is one."""
    if "CELLO_WORKER" not in os.environ:
        return False
    from cello._launch import fail_script

    return fail_script(words, error)


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_ours(step: TracebackType) -> bool:
    """Whether the framework raised here on purpose: an accident of its own is told with all of its frames."""
    from opcode import opname

    from cello._trace import is_ours

    code = step.tb_frame.f_code
    return is_ours(code.co_filename) and opname[code.co_code[step.tb_lasti]] == "RAISE_VARARGS"


def called(words: str, names: dict[str, Any]) -> str | None:
    """What is told of a call that has a name too many or too few; None where it is no call of the framework's."""
    import re
    from difflib import get_close_matches
    from inspect import signature

    found = re.match(
        r"([\w.]+)\(\) (got an unexpected keyword argument '(\w+)'|missing \d+ required .*: (.*)|takes .* given$)",
        words,
    )
    function = None if found is None else _function(found[1].removesuffix(".__new__"), names)
    if found is None or function is None:
        return None
    uncalled = next((name for name, value in names.items() if name[0].islower() and _is_class(value)), None)
    if uncalled is not None and found[4] is not None:
        kind = names[uncalled].__name__
        return f"{uncalled} is the class {kind}: write {uncalled} = {kind}(), with parentheses"
    parameters = [one for one in signature(function).parameters.values() if one.name != "self"]
    known = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
    named = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    name = found[1].removesuffix(".__init__").removesuffix(".__new__").rpartition(".")[2]
    if found[3] is None:
        said = [f"{one}=…" if one != known[0] or one in named else one for one in known]
        wrong = "is given too much" if found[4] is None else f"misses {found[4]}"
        if found[4] is None and "Decorator" in str(signature(function).return_annotation):
            return f"{name}() {wrong}: write it above the function, as @app.{name}({', '.join(known)})"
        return f"{name}() {wrong}: it is called as {name}({', '.join(said)})"
    close = get_close_matches(found[3], known, 1)
    return f"{name}() takes no {found[3]!r}: {f'did you mean {close[0]}?' if close else f'it takes {", ".join(known)}'}"


def _is_class(value: object) -> bool:
    """Whether it is a class that a script makes its application of."""
    from cello._scope import Scope

    return isinstance(value, type) and issubclass(value, Scope) and value.__module__.startswith("cello.")


def _function(name: str, names: dict[str, Any]) -> Callable[..., Any] | None:
    """The framework's own function of that qualified name."""
    first, *rest = name.split(".")
    for module in [module for key, module in sys.modules.items() if key.partition(".")[0] == "cello"]:
        found: Any = vars(module).get(first)
        if not str(getattr(found, "__module__", "")).startswith("cello"):
            continue
        if first in names and names[first] is not found:
            return None  # the user's own, of the same name
        for attribute in rest:
            found = getattr(found, attribute, None)
        return cast("Callable[..., Any]", found) if callable(found) else None
    return None


def _place(function: Any) -> str:
    frame = frame_of(function)
    function = inner(function)
    return f"\n  in {getattr(function, '__qualname__', repr(function))}" if frame is None else _told(frame)


def _told(frame: Frame) -> str:
    source = "".join(f"\n      {text.strip()}" for _, text in frame.source() if text.strip())
    return f"\n  {frame.path}:{frame.line} in {frame.name}{source}"
