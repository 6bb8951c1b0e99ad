"""`cello shell`: Python with an application that has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._target import add_target, load

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    add_target(parser)


def run(options: Namespace) -> None:
    """Starts the application, runs what standard input has, typed or piped, and stops the application.

    Errors: StartError for an application that is not there, could not start, or failed to stop.
    """
    from cello._shell import shell

    shell(load(options.target)[0])
