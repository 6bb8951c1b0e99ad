"""`cello plugins`: what there is to do with plugins. Each is the module of its name in `_plugins`.

All of it works beside plugins that fail, and with variables of the environment that cannot be.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["COMMANDS", "add_arguments", "run"]

#: What each does.
COMMANDS = {
    "list": "list the plugins that are installed, and what has become of each",
    "info": "say all that is known of a plugin",
    "order": "list the middleware that plugins declare in the order in which it stands, and why",
    "check": "check the plugins that are installed, or a wheel",
    "new": "make the folder of a new plugin",
    "stubs": "tell type checkers what installed plugins bring",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    commands = parser.add_subparsers(dest="plugins_command", required=True, metavar="COMMAND")
    for name, words in COMMANDS.items():
        description = f"{words[0].upper()}{words[1:]}."
        module = import_module(f"cello._commands._plugins.{name}")
        module.add_arguments(commands.add_parser(name, help=words, description=description, allow_abbrev=False))


def run(options: Namespace) -> None:
    """Does it.

    Errors: those of its module.
    """
    import_module(f"cello._commands._plugins.{options.plugins_command}").run(options)
