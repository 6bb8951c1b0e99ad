"""Python with an application that has started, and with `await` at its top level.

All runs in one thread: what is typed is a coroutine that the loop runs to its end. Tasks go on while one is awaited.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import code
import linecache
import sys
import traceback
from contextlib import asynccontextmanager
from inspect import iscoroutine
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cello import __version__
from cello._lifecycle import Life
from cello._rehearsal import rehearse
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from types import CodeType

    from cello.app import App
    from cello.testing import AsyncTestClient

__all__ = ["shell"]

_PIPED = "<stdin>"


def shell(app: App) -> None:
    """Starts the application, runs what standard input has, and stops the application.

    What is piped is one program: where it fails, that is told, and the process exits with 1.
    Errors: StartError; SystemExit, as it was raised.
    """
    names: dict[str, Any] = {"__builtins__": builtins, "__name__": "__console__", "__doc__": None, "app": app}
    life = _life(app)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        client = runner.run(_awaited(life.__aenter__()))
        if client is not None:
            names["client"] = client
        try:
            if sys.stdin.isatty():
                _converse(_Console(names, runner))
            else:
                _run_piped(sys.stdin.read(), names, runner)
        finally:
            runner.run(_awaited(life.__aexit__(None, None, None)))


@asynccontextmanager
async def _life(app: App) -> AsyncGenerator[AsyncTestClient | None]:
    """The application between its start and its stop, with a client that asks it."""
    try:
        from cello.testing import AsyncTestClient
    except ImportError:  # httpx, which it is made of, is not installed
        rehearse(app)
        life = Life(app)
        await life.start()
        try:
            yield None
        finally:
            await life.stop()
        return
    async with AsyncTestClient(app) as client:
        yield client


async def _awaited[T](awaitable: Awaitable[T]) -> T:
    return await awaitable


class _Console(code.InteractiveConsole):
    def __init__(self, names: dict[str, Any], runner: asyncio.Runner) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._names = names
        self._runner = runner

    def runcode(self, code: CodeType) -> None:
        """Runs a statement in the loop."""
        error = self._runner.run(_outcome(code, self._names))
        if error is not None:
            _tell(error)


def _converse(console: _Console) -> None:
    try:
        import readline
        import rlcompleter
    except ImportError:  # a Python that was built without it
        pass
    else:
        readline.set_completer(rlcompleter.Completer(console.locals).complete)
        readline.parse_and_bind("tab: complete")
    banner = f"Cello {__version__}, Python {sys.version.partition(' ')[0]}. `app` has started; `await` can be used."
    if "client" in console.locals:
        banner += '\n`client` asks it, as in `await client.get("/")`.'
    console.interact(banner, exitmsg="")


def _run_piped(source: str, names: dict[str, Any], runner: asyncio.Runner) -> None:
    linecache.cache[_PIPED] = (len(source), None, source.splitlines(keepends=True), _PIPED)
    try:
        compiled = compile(source, _PIPED, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        traceback.print_exception(error, limit=0)
        sys.exit(1)
    failure = runner.run(_outcome(compiled, names))
    if failure is not None:
        _tell(failure)
        sys.exit(1)


async def _outcome(compiled: CodeType, names: dict[str, Any]) -> BaseException | None:
    """Runs code; what it raised, but for what ends the process."""
    try:
        made = FunctionType(compiled, names)()
        if iscoroutine(made):
            await made
    except (SystemExit, KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:
        return error
    return None


def _tell(error: BaseException) -> None:
    """Prints an exception without the frame of `_outcome`."""
    first = error.__traceback__
    traceback.print_exception(type(error), error, first and first.tb_next)
