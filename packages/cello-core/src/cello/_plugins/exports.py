"""`from cello import X`, for what plugins bring."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cello._plugins.core_names import taken
from cello._plugins.declaration import Kind
from cello._plugins.loading import installed
from cello.errors import CelloError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["export", "exported"]


def export(name: str) -> Any:
    """What a plugin exports by that name.

    Errors: AttributeError, and ImportError where it is imported by name, since Python has words of its own for an
    AttributeError there, and where what the plugin names cannot be imported.
    """
    unknown = f"module 'cello' has no attribute {name!r}"
    if name.startswith("_") or name in taken(Kind.EXPORT):  # a module of ours, which the import goes on to import
        raise AttributeError(unknown)
    plugins = installed()
    try:
        return plugins.load(Kind.EXPORT, name, unknown)
    except PluginError as error:
        raise ImportError(str(error), name="cello") from error
    except AttributeError as error:
        # The frames above are those of this function, of the module's __getattr__, and of who asks.
        words, near = str(error), error.name
        if words == unknown:
            from cello._elsewhere import written

            advice, near = written(name), None
            words = words if advice is None else f"cello has no {name}: write {advice}"
        if words != unknown and sys._getframe(2).f_code.co_name == "_handle_fromlist":
            told = ImportError(words, name="cello")
            told.name_from = near  # by which Python suggests another, where there is one
            raise told from None
        raise


def exported() -> Iterable[str]:
    """The names that plugins export; none where the environment says what cannot be, which is told elsewhere."""
    try:
        return installed().names(Kind.EXPORT)
    except CelloError:
        return ()
