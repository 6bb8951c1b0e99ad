"""`from cello import X`, for what plugins bring."""

from __future__ import annotations

import sys
from typing import Any

from cello._plugins.declaration import Kind
from cello._plugins.plugins import installed

__all__ = ["export"]


def export(name: str) -> Any:
    """What a plugin exports by that name.

    Errors: AttributeError, and ImportError where it is imported by name, since Python has words of its own for an
    AttributeError there.
    """
    unknown = f"module 'cello' has no attribute {name!r}"
    if name.startswith("_"):
        raise AttributeError(unknown)
    try:
        return installed().load(Kind.EXPORT, name, unknown)
    except AttributeError as error:
        # The frames above are those of this function, of the module's __getattr__, and of who asks.
        if str(error) != unknown and sys._getframe(2).f_code.co_name == "_handle_fromlist":
            raise ImportError(str(error), name="cello") from None
        raise
