"""One plugin, as it was found, and what has become of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cello._plugins.declaration import Declaration
    from cello._plugins.scan import Entry

__all__ = ["Plugin", "State", "left_out"]


class State(StrEnum):
    """What has become of a plugin."""

    ACTIVE = "active"
    DISABLED = "disabled"
    FAILED = "failed"


class Plugin(NamedTuple):
    """A plugin as it was found, and what has become of it."""

    name: str
    distribution: str
    version: str
    #: The module, or "module:attribute".
    target: str
    state: State
    declarations: tuple[Declaration, ...] = ()
    #: Why it is not active, in one line; and where it failed, as Python traces it.
    reason: str = ""
    trace: str = ""
    #: Its own hooks, called as pluggy's are.
    hooks: Any = None


def left_out(entry: Entry, state: State, reason: str) -> Plugin:
    """A plugin that is not loaded."""
    return Plugin(entry.name, entry.distribution, entry.version, entry.target, state, reason=reason)
