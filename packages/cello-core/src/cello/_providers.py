"""What an application provides to dependencies: singletons by name, and what it has once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from cello._annotation import is_async_generator, is_generator, told
from cello._handler import is_async
from cello._lifetime import end, end_all_async, end_async, no_yield
from cello._mistake import at
from cello.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cello._lifetime import End
    from cello._seams import Seams

__all__ = ["Cell", "Providers", "Shared"]


class Cell:
    """A value that is there once the application has started."""

    __slots__ = ("value", "words")

    value: Any

    def __init__(self, words: str) -> None:
        self.words = words

    def __getattr__(self, name: str) -> Any:
        # Asked for only where the slot is empty.
        if name == "value":
            raise RuntimeError(f"{self.words} is not there before the application has started")
        raise AttributeError(name)


class Shared(Cell):
    """A dependency of the scope app."""

    __slots__ = ("arguments", "function", "make")

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(f"the dependency {told(function)}")
        self.function = function
        #: What it is called with, in place and by name: cells, or values.
        self.arguments: tuple[list[Any], dict[str, Any]] = ([], {})


class Providers:
    """What an application provides to dependencies: singletons by name, and what it has once.

    Shape: `singletons` are values by name. `overrides` are for tests: for a function what is called in its place, or a
    value that is no function; for a name a value. `seams` are what features provide.
    """

    def __init__(
        self,
        singletons: dict[str, Any] | None = None,
        overrides: Mapping[Callable[..., Any] | str, Any] | None = None,
        seams: Seams | None = None,
    ) -> None:
        self._seams = seams
        self.singletons: dict[str, Any] = {} if singletons is None else singletons
        self.overrides: Mapping[Callable[..., Any] | str, Any] = {} if overrides is None else overrides
        #: In the order in which they are made.
        self._shared: dict[Any, Shared] = {}
        self._named: dict[str, tuple[Cell, str, Sequence[Callable[..., Any]]]] = {}
        self._ends: list[End] = []

    def register(self, name: str, value: Any) -> None:
        """Provides a value by name, in place of what had the name before; while serving too."""
        self.singletons[name] = value
        if name in self._named and name not in self.overrides:
            self._named[name][0].value = value

    def named(self, name: str, route: str, path: Sequence[Callable[..., Any]]) -> Cell:
        """The cell of a singleton; `route` and the `path` of functions tell who asks for it.

        A start-up function may register it, so that only `open()` knows whether it is missing.
        """
        if name not in self._named:
            cell = Cell(f"the singleton {name!r}")
            self._named[name] = (cell, route, path)
            self._fill(name, cell)
        return self._named[name][0]

    def shared(self, function: Callable[..., Any]) -> Shared | None:
        """The cell of a dependency of the scope app, if someone has asked for it before."""
        return self._shared.get(function)

    def share(self, shared: Shared) -> None:
        """Has a dependency made at start, after those that were given before."""
        self._shared[shared.function] = shared

    def is_form(self, wanted: Any) -> TypeGuard[type]:
        """Whether something is a form of which features provide one: nobody makes a protocol, or what is there."""
        if self._seams is None or not isinstance(wanted, type):
            return False
        return getattr(wanted, "_is_protocol", False) or self._seams.find(wanted, None) is not None

    def provided(self, form: type, feature: str) -> Any:
        """What features provide of a form.

        Errors: StartError where there is none.
        """
        assert self._seams is not None
        return self._seams.get(form, feature, None)

    async def open(self) -> None:
        """Makes what the application has once. It is called after the start-up functions, before the first request.

        Errors: StartError for a name that nobody registered, and where a dependency fails.
        """
        for name, (cell, route, path) in self._named.items():
            if not self._fill(name, cell):
                from difflib import get_close_matches

                close = get_close_matches(name, self.singletons, 1)
                hint = f"did you mean {close[0]!r}?" if close else f'app.register_singleton("{name}", …) provides it'
                raise StartError(f"{route}: nothing has the name {name!r}, which is asked for: {hint}{at(*path)}")
        for shared in self._shared.values():
            try:
                await self._make(shared)
            except BaseException as error:
                # Those made before end as they would at shut-down; what they say cannot count for more than this.
                try:
                    await end_all_async(self._ends, error)
                except Exception as failure:
                    failure.__context__ = error
                if isinstance(error, Exception):
                    raise StartError(f"the dependency {told(shared.function)} of the scope app failed") from error
                raise

    async def close(self) -> None:
        """Ends what the application has once, last made first. It is called after the last request.

        Errors: StartError, as a shut-down function's, from the last thing that went wrong; all are ended.
        """
        try:
            await end_all_async(self._ends, None)
        except Exception as error:
            raise StartError("a dependency of the scope app failed to end") from error

    def _fill(self, name: str, cell: Cell) -> bool:
        for known in (self.overrides, self.singletons):
            if name in known:
                cell.value = known[name]
                return True
        return False

    async def _make(self, shared: Shared) -> None:
        from functools import partial
        from inspect import isasyncgen, isawaitable, isgenerator

        places, names = shared.arguments
        positional = [given.value if isinstance(given, Cell) else given for given in places]
        named = {name: given.value if isinstance(given, Cell) else given for name, given in names.items()}
        made = shared.function(*positional, **named)
        if is_generator(shared.function) and isgenerator(made):
            for shared.value in made:
                self._ends.append(partial(end, made))
                return
            raise no_yield(shared.function)
        if is_async_generator(shared.function) and isasyncgen(made):
            async for shared.value in made:
                self._ends.append(partial(end_async, made))
                return
            raise no_yield(shared.function)
        shared.value = await made if is_async(shared.function) and isawaitable(made) else made
