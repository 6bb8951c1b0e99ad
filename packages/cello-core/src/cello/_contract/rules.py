"""The rules: each a function of a plugin, which raises where the plugin breaks it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cello._plugins.declaration import Kind
from cello._plugins.wheel import RULES as OF_WHEELS
from cello._plugins.wheel import check_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cello._contract.subject import Subject

    type Rule = Callable[[Subject], None]

__all__ = ["RULES", "ContractError"]

_METHODS = {
    Kind.APP_METHOD: "app_method",
    Kind.EXPORT: "export",
    Kind.MIDDLEWARE: "middleware",
    Kind.ROUTE_OPTION: "route_option",
    Kind.REQUEST_ATTRIBUTE: "request_attribute",
    Kind.COMMAND: "command",
    Kind.CONFIG: "config",
}

_MORE = {
    Kind.MIDDLEWARE: ", phase=Phase.TRANSFORM",
    Kind.ROUTE_OPTION: ", phase=Phase.TRANSFORM",
    Kind.COMMAND: ", 'is in the way'",
}


class ContractError(AssertionError):
    """A plugin breaks a rule of the contract, whose name `rule` is; `broken` says what is wrong, where, what to do."""

    def __init__(self, rule: str, broken: Iterable[str]) -> None:
        self.rule: str = rule
        self.broken: tuple[str, ...] = tuple(broken)
        super().__init__(f"the rule {rule!r} is broken:" + "".join(f"\n  {words}" for words in self.broken))


def _of_wheels(rule: str, subject: Subject) -> None:
    _refuse(rule, (words for broken, words in check_wheel(subject.wheel) if broken == rule))


def _lazy(subject: Subject) -> None:
    _of_wheels("lazy", subject)
    _ask("lazy", subject)


def _ask(rule: str, subject: Subject, *, others: bool = False, disabled: bool = False) -> None:
    if subject.entries:
        try:
            broken = subject.ask(rule, others=others, disabled=disabled).broken
        except RuntimeError as error:
            broken = [str(error)]
        _refuse(rule, broken)


def _conflicts(subject: Subject) -> None:
    if not subject.entries:
        return
    try:
        declared = subject.ask("declared").declared
        broken = subject.ask("conflicts", beside=_rival(subject, declared)).broken
    except RuntimeError as error:
        broken = [str(error)]
    _refuse("conflicts", broken)


def _rival(subject: Subject, declared: Iterable[tuple[str, str]]) -> str:
    """The folder of a plugin that claims all that another declares."""
    folder = os.path.join(subject.folder, "rival")
    lines = [
        f"    plugin.{_METHODS[Kind(kind)]}({name!r}, 'contract_rival:it'{_MORE.get(Kind(kind), '')})"
        for kind, name in declared
        if kind in _METHODS  # that several can provide the same is no conflict
    ]
    source = "\n".join(
        (
            "from cello.plugin import Phase, hookimpl",
            "CELLO_API = 1",
            "@hookimpl",
            "def cello_register(plugin):",
            *(lines or ["    pass"]),
        )
    )
    files = {
        "contract_rival/__init__.py": "it = None\n",
        "contract_rival/plugin.py": f"{source}\n",
        "contract_rival-1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: contract-rival\nVersion: 1.0\n",
        "contract_rival-1.0.dist-info/entry_points.txt": "[cello]\ncontract_rival = contract_rival.plugin\n",
    }
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def _refuse(rule: str, broken: Iterable[str]) -> None:
    if found := list(broken):
        raise ContractError(rule, found)


#: By name, those that only read the wheel first.
RULES: dict[str, Rule] = {
    **{rule: partial(_of_wheels, rule) for rule in OF_WHEELS if rule != "lazy"},
    "lazy": _lazy,
    "active": partial(_ask, "active"),
    "targets": partial(_ask, "targets"),
    "alone": partial(_ask, "alone"),
    "together": partial(_ask, "together", others=True),
    "conflicts": _conflicts,
    "leaks": partial(_ask, "leaks"),
    "trace": partial(_ask, "trace", disabled=True),
}
