"""Where a handler's parameter comes from, and what it must be: marks for `Annotated`.

`Annotated[int, Query(ge=1)]` is a parameter of the query that is at least 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Never, TypedDict, Unpack

    class Constraints(TypedDict, total=False):
        """What every mark takes by name."""

        alias: str | None
        ge: Any
        gt: Any
        le: Any
        lt: Any
        multiple_of: Any
        min_length: int | None
        max_length: int | None
        pattern: str | None
        description: str | None


__all__ = ["Body", "Cookie", "File", "Form", "Header", "Parameter", "Path", "Query"]

_NAMES = ("alias", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "description")


class Parameter:
    """A mark of where a parameter comes from; use one of its subclasses.

    Units: lengths count characters of text, and elements of a list or set.
    Shape: `alias` is the name that clients use, by default the parameter's own; `ge`, `gt`, `le` and `lt` bound the
    value, from below and from above, with or without the bound itself; `pattern` is a regular expression that is found
    somewhere in the text. Of a list or set, what is no length is about each element.
    Errors: TypeError for another name.
    """

    #: The word for it in errors.
    _place = ""

    alias: str | None
    ge: Any
    gt: Any
    le: Any
    lt: Any
    multiple_of: Any
    min_length: int | None
    max_length: int | None
    pattern: str | None
    description: str | None

    def __init__(self, *defaults: Never, **constraints: Unpack[Constraints]) -> None:
        kind = type(self).__name__
        if defaults or "default" in constraints:
            raise TypeError(
                f"{kind}() takes no default, which stands behind the parameter: write Annotated[int, {kind}()] = 1"
            )
        for name in constraints:
            if name not in _NAMES:
                raise TypeError(f"{kind}() takes no {name}: there are {', '.join(_NAMES)}")
        for name in _NAMES:
            setattr(self, name, constraints.get(name))

    def __repr__(self) -> str:
        given = (f"{name}={getattr(self, name)!r}" for name in _NAMES if getattr(self, name) is not None)
        return f"{type(self).__name__}({', '.join(given)})"


class Path(Parameter):
    """A parameter of the path."""

    _place = "path"


class Query(Parameter):
    """A parameter of the query. A list or set takes all values of the name."""

    _place = "query"


class Header(Parameter):
    """A header field. Underscores in the parameter's name stand for hyphens, and case is the same."""

    _place = "header"


class Cookie(Parameter):
    """A cookie."""

    _place = "cookie"


class Form(Parameter):
    """A field of a form. A list or set takes all values of the name."""

    _place = "form"


class File(Parameter):
    """A file of a form, an `UploadedFile`; a list takes all files of the name."""

    _place = "form"


class Body(Parameter):
    """The body, a JSON document; with `alias` the member of that name in it."""

    _place = "body"
