"""`cello plugins stubs`: tells type checkers what installed plugins bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._commands._plugins._survey import survey
from cello.errors import OptionError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes: nothing."""


def run(options: Namespace) -> None:  # noqa: ARG001 - as its siblings have it
    """Writes the stub of what plugins bring that belong to no family.

    Errors: OptionError where it cannot be written.
    """
    from cello._plugins.stubs import STRANGERS, of_strangers, strangers, write

    found = survey()
    found.tell_problems()
    names = [plugin.name for plugin in of_strangers(found.all)]
    try:
        write(strangers(found.all))
    except OSError as error:
        raise OptionError(f"{STRANGERS} cannot be written: {error.strerror}") from None
    print(f"{STRANGERS} tells type checkers what these bring: {', '.join(names) or 'no plugins'}")
    for one in found.plugins:
        if one.state in ("failed", "conflict"):
            left = "it" if one.state == "failed" else "what another declares, too,"
            print(f"{one.plugin.name} ({one.plugin.distribution}): {left} is left out, as `cello plugins list` says")
