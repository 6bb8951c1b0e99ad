"""One plugin: imported, checked and asked what it declares, so that its failure is its own."""

from __future__ import annotations

from importlib import import_module
from inspect import isasyncgenfunction, isawaitable, isgeneratorfunction
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from cello._plugins import hookspecs
from cello._plugins.core_names import taken
from cello._plugins.declaration import Kind
from cello._plugins.plugin import Plugin, State
from cello._plugins.registrar import Registrar
from cello._plugins.variables import reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cello._plugins.scan import Entry

__all__ = ["API", "of_object", "opened"]

#: The version of the interface that `CELLO_API` of a plugin has to be.
API = 1

_HOOKS = tuple(hookspecs.__all__)


class _Unfit(Exception):
    """What a plugin has wrong, in words."""


def opened(entry: Entry) -> Plugin:
    """An installed plugin, loaded; of one that fails the state says so."""
    try:
        return _loaded(entry, _imported(entry.target))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that ends the process, too
        return _failed(entry, error)


def of_object(entry: Entry, found: object) -> Plugin:
    """A plugin that is an object of the application's; of one that fails the state says so."""
    try:
        return _loaded(entry, found)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that ends the process, too
        return _failed(entry, error)


def _plugin(entry: Entry, state: State, **more: Any) -> Plugin:
    return Plugin(entry.name, entry.distribution, entry.version, entry.target, state, **more)


def _imported(target: str) -> Any:
    module, _, path = target.partition(":")
    found: Any = import_module(module)
    for name in filter(None, path.split(".")):
        found = getattr(found, name)
    return found


def _loaded(entry: Entry, found: Any) -> Plugin:
    if isinstance(found, type):
        raise _Unfit(f"{found.__qualname__} is a class: name a module, or an object of it")
    version = getattr(found, "CELLO_API", None)
    if type(version) is not int or version != API:
        said = "does not say which version of the interface it speaks" if version is None else f"speaks {version!r}"
        raise _Unfit(f"it {said}: this is CELLO_API = {API}")
    _check_hooks(found)
    manager = pluggy.PluginManager("cello")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(found, entry.name)
    except pluggy.PluginValidationError as error:
        raise _Unfit(" ".join(str(error).split())) from None
    registrar = Registrar()
    for answer in manager.hook.cello_register(plugin=registrar):
        if isawaitable(answer):
            getattr(answer, "close", bool)()
            raise _Unfit("cello_register is asynchronous: make it a def")
    declarations = tuple(registrar._declarations.values())
    for one in declarations:
        if one.name in taken(one.kind):
            why = f"which would spell {reserved()[one.name]}, which" if one.kind is Kind.CONFIG else "which"
            raise _Unfit(f"it declares the {one.kind} {one.name!r}, {why} is a name of the framework's own")
    return _plugin(entry, State.ACTIVE, declarations=declarations, hooks=manager.hook)


def _check_hooks(found: Any) -> None:
    """Checks what look like hooks: each has the name of one, and is marked."""
    hooks = 0
    for name, function in _functions(found):
        said: dict[str, Any] = getattr(function, "cello_impl", {})
        is_marked, name = bool(said), said.get("specname") or name
        if said.get("optionalhook") and name not in _HOOKS:  # one of a later version, where there is none of it yet
            continue
        if name in _HOOKS and is_marked:
            hooks += 1
            if isgeneratorfunction(function) or isasyncgenfunction(function):
                raise _Unfit(f"its hook {name} yields, and nobody goes on with it: make it a function that returns")
        elif name in _HOOKS:
            raise _Unfit(f"its function {name} is not marked: write @hookimpl above it")
        elif is_marked or name.startswith("cello_"):
            from difflib import get_close_matches

            close = get_close_matches(name, _HOOKS, 1)
            raise _Unfit(f"there is no hook {name}: {f'did you mean {close[0]}' if close else ', '.join(_HOOKS)}?")
    if not hooks:
        raise _Unfit(f"it implements none of the hooks {', '.join(_HOOKS)}")


def _functions(found: Any) -> Iterator[tuple[str, Any]]:
    """The functions of a plugin that are its own, and not imported."""
    for name in dir(found):
        if name.startswith("__"):
            continue
        function = getattr(found, name, None)
        if not isinstance(function, FunctionType | MethodType):
            continue
        is_own = not isinstance(found, ModuleType) or function.__module__ == found.__name__
        if is_own or name in _HOOKS or hasattr(function, "cello_impl"):
            yield name, function


def _failed(entry: Entry, error: BaseException) -> Plugin:
    if isinstance(error, _Unfit):
        return _plugin(entry, State.FAILED, reason=str(error))
    from traceback import TracebackException

    told = TracebackException.from_exception(error)
    reason = " ".join(f"{type(error).__name__}: {told}".split())
    return _plugin(entry, State.FAILED, reason=reason, trace="".join(told.format()).rstrip())
