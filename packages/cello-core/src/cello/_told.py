"""How a client is told of one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cello._problem import sendable

if TYPE_CHECKING:
    from cello._invalid import Fault

__all__ = ["error_of"]

#: Of a longer name a client gets the beginning, and of a longer path the first steps.
NAME_CHARACTERS = 100
STEPS = 32

#: What may stand in a fragment (RFC 3986 §3.5) beside letters and digits; the slash is what steps are parted by.
_FRAGMENT = "!$&'()*+,;=:@?-._~"


def error_of(fault: Fault) -> dict[str, Any]:
    """The member of `errors` for a fault."""
    told: dict[str, Any] = {"in": fault.place}
    if fault.place != "body":
        told["name"] = _short(fault.path[0])
    told["pointer"] = "#" + "".join(f"/{_escaped(step)}" for step in fault.path[:STEPS])
    detail = sendable(fault.detail)
    if fault.is_of_field:
        told |= {"field": _short(fault.path[-1]), "message": detail}
    return {**told, "detail": detail, "code": fault.code}


def _escaped(step: str | int) -> str:
    return quote(_short(step).replace("~", "~0").replace("/", "~1"), safe=_FRAGMENT)


def _short(step: str | int) -> str:
    text = str(step)
    return sendable(text if len(text) <= NAME_CHARACTERS else f"{text[: NAME_CHARACTERS - 1]}…")
