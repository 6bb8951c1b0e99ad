"""Paths of routes: what they are put together from."""

from __future__ import annotations

__all__ = ["checked_prefix", "join"]


def checked_prefix(prefix: str, what: str) -> str:
    """A prefix without the slash at its end.

    Errors: TypeError where it is no str, ValueError where it does not start with a slash.
    """
    if not isinstance(prefix, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
        raise TypeError(f"the prefix of {what} is a str, not {type(prefix).__name__}")
    if prefix and not prefix.startswith("/"):
        raise ValueError(f'the prefix {prefix!r} of {what} does not start with "/": write "/{prefix}"')
    return prefix.rstrip("/")


def join(prefix: str, path: str) -> str:
    """The path of a route under a prefix: "/users" and "/{id}" make "/users/{id}", "/users" and "" make "/users"."""
    return prefix + path
