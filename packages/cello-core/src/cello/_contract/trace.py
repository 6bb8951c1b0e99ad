"""Whether a plugin that is disabled leaves a trace."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

import cello
from cello import App, Request
from cello._contract.running import live
from cello._plugins import installed
from cello._plugins.declaration import Kind
from cello._plugins.opening import opened
from cello._plugins.scan import scan
from cello._route_options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._contract.process import Case
    from cello._plugins.declaration import Declaration

__all__ = ["trace"]


def trace(case: Case) -> Iterator[str]:
    """What there is of it, although CELLO_PLUGINS_DISABLE names it."""
    app = App()

    def home() -> str:
        return "here"

    app.get("/")(home)
    answer = live(app)
    if not answer.endswith(b"here"):
        yield f"disabled, it has an application answer {answer[:100]!r}"
    for name in sorted(sys.modules):
        if name.partition(".")[0] in case.packages:
            yield f"disabled, its module {name} is imported: nothing but its entry point is to import it, no .pth file"
    yield from _left()
    # Only now it may be imported, for what it would have brought.
    for entry in scan():
        if entry.name in case.names:
            for one in opened(entry).declarations:
                if one.name not in installed().names(one.kind) and _is_there(one, app):
                    yield f"disabled, its {one.kind} {one.name!r} is there"


def _left() -> Iterator[str]:
    """What the process has that it would not have without plugins: those that are loaded may have brought some."""
    if installed().active:
        return
    if logging.root.handlers:
        yield f"disabled, there are handlers of the root logger: {logging.root.handlers}"
    if extra := [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]:
        yield f"disabled, there are threads: {', '.join(extra)}"
    if extra := [name for name in os.environ if name.startswith("CELLO_") and name != "CELLO_PLUGINS_DISABLE"]:
        yield f"disabled, the environment has {', '.join(extra)}"


def _is_there(one: Declaration, app: App) -> bool:
    if one.kind is Kind.APP_METHOD:
        return hasattr(app, one.name)
    if one.kind is Kind.EXPORT:
        return hasattr(cello, one.name)
    if one.kind is Kind.REQUEST_ATTRIBUTE:
        return hasattr(Request, one.name)
    return one.kind is Kind.ROUTE_OPTION and one.name in OPTIONS
