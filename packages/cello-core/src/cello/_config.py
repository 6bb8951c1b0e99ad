"""What an application says of the whole server: limits, timeouts, threads, workers, the log of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MOST_SHUTDOWN_TIMEOUT_S",
    "MOST_WORKERS",
    "SHUTDOWN_TIMEOUT_S",
    "AccessLog",
    "ClusterConfig",
    "LimitsConfig",
    "ThreadPoolConfig",
    "TimeoutConfig",
    "checked_request_id_header",
]

#: More processes than any machine has cores for.
MOST_WORKERS = 1024
#: How long requests may go on after the stop, in seconds.
SHUTDOWN_TIMEOUT_S = 30.0
#: Nobody waits for longer than a day.
MOST_SHUTDOWN_TIMEOUT_S = 86_400


class LimitsConfig:
    """What a client may cost a worker.

    Units: `max_header_size` is the bytes of a request's head (431), `max_body_size` the bytes of a body (413; of a form
    with files too, where it is not the default), `max_connections` those open at once (503).
    Errors: TypeError or ValueError for what is no such number; ValueError for `max_requests_per_connection`: a
    connection is not closed for having been used, but for being idle.
    """

    def __init__(
        self,
        max_header_size: int = 32 << 10,
        max_body_size: int = 10 << 20,
        max_connections: int = 10_000,
        max_requests_per_connection: None = None,
    ) -> None:
        if max_requests_per_connection is not None:
            raise ValueError(
                "max_requests_per_connection is not supported: a connection is not closed for having been used, "
                "TimeoutConfig(idle=...) closes those that are idle"
            )
        # The parser's buffer is of that size at least.
        self.max_header_size: int = _whole(max_header_size, "max_header_size", 8 << 10, 1 << 30)
        self.max_body_size: int = _whole(max_body_size, "max_body_size", 0)
        self.max_connections: int = _whole(max_connections, "max_connections", 1)
        self.max_requests_per_connection: None = max_requests_per_connection

    def __repr__(self) -> str:
        return _repr(self)


class TimeoutConfig:
    """How long a client, or a handler, may take.

    Units: seconds. `read_header` from a request's first byte to the end of its head (closed), `read_body` between two
    pieces of a body (408), `write` while the client takes nothing of the answer (closed), `idle` between two requests
    (closed), `handler` for the handler (503), None for no limit. `keep_alive_timeout`, `response_timeout` and
    `request_timeout` are other names for `idle`, `write` and `handler`.
    Errors: TypeError or ValueError for what is no time, and for two names of one.
    """

    def __init__(
        self,
        read_header: float = 10,
        read_body: float = 30,
        write: float | None = None,
        idle: float | None = None,
        handler: float | None = None,
        *,
        request_timeout: float | None = None,
        response_timeout: float | None = None,
        keep_alive_timeout: float | None = None,
    ) -> None:
        handler = _either("handler", handler, "request_timeout", request_timeout)
        write = _either("write", write, "response_timeout", response_timeout)
        idle = _either("idle", idle, "keep_alive_timeout", keep_alive_timeout)
        self.read_header_timeout: float = _seconds(read_header, "read_header")
        self.read_body_timeout: float = _seconds(read_body, "read_body")
        self.write_timeout: float = _seconds(30 if write is None else write, "write")
        self.idle_timeout: float = _seconds(75 if idle is None else idle, "idle")
        self.handler_timeout: float | None = None if handler is None else _seconds(handler, "handler")

    def __repr__(self) -> str:
        return _repr(self)


class ThreadPoolConfig:
    """Threads for the handlers of routes with `blocking=True`.

    Units: `size` is the most there are in a worker; they are made when they are needed.
    Errors: TypeError or ValueError for what is no such number; ValueError for `offload_threshold_ms` and `adaptive`:
    which handlers run in threads is said by their routes, and nothing moves them.
    """

    def __init__(self, size: int = 64, offload_threshold_ms: None = None, adaptive: None = None) -> None:
        for name, value in (("offload_threshold_ms", offload_threshold_ms), ("adaptive", adaptive)):
            if value is not None:
                raise ValueError(
                    f"{name} is not supported: a handler is never moved to a thread by itself, since that would change "
                    "what it may use; say blocking=True on its route"
                )
        self.size: int = _whole(size, "size", 1)

    def __repr__(self) -> str:
        return _repr(self)


class ClusterConfig:
    """Workers, and how they start and stop.

    `run()`, the command line and the environment go before `workers`, `cpu_affinity` and `shutdown_timeout`.
    Units: `workers` are processes, None leaves the choice to the default: one in development, one for each CPU in
    production. With `cpu_affinity` each runs on one CPU only. After `max_restarts` successors in a row, each of which
    ended within 10 seconds of serving, the place of a worker is given up. `shutdown_timeout` is the seconds that
    requests may go on after the stop; without `graceful_shutdown` they are cancelled at once.
    Errors: TypeError or ValueError for what cannot be.
    """

    def __init__(
        self,
        workers: int | None = None,
        cpu_affinity: bool = False,
        max_restarts: int = 5,
        graceful_shutdown: bool = True,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT_S,
    ) -> None:
        self.workers: int | None = None if workers is None else _whole(workers, "workers", 1, MOST_WORKERS)
        self.cpu_affinity: bool = _bool(cpu_affinity, "cpu_affinity")
        self.max_restarts: int = _whole(max_restarts, "max_restarts", 0)
        self.graceful_shutdown: bool = _bool(graceful_shutdown, "graceful_shutdown")
        self.shutdown_timeout: float = _shutdown_timeout(shutdown_timeout, "shutdown_timeout")

    @classmethod
    def auto(cls) -> Self:
        """One worker for each CPU that this process may use, in development too."""
        from cello._cpus import usable

        return cls(workers=min(usable(), MOST_WORKERS))

    def __repr__(self) -> str:
        return _repr(self)


#: Header fields of answers that a client, or the server itself, understands.
_MEANT = frozenset(
    {"allow", "connection", "date", "etag", "keep-alive", "location", "server", "set-cookie"}
    | {"trailer", "transfer-encoding", "upgrade", "vary"}
)


class AccessLog(NamedTuple):
    """Which answers are told of on standard output, and how."""

    format: Literal["text", "json"] = "text"
    sample_rate: float = 1.0
    skip: tuple[str, ...] = ()

    @classmethod
    def checked(cls, form: Literal["text", "json"], sample_rate: float, skip: Iterable[str]) -> AccessLog:
        """What `App.set_access_log` was given.

        Errors: TypeError or ValueError for what cannot be.
        """
        if form not in ("text", "json"):
            raise ValueError(f'there is no access log of the form {form!r}: use "text" or "json"')
        if isinstance(skip, str):
            raise TypeError(f"the paths to skip are a list: give [{skip!r}]")
        skipped = tuple(skip)
        for path in skipped:
            if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
                raise TypeError(f"{path!r} is no path to skip: use a str")
            if not path.startswith("/"):
                raise ValueError(f'{path!r} is no path to skip: a path begins with "/"')
        return cls(form, _part(sample_rate, "sample_rate"), skipped)


def checked_request_id_header(name: str) -> str:
    """The name of a header field that can tell ids.

    Errors: TypeError or ValueError for one that cannot.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what the caller wrote
        raise TypeError(f"{name!r} is no name of a header field: use a str")
    # RFC 9110 §5.6.2
    if not name or not name.isascii() or not all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name):
        raise ValueError(f"{name!r} is no name of a header field: use letters, digits and hyphens")
    if name.lower() in _MEANT or name.lower().startswith("content-"):
        raise ValueError(f"the header field {name} has a meaning of its own: take another for request ids")
    return name


def _whole(value: Any, name: str, least: int, most: int = (1 << 63) - 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r} is no whole number")
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r} cannot be: it is {least} or more, and {most} at most")
    return value


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r} is no number of seconds")
    if not 0 < value <= 1e9:  # which refuses what is no number, too
        raise ValueError(f"{name}={value!r} is no time: it is more than 0 seconds")
    return float(value)


def _shutdown_timeout(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r} is no number of seconds")
    if not 0 <= value <= MOST_SHUTDOWN_TIMEOUT_S:  # which refuses what is no number, too
        raise ValueError(f"{name}={value!r} cannot be: it is 0 seconds or more, and {MOST_SHUTDOWN_TIMEOUT_S} at most")
    return float(value)


def _part(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r} is no number")
    if not 0 <= value <= 1:  # which refuses what is no number, too
        raise ValueError(f"{name}={value!r} cannot be: it is a part of all, 0 to 1")
    return float(value)


def _bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is neither True nor False")
    return value


def _either(name: str, value: float | None, alias: str, other: float | None) -> float | None:
    if value is not None and other is not None:
        raise TypeError(f"{name} and {alias} are one and the same: give one of them")
    return other if value is None else value


def _repr(config: object) -> str:
    return f"{type(config).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(config).items())})"
