"""The hooks that act: what plugins do when a worker starts and stops."""

from __future__ import annotations

import logging
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cello._plugins.plugin import Plugin
    from cello.app import App

__all__ = ["Acting"]

_log = logging.getLogger("cello")


class Acting:
    """What the plugins of some applications do at start and at the end."""

    def __init__(self, apps: Sequence[App]) -> None:
        self._apps = apps
        self._started: list[tuple[App, Plugin]] = []

    async def start(self) -> None:
        """Calls `cello_startup` of each plugin, by name, for each application.

        Errors: StartError.
        """
        for plugin in dict.fromkeys(plugin for app in self._apps for plugin in app._plugins.failed):
            words = "the plugin %s of %s failed, and is left out: %s (`cello plugins info %s` says more)"
            _log.warning(words, plugin.name, plugin.distribution, plugin.reason, plugin.name)
        for app in self._apps:
            for plugin in app._plugins.active:
                await _call(plugin, "cello_startup", app)
                self._started.append((app, plugin))

    async def stop(self) -> None:
        """Calls `cello_shutdown` of those that were started, in reverse, and of the others where one fails.

        Errors: StartError for the first that failed.
        """
        failures: list[StartError] = []
        for app, plugin in reversed(self._started):
            try:
                await _call(plugin, "cello_shutdown", app)
            except StartError as error:
                failures.append(error)
        self._started.clear()
        if failures:
            raise failures[0]


async def _call(plugin: Plugin, hook: str, app: App) -> None:
    try:
        answers: list[Any] = getattr(plugin.hooks, hook)(app=app)
        for answer in answers:
            if isawaitable(answer):
                await answer
    except Exception as error:
        raise StartError(f"{hook} of the plugin {plugin.name} ({plugin.distribution}) failed") from error
