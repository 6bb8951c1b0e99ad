"""What is no error and hardly meant: told at start, in development."""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cello._mistake import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cello.app import App
    from cello.blueprint import Blueprint

__all__ = ["hints", "note"]

#: All blueprints, in the order in which they were made.
_blueprints: WeakValueDictionary[int, Blueprint] = WeakValueDictionary()

#: What clients send. Source: the registry of HTTP methods of the IANA.
_METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PURGE", "ACL", "BASELINE-CONTROL", "BIND"),
    *("CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL"),
    *("MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PRI", "PROPFIND", "PROPPATCH", "REBIND", "REPORT"),
    *("SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"),
)

_NOTHING = (None, "None", "NoReturn", "Never")


def note(blueprint: Blueprint) -> None:
    """Has a blueprint told of that is in nothing when an application starts."""
    _blueprints[id(blueprint)] = blueprint


def hints(app: App) -> Iterator[str]:
    """What an application seems to have by mistake: handlers and middleware that return nothing, methods that there
    are not, parameters as others write them, and blueprints that are nowhere.
    """
    from difflib import get_close_matches
    from re import findall

    told: set[int] = set()
    for route in app.routes:
        if route.method not in _METHODS and (close := get_close_matches(route.method, _METHODS, 1)):
            words = f"{route.method} {route.path}: {route.method} is a method that no client sends: did you mean"
            yield f"{words} {close[0]}?{at(route.handler)}"
        for name in findall(r"/:([a-zA-Z_]\w*)(?=/|$)", route.path):
            words = f"{route.method} {route.path} takes :{name} as it is: a parameter is written {{{name}}}"
            yield f"{words}{at(route.handler)}"
        for name in findall(r"/\*(\w*)$", route.path):
            words = f"{route.method} {route.path} takes *{name} as it is: all the rest of a path is written"
            yield f"{words} {{*{name or 'rest'}}}{at(route.handler)}"
        # What others answer may be that something was done; what is asked for by GET is hardly nothing.
        is_asked_for = route.method == "GET" and route.options.get("status") is None
        if is_asked_for and id(route.handler) not in told and _returns_nothing(route.handler):
            told.add(id(route.handler))
            yield (
                f"{route.method} {route.path} always answers null: write return in its handler, or `-> None:` if null "
                f"is meant{at(route.handler)}"
            )
    for scope in (app, *app._descendants()):
        for one in scope._middleware:
            if _returns_nothing(one.middleware):
                yield (
                    f"the middleware {one.name} returns nothing: write return in it, before what call_next() gave"
                    f"{at(one.middleware)}"
                )
    for blueprint in list(_blueprints.values()):
        routes = [] if blueprint._is_adopted else blueprint.get_all_routes()
        if routes:
            yield f"{blueprint._words} is in no application: give it to app.register_blueprint(){at(routes[0][2])}"


def _returns_nothing(handler: Callable[..., Any]) -> bool:
    """Whether a handler ends without a value wherever it ends, and does not say so."""
    from dis import get_instructions
    from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR

    function: Any = handler.__func__ if isinstance(handler, MethodType) else handler
    if not isinstance(function, FunctionType) or function.__code__.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
        return False
    said = function.__annotations__.get("return", ...)
    if said in _NOTHING or getattr(said, "__name__", "") in _NOTHING:
        return False
    ends = False
    before: Any = None
    for step in get_instructions(function):
        if step.opname in ("RETURN_CONST", "RETURN_VALUE"):
            # Of a jump to it nobody knows what it brings along.
            value = step if step.opname == "RETURN_CONST" else before
            if (step.is_jump_target and value is before) or value.opname not in ("RETURN_CONST", "LOAD_CONST"):
                return False
            if value.argval is not None:
                return False
            ends = True
        before = step
    return ends
