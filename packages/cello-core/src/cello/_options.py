"""The options of a server: their sources, their order, and their defaults."""

from __future__ import annotations

import argparse
import difflib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cello import _quantities
from cello._binds import chosen
from cello._cluster import default_workers
from cello._config import MOST_SHUTDOWN_TIMEOUT_S, MOST_WORKERS, SHUTDOWN_TIMEOUT_S
from cello.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Options", "add_options", "refuse_misspelt", "resolve", "script_options"]

_ENVIRONMENTS = ("development", "production")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Options:
    """How an application is served.

    Units: `port` 0 takes any that is free; `shutdown_timeout`, `shutdown_delay` and `worker_timeout` in seconds;
    `max_rss` in bytes; `max_restarts` None for no limit, `max_requests`, `max_rss` and `worker_timeout` 0.
    Shape: where there is a `bind`, it is in place of `host` and `port`.
    """

    host: str
    port: int
    env: str
    debug: bool
    logs: bool
    workers: int = 1
    cpu_affinity: bool = False
    shutdown_timeout: float = SHUTDOWN_TIMEOUT_S
    shutdown_delay: float = 0.0
    max_restarts: int | None = None
    bind: tuple[str, ...] = ()
    max_requests: int = 0
    max_requests_jitter: int = 0
    max_rss: int = 0
    worker_timeout: float = 0
    preload: bool = False
    reload: bool = False
    reload_include: tuple[str, ...] = ()
    reload_exclude: tuple[str, ...] = ()

    @property
    def is_supervised(self) -> bool:
        """Whether it takes a supervisor: for several workers, or to replace one."""
        is_watched = self.max_requests or self.max_rss or self.worker_timeout
        return self.workers > 1 or self.preload or self.reload or bool(is_watched)


def resolve(
    command_line: Mapping[str, Any],
    arguments: Mapping[str, Any],
    environment: Mapping[str, str],
    application: Mapping[str, Any] | None = None,
) -> Options:
    """Settles each option: the command line goes before the arguments of `run()`, they before the environment.

    What the `application` says comes last, before the defaults.

    Shape: a missing or None value leaves the choice to the next source.
    Errors: OptionError, naming the source.
    """

    said = application or {}

    def choose(name: str, check: Callable[[Any, str], Any], *variables: str) -> Any:
        sources = [(f"--{name.replace('_', '-')}", command_line.get(name)), (f"run({name}=...)", arguments.get(name))]
        sources += [(variable, environment.get(variable)) for variable in variables]
        sources.append((f"the application's {name}", said.get(name)))
        return next((check(value, source) for source, value in sources if value is not None), None)

    env = choose("env", _environment, "CELLO_ENV") or "development"
    debug = choose("debug", _flag, "CELLO_DEBUG")
    logs = choose("logs", _flag, "CELLO_LOGS")
    port = choose("port", _port, "CELLO_PORT", "PORT")
    debug = env == "development" if debug is None else debug
    shutdown_timeout = choose("shutdown_timeout", _seconds, "CELLO_SHUTDOWN_TIMEOUT")
    max_requests = choose("max_requests", _quantities.count, "CELLO_MAX_REQUESTS")
    jitter = choose("max_requests_jitter", _quantities.count, "CELLO_MAX_REQUESTS_JITTER")
    is_reloading = choose("reload", _flag, "CELLO_RELOAD") or False
    if is_reloading and env == "production":
        raise OptionError("reload is for development, and env is production: leave one of them out")
    is_preloading = choose("preload", _flag, "CELLO_PRELOAD") or False
    if is_preloading and is_reloading:
        raise OptionError("preload imports the application once, and reload at each save: leave one of them out")
    return Options(
        host=choose("host", _host, "CELLO_HOST") or "127.0.0.1",
        port=8000 if port is None else port,
        env=env,
        debug=debug,
        logs=debug if logs is None else logs,
        workers=choose("workers", _workers, "CELLO_WORKERS")
        or default_workers(is_development=debug or env == "development"),
        cpu_affinity=choose("cpu_affinity", _cpu_affinity, "CELLO_CPU_AFFINITY") or False,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S if shutdown_timeout is None else shutdown_timeout,
        shutdown_delay=choose("shutdown_delay", _seconds, "CELLO_SHUTDOWN_DELAY") or 0.0,
        max_restarts=said.get("max_restarts"),
        bind=chosen(command_line, arguments, environment),
        max_requests=max_requests or 0,
        max_requests_jitter=(max_requests or 0) // 10 if jitter is None else jitter,
        max_rss=choose("max_rss", _quantities.memory, "CELLO_MAX_RSS") or 0,
        worker_timeout=choose("worker_timeout", _quantities.seconds, "CELLO_WORKER_TIMEOUT") or 0,
        preload=is_preloading,
        reload=is_reloading,
        reload_include=choose("reload_include", _patterns, "CELLO_RELOAD_INCLUDE") or (),
        reload_exclude=choose("reload_exclude", _patterns, "CELLO_RELOAD_EXCLUDE") or (),
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options to a parser; what is not given stays None."""
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on, 0 for any that is free (8000)")
    parser.add_argument(
        "--bind",
        action="append",
        help="in their place HOST:PORT, unix:/run/app.sock or fd://3; as often as there are places to listen at",
    )
    parser.add_argument("--env", help="development or production: decides the defaults below (development)")
    parser.add_argument("--debug", action="store_true", default=None, help="show errors to clients (on in development)")
    parser.add_argument(
        "--workers", help="how many processes serve, under one that supervises them (1; in production the CPUs)"
    )
    parser.add_argument(
        "--cpu-affinity", action="store_true", default=None, help="each worker runs on one CPU only (off)"
    )
    parser.add_argument("--shutdown-timeout", help="seconds that requests may go on after the stop (30)")
    parser.add_argument("--shutdown-delay", help="seconds to serve on after SIGTERM, not ready any more (0)")
    parser.add_argument("--max-requests", help="replace a worker that has answered so many (never)")
    parser.add_argument("--max-requests-jitter", help="so many more or less, by chance (a tenth of --max-requests)")
    parser.add_argument("--max-rss", help="replace a worker that has more memory, such as 512M (never)")
    parser.add_argument(
        "--worker-timeout", help="end and replace a worker that makes no progress for so long, in s (never)"
    )
    parser.add_argument(
        "--preload", action="store_true", default=None, help="import the application once, and fork workers off (off)"
    )
    parser.add_argument("--reload", action="store_true", default=None, help="start anew when a file is saved (off)")
    parser.add_argument(
        "--reload-include", action="append", metavar="GLOB", help="files that are watched as well; may be repeated"
    )
    parser.add_argument(
        "--reload-exclude", action="append", metavar="GLOB", help="files and folders that are not; may be repeated"
    )
    parser.add_argument(
        "--no-logs", dest="logs", action="store_false", default=None, help="no line for each request (on in production)"
    )


def script_options(argv: Sequence[str]) -> dict[str, Any]:
    """Reads the options from a script's own command line, and leaves alone what is the script's.

    Errors: OptionError for an option that is nearly one of these.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_options(parser)
    found, rest = parser.parse_known_args(argv)
    refuse_misspelt(parser, rest)
    return vars(found)


def refuse_misspelt(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Looks among words that no option took for one that is nearly an option.

    Errors: OptionError, with the option that may have been meant.
    """
    known = [option for action in parser._actions for option in action.option_strings]
    for word in words:
        name = word.partition("=")[0]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.75) if name.startswith("--") else []
        if nearest:
            raise OptionError(f"there is no option {name}: did you mean {nearest[0]}?")


def _host(value: Any, source: str) -> str:
    if not isinstance(value, str) or not value:
        raise OptionError(f"{source} is {value!r}: give an address, such as 127.0.0.1")
    return value


def _port(value: Any, source: str) -> int:
    port = _quantities.whole(value)
    if not 0 <= port <= 65_535:
        raise OptionError(f"{source} is {value!r}: a port is a number from 0 to 65535")
    return port


def _workers(value: Any, source: str) -> int:
    workers = _quantities.whole(value)
    if not 1 <= workers <= MOST_WORKERS:
        raise OptionError(f"{source} is {value!r}: workers are a number from 1 to {MOST_WORKERS}")
    return workers


def _cpu_affinity(value: Any, source: str) -> bool:
    chosen = _flag(value, source)
    if chosen and not hasattr(os, "sched_setaffinity"):
        raise OptionError(f"{source} is {value!r}: this system cannot have a process run on one CPU only")
    return chosen


def _seconds(value: Any, source: str) -> float:
    timeout_s = _quantities.real(value)
    if not 0 <= timeout_s <= MOST_SHUTDOWN_TIMEOUT_S:
        raise OptionError(f"{source} is {value!r}: it is a number of seconds from 0 to {MOST_SHUTDOWN_TIMEOUT_S}")
    return timeout_s


def _patterns(value: Any, source: str) -> tuple[str, ...]:
    """Several of them; in one word they stand with commas between them."""
    given: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(value, str | list | tuple) or not all(isinstance(one, str) and one.strip("/") for one in given):
        raise OptionError(f"{source} is {value!r}: give globs of names, as in *.yaml, or of paths, as in texts/*.md")
    return tuple(given)


def _environment(value: Any, source: str) -> str:
    if value not in _ENVIRONMENTS:
        raise OptionError(f"{source} is {value!r}: use {' or '.join(_ENVIRONMENTS)}")
    return str(value)


def _flag(value: Any, source: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE + _FALSE:
        raise OptionError(f"{source} is {value!r}: use 1 or 0")
    return word in _TRUE
