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
    parser.add_argument("--static", action="store_true", help="only read the wheel, and run nothing of it")


def run(options: Namespace) -> None:
    """Prints what is wrong, or that nothing is.

    Errors: PluginError where something is; OptionError for a wheel that cannot be read, and for --static without one.
    """
    if options.wheel is not None:
        _check_wheel(options.wheel, is_static=options.static)
    elif options.static:
        raise OptionError("--static is for a wheel: give its path")
    else:
        _check_installed()


def _check_wheel(path: str, *, is_static: bool) -> None:
    from cello._plugins.wheel import check_wheel

    try:
        broken = [f"{rule}: {words}" for rule, words in check_wheel(path)]
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from None
    if not broken and not is_static:
        broken = _broken_by_running(path)
    _tell(path, broken)
    if broken:
        raise PluginError(f"{path} is not as the wheel of a plugin has to be")


def _broken_by_running(path: str) -> list[str]:
    """What the rules of the contract say that have the plugin run, each in processes of its own."""
    from tempfile import TemporaryDirectory

    from cello._contract import RULES, ContractError, Subject

    broken: list[str] = []
    for rule, judge in RULES.items():
        with TemporaryDirectory(prefix="cello-plugin-") as folder:
            try:
                judge(Subject(path, folder))
            except ContractError as error:
                broken += [f"{rule}: {words}" for words in error.broken]
    return broken


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
