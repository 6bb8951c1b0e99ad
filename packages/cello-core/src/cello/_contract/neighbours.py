"""A plugin beside others: all that are installed, and one that claims its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cello import App
from cello._contract.running import complaint, live
from cello._plugins import installed
from cello._plugins.declaration import Kind
from cello.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cello._contract.process import Case
    from cello._plugins.declaration import Declaration

__all__ = ["conflicts", "together"]


def together(case: Case) -> Iterator[str]:
    """What goes wrong with all that are installed."""
    taken = False
    for plugin in case.plugins():
        for one in plugin.declarations:
            if one.kind is Kind.PROVIDER:
                continue
            try:
                installed().find(one.kind, one.name)
            except PluginError as error:
                taken = True
                yield f"{error}: choose another name"
    if not taken:
        yield from complaint(case)


def conflicts(case: Case) -> Iterator[str]:
    """What goes wrong beside a plugin that claims all its names: using one is to be an error, and the rest to work."""
    for plugin in case.plugins():
        for one in plugin.declarations:
            if one.kind is not Kind.PROVIDER:
                yield from _unclear(one, plugin.distribution)
    app = App()

    def home() -> str:
        return "here"

    app.get("/")(home)
    try:
        answer = live(app)
    except Exception as error:
        words = "what runs at start and at the end is not to use names that another plugin may claim, too"
        cause = error.__cause__ or error
        yield f"beside a plugin that claims its names nothing starts: {error}: {cause}: {words}"
        return
    if not answer.endswith(b"here"):
        yield f"beside a plugin that claims its names an application answers {answer[:100]!r}"


def _unclear(one: Declaration, distribution: str) -> Iterator[str]:
    """What is said by using a name that two have, where it does not name both."""
    try:
        _use(one)()
    except (PluginError, AttributeError, ImportError, TypeError) as error:
        if distribution in str(error) and "contract-rival" in str(error):
            return
        words = f"it is {error!s}"
    else:
        words = "nothing is said"
    yield f"the {one.kind} {one.name!r}, used where another plugin claims it, is no error that names both: {words}"


def _use(one: Declaration) -> Callable[[], Any]:
    """What uses a name as applications do."""
    import cello

    if one.kind is Kind.APP_METHOD:
        return lambda: getattr(App(), one.name)
    if one.kind is Kind.EXPORT:
        return lambda: getattr(cello, one.name)
    if one.kind is Kind.ROUTE_OPTION:
        options: dict[str, Any] = {one.name: True}
        return lambda: App().get("/", **options)
    return lambda: installed().find(one.kind, one.name)
