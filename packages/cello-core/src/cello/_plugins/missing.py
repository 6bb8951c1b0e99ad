"""What is said of a name that no plugin brings: where it comes from, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._plugins.catalogue import CATALOGUE
from cello._plugins.core_names import taken

if TYPE_CHECKING:
    from cello._plugins.declaration import Kind
    from cello._plugins.plugins import Plugins

__all__ = ["missing"]


def missing(kind: Kind, name: str, plugins: Plugins) -> str:
    """The words for a name that is not there."""
    family = CATALOGUE.get(kind.value, {}).get(name)
    if family is None:
        return f"there is no {kind} {name!r}{_close(kind, name, plugins)}"
    distribution = f"cello-{family}"
    words = f"{name} comes from {distribution}"
    plugin = next((one for one in plugins.all if one.name == family), None)
    if plugin is None:
        return f'{words}, which is not installed: pip install "{distribution}>=2"'
    if plugin.state == "failed":
        return f"{words}, whose plugin failed: {plugin.reason} (`cello plugins info {family}` says more)"
    if plugin.state == "disabled":
        return f"{words}, whose plugin is disabled: {plugin.reason}"
    return f"{words}, which is of another version: install the one that belongs to this cello-core"


def _close(kind: Kind, name: str, plugins: Plugins) -> str:
    from difflib import get_close_matches

    known = {*plugins.names(kind), *CATALOGUE.get(kind.value, {}), *taken(kind)}
    close = get_close_matches(name, [word for word in known if not word.startswith("_")], 1)
    return f": did you mean {close[0]!r}?" if close else ""
