"""Blueprints: routes that belong together, under a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cello._hints import note
from cello._path import checked_prefix
from cello._route_options import check_defaults
from cello._scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self, Unpack

    from cello._route_options import RouteDefaults

__all__ = ["Blueprint"]


class Blueprint(Scope):
    """Routes under a prefix, with middleware, exception handlers, hooks and options of their own.

    Shape: `Blueprint("/users")` and `Blueprint("users", url_prefix="/users")`: what does not start with a slash is the
    name. What else is given by name are options that its routes have unless they say otherwise.
    Errors: TypeError for two prefixes, two names, and an option that there is not; ValueError for a prefix without a
    slash at its beginning.
    """

    def __init__(
        self,
        prefix: str = "",
        name: str | None = None,
        *,
        url_prefix: str | None = None,
        **defaults: Unpack[RouteDefaults],
    ) -> None:
        super().__init__()
        note(self)
        if isinstance(prefix, str) and prefix and not prefix.startswith("/"):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            if name is not None:
                raise TypeError(f'a blueprint has two names, {prefix!r} and {name!r}: a prefix starts with "/"')
            prefix, name = "", prefix
        if prefix and url_prefix is not None:
            raise TypeError(f"a blueprint has two prefixes, {prefix!r} and {url_prefix!r}")
        #: What it is called.
        self.name: str | None = name
        words = f"the blueprint {name or prefix or url_prefix or '/'}"
        #: What its paths begin with, without a slash at the end.
        self.prefix: str = checked_prefix(prefix if url_prefix is None else url_prefix, words)
        check_defaults(defaults, words)
        self._options: Mapping[str, Any] = defaults

    def register(self, blueprint: Blueprint) -> Self:
        """Adds a blueprint, as `register_blueprint` does."""
        return self.register_blueprint(blueprint)

    def get_all_routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Method, path and handler of each of its routes, those of its blueprints included, with its prefix."""
        return [(route.method, route.path, route.handler) for route, _ in self._walk(self.prefix)]

    def __repr__(self) -> str:
        return f"<Blueprint {self.name or ''}{' ' if self.name else ''}{self.prefix or '/'}>"

    @property
    def _words(self) -> str:
        return f"the blueprint {self.name or self.prefix or '/'}"

    def _defaults(self) -> Mapping[str, Any]:
        return self._options

    def _check_path(self, path: str) -> None:
        if path and not path.startswith("/"):
            raise ValueError(f'the path {path!r} in {self._words} must start with "/"')
