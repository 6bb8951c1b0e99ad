"""The life of an application: what begins before the first request and ends after the last."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager, suppress
from inspect import isasyncgenfunction, isawaitable, isgeneratorfunction
from typing import TYPE_CHECKING, Any, NamedTuple

from cello._handler import takes, where
from cello._plugins.acting import Acting
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cello._mounted_asgi import Mounted
    from cello._mounted_lifespan import MountedLifespan
    from cello._providers import Providers
    from cello.app import App

__all__ = ["Life"]

_log = logging.getLogger("cello")


class Entered(NamedTuple):
    """A lifespan that is entered, and what leaves it."""

    lifespan: Callable[..., Any]
    leave: Callable[..., Any]


class Life:
    """The life of an application and of those that are mounted in it, each once.

    The hooks of plugins enclose all else. An application's lifespans enclose its start-up and shut-down functions,
    these what it provides to dependencies, and all of it what the applications in it have; innermost are those of ASGI.
    """

    def __init__(self, app: App) -> None:
        self._apps = app._applications()
        self._acting = Acting(self._apps)
        self._providing: list[Providers] = []
        self._entered: dict[App, list[Entered]] = {one: [] for one in self._apps}
        self._mounted = _lifespans_of_mounted(self._apps)
        self._started: list[MountedLifespan] = []

    async def start(self) -> None:
        """Enters the lifespans and calls the start-up functions. Where one fails, what was entered is left.

        Errors: StartError.
        """
        try:
            await self._acting.start()
            for app in self._apps:
                for lifespan in app._lifespans:
                    self._entered[app].append(await _enter(app, lifespan))
                for listener in app._listeners["startup"]:
                    await _call(listener, "startup")
                if app._providers is not None:
                    await app._providers.open()
                    self._providing.append(app._providers)
            for mounted in self._mounted:
                await mounted.start()
                self._started.append(mounted)
        except BaseException as error:
            for mounted in reversed(self._started):
                with suppress(StartError):
                    await mounted.stop()
            for providers in reversed(self._providing):
                with suppress(StartError):
                    await providers.close()
            for app in reversed(self._apps):
                for entered in reversed(self._entered[app]):
                    await _leave_after(entered, error)
            with suppress(StartError):
                await self._acting.stop()
            raise

    async def stop(self) -> None:
        """Calls the shut-down functions and leaves the lifespans, in reverse order, and the others where one fails.

        Errors: StartError for the first that failed.
        """
        failures: list[StartError] = []
        for mounted in reversed(self._started):
            try:
                await mounted.stop()
            except StartError as error:
                failures.append(error)
        for app in reversed(self._apps):
            if app._providers is not None:
                try:
                    await app._providers.close()
                except StartError as error:
                    failures.append(error)
            for listener in reversed(app._listeners["shutdown"]):
                try:
                    await _call(listener, "shutdown")
                except StartError as error:
                    failures.append(error)
            for entered in reversed(self._entered[app]):
                try:
                    await _leave(entered)
                except StartError as error:
                    failures.append(error)
        try:
            await self._acting.stop()
        except StartError as error:
            failures.append(error)
        if failures:
            raise failures[0]


def _lifespans_of_mounted(apps: list[App]) -> list[MountedLifespan]:
    """The lives of mounted applications of ASGI, each once."""
    mounted = [one for app in apps for one in app._mounted]
    if not mounted:
        return []
    from cello._mounted_lifespan import MountedLifespan

    by_app: dict[int, list[Mounted]] = {}
    for one in mounted:
        by_app.setdefault(id(one.app), []).append(one)
    return [MountedLifespan(group) for group in by_app.values()]


async def _enter(app: App, lifespan: Callable[..., Any]) -> Entered:
    make: Any = lifespan
    if isasyncgenfunction(lifespan):
        make = asynccontextmanager(lifespan)
    elif isgeneratorfunction(lifespan):
        make = contextmanager(lifespan)
    try:
        manager = make(app) if takes(lifespan, 1) else make()
        if hasattr(manager, "__aenter__"):
            await manager.__aenter__()
            return Entered(lifespan, manager.__aexit__)
        if hasattr(manager, "__enter__"):
            manager.__enter__()
            return Entered(lifespan, manager.__exit__)
        raise TypeError(f"it made {manager!r}, which is no context manager: write a generator that yields once")
    except Exception as error:
        raise StartError(f"the lifespan {where(lifespan)} failed") from error


async def _leave(entered: Entered) -> None:
    try:
        await _awaited(entered.leave(None, None, None))
    except Exception as error:
        raise StartError(f"the lifespan {where(entered.lifespan)} failed at its end") from error


async def _leave_after(entered: Entered, error: BaseException) -> None:
    """Leaves a lifespan that is told what went wrong, and cannot make it right."""
    try:
        await _awaited(entered.leave(type(error), error, error.__traceback__))
    except BaseException as failure:
        if failure is not error:
            _log.error("the lifespan %s failed at its end", where(entered.lifespan), exc_info=failure)


async def _call(listener: Callable[[], Any], event: str) -> None:
    try:
        await _awaited(listener())
    except Exception as error:
        raise StartError(f"the {event} function {where(listener)} failed") from error


async def _awaited(returned: Any) -> None:
    if isawaitable(returned):
        await returned
