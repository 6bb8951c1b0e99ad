"""The plugins that are installed, as the commands tell of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from cello._plugins.loading import surveyed

if TYPE_CHECKING:
    from cello._plugins import Plugins
    from cello._plugins.plugin import Plugin

__all__ = ["Seen", "Survey", "survey"]


class Seen(NamedTuple):
    """A plugin, and what is said of it."""

    plugin: Plugin
    #: "active", "disabled", "failed", or "conflict" where it is active and another declares what it does.
    state: str
    #: Why it is not simply active, in one line.
    reason: str


class Survey(NamedTuple):
    """What there is."""

    all: Plugins
    plugins: list[Seen]
    #: What is wrong with the variables of the environment.
    problems: list[str]

    def tell_problems(self) -> None:
        """Tells whoever reads standard error."""
        for words in self.problems:
            print(f"cello: {words}", file=sys.stderr)


def survey() -> Survey:
    """Looks at all plugins that are installed. It fails for none of them."""
    plugins, problems = surveyed()
    seen: list[Seen] = []
    for plugin in plugins.all:
        conflicts = plugins.conflicts(plugin)
        state = "conflict" if conflicts else str(plugin.state)
        seen.append(Seen(plugin, state, "; ".join(conflicts) or " ".join(plugin.reason.split())))
    return Survey(plugins, seen, problems)
