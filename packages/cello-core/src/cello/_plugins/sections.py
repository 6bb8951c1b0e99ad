"""The sections of the configuration that are known in this process, and whose each is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cello._plugins.variables import PREFIX, VARIABLES, reserved
from cello.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cello._plugins.declaration import Declaration
    from cello._plugins.plugin import Plugin

__all__ = ["announce", "ask", "kind_of", "of_variable", "owner", "sections"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")

#: By section: who declares it, of all plugins of this process; and what was asked for.
_declared: dict[str, Sequence[tuple[Plugin, Declaration]]] = {}
_asked: dict[str, type] = {}


def announce(sections: Mapping[str, Sequence[tuple[Plugin, Declaration]]]) -> None:
    """Has these sections known, whose plugins are those of an application."""
    _declared.update(sections)


def owner(section: str) -> Declaration | None:
    """What declares a section.

    Errors: PluginError where two plugins do.
    """
    found = _declared.get(section, ())
    if len(found) > 1:
        whose = " and ".join(f"{plugin.name} ({plugin.distribution})" for plugin, _ in found)
        raise PluginError(f"the config section {section!r} is declared by {whose}: disable one of them")
    return found[0][1] if found else None


def sections() -> set[str]:
    """The sections that are known in this process."""
    return {*_declared, *_asked}


def kind_of(section: str) -> type | None:
    """The dataclass of a section; None of one that is not known.

    Errors: PluginError where it cannot be imported, or two plugins declare the section.
    """
    declared = owner(section)
    if section in _asked or declared is None:
        return _asked.get(section)
    try:
        found: type = declared.load()
    except Exception as error:
        raise PluginError(f"the config section {section}: {declared.target} cannot be imported") from error
    return found


def of_variable(name: str, *others: str) -> str | None:
    """The section whose variable this is, of those that are known and others: the longest of several.

    None where it is of none, or the platform's own.
    """
    if name in VARIABLES or not name.startswith(PREFIX):
        return None
    rest = name.removeprefix(PREFIX).lower()
    return max((one for one in {*sections(), *others} if rest.startswith(f"{one}_")), key=len, default=None)


def ask(section: str, kind: type) -> None:
    """Has a section known from now on, whose configuration is asked for.

    Errors: ValueError for what is no name of one, or is the framework's own; PluginError where two plugins declare it.
    """
    if not _NAME.fullmatch(section):
        raise ValueError(f"{section!r} is no name of a section: use lower case letters, digits and underscores")
    if section in reserved():
        raise ValueError(f"the section {section!r} is the framework's own: it would spell {reserved()[section]}")
    owner(section)
    _asked[section] = kind
