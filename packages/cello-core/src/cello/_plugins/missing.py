"""What is said of a name that a family brings which is not there: where it comes from, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._plugins.catalogue import CATALOGUE

if TYPE_CHECKING:
    from cello._plugins.declaration import Kind
    from cello._plugins.plugins import Plugins

__all__ = ["whence"]


def whence(kind: Kind, name: str, plugins: Plugins) -> str | None:
    """The words for a name that is not there; None where no family has it."""
    family = CATALOGUE.get(kind.value, {}).get(name)
    if family is None:
        return None
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
