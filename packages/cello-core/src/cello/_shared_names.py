"""What applications share by name: declared at any time, and opened in the arena of each server that begins."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, NoReturn

from cello._mistake import caller
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cello._kernel import Arena
    from cello.app import App
    from cello.shared import Shared

__all__ = ["Kept", "Registry", "Unserved", "checked_name", "checked_size", "share", "tell_alone"]

_log = logging.getLogger("cello")

#: Two of them and the longest kind are as long as the name of a segment may be.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,47}", re.ASCII)


def checked_name(name: object, what: str) -> str:
    """A name of something that is shared.

    Errors: TypeError or ValueError for what is none.
    """
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name of {what}: use a str")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of {what}: use 1 to 48 letters, digits, and any of _ . : -")
    return name


def checked_size(value: object, what: str, least: int, most: int) -> int:
    """A number of keys or of bytes.

    Errors: TypeError or ValueError for what is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is {value!r}: use an int")
    if not least <= value <= most:
        raise ValueError(f"{what} is {value}: use {least:,} to {most:,}")
    return value


class Kept:
    """What has a name in the memory that is shared, and no memory before a server begins."""

    def __init__(self, kind: str, space: str, name: str, shape: str, place: str | None = None) -> None:
        self.name: str = name
        self._key = f"{space}/{name}"
        self._words = f"the {kind} {name!r} of {space!r}"
        self._shape = shape
        self._place = caller() if place is None else place

    def _open(self, arena: Arena) -> None:
        """Takes its memory, in which others of the same name have theirs.

        Errors: OSError where it is there with another size, or does not fit.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self._words}{self._shape}>"


class Unserved:
    """What stands where memory will be, and tells whoever uses it that it is not there yet."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __getattr__(self, _: str) -> NoReturn:
        raise RuntimeError(
            f"{self._words} has no memory yet, which the server makes when it starts: use it in handlers, and in what "
            "the application does before the first request"
        )


class Registry:
    """What an application has declared, by name."""

    def __init__(self, arena: Arena | None) -> None:
        #: That of the last server of this process.
        self.arena = arena
        self.spaces: dict[str, Shared] = {}
        self.kept: dict[str, Kept] = {}

    def keep[Item: Kept](self, item: Item) -> Item:
        """What is declared, or was declared before with the same name and the same shape.

        Errors: ValueError where it was with another shape, OSError where the server runs and its memory is not to be
        had.
        """
        before = self.kept.get(item._key)
        if before is None:
            if self.arena is not None:
                item._open(self.arena)
            self.kept[item._key] = before = item
        elif clash := _clash(before, item):
            raise ValueError(clash)
        assert isinstance(before, type(item))
        return before


def share(applications: Iterable[App], arena: Arena) -> None:
    """Opens what applications have declared, in the memory of the server that begins.

    Errors: StartError where two of them mean something else by one name, and for what is not to be had.
    """
    first: dict[str, Kept] = {}
    for registry in [app._shared for app in applications if app._shared is not None]:
        registry.arena = arena
        for item in registry.kept.values():
            if clash := _clash(first.setdefault(item._key, item), item):
                raise StartError(clash)
            try:
                item._open(arena)
            except OSError as error:
                raise StartError(f"{item._words}{item._shape} cannot be had: {error}{item._place}") from None


def tell_alone(applications: Iterable[App]) -> None:
    """Says in the log that what is shared is shared with no other process, where anything is."""
    if any(app._shared is not None and app._shared.kept for app in applications):
        _log.warning(
            "what the application shares (App.shared) is exact for this process alone, since another server serves it: "
            "other processes have their own"
        )


def _clash(first: Kept, second: Kept) -> str | None:
    """How two differ that have one name; None where they are the same."""
    if type(first) is type(second) and first._words == second._words and first._shape == second._shape:
        return None
    places = first._place if first._place == second._place else first._place + second._place
    return f"{first._words}{first._shape} is there already: it cannot be {second._words}{second._shape}{places}"
