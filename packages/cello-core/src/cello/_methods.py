"""The methods that routes answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["method_names"]

#: What no route answers, and why.
#: Source: RFC 9110 §9.3.6 and §9.3.8.
_UNANSWERED = {
    "CONNECT": "its target is a host, and no path of this application",
    "TRACE": "it would show the client what others added to its request",
}

#: What a method's name may have beside letters and digits (RFC 9110 §5.6.2).
_PUNCTUATION = "!#$%&'*+-.^_`|~"


def method_names(methods: Iterable[str]) -> list[str]:
    """The methods of a route, in upper case and each once.

    Errors: ValueError for none at all, for what is no name of a method, for CONNECT and TRACE.
    """
    if isinstance(methods, str):
        raise ValueError(f"methods={methods!r} is one str: write a list, methods=[{methods!r}]")
    names: list[str] = []
    for method in methods:
        if not _is_token(method):
            raise ValueError(f'{method!r} is no HTTP method: a method is a name like "GET"')
        name = method.upper()
        if name in _UNANSWERED:
            raise ValueError(f"no route answers {name}: {_UNANSWERED[name]}")
        if name not in names:
            names.append(name)
    if not names:
        raise ValueError("a route answers at least one method, and methods=[] has none")
    return names


def _is_token(name: object) -> bool:
    return (
        isinstance(name, str) and bool(name) and all(c.isascii() and (c.isalnum() or c in _PUNCTUATION) for c in name)
    )
