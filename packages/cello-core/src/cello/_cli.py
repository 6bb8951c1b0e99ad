"""The `cello` command: how it finds, calls and ends the command that is asked for."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from cello import __version__, _standard_streams
from cello._commands import COMMANDS
from cello.errors import CelloError, OptionError, PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "parser_of"]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; exits with 2 for bad usage, with 3 where the application could not start."""
    _standard_streams.fill()
    words = sys.argv[1:] if argv is None else list(argv)
    chosen = next((word for word in words if not word.startswith("-")), "")
    try:
        module, parser, own = _parsers(chosen)
        found, rest = parser.parse_known_args(words)
        if rest:
            _refuse(_innermost(own, found), rest)
        module.run(found)
    except BrokenPipeError:  # who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CelloError, KeyboardInterrupt) as error:
        _end(error)


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command's own options."""
    return _parsers(command)[2]


def _parsers(chosen: str) -> tuple[Any, argparse.ArgumentParser, argparse.ArgumentParser]:
    """The module of a command, the parser of the whole command line, and that of the command.

    Errors: PluginError for a command that two plugins bring, or that comes from a family which is not there.
    """
    parser = argparse.ArgumentParser(prog="cello", description="A Python web framework on a minimal native kernel.")
    parser.add_argument("--version", action="version", version=f"cello {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    module, own = None, parser
    brought = {} if chosen in COMMANDS else _brought()
    for name, words in (*COMMANDS.items(), *brought.items()):
        words = words.replace("%", "%%")  # which argparse has a meaning for
        description = f"{words[0].upper()}{words[1:]}."
        command = commands.add_parser(name, help=words, description=description, allow_abbrev=False)
        if name == chosen:
            module = _command(name) if name in brought else import_module(f"cello._commands.{name}")
            own = command
            module.add_arguments(command)
    if chosen and module is None:
        _check_elsewhere(chosen)
    return module, parser, own


def _brought() -> dict[str, str]:
    """The commands that plugins bring: what each does, by name."""
    from cello._plugins import installed
    from cello._plugins.declaration import Kind

    try:
        names = installed().names(Kind.COMMAND)
    except CelloError as error:  # whoever asks for help gets it
        reason = str(error).partition("\n")[0]  # what follows is a trace, which `cello plugins info` has
        print(f"cello: no commands of plugins: {reason}", file=sys.stderr)
        return {}
    return {name: whose[0][1].words for name, whose in sorted(names.items())}


def _command(name: str) -> Any:
    """What a plugin has for a command.

    Errors: PluginError where two plugins declare it, and where it is not there or is no command.
    """
    from cello._plugins import installed
    from cello._plugins.declaration import Kind

    plugins = installed()
    plugins.find(Kind.COMMAND, name)
    found = plugins.load(Kind.COMMAND, name, "")
    if not callable(getattr(found, "add_arguments", None)) or not callable(getattr(found, "run", None)):
        raise plugins.unfit(Kind.COMMAND, name, f"{found!r}, which has no add_arguments(parser) and run(options)")
    return found


def _check_elsewhere(name: str) -> None:
    """Checks that a command which is not there is no family's, and may be no plugin's that is not loaded."""
    from cello._plugins import installed
    from cello._plugins.declaration import Kind
    from cello._plugins.missing import elsewhere, unsure

    try:
        plugins = installed()
    except CelloError:  # of which `_brought` has told
        return
    if words := elsewhere(Kind.COMMAND, name, plugins):
        raise PluginError(words)
    if idle := unsure(Kind.COMMAND, name, plugins):
        raise OptionError(f"there is no command {name!r}{idle}")


def _end(error: CelloError | KeyboardInterrupt) -> NoReturn:
    """Ends the process, with what is wrong."""
    from cello import _launch  # not before: whoever asks for help, or for a list, needs none of it

    if isinstance(error, KeyboardInterrupt):
        sys.exit(_launch.EXIT_INTERRUPTED)
    _launch.fail(error, _launch.EXIT_USAGE if isinstance(error, OptionError) else _launch.EXIT_START)


def _innermost(parser: argparse.ArgumentParser, found: argparse.Namespace) -> argparse.ArgumentParser:
    """The parser of the command that was asked for within another, or this one."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands: dict[str, argparse.ArgumentParser] = vars(action)["choices"]
            return _innermost(commands[getattr(found, action.dest)], found)
    return parser


def _refuse(parser: argparse.ArgumentParser, words: Sequence[str]) -> NoReturn:
    """Ends the process for words that no option took.

    Errors: OptionError for one that is nearly an option.
    """
    from cello._options import refuse_misspelt

    refuse_misspelt(parser, words)
    parser.error(f"unrecognized arguments: {' '.join(words)}")
