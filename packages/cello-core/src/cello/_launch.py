"""From `app.run()` or `cello run` to a served application, and to an exit code."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from cello import _options, _sd_listen, _standard_streams
from cello._cluster import said
from cello.errors import CelloError, OptionError, StartError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from cello._options import Options
    from cello._worker import Control
    from cello.app import App

__all__ = [
    "EXIT_INTERRUPTED",
    "EXIT_START",
    "EXIT_USAGE",
    "Deferred",
    "fail",
    "fail_script",
    "run",
    "serve",
    "supervise",
    "watch_over",
]

EXIT_USAGE = 2
EXIT_START = 3
EXIT_INTERRUPTED = 130


#: Who imports an application to ask it, or to serve it: packages of tests, and other servers.
_IMPORTERS = ("_pytest", "unittest", "uvicorn", "granian", "hypercorn", "gunicorn")


class Deferred:
    """While a module is imported for `cello run`: its own `app.run(...)` is noted, not obeyed.

    So a script whose `app.run()` stands without a `__main__` guard can be served by either way.
    """

    current: Deferred | None = None

    def __init__(self) -> None:
        self.arguments: dict[int, Mapping[str, Any]] = {}

    def __enter__(self) -> Deferred:
        Deferred.current = self
        return self

    def __exit__(self, *_: object) -> None:
        Deferred.current = None

    def arguments_of(self, app: App) -> Mapping[str, Any]:
        """What the module gave to `app.run()`, if it called it."""
        return self.arguments.get(id(app), {})


def run(app: App, arguments: Mapping[str, Any]) -> None:
    """Does what `App.run` promises.

    Errors: StartError in a thread where a loop runs.
    """
    if Deferred.current is not None:
        Deferred.current.arguments[id(app)] = arguments
        return
    if _is_imported_by_others():
        return
    _standard_streams.fill()
    if _is_in_a_loop():
        raise StartError("app.run() has a loop of its own, and cannot be called where one runs: call it in a def")
    try:
        command_line = _options.script_options(sys.argv[1:])
    except OptionError as error:
        fail(error, EXIT_USAGE)
    serve(app, command_line, arguments, is_script=True)


def _is_imported_by_others() -> bool:
    """Whether the module is being imported that calls `app.run()`, and by whom that is in the way of."""
    frame: FrameType | None = sys._getframe(1)
    is_importing = False
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if is_importing and name.partition(".")[0] in _IMPORTERS:
            return True
        is_importing = is_importing or (frame.f_code.co_name == "<module>" and name != "__main__")
        frame = frame.f_back
    return False


def _is_in_a_loop() -> bool:
    if "asyncio" not in sys.modules:  # what becomes a supervisor does without
        return False
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def serve(app: App, command_line: Mapping[str, Any], arguments: Mapping[str, Any], *, is_script: bool = False) -> None:
    """Serves with the options of all three sources; returns when the server was stopped."""
    control = _control()
    try:
        chosen = {**said(app._cluster), "logs": True if app._access_log else None}
        options = _options.resolve(command_line, arguments, os.environ, chosen)
        if options.is_supervised and control is None:
            supervise(options, is_script=is_script)
        if control is None:
            options = replace(options, bind=_sd_listen.take(options.bind, os.environ))
    except OptionError as error:
        if str(error).startswith("run("):
            from cello._mistake import caller

            error = OptionError(f"{error}{caller()}")
        fail(error, EXIT_USAGE, control)

    from cello import _serve

    try:
        if control is not None and control.is_template:
            from cello._template import become_worker

            control = become_worker(control)
        _serve.serve(app, options, control)
    except OptionError as error:  # of its configuration
        fail(error, EXIT_USAGE, control)
    except CelloError as error:
        fail(error, EXIT_START, control)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def watch_over(command_line: Mapping[str, Any]) -> None:
    """Becomes the supervisor where `--reload` was asked for by other than the application, which is not imported then.

    What it gives to `app.run()` is known by its workers.
    """
    options = _options.resolve(command_line, {}, os.environ)
    if options.reload and "CELLO_WORKER" not in os.environ:
        supervise(options, is_known=False)


def fail(error: BaseException, code: int, control: Control | None = None) -> NoReturn:
    """Ends the process with an error's words, and with the trace of the user's error behind it.

    A worker has its supervisor tell them.
    """
    control = control or _control()
    if control is not None:
        control.fail(error)
        sys.exit(code)
    from cello._mistake import show

    show(str(error))
    if error.__cause__ is not None:
        from cello._trace import fold

        print(fold(error.__cause__), file=sys.stderr)
    sys.exit(code)


def fail_script(words: str | None, error: Exception) -> bool:
    """Has the supervisor tell of what a script raised before it came to serve; whether there is one."""
    from cello._trace import from_user

    failure = StartError(words or f"{sys.argv[0]} failed")
    failure.__cause__ = None if words else from_user(error)
    control = _control()
    if control is not None:
        control.fail(failure)
    return control is not None


def _control() -> Control | None:
    if "CELLO_WORKER" not in os.environ:
        return None
    from cello._worker import Control

    return Control.inherited()


def supervise(options: Options, *, is_script: bool = False, is_known: bool = True) -> NoReturn:
    """Becomes the supervisor of workers that each run this process's command line.

    Shape: where `is_known` is false, the workers say where they are to serve.
    Errors: OptionError where that is not known.
    """
    if sys.argv[0] in ("", "-"):
        raise OptionError("workers run a file or a module: what was typed in they cannot run")
    import json

    terms: dict[str, Any] = {
        "command": sys.orig_argv[1:],
        "host": options.host if is_known else None,
        "port": options.port,
        "workers": options.workers,
        "limits": [options.max_rss, options.worker_timeout],
        "preload": options.preload,
        "reload": None,
    }
    names = ("cpu_affinity", "shutdown_timeout", "shutdown_delay", "max_restarts")
    terms |= {name: getattr(options, name) for name in names}
    terms |= {"bind": _sd_listen.take(options.bind, os.environ)}
    if options.reload:
        from cello._reload import terms_of

        terms["reload"] = terms_of(options, is_script)
    # The framework is found where it was found here, and after the standard library.
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    program = f"import sys; sys.path.append({folder!r}); from cello._supervisor import main; main()"
    _standard_streams.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-c", program, json.dumps(terms)])
