"""`cello limelight`: lists the features that are configured, and whether they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello.plugin import configured

from limelight.config import LimelightConfig

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("--on", action="store_true", help="only those that are on")


def run(options: Namespace) -> None:
    """Prints a line for each."""
    flags = configured("limelight", LimelightConfig).flags
    for name, is_on in sorted(flags.items()):
        if is_on or not options.on:
            print(f"{name}: {'on' if is_on else 'off'}")
    if not flags:
        print("No features are configured.")
