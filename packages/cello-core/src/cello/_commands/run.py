"""`cello run`: serves an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello import _launch, _options
from cello._target import add_target, load

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    add_target(parser)
    _options.add_options(parser)


def run(options: Namespace) -> None:
    """Serves until it is told to stop.

    Errors: StartError for an application that is not there.
    """
    _launch.watch_over(vars(options))
    app, arguments = load(options.target)
    _launch.serve(app, vars(options), arguments)
