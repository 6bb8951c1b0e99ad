"""Problem details: what they may be made of, and the class for those that a handler returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cello._kernel import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    type Fields = Mapping[str, str] | Iterable[tuple[str, str]]

__all__ = [
    "ProblemDetails",
    "checked_error",
    "checked_extensions",
    "checked_fields",
    "checked_status",
    "checked_text",
    "pairs",
    "printable",
    "respond",
    "sendable",
]

#: Of a longer text a client gets the beginning.
TEXT_CHARACTERS = 10_000

_STANDARD = ("type", "title", "status", "detail", "instance")
#: What an error's own extensions cannot be named: the framework adds it.
_OURS = ("request_id", "trace")


class ProblemDetails:
    """An error as a value: a handler returns it, or what it makes.

    Units: `status` is 400 to 599.
    Shape: `type_uri` names the kind of problem and `title` is its name; `detail` is about this occurrence of it, and
    `instance` a URI that names the occurrence.
    Errors: TypeError or ValueError for what cannot be sent.
    Source: RFC 9457 §3.
    Example: `ProblemDetails("https://example.org/sold-out", "It is sold out.", 409).with_extension("next_in_days", 3)`
    """

    def __init__(
        self, type_uri: str, title: str, status: int, detail: str | None = None, instance: str | None = None
    ) -> None:
        name = "a ProblemDetails"
        self.type_uri: str = checked_text(type_uri, f"the type_uri of {name}")
        self.title: str = checked_text(title, f"the title of {name}")
        self.status: int = checked_status(status, name)
        self.detail: str | None = None if detail is None else checked_text(detail, f"the detail of {name}")
        self.instance: str | None = None if instance is None else checked_text(instance, f"the instance of {name}")
        self.extensions: dict[str, Any] = {}

    def with_extension(self, name: str, value: Any) -> ProblemDetails:
        """A copy with one more member.

        Errors: ValueError for a standard member's name, TypeError or ValueError for a value that is no JSON.
        """
        problem = ProblemDetails(self.type_uri, self.title, self.status, self.detail, self.instance)
        problem.extensions = {**self.extensions, **checked_extensions({name: value}, "a ProblemDetails", ())}
        return problem

    def to_json(self) -> str:
        """The problem as JSON; a member that is None is left out."""
        return self.to_response().body().decode()

    def to_response(self) -> Response:
        """The problem as a response of its status, `application/problem+json`."""
        members = {
            "type": self.type_uri,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": self.instance,
        }
        return respond({**members, **self.extensions}, self.status)

    def __repr__(self) -> str:
        return f"<ProblemDetails {self.status} {self.title!r}>"


def respond(members: Mapping[str, Any], status: int, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """A problem's response; a member that is None is left out, and of texts goes what can be sent."""
    body = {name: value for name, value in members.items() if value is not None or name not in _STANDARD}
    for name in _STANDARD:
        if isinstance(text := body.get(name), str):
            body[name] = sendable(text)
    return Response.json(body, status=status, headers=[*headers, ("content-type", "application/problem+json")])


def sendable(text: str) -> str:
    """The text, not too long, and printable."""
    return printable(text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…")


def printable(text: str) -> str:
    """The text, with escapes in place of lone surrogates, which no encoding has."""
    return text.encode(errors="backslashreplace").decode()


def checked_status(status: int, where: str) -> int:
    """The status, if it is an error's."""
    if not isinstance(status, int) or isinstance(status, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
        raise TypeError(f"the status of {where} is an int, not {_kind(status)}")
    if not 400 <= status <= 599:
        raise ValueError(f"the status of {where} is {int(status)}: use 400 to 599")
    return int(status)


def checked_text(text: str, what: str) -> str:
    """The text, if it is one."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
        raise TypeError(f"{what} is a str, not {_kind(text)}")
    return text


def pairs(headers: Fields) -> tuple[tuple[str, str], ...]:
    """Header fields as pairs."""
    items = getattr(headers, "items", None)
    return tuple(cast("Iterable[tuple[str, str]]", headers if items is None else items()))


def checked_fields(headers: Fields, where: str) -> tuple[tuple[str, str], ...]:
    """Header fields as pairs, if a response can have them."""
    try:
        fields = pairs(headers)
        Response.text("", headers=fields)
    except TypeError:
        raise TypeError(f"the headers of {where} are a mapping of str to str, or pairs") from None
    if any(name.lower() == "content-type" for name, _ in fields):
        raise ValueError(f"the headers of {where} cannot have Content-Type: it says what form the error has")
    return fields


def checked_extensions(extensions: Mapping[str, Any], where: str, ours: tuple[str, ...] = _OURS) -> dict[str, Any]:
    """The extension members, if a problem can have them."""
    for name, value in extensions.items():
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
            raise TypeError(f"the extension {name!r} of {where} has no name: use a str")
        if name in _STANDARD or name in ours:
            raise ValueError(f"{where} cannot have an extension {name!r}: that member has a meaning of its own")
        try:
            Response.json({name: value})
        except (TypeError, ValueError) as error:
            raise type_of(error)(f"the extension {name!r} of {where} is no JSON: {error}") from None
    return dict(extensions)


def checked_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """One of the errors of a 422, if it is one."""
    import re

    members = dict(error)
    checked_text(members.get("detail"), "the detail of an error")  # type: ignore[arg-type]
    pointer = members.get("pointer")
    if pointer is not None and not re.fullmatch(r"#(/([^~/]|~[01])*)*", checked_text(pointer, "a pointer")):
        raise ValueError(f'{pointer!r} is no pointer into JSON: write "#/items/0/price" (RFC 6901 §6)')
    return members


def type_of(error: Exception) -> type[TypeError] | type[ValueError]:
    """The plain kind of an error: a UnicodeEncodeError takes more than words."""
    return TypeError if isinstance(error, TypeError) else ValueError


def _kind(value: object) -> str:
    return type(value).__name__
