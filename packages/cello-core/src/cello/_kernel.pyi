"""The native half of cello-core: what `crates/cello-py` exports."""

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextvars import Context
from datetime import datetime, timedelta
from os import PathLike
from socket import socket
from types import SimpleNamespace
from typing import (
    Any,
    BinaryIO,
    Literal,
    Never,
    Protocol,
    Self,
    TypeVar,
    TypeVarTuple,
    final,
    overload,
    type_check_only,
)

from typing_extensions import disjoint_base

from cello._awaitable import AwaitableBytes, AwaitableInt, AwaitableStr
from cello._config import AccessLog, LimitsConfig, TimeoutConfig
from cello._contrib import RequestAttributes
from cello._form import Files, Size
from cello._values import Context as RequestContext
from cello._values import Flag, Text
from cello.app import App

__all__ = [
    "BUILD_PROFILE",
    "Acceptor",
    "Arena",
    "ClientExchange",
    "Connection",
    "Decision",
    "FormData",
    "Handle",
    "Headers",
    "Limit",
    "Listener",
    "LoopCore",
    "Query",
    "Relay",
    "Request",
    "Response",
    "ResponseHeaders",
    "RouteError",
    "Routing",
    "Seat",
    "Server",
    "ServerStopping",
    "SharedCell",
    "SharedCells",
    "SharedLimit",
    "SharedNumbers",
    "StreamTransport",
    "TimerHandle",
    "TrustedProxies",
    "UploadPart",
    "UploadedFile",
    "__version__",
    "_json_decode",
    "_json_encode",
    "_note_current",
    "_page",
    "_panic",
    "_path_names",
    "_raw_response",
    "_title",
    "_to_response",
    "_wants_page",
]

_Arguments = TypeVarTuple("_Arguments")
_Default = TypeVar("_Default")

@type_check_only
class _HasItems(Protocol):
    def items(self) -> Iterable[tuple[str, str]]: ...

_Headers = _HasItems | Iterable[tuple[str, str]]
_SameSite = Literal["strict", "lax", "none", "Strict", "Lax", "None"]

__version__: str
BUILD_PROFILE: Literal["dev", "release"]

def _panic() -> None:
    """Panics: what a panic of native code does to a request cannot be tested without one. Not in release builds."""

def _json_encode(value: object) -> bytes:
    """Serialises a value, as `Response.json()` does."""

def _json_decode(document: bytes) -> Any:
    """Parses a document, as `Request.json()` does."""

def _title(status: int) -> str:
    """The phrase of a status, "Error" where it has none.

    Errors: ValueError for a number that is no status.
    """

def _note_current(note: Callable[[Request], object]) -> None:
    """Have each request that begins from now on given to `note` in its context."""

def _path_names(path: str) -> list[str]:
    """The names of the parameters of a path; none where it cannot be one."""

def _raw_response(
    status: int, headers: Iterable[Iterable[bytes]], body: bytes | str | AsyncIterator[bytes], is_bodiless: bool
) -> Response:
    """A response of header fields that are bytes; nothing is added to them.

    Shape: `body` is bytes, the path of a file as str, or an async iterator of bytes. With `is_bodiless` it is not sent,
    and only its length is told. Of `connection` only "close" is obeyed, `transfer-encoding` is the server's own.
    Errors: ValueError and TypeError for a status or fields that cannot be sent, and where `content-length` is not the
    length of the body; OSError for the file.
    """

def _to_response(value: object) -> Response:
    """What a handler may return, as a Response.

    Errors: TypeError for what is no answer, and what JSON refuses.
    """

def _wants_page(request: Request) -> bool:
    """Whether a request's errors are told as a page."""

def _page(request: Request, status: int, heading: str, sections: str) -> tuple[str, list[tuple[str, str]]]:
    """The page of an error, and the header fields it needs; `sections` is HTML.

    Errors: ValueError for a number that is no status.
    """

class RouteError(ValueError):
    """A route cannot be one: its words, its index, and that of the route that has its place, or None."""

@final
class Routing:
    """Routes as a server has them, to be asked."""

    def __new__(cls, routes: Sequence[_Written]) -> Self:
        """Errors: RouteError, as Server has."""
    def order(self) -> list[int]:
        """The routes by number, the more exact of those that may match the same path before the others."""
    def find(self, method: str, path: str) -> tuple[int | None, str | None]:
        """The route that answers, and the value of `Allow` where none does for its method.

        Errors: ValueError for what is no method.
        """
    def candidates(self, path: str) -> list[tuple[int, list[str], list[int]]]:
        """The routes whose paths match a raw path, in the order in which they are considered: number, values of the
        parameters, and which of these are not what they are constrained to be.
        """

@final
class Request(RequestAttributes):
    """One HTTP request."""

    def __new__(
        cls,
        method: str,
        path: str,
        params: Mapping[str, object] | Iterable[tuple[str, object]] | None = None,
        query: Mapping[str, object] | Query | Iterable[tuple[str, object]] | str | None = None,
        headers: Mapping[str, str] | Headers | Iterable[tuple[str, str]] | None = None,
        body: bytes | bytearray | str | dict[str, Any] | list[Any] | None = None,
        *,
        app: App | None = None,
        client: str | tuple[str, int] | None = None,
        root_path: str = "",
    ) -> Request:
        """A request made by hand, for tests of handlers. It came over no socket, and behaves as one that did.

        Shape: `path` may have a query, or be a whole URL; `query` and `headers` are mappings or pairs, `query` may be
        text too; a dict or list as `body` becomes JSON; `client` is "192.0.2.1" or ("192.0.2.1", 50000).
        `root_path` begins with a slash, and does not end with one.
        Errors: ValueError and TypeError, for what no client could send.
        """
    @property
    def method(self) -> str:
        """The method, as it was sent: "GET"."""
    @property
    def path(self) -> str:
        """The path, percent-decoded: "/users/7". The query is not part of it."""
    @property
    def root_path(self) -> str:
        """The path that the application is under at another server, percent-decoded: "/shop". Empty where it is none.

        Shape: in the URL it goes before `path`, which does not have it.
        Source: ASGI HTTP 2.4, `root_path`.
        """
    @property
    def params(self) -> dict[str, str]:
        """What the path's parameters matched, percent-decoded, by name."""
    @overload
    def get_param(self, name: str, default: None = None) -> str | None:
        """A parameter of the path."""
    @overload
    def get_param[T](self, name: str, default: T) -> str | T: ...
    @overload
    def get_param_int(self, name: str, default: None = None) -> int | None:
        """A parameter of the path, as an integer.

        Errors: BadRequest (400) for one that is none.
        """
    @overload
    def get_param_int[T](self, name: str, default: T) -> int | T: ...
    @property
    def query(self) -> Query:
        """The parameters of the query, in their order; a name may come more than once."""
    @property
    def query_params(self) -> Query:
        """The parameters of the query: the same object as `query`."""
    @property
    def query_string(self) -> str:
        """The query as it was sent, without the question mark."""
    @overload
    def get_query_param(self, name: str, default: None = None) -> str | None:
        """The first value of a parameter of the query."""
    @overload
    def get_query_param[T](self, name: str, default: T) -> str | T: ...
    @overload
    def get_query_int(self, name: str, default: None = None) -> int | None:
        """A parameter of the query, as an integer.

        Errors: BadRequest (400) for one that is none.
        """
    @overload
    def get_query_int[T](self, name: str, default: T) -> int | T: ...
    @overload
    def get_query_float(self, name: str, default: None = None) -> float | None:
        """A parameter of the query, as a finite number.

        Errors: BadRequest (400) for one that is none.
        """
    @overload
    def get_query_float[T](self, name: str, default: T) -> float | T: ...
    @overload
    def get_query_bool(self, name: str, default: None = None) -> bool | None:
        """A parameter of the query, as a truth: true, 1, yes, on; false, 0, no, off.

        Errors: BadRequest (400) for any other word.
        """
    @overload
    def get_query_bool[T](self, name: str, default: T) -> bool | T: ...
    @property
    def headers(self) -> Headers:
        """The header fields; a name may come more than once."""
    @overload
    def get_header(self, name: str, default: None = None) -> str | None:
        """The first value of a header field, by its name in any case."""
    @overload
    def get_header[T](self, name: str, default: T) -> str | T: ...
    @property
    def cookies(self) -> dict[str, str]:
        """The cookies, by name."""
    @property
    def content_type(self) -> Text:
        """The media type of the body with its parameters, as it was sent; empty where there is none."""
    @property
    def content_length(self) -> int | None:
        """The bytes of the body that were promised; None where nothing was."""
    @property
    def user_agent(self) -> Text:
        """The program that the client says it is; empty where it does not."""
    def is_json(self) -> bool:
        """Whether the body is said to be JSON: `application/json`, or a type that ends in `+json`."""
    def is_form(self) -> bool:
        """Whether the body is said to be a form without files: `application/x-www-form-urlencoded`."""
    def is_multipart(self) -> bool:
        """Whether the body is said to be a form with files: `multipart/form-data`."""
    def is_xhr(self) -> bool:
        """Whether a script says that it asks, by `X-Requested-With: XMLHttpRequest`."""
    def accepts(self, media_type: str) -> bool:
        """Whether the client takes a media type, by its `Accept`.

        "json", "html", "text" and "xml" are short for theirs.
        Errors: ValueError for what is no media type.
        """
    def best_match(self, media_types: Sequence[str]) -> str | None:
        """Which of several media types the client would rather have; None where it takes none of them.

        Where it says no difference, what it names more exactly goes first, then what stands first in `media_types`.
        Errors: ValueError for what is no media type.
        """
    @property
    def url(self) -> str:
        """The whole URL as the client asked for it; without scheme and host where it named no host."""
    @property
    def scheme(self) -> Literal["http", "https"]:
        """The scheme the client came by: "http" or "https"."""
    @property
    def is_secure(self) -> Flag:
        """Whether the client came over TLS."""
    @property
    def _line(self) -> int:
        """The number of the connection in memory that it came over; 0 where it came over none."""
    @property
    def host(self) -> Text:
        """The host that the client asked for, with the port it named: "example.org:8000"."""
    @property
    def client_ip(self) -> Text:
        """The client's address, behind trusted proxies too: "192.0.2.1". Empty where there is none."""
    @property
    def remote_addr(self) -> str:
        """The address at the other end of the socket, whatever proxies tell. Empty where there is none."""
    @property
    def is_from_trusted_proxy(self) -> bool:
        """Whether the socket's peer is a trusted proxy, whose word is taken for who the client is."""
    @property
    def http_version(self) -> str:
        """The version of HTTP: "1.0" or "1.1"."""
    @property
    def request_id(self) -> Text:
        """The request's identity in logs and errors: a UUIDv7, or what it was set to.

        Shape: text of 1 to 128 characters, visible ASCII without quotes and backslashes.
        Errors: when it is set, ValueError for other text, TypeError for no text.
        """
    @request_id.setter
    def request_id(self, value: str) -> None: ...
    @property
    def route(self) -> str | None:
        """The path of the route that the request came to, as it was registered: "/users/{id}". None where it came to
        none.
        """
    @property
    def app(self) -> App:
        """The application that serves the request.

        Errors: RuntimeError where the request is made by hand without one.
        """
    @property
    def state(self) -> SimpleNamespace:
        """A namespace of the request's own: any attribute you set."""
    @property
    def context(self) -> RequestContext:
        """What middleware and handlers tell each other of the request, by name."""
    def get_context(self, name: str, default: Any = None) -> Any:
        """An entry of the context."""
    def get_context_string(self, name: str) -> str | None:
        """An entry of the context that is text; None where it is anything else, or not there."""
    def set_context(self, name: str, value: Any) -> None:
        """Set an entry of the context."""
    def body(self) -> AwaitableBytes:
        """The whole body. May be awaited, and must be where the route streams its body."""
    def _json_document(self) -> bytes | None:
        """The whole body as plain bytes, where it is empty or said to be JSON; else None."""
    def text(self) -> AwaitableStr:
        """The whole body as text: UTF-8, U+FFFD in place of what is none. May be awaited, as `body()`."""
    def json(self) -> Any:
        """The body, parsed as JSON. May be awaited, as `body()`; true, false and null only where it is called.

        Errors: MalformedJSON, a ValueError; where the handler lets it pass, the client gets a 400. UnsupportedMediaType
        (415) where the body was taken as a form.
        """
    def form(self) -> FormData:
        """The body as a form. May be awaited, as `body()`.

        Errors: HTTPError 415 for a body that is said to be something else; 400 and 413 for a form that cannot be taken.
        """
    def files(self) -> Files:
        """The files of the form, a list. May be awaited, as `body()`.

        Errors: those of `form()`.
        """
    def parts(self) -> AsyncIterator[UploadPart]:
        """The parts of a form as they arrive, for `async for`, on a route that streams its body.

        Errors: RuntimeError on another route; HTTPError 415 for a body that is no form in parts.
        """
    def add_background_task[**P](self, function: Callable[P, Any], *arguments: P.args, **keywords: P.kwargs) -> None:
        """Have `function(*arguments, **keywords)` called after the answer, as `BackgroundTasks.add_task` does."""
    def _at_end(self, function: Callable[[BaseException | None], Awaitable[Any] | None]) -> None:
        """Have `function` called in the request's own task and context once the last byte of the answer was taken, or
        the client has gone; last given first. It gets what the handler or its stream raised, or None, and may return
        something to be awaited.
        """
    def _in_background(self, function: Callable[[], Any]) -> None:
        """Have `function` called after everything else, in the order they are given. It may return something to be
        awaited.
        """
    def _take_later(self) -> tuple[list[Callable[..., Any]], list[Callable[..., Any]]]:
        """What was given to `_at_end` and to `_in_background` since it was last asked for."""
    def _follow(self) -> None:
        """Have `_sent` wait for an answer that is not on its way yet, and whether or not anything is left to be done
        then.
        """
    def _asgi_scope(self, is_under: bool) -> dict[str, Any]:
        """What ASGI's `scope` says of the request: all that is the same for every application it is mounted in.

        Shape: with `is_under` the path of its route ends with a catch-all, and what is before that is the `root_path`;
        else all of the path is.
        Source: ASGI HTTP 2.3.
        """
    def _is_sent(self) -> bool:
        """Whether the answer was sent, or given up."""
    def _sent(self) -> Awaitable[None]:
        """To be awaited until the answer was sent, or given up."""
    @property
    def _raw_path(self) -> str:
        """The path as it was sent, without the query."""
    @property
    def _refusal(self) -> tuple[int, str, str | None] | None:
        """Why the kernel has no handler answer the request: status, detail, the methods allowed; None where it has."""
    @property
    def _endpoint(self) -> Callable[..., Any] | None:
        """The handler of its route, as it was registered; None of a request made by hand."""
    def body_async(self) -> Awaitable[bytes]:
        """`body()`, to be awaited."""
    def text_async(self) -> Awaitable[str]:
        """`text()`, to be awaited."""
    def json_async(self) -> Awaitable[Any]:
        """`json()`, to be awaited."""
    def disconnected(self) -> bool:
        """Whether the client has left: it closed its end, or the connection is over."""
    @property
    def server_stopping(self) -> ServerStopping:
        """Whether the server stops. May be called, which gives a bool, and awaited, which waits for it."""
    def stream(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it arrives, where the route streams it; else in one."""

@final
class ServerStopping:
    """Whether the server stops: a truth, which may be called, and awaited. It keeps no request alive."""

    def __bool__(self) -> bool: ...
    # It takes none, but native code is not seen to say so.
    def __call__(self, /, *arguments: Never, **keywords: Never) -> bool:
        """The truth, as a bool."""
    def __await__(self) -> Generator[Any]:
        """Wait until it is true.

        Errors: RuntimeError where no server has the request.
        """

@final
class Query:
    """The parameters of a query, in their order; a name may come more than once."""

    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The first value of a name."""
    @overload
    def get[T](self, name: str, default: T) -> str | T: ...
    def get_all(self, name: str) -> list[str]:
        """All values of a name, in their order; none where it is not there."""
    def keys(self) -> list[str]:
        """Each name once, in the order in which they first come."""
    def items(self) -> list[tuple[str, str]]:
        """All pairs of name and value, in their order."""
    def values(self) -> list[str]:
        """All values, in their order."""
    def __getitem__(self, name: str, /) -> str: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

@final
class Headers:
    """The header fields of a request. Names are the same in any case; a name may come more than once."""

    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The first value of a name."""
    @overload
    def get[T](self, name: str, default: T) -> str | T: ...
    def get_all(self, name: str) -> list[str]:
        """All values of a name, in their order; none where it is not there."""
    def keys(self) -> list[str]:
        """Each name once, in lower case."""
    def items(self) -> list[tuple[str, str]]:
        """All pairs of name, in lower case, and value; those of one name stand together."""
    def values(self) -> list[str]:
        """All values, in the order of `items()`."""
    def __getitem__(self, name: str, /) -> str: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

@final
class TrustedProxies:
    """Proxies whose word is taken for who the client is."""

    def __new__(
        cls, entries: Sequence[str], trust_x_real_ip: bool, fields: Literal["x-forwarded", "forwarded"] | None
    ) -> TrustedProxies:
        """Trust addresses, networks such as "10.0.0.0/8", and with "unix" whoever connects over a Unix socket.

        Shape: `fields` are those they write; None takes "x-forwarded" where one of these is there, else "forwarded".
        Errors: ValueError that names the entry and says why it is none, or for another word for the fields.
        """

@final
class Response:
    """A response with its status, header fields and body.

    Shape: `body` is str (text), bytes (octet-stream), None (empty), or what JSON can have. A `status` of None is 200.
    `headers` are a mapping or pairs; they go before `content_type`.
    Errors: ValueError for a bad status or header field, and for a body that the status does not have (204, 205, 304).
    """

    def __new__(
        cls,
        body: object = None,
        status: int | None = None,
        headers: _Headers | None = None,
        content_type: str | None = None,
    ) -> Self: ...
    @staticmethod
    def json(data: object, status: int | None = None, headers: _Headers | None = None) -> Response:
        """A response whose body is `data` as JSON.

        Errors: TypeError or ValueError where `data` is no JSON.
        """
    @staticmethod
    def text(content: str, status: int | None = None, headers: _Headers | None = None) -> Response:
        """A response whose body is `content` as plain text in UTF-8."""
    @staticmethod
    def html(content: str, status: int | None = None, headers: _Headers | None = None) -> Response:
        """A response whose body is `content` as HTML in UTF-8."""
    @staticmethod
    def xml(
        data: object, status: int | None = None, root_name: str | None = None, headers: _Headers | None = None
    ) -> Response:
        """A response whose body is XML: `data` as it is where it is str or bytes, else made of what JSON can have.

        Shape: the root, "root" where it has no name, holds an element for each key of a dict, an `item` for each of a
        list; None is an empty element.
        Errors: ValueError for a key that is no name of an element, and for characters that XML does not have.
        Source: XML 1.0, RFC 7303.
        """
    @staticmethod
    def binary(
        data: bytes | bytearray | memoryview,
        content_type: str | None = None,
        status: int | None = None,
        headers: _Headers | None = None,
    ) -> Response:
        """A response whose body is bytes: bytes, bytearray or memoryview; "application/octet-stream" where no type is
        given.
        """
    @staticmethod
    def redirect(
        url: str, status: int | None = None, permanent: bool | None = None, headers: _Headers | None = None
    ) -> Response:
        """Sends the client to another URL; `permanent` makes 302, the default, a 301, and 307 a 308.

        Shape: `url` is absolute or relative, and percent-encoded where it has to be; what is encoded stays as it is.
        Errors: ValueError for a URL that is empty or has control characters, and for a status that sends nobody away.
        Source: RFC 9110 §15.4.
        """
    @staticmethod
    def no_content(headers: _Headers | None = None) -> Response:
        """A 204, which has no body."""
    @staticmethod
    def created(data: object = None, location: str | None = None, headers: _Headers | None = None) -> Response:
        """A 201 whose body is `data` as JSON, or none, with the URL of what was made as `Location`.

        Errors: as `json` and `redirect` have.
        """
    @staticmethod
    def file(
        path: str | PathLike[str],
        filename: str | None = None,
        content_type: str | None = None,
        status: int | None = None,
        headers: _Headers | None = None,
    ) -> Response:
        """A file to be kept by the client, under `filename` or its own name.

        Shape: the extension of that name tells the type where `content_type` does not. The file is opened now, and read
        while it is sent. What a GET or HEAD asks of it is heeded when it answers with a 200: its conditions (304, 412),
        and `Range` (206, 416), all of it where several parts are asked for.
        Errors: FileNotFoundError, IsADirectoryError, PermissionError and other OSErrors of the system; OSError for what
        is no regular file.
        Source: RFC 6266; RFC 9110 §13 and §14.
        """
    @staticmethod
    def file_range(
        path: str | PathLike[str],
        range_header: str | None,
        content_type: str | None = None,
        headers: _Headers | None = None,
    ) -> Response:
        """The part of a file that a `Range` asks for, as 206; all of it, as 200, where it asks for none or for several.

        Shape: `range_header` is such as "bytes=0-99", or None. A range beyond the end is a 416. The conditions of the
        request are heeded, `If-Range` among them.
        Errors: as `file` has.
        Source: RFC 9110 §14.
        """
    @staticmethod
    def sendfile(
        path: str | PathLike[str],
        content_type: str | None = None,
        status: int | None = None,
        headers: _Headers | None = None,
    ) -> Response:
        """A file to be shown by the client: as `file`, without a name to keep it under."""
    @staticmethod
    def error(
        status: int,
        detail: str | None = None,
        *,
        title: str | None = None,
        type: str = "about:blank",  # noqa: A002
        headers: _Headers | None = None,
        **members: object,
    ) -> Response:
        """An error as `application/problem+json`; what is given by name beside the rest becomes a member of it.

        Shape: `title` is the status' own phrase unless it is given; `detail` is left out where it is None.
        Errors: ValueError for a status below 400 or above 599; TypeError or ValueError for a member that is no JSON.
        Source: RFC 9457 §3.
        """
    @staticmethod
    def stream(
        iterator: Iterable[bytes | str] | AsyncIterable[bytes | str],
        content_type: str | None = None,
        status: int | None = None,
        headers: _Headers | None = None,
    ) -> Response:
        """A response whose body is what an iterator, a generator or an async generator brings forth: bytes or str.

        Shape: such a response is sent once. Without a `content_type` its first piece tells it.
        Errors: TypeError for what cannot be iterated, and for str and bytes, which are bodies by themselves.
        """
    @property
    def status(self) -> int:
        """The HTTP status; it can be set."""
    @status.setter
    def status(self, status: int, /) -> None: ...
    @property
    def headers(self) -> ResponseHeaders:
        """The header fields, as a live mapping: what is set in it is sent."""
    def body(self) -> bytes:
        """The whole body; a file is read for it.

        Errors: ValueError for a stream, OSError where the file cannot be read.
        """
    def content_length(self) -> int | None:
        """The length of the body in bytes; None for a stream."""
    def content_type(self) -> str | None:
        """The media type of the body; None where there is none."""
    def set_header(self, name: str, value: str) -> None:
        """Sets a header field, in the place of all of its name.

        Errors: ValueError for what is no name or value, and for a field that is the server's own to set.
        """
    def append_header(self, name: str, value: str) -> None:
        """Adds a header field beside those of its name.

        Errors: as `set_header` has.
        """
    def delete_header(self, name: str) -> None:
        """Removes a header field, all of its name.

        Errors: KeyError where it is not set.
        """
    def set_cookie(
        self,
        name: str,
        value: str = "",
        max_age: int | timedelta | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SameSite | None = "lax",
        expires: datetime | float | str | None = None,
        partitioned: bool = False,
        *,
        http_only: bool | None = None,
        same_site: _SameSite | None = None,
    ) -> None:
        """Adds a cookie.

        Units: `max_age` in seconds, or a timedelta; `expires` an aware datetime, seconds since 1970, or a date of HTTP.
        Shape: `samesite` is "strict", "lax", "none" or None; `http_only` and `same_site` are other names.
        Errors: ValueError for what browsers would refuse: a name, value, domain or path that is none, "none" and
        `partitioned` without `secure`, a name with `__Host-` or `__Secure-` without what that promises.
        Source: RFC 6265bis §4.1.
        """
    def delete_cookie(
        self,
        name: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: _SameSite | None = "lax",
        partitioned: bool = False,
        *,
        http_only: bool | None = None,
        same_site: _SameSite | None = None,
    ) -> None:
        """Has the client forget a cookie: `path`, `domain` and `partitioned` must be those it was set with.

        Errors: as `set_cookie` has.
        """

@final
class ResponseHeaders:
    """The header fields of a response: a mapping, whatever the case of a name."""

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: _Default) -> str | _Default: ...
    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
    def keys(self) -> list[str]:
        """The names, each once and in lower case."""
    def values(self) -> list[str]:
        """Every value, those of one name one after another."""
    def items(self) -> list[tuple[str, str]]:
        """Every name with a value of it; a name as often as it has values."""
    def update(self, given: _Headers) -> None:
        """Sets fields, a mapping or pairs: each goes in the place of all of its name, but cookies are added.

        Errors: as `Response.set_header` has; TypeError for what are no fields.
        """
    def setdefault(self, name: str, value: str) -> str:
        """The first value of a field, which is `value` from now on where it was not set.

        Errors: as `Response.set_header` has.
        """
    def __getitem__(self, name: str, /) -> str: ...
    def __setitem__(self, name: str, value: str, /) -> None: ...
    def __delitem__(self, name: str, /) -> None: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

@final
class FormData:
    """The fields and files of a form, each name with all its values."""

    @staticmethod
    def parse(content_type: str, body: bytes) -> FormData:
        """Reads a form that is no request's.

        Errors: HTTPError: 415 where `content_type` is no form's, 400 where `body` is malformed, 413 where it exceeds a
        limit of forms.
        """
    @overload
    def get(self, name: str, default: None = None) -> str | UploadedFile | None:
        """The first value of a name, a field's text or a file."""
    @overload
    def get(self, name: str, default: _Default) -> str | UploadedFile | _Default: ...
    def get_or(self, name: str, default: _Default) -> str | UploadedFile | _Default:
        """The first value of a name, or `default`."""
    def get_all(self, name: str) -> list[str | UploadedFile]:
        """All values of a name, as they were sent."""
    def get_file(self, name: str) -> UploadedFile | None:
        """The first file of a name; None where there is none."""
    def get_files(self, name: str | None = None) -> Files:
        """The files of a name, or of all names, as they were sent."""
    def has_field(self, name: str) -> bool:
        """Whether a name has a value that is no file."""
    def has_file(self, name: str) -> bool:
        """Whether a name has a file."""
    def field_names(self) -> list[str]:
        """Each name that has a value that is no file."""
    def file_names(self) -> list[str]:
        """Each name that has a file."""
    def field_count(self) -> int:
        """How many values there are that are no files."""
    def file_count(self) -> int:
        """How many files there are."""
    def keys(self) -> list[str]:
        """Each name once, in the order they were first sent."""
    def values(self) -> list[str | UploadedFile]:
        """All values, as they were sent."""
    def items(self) -> list[tuple[str, str | UploadedFile]]:
        """All pairs of name and value, as they were sent."""
    def __getitem__(self, name: str, /) -> str | UploadedFile: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __await__(self) -> Generator[None, None, Self]: ...

@final
class UploadedFile:
    """A file that a client sent in a form: in memory up to 1 MiB, else in a temporary file without a name."""

    @property
    def field_name(self) -> str:
        """The name of the form's field."""
    @property
    def filename(self) -> str:
        """The name that the client gave to the file.

        Shape: one component of a path, of at most 255 bytes, without control characters; empty where none was given.
        """
    @property
    def content_type(self) -> str:
        """The media type: as the client said it, unless it said nothing or the first bytes contradict it."""
    @property
    def declared_content_type(self) -> str | None:
        """The media type as the client said it; None where it did not."""
    @property
    def size(self) -> Size:
        """The number of bytes, which can be called as well: `size` and `size()` are the same."""
    @property
    def temp_path(self) -> str | None:
        """A path that opens the temporary file while this object is there; None where the content is in memory.

        The file has no name of its own: the path leads through the process, "/proc/71/fd/12".
        """
    @property
    def file(self) -> BinaryIO:
        """Python's own file object over the content: binary, seekable, for libraries that want one.

        Errors: ValueError once this is closed.
        """
    @property
    def closed(self) -> bool:
        """Whether close() was called."""
    def read(self, n: int | None = -1) -> AwaitableBytes:
        """The next `n` bytes, all that are left by default: bytes, which can be awaited as well."""
    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> AwaitableStr:
        """The whole content as text, wherever was read before: a str, which can be awaited as well.

        Errors: UnicodeDecodeError where it is no text of that encoding.
        """
    def seek(self, offset: int, whence: int = 0) -> AwaitableInt:
        """Goes to a place in the content, and gives its distance from the beginning, in bytes."""
    def tell(self) -> int:
        """The place in the content, in bytes from the beginning."""
    def readable(self) -> bool:
        """Whether it can be read: until it is closed."""
    def seekable(self) -> bool:
        """Whether seek() can be used: until it is closed."""
    def save(self, path: str | PathLike[str]) -> AwaitableStr:
        """Writes the whole content to `path`, over what is there, and gives the path: a str, which can be awaited.

        Where `path` is a folder, the file goes into it under its `filename`.
        Errors: OSError, as of open(); ValueError for a folder where there is no filename.
        """
    def extension(self) -> str | None:
        """The ending of the filename, in lower case and without its dot; None where there is none."""
    def close(self) -> None:
        """Gives memory and temporary file back now, and not when the form is gone."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_raised: object) -> None: ...
    def __iter__(self) -> Iterator[bytes]: ...

@final
class UploadPart:
    """One part of a form, while it arrives."""

    @property
    def name(self) -> str:
        """The name of the field."""
    @property
    def filename(self) -> str | None:
        """The name of the file, without any folder; None for a field that is no file."""
    @property
    def content_type(self) -> str | None:
        """The media type that the client says it is; None where it says none."""
    def read(self) -> Awaitable[bytes]:
        """What is left of the part, to be awaited.

        Errors: HTTPError 413 for more than 10 MiB; what `parts()` raises.
        """
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[bytes]: ...

@final
class Handle:
    """The handle of `call_soon`: asyncio.Handle's interface."""

    def cancel(self) -> None:
        """Keep the callback from running, if it has not run."""
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
    def get_context(self) -> Context | None:
        """The context the callback is to run in; None once it ran."""

@final
class TimerHandle:
    """The handle of `call_later` and `call_at`: asyncio.TimerHandle's interface."""

    def cancel(self) -> None:
        """Keep the callback from running, if it has not run."""
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
    def when(self) -> float:
        """When the callback is due, in seconds of the loop's clock."""
    def get_context(self) -> Context | None:
        """The context the callback is to run in; None once it ran."""
    def __lt__(self, other: TimerHandle, /) -> bool: ...
    def __le__(self, other: TimerHandle, /) -> bool: ...
    def __gt__(self, other: TimerHandle, /) -> bool: ...
    def __ge__(self, other: TimerHandle, /) -> bool: ...

@disjoint_base
class LoopCore:
    """The native half of `cello`'s event loop: first in its bases, before `asyncio.SelectorEventLoop`.

    What it says to return as asyncio's handles are `Handle` and `TimerHandle`, which have their interface.
    """

    def __new__(cls, *_args: object, **_kwargs: object) -> Self: ...
    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback(*args)` at the next turn."""
    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback(*args)` at the next turn, from any thread."""
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` in `delay` seconds."""
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` when the loop's clock shows `when` seconds."""
    def time(self) -> float:
        """The loop's clock, in seconds: that of time.monotonic()."""
    def get_debug(self) -> bool:
        """Whether the loop is in debug mode; asked for every task that is made."""
    def is_running(self) -> bool:
        """Whether the loop runs; asked for every task that is started eagerly."""
    def _note_debug(self, enabled: bool) -> None: ...
    def _add_callback(self, handle: asyncio.Handle) -> None:
        """Queue an asyncio.Handle: the door through which the standard selector's callbacks come."""
    @staticmethod
    def _is_forked_while_running() -> bool:
        """Whether this process was forked off by a thread while that ran a loop: to tokio it runs one for ever."""
    def _run_native(self, selector: int) -> None:
        """Run turns until a stop is requested; `selector` is the descriptor of the standard selector."""
    def _stop_native(self) -> None:
        """End the run after the turn it is at."""
    def _open_streams(self) -> list[StreamTransport]:
        """The transports that are open."""
    def _close_native(self) -> None:
        """Drop every connection, timer and callback, and what they hold."""
    def _open_stream(
        self,
        sock: socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
        extra: dict[str, Any] | None,
        server: asyncio.AbstractServer | None,
    ) -> StreamTransport:
        """A transport over a duplicate of `sock`. Once the protocol was told of the connection, `waiter` is done."""
    def _accept_on(
        self,
        sock: socket,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        server: asyncio.AbstractServer | None,
        backlog: int,
    ) -> Acceptor:
        """Accepts connections on the listening `sock`, at most `backlog` in a turn."""

@final
class Acceptor:
    """Accepts on one socket, until it is closed."""

    def close(self) -> None:
        """Accept no more. The socket itself stays open."""
    def _try_again(self) -> None: ...

@final
class StreamTransport(asyncio.Transport):
    """asyncio's transport of a connected socket, TCP or Unix."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection: `peername`, `sockname`, `socket`."""
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol receive from now on."""
    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol; None once the connection is lost."""
    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be."""
    def is_reading(self) -> bool:
        """Whether the protocol is given what comes."""
    def pause_reading(self) -> None:
        """Receive nothing for the time being."""
    def resume_reading(self) -> None:
        """Receive again."""
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send `data`; what the system does not take at once waits."""
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Send each of `list_of_data`, in as few packets as the system makes of them."""
    def can_write_eof(self) -> bool:
        """Whether write_eof() is supported: it is."""
    def write_eof(self) -> None:
        """Tell the peer that nothing more will be sent, after what waits."""
    def close(self) -> None:
        """Close the connection after what waits was sent."""
    def abort(self) -> None:
        """Close the connection now, whatever waits."""
    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The bytes at which the protocol is resumed, and over which it is paused."""
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the bytes over which the protocol is paused, and at which it is resumed.

        Errors: ValueError unless high >= low >= 0.
        """
    def _force_close(self, exc: BaseException | None) -> None:
        """Close the connection now, and tell the protocol why."""
    def _make_empty_waiter(self) -> asyncio.Future[None]:
        """A future that is done when nothing waits to be sent. Nothing can be written until _reset_empty_waiter()."""
    def _reset_empty_waiter(self) -> None: ...
    @property
    def _sock(self) -> socket:
        """The socket as Python sees it."""
    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """asyncio's own sendfile(), where it has to read the file itself, makes its futures of it."""
    @property
    def _protocol_paused(self) -> bool: ...
    @property
    def _sendfile_compatible(self) -> object: ...
    @property
    def _start_tls_compatible(self) -> bool: ...

@final
class Arena:
    """Memory that all workers of a server share: made once, before the first of them, and handed to each."""

    @staticmethod
    def create() -> Arena:
        """Make one; only what is written takes memory.

        Errors: OSError where the system has no such memory.
        """
    @staticmethod
    def open(descriptor: int) -> Arena:
        """The one that another process handed down, by its number here, which the caller may close.

        Errors: OSError for the number of anything else, and for an arena that another version made.
        """
    def fileno(self) -> int:
        """Its descriptor, which no program inherits that this process starts, and which is closed with it."""
    def sit(self, slot: int, seat: int, shows_progress: bool) -> Seat:
        """Take a seat that no living process has, for a worker of `slot`.

        With `shows_progress` the loop that it serves on shows there that it goes on.
        Errors: OSError for a slot or a seat that there is no room for.
        """
    def progress_s(self, seat: int) -> float | None:
        """When the process in a seat last went on; None while it waits for something to do.

        Units: seconds of time.monotonic().
        """
    def slots(self) -> list[tuple[int, int, int, int, tuple[int, float] | None]]:
        """What the slots have done that ever had a worker.

        Shape: number, requests, connections, starts, and the process that began last with the time of that, in seconds
        since 1970; None where it has left.
        """

@final
class Seat:
    """A worker's place in the arena, where what it does is counted."""

    def leave(self) -> None:
        """Say that the worker serves no more."""

@final
class SharedCells:
    """The counters of a name, each with labels."""

    def __new__(cls, arena: Arena, name: str, room_bytes: int) -> Self:
        """Those of the arena, with room for so many bytes of names and labels.

        Errors: OSError where they are there with another room, or do not fit.
        """
    def cell(self, name: str, labels: Sequence[tuple[str, str]]) -> tuple[SharedCell, bool] | None:
        """The cell of a name and labels, and whether these have one of their own.

        Labels without room share that of "other". None where there is no room for the name.
        """
    def readings(self) -> list[tuple[str, list[tuple[str, str]], int]]:
        """All of them, in no order that means anything."""
    def dropped(self) -> int:
        """How many sets of labels have found no room; 1024 stands for that many or more."""

@final
class SharedCell:
    """One counter."""

    def add(self, count: int) -> None:
        """Add to it.

        Errors: ValueError for what is negative or over 64 bits.
        """
    def read(self) -> int:
        """What all processes have added, modulo 2^64."""

@final
class Limit:
    """How many requests a key has in a time."""

    def __new__(cls, kind: str, requests: int, time_ns: int) -> Self:
        """One of the three kinds: "token bucket", "fixed window", "sliding window".

        Errors: ValueError for another kind, and for a limit that cannot be kept.
        """

@final
class Decision:
    """What was decided of a request. It is true where the request is allowed."""

    def __new__(
        cls,
        *,
        allowed: bool,
        remaining: int,
        retry_after_s: float,
        reset_after_s: float,
        is_shared: bool = False,
    ) -> Self: ...
    @property
    def allowed(self) -> bool:
        """Whether it is within the limit, and was counted."""
    @property
    def remaining(self) -> int:
        """How many more would be allowed now."""
    @property
    def retry_after_s(self) -> float:
        """After how many seconds as many are allowed again, if no other comes first; 0.0 while that many remain."""
    @property
    def reset_after_s(self) -> float:
        """After how many seconds the key is as if it had never come, if nothing else does."""
    @property
    def is_shared(self) -> bool:
        """Whether there was no room for the key, so that it was one with all others that found none."""
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class SharedLimit:
    """A limit, and the state of its keys."""

    def __new__(cls, arena: Arena, name: str, keys: int, limit: Limit) -> Self:
        """That of the arena, with room for so many keys.

        Errors: OSError where it is there with another room, or does not fit.
        """
    def decide(self, key: str | bytes, cost: int = 1, now_ns: int | None = None) -> Decision:
        """Decide a request of a key that counts for `cost` of them, now unless another time is told, as
        time.monotonic_ns() has it.

        Errors: TypeError for a key that is neither str nor bytes; ValueError for a cost that is never allowed.
        """

@final
class SharedNumbers:
    """A number for each key, which expires."""

    def __new__(cls, arena: Arena, name: str, keys: int, lifetime_ns: int) -> Self:
        """Those of the arena, with room for so many keys; each lasts so long after it was last written.

        Errors: OSError where they are there with another room, or do not fit.
        """
    @staticmethod
    def check_lifetime(lifetime_ns: int) -> None:
        """Whether numbers may last so long.

        Errors: ValueError where they may not.
        """
    def get(self, key: str | bytes, now_ns: int | None = None) -> int | None:
        """A key's number; None where it has none, or it has expired."""
    def add(self, key: str | bytes, count: int, now_ns: int | None = None) -> int | None:
        """Add to a key's number, and give what it is then; None where the map is full."""
    def set(self, key: str | bytes, number: int | None, now_ns: int | None = None) -> bool:
        """Write a key's number, or take it away, whatever it was; whether there was room for it."""
    def replace(self, key: str | bytes, old: int | None, new: int | None, now_ns: int | None = None) -> bool | None:
        """Write a key's number, or take it away, where it is `old`.

        Shape: whether it was; None where the map is full.
        """

@final
class Relay:
    """The coroutine of a task that serves one request after another."""

    def begin(self) -> None:
        """Take the first step of a request, outside the task."""
    def touch(self) -> None:
        """Note that the task may be known to somebody."""
    def __await__(self) -> Relay: ...
    def __iter__(self) -> Relay: ...
    def __next__(self) -> Any: ...
    def send(self, _value: Any) -> Any: ...
    def throw(self, error: Any, value: Any = None, _trace: Any = None) -> Any: ...
    def close(self) -> None: ...

@final
class Listener:
    """A listening socket that a server is to accept on."""

    @staticmethod
    def inherited(descriptor: int) -> Listener:
        """A listening socket, of TCP or a Unix socket, by its number, which the caller may close.

        Errors: OSError for the number of anything else.
        """
    @property
    def address(self) -> tuple[str, int | None]:
        """Host and port; of a Unix socket its path and None. A path that begins with "@" is a name without a file."""

class _Hooks(Protocol):
    @property
    def on_error(self) -> Callable[[Request, BaseException], Response]: ...
    @property
    def on_end(self) -> Callable[[Request, BaseException | None], Coroutine[Any, Any, None]]: ...
    @property
    def on_slow(self) -> Callable[[int, float], object]: ...
    @property
    def on_broken(self) -> Callable[[Request, BaseException], object]: ...
    @property
    def on_drained(self) -> Callable[[], object]: ...
    @property
    def on_worn(self) -> Callable[[], object]: ...

class _Settings(Protocol):
    @property
    def access_log(self) -> AccessLog | None: ...
    @property
    def trusted_proxies(self) -> TrustedProxies | None: ...
    @property
    def request_id_header(self) -> str | None: ...
    @property
    def error_form(self) -> Literal["problem", "legacy"]: ...
    @property
    def has_pages(self) -> bool: ...
    @property
    def fallbacks(self) -> int: ...
    @property
    def limits(self) -> LimitsConfig | None: ...
    @property
    def timeouts(self) -> TimeoutConfig | None: ...
    @property
    def seat(self) -> Seat: ...
    @property
    def wears_after(self) -> int: ...

class _Written(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def constraints(self) -> Sequence[tuple[str, str]]: ...

class _Route(_Written, Protocol):
    @property
    def handler(self) -> Callable[..., object]: ...
    @property
    def is_async(self) -> bool: ...
    @property
    def takes_request(self) -> bool: ...
    @property
    def streams_body(self) -> bool: ...
    @property
    def body_limit_bytes(self) -> int | None: ...
    @property
    def timeout_s(self) -> float | None: ...
    @property
    def cancel_on_disconnect(self) -> bool: ...
    @property
    def drains_now(self) -> bool: ...
    @property
    def app(self) -> App: ...
    @property
    def endpoint(self) -> Callable[..., object]: ...
    @property
    def gives_response(self) -> bool: ...
    @property
    def fallback(self) -> int | None: ...

@final
class Connection:
    """A connection to a server of this process. Dropped, it is closed."""

    @property
    def number(self) -> int:
        """Its number among those of the server."""
    def send(self, data: bytes, timeout_s: float | None = None) -> None:
        """Send all of `data`, and wait in this thread for the room it needs; None for `timeout_s` waits for ever.

        Errors: TimeoutError; BrokenPipeError where the server has closed the connection.
        """
    def receive(self, max_bytes: int = 65536, timeout_s: float | None = None) -> bytes:
        """Give what the server has sent, at most `max_bytes` of it, and wait in this thread for some; b"" at the end.

        Errors: TimeoutError; ConnectionResetError where the server has broken the connection off.
        """
    def poll_send(self, data: bytes) -> int | asyncio.Future[None]:
        """`send()` for tasks of the server's loop.

        Shape: how many bytes were taken, or a future to be awaited before it is tried again.
        """
    def poll_receive(self, max_bytes: int = 65536) -> bytes | asyncio.Future[None]:
        """`receive()` for tasks of the server's loop: bytes, or a future to be awaited before it is tried again."""
    def is_receivable(self) -> bool:
        """Whether `receive()` would not wait."""
    def shut_down_sending(self) -> None:
        """Say that nothing more is sent; to the server that is a client which has gone, as over a socket."""
    def close(self) -> None:
        """Close the connection. What was sent before still arrives."""

class _Asked(Protocol):
    """A request as another server has it; `target` is path and query, `context` what its handler is called in.

    Shape: `root_path` goes before the target in the URL, and is percent-encoded.
    """

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> bytes: ...
    @property
    def headers(self) -> Iterable[Sequence[bytes]]: ...
    @property
    def has_body(self) -> bool: ...
    @property
    def client(self) -> tuple[str, int] | None: ...
    @property
    def server(self) -> tuple[str, int | None] | None: ...
    @property
    def is_secure(self) -> bool: ...
    @property
    def context(self) -> Context | None: ...
    @property
    def root_path(self) -> str: ...

@final
class ClientExchange:
    """A request under way, and its answer. Closed, or dropped, its client has gone."""

    def poll_feed(self, piece: bytes, is_last: bool) -> bool | asyncio.Future[None]:
        """Take the next piece of the body; with an empty one its end alone, where it `is_last`.

        Shape: whether the server wants more of it, or a future to be awaited before it is tried again.
        Errors: ConnectionError where the exchange was closed.
        """
    def poll_head(self) -> tuple[int, list[tuple[bytes, bytes]]] | asyncio.Future[None]:
        """Status and header fields of the answer, without what concerns the connection.

        Shape: or a future to be awaited before it is asked for again.
        Errors: ConnectionError where the server broke off, or the exchange was closed.
        """
    def poll_body(self) -> tuple[bytes, bool] | asyncio.Future[None]:
        """A piece of the answer's body and whether more comes, or a future to be awaited before it is asked for again.

        Errors: ConnectionError where the server broke off, or the exchange was closed.
        """
    def close(self) -> None:
        """Leave, and wake whoever waits. A handler that is not done is cancelled."""

@final
class Server:
    """Serves an application on a loop: on its own kind as part of it, on any other as its guest."""

    def __new__(
        cls,
        event_loop: asyncio.AbstractEventLoop,
        *,
        routes: Sequence[_Route],
        hooks: _Hooks,
        settings: _Settings,
    ) -> Server:
        """Prepare to serve `routes`. With `pages`, a client that prefers HTML gets errors as pages.

        Errors: RouteError with its words and the index of the route, for a path that cannot be one or is taken.
        """
    def start(self, listener: Listener | None = None) -> None:
        """Accept connections on `listener`, or on none: `connect()` opens one all the same.

        On a loop of another kind than cello's it is called while that runs, and has no listener. Each request's context
        is a copy of the one this is called in.

        Errors: RuntimeError where the server was started before, or its loop never ran; ValueError for a listener on
        another kind of loop.
        """
    def listen(self, place: int, listener: Listener) -> None:
        """Accept connections on `listener` as well, in place of the one that was at `place` before.

        `start()` uses place 0. Once the server stops it is closed.
        Errors: RuntimeError where the server does not run or another has the listener, OSError on another kind of loop.
        """
    def leave(self, place: int) -> None:
        """Accept no more on the listener at `place`. The connections that came by it stay."""
    def connect(self, peer: tuple[str, int] | None = None, is_secure: bool = False) -> Connection:
        """Open a connection in memory, from this thread or another.

        Shape: `peer` is the address that the client is to have, and its port; with `is_secure` its requests count as
        sent over TLS.
        Errors: RuntimeError where the server does not run; ValueError for what is no IP address.
        """
    def exchange(self, asked: _Asked) -> ClientExchange:
        """Ask a request, over a connection in memory of its own, from a task of the server's loop.

        Errors: ValueError for what no request can have, with words for the client; RuntimeError where the server does
        not run.
        """
    def connections(self) -> int:
        """The number of open connections."""
    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks of the requests that are not over: they may be answered, and have something left to do."""
    def stop(self, deadline_s: float, patience_s: float = 0.0) -> None:
        """Stop accepting, let each connection finish the request it is at, close the rest after `deadline_s` seconds.

        `on_drained` is called when the last one is closed. Idle connections are closed at once, or after `patience_s`
        seconds, in which each gets one more answer. Requests are told, and those cancelled whose routes have it so.
        """
    def close(self) -> None:
        """Leave the loop, and let go of the application. What is still open is dropped: `stop()` goes before."""
