"""The application that a command line names."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cello._handler import name_of
from cello._launch import Deferred
from cello.app import App
from cello.errors import OptionError, StartError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping

__all__ = ["add_target", "load"]


def add_target(parser: ArgumentParser) -> None:
    """Adds the argument that names an application."""
    parser.add_argument("target", metavar="MODULE[:APP]", help="where the App is, such as shop.main:app")


def load(target: str) -> tuple[App, Mapping[str, Any]]:
    """Imports the App that `module:attribute` names, from the working directory or an installed package.

    Shape: the App, and what its module gave to `app.run()`, which is not obeyed.
    Errors: StartError; OptionError where its configuration cannot be.
    """
    module_name, _, attribute = target.partition(":")
    attribute = attribute or "app"
    likely = os.path.relpath(module_name or "app").removesuffix(".py")
    likely = likely.removeprefix("src/").replace("../", "").replace("/", ".")
    if not module_name or module_name.endswith(".py"):
        raise StartError(f"{target} names no module: give MODULE:APP, such as {likely}:{attribute}")
    if module_name.startswith(".") or "/" in module_name:
        raise StartError(f"{target} is a path, and names no module: give MODULE:APP, such as {likely}:{attribute}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with Deferred() as deferred:
            module = import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            missing, advice = f"there is no module {module_name!r} here", "give MODULE:APP, such as app:app"
            if os.path.exists(os.path.join("src", module_name.partition(".")[0])):
                missing, advice = f"{missing}, but in src", "install the project, pip install --editable ."
            raise StartError(f"{missing}: {advice}") from None
        before, _, last = module_name.rpartition(".")
        if isinstance(error, ModuleNotFoundError) and error.name == module_name and before in sys.modules:
            advice = f": give {before}:{last}" if isinstance(getattr(sys.modules[before], last, None), App) else ""
            raise StartError(f"{before} has no module {last!r}{advice}") from None
        from cello._mistake import mistake
        from cello._trace import from_user

        words = mistake(error)
        if words is not None:
            raise (OptionError if isinstance(error, OptionError) else StartError)(words) from None
        raise StartError(f"{module_name} could not be imported") from from_user(error)
    app = getattr(module, attribute, None)
    if isinstance(app, App):
        return app, deferred.arguments_of(app)
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    if apps:
        raise StartError(f"{module_name} has no App named {attribute!r}; it has {', '.join(apps)}")
    if app is not None:
        words = f"{module_name}:{attribute} is {name_of(app)}, and no App"
        raise StartError(f"{words}: give the name of what it makes" if callable(app) else words)
    if hasattr(module, "__path__") and find_spec(f"{module_name}.app") is not None:
        raise StartError(f"{module_name} has no App named {attribute!r}: give {module_name}.app:{attribute}")
    raise StartError(f"{module_name} has no App named {attribute!r}")
