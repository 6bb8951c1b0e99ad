"""`cello plugins check`: whether plugins are as they have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello.errors import OptionError, PluginError, StartError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Adds what the command takes."""
    parser.add_argument("wheel", metavar="WHEEL", nargs="?", help="a wheel, in place of what is installed")


def run(options: Namespace) -> None:
    """Prints what is wrong, or that nothing is.

    Errors: PluginError where something is; OptionError for a wheel that cannot be read.
    """
    if options.wheel is None:
        _check_installed()
    else:
        _check_wheel(options.wheel)


def _check_wheel(path: str) -> None:
    from cello._plugins.wheel import check_wheel

    try:
        broken = check_wheel(path)
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from None
    _tell(path, [f"{rule}: {words}" for rule, words in broken])
    if broken:
        raise PluginError(f"{path} is not as the wheel of a plugin has to be")


def _check_installed() -> None:
    from cello._commands._plugins._survey import survey
    from cello._commands._plugins.order import in_their_order
    from cello._plugins.soundness import unsound

    found = survey()
    found.tell_problems()
    ill: list[str] = []
    for plugin, state, reason in found.plugins:
        if state == "disabled":
            print(f"{plugin.name} ({plugin.distribution}): disabled, and not checked")
            continue
        wrong = [*([reason] if reason else []), *unsound(plugin)]
        _tell(f"{plugin.name} ({plugin.distribution})", wrong)
        ill += [plugin.name] if wrong else []
    try:
        in_their_order(found.all)
    except StartError as error:
        print(error)
        ill.append("the order of middleware")
    if not found.plugins:
        print("No plugins are installed.")
    if ill:
        raise PluginError(f"not as it has to be: {', '.join(ill)}")


def _tell(what: str, wrong: Sequence[str]) -> None:
    print(f"{what}:" if wrong else f"{what}: as it has to be")
    for words in wrong:
        print(f"  {words}")
