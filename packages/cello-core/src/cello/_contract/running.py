"""An application that has a plugin enabled, from its start to its end."""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import TYPE_CHECKING, Any

from cello import App
from cello._plugins.declaration import Kind
from cello._plugins.scan import scan
from cello._serving import Serving
from cello.loop import EventLoop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cello._contract.process import Case

__all__ = ["alone", "application", "complaint", "live"]

_PATIENCE_S = 10.0


def alone(case: Case) -> Iterator[str]:
    """What goes wrong with core, the plugin, and what its distribution asks for."""
    sys.meta_path.insert(0, _Absent(_not_asked_for(case)))
    yield from complaint(case)


def complaint(case: Case) -> Iterator[str]:
    """What goes wrong where an application has it enabled, and starts, answers and stops."""
    unraisable: list[str] = []
    sys.unraisablehook = lambda one: unraisable.append(f"{one.exc_type.__name__}: {one.exc_value}")
    try:
        answer = live(application(case))
    except Exception as error:
        yield f"an application with it {_told(error)}"
        return
    if not answer.startswith(b"HTTP/1.1 "):
        yield f"an application with it answers {answer[:100]!r}"
    for words in unraisable:
        yield f"an application with it leaves behind: {words}"


def application(case: Case) -> App:
    """A small application that has the plugin enabled."""
    app = App()
    app.get("/")(_home)
    if case.enabling:
        exec(case.enabling, {"app": app})
        return app
    for plugin in case.plugins():
        for one in plugin.declarations:
            if one.kind is Kind.APP_METHOD and one.name.startswith("enable_") and _takes_nothing(one.load):
                getattr(app, one.name)()
    return app


def live(app: App) -> bytes:
    """Starts an application, asks it once and ends it; its answer."""
    serving = Serving(app, debug=False, logs=False)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        serving.prepare(runner.get_loop())
        return runner.run(_live(serving))


async def _live(serving: Serving) -> bytes:
    try:
        await serving.begin()
        serving.start()
        answer = await _asked(serving)
        await serving.stop(_PATIENCE_S)
    finally:
        await serving.cancel(_PATIENCE_S)
        serving.server.close()
    return answer


async def _asked(serving: Serving) -> bytes:
    connection = serving.server.connect(("127.0.0.1", 50000), False)
    sent = connection.poll_send(b"GET / HTTP/1.1\r\nHost: contract.example\r\nConnection: close\r\n\r\n")
    assert isinstance(sent, int)
    pieces: list[bytes] = []
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            received = connection.poll_receive()
            if not isinstance(received, bytes):
                await received
            elif received:
                pieces.append(received)
            else:
                connection.close()
                return b"".join(pieces)


def _home() -> str:
    return "here"


def _takes_nothing(load: Any) -> bool:
    """Whether the function can be called with an application alone. What cannot be had is the matter of `targets`."""
    try:
        parameters = [*inspect.signature(load()).parameters.values()][1:]
    except Exception:
        return False
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(one.default is not one.empty or one.kind in free for one in parameters)


def _told(error: BaseException) -> str:
    """What a failure is, with what it came from, and the place that is the nearest to it."""
    causes: list[str] = []
    one: BaseException | None = error
    place = ""
    while one is not None:
        causes.append(f"{type(one).__name__}: {' '.join(str(one).split())}")
        frame = one.__traceback__
        while frame is not None:
            place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
            frame = frame.tb_next
        one = one.__cause__
    return f"fails: {', from '.join(causes)} ({place})"


class _Absent:
    """Has packages be absent that nobody asked for."""

    def __init__(self, packages: Mapping[str, str]) -> None:
        self._packages = packages

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        """Refuses those.

        Errors: ModuleNotFoundError.
        """
        distribution = self._packages.get(name.partition(".")[0])
        if distribution is not None:
            words = (
                f"No module named {name!r}: it is of {distribution}, which the plugin's distribution does not require"
            )
            raise ModuleNotFoundError(words, name=name)


def _not_asked_for(case: Case) -> dict[str, str]:
    """The packages that are installed and that neither core nor the plugin asks for: by name, whose each is."""
    from importlib.metadata import packages_distributions

    asked = _closure(["cello-core", "pluggy", *case.distributions])
    found = dict(packages_distributions())
    for entry in scan():
        package = entry.target.partition(":")[0].partition(".")[0]
        found.setdefault(package, [entry.distribution])
    kept = {"cello", *case.packages}
    return {
        package: names[0]
        for package, names in found.items()
        if package not in kept and package not in sys.modules and not asked & {*map(_normalized, names)}
    }


def _closure(names: Sequence[str]) -> set[str]:
    """Distributions with all that they ask for, under whatever condition."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    found: set[str] = set()
    left = [*names]
    while left:
        name = _normalized(left.pop())
        if name in found:
            continue
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        left += [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]
    return found


def _normalized(distribution: str) -> str:
    import re

    return re.sub(r"[-_.]+", "-", distribution).lower()
