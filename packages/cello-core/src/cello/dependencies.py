"""Dependencies: what a handler's parameters are given, made by functions of your own or registered by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from cello._handler import name_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = ["Dependency", "Depends", "Scope"]

type Scope = Literal["call", "request", "app"]

SCOPES = ("call", "request", "app")


class Dependency:
    """What `Depends()` makes: a mark that a parameter is a dependency."""

    def __init__(
        self, dependency: Callable[..., Any] | str | None = None, *, scope: Scope = "request", use_cache: bool = True
    ) -> None:
        if dependency is not None and not callable(dependency) and not isinstance(dependency, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            given = f"{name_of(dependency)} is no dependency: give a function, a class, or the name of a singleton"
            raise TypeError(f"{given}, and do not call it")
        if scope not in SCOPES:
            raise ValueError(f"there is no scope {scope!r}: use one of {', '.join(SCOPES)}")
        if scope == "app" and not use_cache:
            raise ValueError("a dependency of the scope app is made once: use_cache=False is not for it")
        #: The function, class or callable object, the name of a singleton, or None for what is annotated.
        self.dependency = dependency
        #: How long what it provides lives.
        self.scope: Scope = scope
        #: Whether all who depend on it within one request are given the same.
        self.use_cache = use_cache

    def __repr__(self) -> str:
        name = getattr(self.dependency, "__qualname__", None) or repr(self.dependency)
        return f"Depends({name})"


# Of overloads that overlap the first is taken: a class goes before what its instances are like, and what a generator
# yields before the generator itself.
@overload
def Depends[T](dependency: type[T], *, scope: Scope = ..., use_cache: bool = ...) -> T: ...
@overload
def Depends[T](dependency: Callable[..., AsyncIterator[T]], *, scope: Scope = ..., use_cache: bool = ...) -> T: ...
@overload
def Depends[T](dependency: Callable[..., Iterator[T]], *, scope: Scope = ..., use_cache: bool = ...) -> T: ...
@overload
def Depends[T](dependency: Callable[..., Awaitable[T]], *, scope: Scope = ..., use_cache: bool = ...) -> T: ...
@overload
def Depends[T](dependency: Callable[..., T], *, scope: Scope = ..., use_cache: bool = ...) -> T: ...
@overload
def Depends(dependency: str | None = None, *, scope: Scope = ..., use_cache: bool = ...) -> Any: ...


def Depends(  # noqa: N802 - it reads as the class that it once was
    dependency: Callable[..., Any] | str | None = None, *, scope: Scope = "request", use_cache: bool = True
) -> Any:
    """Marks a parameter as a dependency, as its default or in `Annotated`.

    Shape: `dependency` is a function, `def` or `async def`, that returns it or yields it once; a class; a callable
    object; a form of which a feature provides one (`App.provide`); or the name of a singleton. In
    `Annotated[Service, Depends()]` it is the class that is annotated. Its own parameters are given to it as a handler's
    are. What it yielded is cleaned up after the last byte of the answer ("request"), before the head of the answer
    ("call"), or at shut-down ("app", which is made once).
    Errors: TypeError for what cannot be called and is no name, ValueError for another scope; StartError at start for a
    cycle, a name that nobody registered, a protocol that nothing provides, and a scope that outlives what it depends
    on.
    """
    return Dependency(dependency, scope=scope, use_cache=use_cache)
