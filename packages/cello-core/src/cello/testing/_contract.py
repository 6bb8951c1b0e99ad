"""The contract of plugins as a test of pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello._contract import RULES, ContractError, Subject

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ContractError", "plugin_contract"]


def plugin_contract(plugin: str | os.PathLike[str], *, enabling: str = "") -> Callable[..., None]:
    """A test of pytest for each rule that plugins keep to.

    Shape: `plugin` is the name of one that is installed, or the path of a wheel; `enabling` is the code by which an
    application, `app`, enables it. Without it all its methods are called that begin with `enable_` and need no
    arguments.
    Errors: where a test runs ContractError, which names the rule, and OptionError for a plugin that is not there.
    Example: `test_contract = plugin_contract("greeting")`
    """
    import pytest

    def test_contract(rule: str, tmp_path: Path) -> None:
        __tracebackhide__: Any = True
        RULES[rule](Subject(plugin, tmp_path, enabling))

    return pytest.mark.parametrize("rule", RULES)(test_contract)
