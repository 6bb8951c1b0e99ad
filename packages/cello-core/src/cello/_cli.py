"""The `cello` command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from cello import __version__, _launch, _options
from cello.app import App
from cello.errors import OptionError, StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command; exits with 2 for a bad option, with 3 where the application could not start."""
    parser = argparse.ArgumentParser(prog="cello", description="A Python web framework on a minimal native kernel.")
    parser.add_argument("--version", action="version", version=f"cello {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run", help="serve an application", description="Serve an application.", allow_abbrev=False
    )
    run.add_argument("target", metavar="MODULE[:APP]", help="where the App is, such as shop.main:app")
    _options.add_options(run)
    found, rest = parser.parse_known_args(argv)
    options = vars(found)
    try:
        _options.refuse_misspelt(run, rest)
    except OptionError as error:
        _launch.fail(error, _launch.EXIT_USAGE)
    if rest:
        run.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        with _launch.Deferred() as deferred:
            app = load(options["target"])
    except StartError as error:
        _launch.fail(error, _launch.EXIT_START)
    _launch.serve(app, options, deferred.arguments_of(app))


def load(target: str) -> App:
    """Imports the App that `module:attribute` names, from the working directory or an installed package.

    Errors: StartError.
    """
    module_name, _, attribute = target.partition(":")
    attribute = attribute or "app"
    if not module_name or module_name.endswith(".py"):
        likely = os.path.basename(module_name).removesuffix(".py") or "app"
        raise StartError(f"{target} names no module: give MODULE:APP, such as {likely}:{attribute}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            raise StartError(f"there is no module {module_name!r} here: give MODULE:APP, such as app:app") from None
        from cello._mistake import mistake
        from cello._trace import from_user

        words = mistake(error)
        if words is not None:
            raise StartError(words) from None
        raise StartError(f"{module_name} could not be imported") from from_user(error)
    app = getattr(module, attribute, None)
    if isinstance(app, App):
        return app
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    found = f"; it has {', '.join(apps)}" if apps else ""
    raise StartError(f"{module_name} has no App named {attribute!r}{found}")
