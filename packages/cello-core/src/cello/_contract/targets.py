"""Whether what a plugin declares is there, and can be used as what it is declared to be."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from cello._handler import takes
from cello._plugins.declaration import Kind
from cello._plugins.soundness import unsound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._contract.process import Case
    from cello._plugins.declaration import Declaration

__all__ = ["targets"]


def targets(case: Case) -> Iterator[str]:
    """What is wrong with what the targets name. All of it is imported."""
    for plugin in case.plugins():
        broken = unsound(plugin)
        yield from broken
        if not broken:
            for one in plugin.declarations:
                for words in _unfit(one, one.load()):
                    yield f"the {one.kind} {one.name!r}: {one.target} {words}"


def _unfit(one: Declaration, found: Any) -> Iterator[str]:
    if one.kind is Kind.APP_METHOD:
        yield from _unfit_method(found)
    elif one.kind is Kind.MIDDLEWARE:
        called = vars(found).get("__call__") if isinstance(found, type) else found
        if called is None or not takes(called, 3 if isinstance(found, type) else 2):
            yield "is no middleware: it is to take (request, call_next)"
    elif one.kind is Kind.REQUEST_ATTRIBUTE:
        if not takes(found, 1):
            yield "is to take the request alone"
    elif one.kind is Kind.COMMAND:
        yield from _unfit_command(one, found)
    elif one.kind is Kind.CONFIG and (found.__doc__ or "").startswith(f"{found.__name__}("):
        yield "has no docstring: it is told to whoever asks what can be configured"


def _unfit_method(found: Any) -> Iterator[str]:
    signature = inspect.signature(found)
    parameters = [*signature.parameters.values()]
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        yield "is to take the App first"
        return
    empty = inspect.Parameter.empty
    bare = [one.name for one in parameters if one.annotation is empty]
    if signature.return_annotation is empty:
        bare.append("what it returns")
    if bare:
        yield f"does not say the type of {', '.join(bare)}: type checkers are told from it"
    if not inspect.getdoc(found):
        yield "has no docstring: editors show it where the method is called"


def _unfit_command(one: Declaration, found: Any) -> Iterator[str]:
    from argparse import ArgumentParser

    if not one.words:
        yield "does not say what it does: give its words"
    try:
        found.add_arguments(ArgumentParser(prog=f"cello {one.name}"))
    except Exception as error:
        yield f"cannot add its arguments: {type(error).__name__}: {error}"
