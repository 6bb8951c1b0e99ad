"""The exceptions of the framework.

CelloError
├── StartError                  the application cannot be served as it is: exit code 3
│   └── PluginError             a plugin, or a name that two of them bring, cannot be used
├── OptionError                 an option has a value it cannot have: exit code 2
└── HTTPError                   an answer with a status of its own
    ├── BadRequest              400
    │   └── MalformedJSON       400, also a ValueError
    ├── Unauthorized            401
    ├── Forbidden               403
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── NotAcceptable           406
    ├── RequestTimeout          408
    ├── Conflict                409
    ├── Gone                    410
    ├── LengthRequired          411
    ├── PreconditionFailed      412
    ├── PayloadTooLarge         413
    ├── UnsupportedMediaType    415
    ├── RangeNotSatisfiable     416
    ├── UnprocessableContent    422
    ├── PreconditionRequired    428
    ├── TooManyRequests         429
    ├── InternalServerError     500
    ├── BadGateway              502
    ├── ServiceUnavailable      503
    └── GatewayTimeout          504
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cello._kernel import _title
from cello._problem import checked_error, checked_extensions, checked_fields, checked_status, checked_text, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypedDict, Unpack

    type Headers = Mapping[str, str] | Iterable[tuple[str, str]]

    class More(TypedDict, total=False):
        """What every HTTPError takes by name."""

        type: str
        title: str | None
        headers: Headers | None
        extensions: Mapping[str, Any] | None


__all__ = [
    "BadGateway",
    "BadRequest",
    "CelloError",
    "Conflict",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "HTTPError",
    "InternalServerError",
    "LengthRequired",
    "MalformedJSON",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "OptionError",
    "PayloadTooLarge",
    "PluginError",
    "PreconditionFailed",
    "PreconditionRequired",
    "RangeNotSatisfiable",
    "RequestTimeout",
    "ServiceUnavailable",
    "StartError",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
]


class CelloError(Exception):
    """Any error that the framework raises."""


class StartError(CelloError):
    """The application cannot be served as it is; the words say where and what to do."""


class PluginError(StartError):
    """A plugin cannot be used as it is, or a name belongs to two of them; the words say whose it is and what to do."""


class OptionError(CelloError):
    """An option of the command line, `run()`, the environment or the configuration has a value it cannot have."""


class HTTPError(CelloError):
    """Answers the request with `status` and `detail`, as `application/problem+json`.

    Units: `status` is 400 to 599. Of a `detail` or `title` of over 10,000 characters a client gets the beginning.
    Shape: `type` is a URI that names the kind of problem, `title` its name, by default the phrase of the status;
    `headers` are a mapping or pairs; `extensions` are further members of the problem, whose values are JSON.
    Errors: TypeError or ValueError for what cannot be sent: another status, a header field that is none or is the
    server's own, an extension that has a standard member's name or is no JSON.
    Source: RFC 9457 §3.
    """

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        type: str = "about:blank",  # noqa: A002 - the member's own name
        title: str | None = None,
        headers: Headers | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        name = self.__class__.__name__
        self.status: int = checked_status(status, name)
        self.detail: str | None = None if detail is None else checked_text(detail, f"the detail of {name}")
        self.type: str = checked_text(type, f"the type of {name}")
        self.title: str = _title(self.status) if title is None else checked_text(title, f"the title of {name}")
        self.headers: tuple[tuple[str, str], ...] = checked_fields(headers or (), name)
        self.extensions: dict[str, Any] = checked_extensions(extensions or {}, name)
        super().__init__(self.title if self.detail is None else self.detail)

    def __reduce__(self) -> Any:
        # BaseException would have the class called with the words alone.
        return _restore, (self.__class__, self.args), vars(self).copy()


def _restore(kind: type[HTTPError], words: tuple[str, ...]) -> HTTPError:
    return kind.__new__(kind, *words)


class BadRequest(HTTPError):
    """The client's request cannot be understood: 400."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(400, detail, **more)


class MalformedJSON(BadRequest, ValueError):
    """The body is not the JSON it should be (RFC 8259): 400."""


class Unauthorized(HTTPError):
    """The client must say who it is: 401.

    Shape: `challenge` becomes WWW-Authenticate, which a 401 must have (RFC 9110 §11.6.1).
    """

    def __init__(self, detail: str | None = None, *, challenge: str = "Bearer", **more: Unpack[More]) -> None:
        super().__init__(401, detail, **_with_field(more, "www-authenticate", challenge))


class Forbidden(HTTPError):
    """The client may not do this, whoever it is: 403."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(403, detail, **more)


class NotFound(HTTPError):
    """What was asked for is not there: 404."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(404, detail, **more)


class MethodNotAllowed(HTTPError):
    """What was asked for does not answer this method: 405.

    Shape: `allow` names those it does; it becomes Allow, which a 405 must have (RFC 9110 §15.5.6).
    """

    def __init__(self, detail: str | None = None, *, allow: Iterable[str], **more: Unpack[More]) -> None:
        methods = (allow,) if isinstance(allow, str) else allow
        super().__init__(405, detail, **_with_field(more, "allow", ", ".join(methods)))


class NotAcceptable(HTTPError):
    """There is no form of it that the client takes: 406."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(406, detail, **more)


class RequestTimeout(HTTPError):
    """The request took longer to arrive than is waited for: 408."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(408, detail, **more)


class Conflict(HTTPError):
    """The request does not fit what is there by now: 409."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(409, detail, **more)


class Gone(HTTPError):
    """What was asked for is there no more, and will not be: 410."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(410, detail, **more)


class LengthRequired(HTTPError):
    """The client must say how long the body is: 411."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(411, detail, **more)


class PreconditionFailed(HTTPError):
    """What is there is not what the client's conditions name, as If-Match does: 412."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(412, detail, **more)


class PayloadTooLarge(HTTPError):
    """The body is longer than is accepted: 413."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(413, detail, **more)


class UnsupportedMediaType(HTTPError):
    """The body is of a type that is not accepted: 415."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(415, detail, **more)


class RangeNotSatisfiable(HTTPError):
    """There is nothing of the part that the client asks for: 416.

    Units: `length_bytes`, of the whole, becomes Content-Range, which a 416 should have (RFC 9110 §15.5.17).
    Errors: ValueError where it is negative.
    """

    def __init__(self, detail: str | None = None, *, length_bytes: int | None = None, **more: Unpack[More]) -> None:
        if length_bytes is not None:
            if length_bytes < 0:
                raise ValueError(f"length_bytes is {length_bytes}: give the length of the whole")
            more = _with_field(more, "content-range", f"bytes */{length_bytes}")
        super().__init__(416, detail, **more)


class UnprocessableContent(HTTPError):
    """The body is well-formed, and what it says will not do: 422.

    Shape: `errors` are dicts with a `detail` each, and a `pointer` to the place in the body: "#/items/0/price".
    Errors: TypeError or ValueError for an error without a detail, or a pointer that is none.
    Source: RFC 9457 §3, RFC 6901 §6 (pointers as fragments).
    """

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[Mapping[str, Any]] = (), **more: Unpack[More]
    ) -> None:
        if errors:
            told = [checked_error(error) for error in errors]
            more["extensions"] = {**(more.get("extensions") or {}), "errors": told}
        super().__init__(422, detail, **more)


class PreconditionRequired(HTTPError):
    """The client must say, by If-Match, what it has seen (RFC 6585 §3): 428."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(428, detail, **more)


class TooManyRequests(HTTPError):
    """The client asks too often: 429.

    Units: `retry_after_s` becomes Retry-After, rounded up to whole seconds.
    Errors: ValueError where it is negative, infinite or no number.
    """

    def __init__(self, detail: str | None = None, *, retry_after_s: float | None = None, **more: Unpack[More]) -> None:
        super().__init__(429, detail, **_with_retry_after(more, retry_after_s))


class InternalServerError(HTTPError):
    """The server failed, and says so in words of its own: 500. It is logged, as any failure."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(500, detail, **more)


class BadGateway(HTTPError):
    """The server asked another, and cannot use its answer: 502."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(502, detail, **more)


class ServiceUnavailable(HTTPError):
    """The server cannot answer for the moment: 503.

    Units: `retry_after_s` becomes Retry-After, rounded up to whole seconds.
    Errors: ValueError where it is negative, infinite or no number.
    """

    def __init__(self, detail: str | None = None, *, retry_after_s: float | None = None, **more: Unpack[More]) -> None:
        super().__init__(503, detail, **_with_retry_after(more, retry_after_s))


class GatewayTimeout(HTTPError):
    """The server asked another, which did not answer in time: 504."""

    def __init__(self, detail: str | None = None, **more: Unpack[More]) -> None:
        super().__init__(504, detail, **more)


def _with_field(more: More, name: str, value: str) -> More:
    return {**more, "headers": (*pairs(more.get("headers") or ()), (name, value))}


def _with_retry_after(more: More, retry_after_s: float | None) -> More:
    if retry_after_s is None:
        return more
    if not 0 <= retry_after_s < math.inf:
        raise ValueError(f"retry_after_s is {retry_after_s!r}: give seconds from now on")
    return _with_field(more, "retry-after", str(math.ceil(retry_after_s)))


_CLASSES: dict[int, type[HTTPError]] = {
    400: BadRequest,
    404: NotFound,
    408: RequestTimeout,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    503: ServiceUnavailable,
}


def _of_status(status: int, detail: str) -> HTTPError:  # pyright: ignore[reportUnusedFunction] - the kernel asks for it
    """What the kernel has against a request, as the exception of its own class where it has one."""
    kind: Any = _CLASSES.get(status)
    return HTTPError(status, detail) if kind is None else kind(detail)
