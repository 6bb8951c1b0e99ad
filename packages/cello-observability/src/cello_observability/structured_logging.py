"""The application's log records as lines of JSON, or of text: while it is served."""

from __future__ import annotations

import logging
import os
import random
import threading
from typing import TYPE_CHECKING, Literal, NamedTuple
from weakref import WeakKeyDictionary
from zlib import crc32

from cello import current_request
from cello.plugin import configured

from cello_observability.config import LEVELS, StructuredLoggingConfig
from cello_observability.formatter import JsonFormatter, TextFormatter
from cello_observability.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cello import App, Request

__all__ = ["StructuredHandler", "enable", "start", "stop"]


class StructuredHandler(logging.Handler):
    """Writes each record as one line, and never fails.

    Units: `sample_rate` is the part of the requests, 0 to 1, whose records below WARNING are written: of a request all,
    or none. Outside of requests it is the part of the records.
    """

    def __init__(self, formatter: logging.Formatter, output: Output, sample_rate: float = 1.0) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._output = output
        self._sample_rate = sample_rate
        #: Records that could not be written since the last that was.
        self._lost = 0
        self._inside = threading.local()

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """Whether the record is written."""
        if self._sample_rate < 1 and record.levelno < logging.WARNING and not self._is_drawn():
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record."""
        # What is logged while a record is made into a line would be made into a line, and so on.
        if getattr(self._inside, "is_busy", False):
            return
        self._inside.is_busy = True
        try:
            self._write(self._line(record))
        finally:
            self._inside.is_busy = False

    def close(self) -> None:
        """Closes the output, too."""
        super().close()
        self._output.close()

    def _is_drawn(self) -> bool:
        request = current_request()
        if request is None:
            return random.random() < self._sample_rate
        return crc32(request.request_id.encode()) < self._sample_rate * 2**32

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:
            return self._words(logging.ERROR, f"a record of {record.name!r} failed: {type(error).__name__}")

    def _words(self, level: int, words: str) -> str:
        """A line of the handler's own."""
        try:
            return self.format(logging.LogRecord(__name__, level, __file__, 0, words, None, None))
        except Exception:
            return words

    def _write(self, line: str) -> None:
        try:
            if self._lost:
                self._output.write(f"{self._words(logging.WARNING, f'{self._lost} records could not be written')}\n")
                self._lost = 0
            self._output.write(f"{line}\n")
        except (OSError, ValueError):
            self._lost += 1


class _Installed(NamedTuple):
    handler: StructuredHandler
    logger: logging.Logger
    #: What the levels of loggers were.
    levels: dict[logging.Logger, int]


class _Chosen:
    """What an application has chosen, and what came of it."""

    def __init__(self, config: StructuredLoggingConfig) -> None:
        self.config = config
        self.installed: _Installed | None = None


_chosen: WeakKeyDictionary[App, _Chosen] = WeakKeyDictionary()


def enable(
    app: App,
    format: Literal["json", "text"] | None = None,  # noqa: A002 - the word that is looked for
    level: str | None = None,
    include_trace_id: bool | None = None,
    output: str | os.PathLike[str] | None = None,
    *,
    logger: str | None = None,
    levels: Mapping[str, str] | None = None,
    redact: Iterable[str] | None = None,
    sample_rate: float | None = None,
    access_log: bool | None = None,
    user: Callable[[Request], object] | None = None,
) -> App:
    """Writes log records as lines of JSON, from the start of the application in a worker to its end.

    A line has `timestamp`, `level`, `logger` and `message`; in a request `request_id`, `method`, `path`, `route`,
    `user`, and of its `traceparent` `trace_id` and `span_id`; the values of `extra=`, and `exception`. Called again it
    replaces what was said before. What is not given is what the configuration says, or `StructuredLoggingConfig`.

    Errors: TypeError or ValueError for what cannot be; a file that cannot be opened is told at start.
    """
    config = configured(
        "structured_logging",
        StructuredLoggingConfig,
        format=format,
        level=level,
        include_trace_id=include_trace_id,
        output=None if output is None else os.fspath(output),
        logger=logger,
        levels=None if levels is None else dict(levels),
        redact=redact if redact is None or isinstance(redact, str) else tuple(redact),
        sample_rate=sample_rate,
        access_log=access_log,
        user=user,
    )
    if config.access_log:
        app.set_access_log(config.format)
    # One that is served goes on as it has begun.
    _chosen.setdefault(app, _Chosen(config)).config = config
    return app


def start(app: App) -> None:
    """Has the log take its form; nothing where the application has not enabled it.

    Errors: OSError for a file that cannot be opened.
    """
    chosen = _chosen.get(app)
    if chosen is not None and chosen.installed is None:
        chosen.installed = _install(chosen.config)


def stop(app: App) -> None:
    """Has the log be as it was."""
    chosen = _chosen.get(app)
    if chosen is not None and chosen.installed is not None:
        _remove(chosen.installed)
        chosen.installed = None


def _install(config: StructuredLoggingConfig) -> _Installed:
    made = JsonFormatter if config.format == "json" else TextFormatter
    formatter = made(redact=config.redact, include_trace_id=config.include_trace_id, user=config.user)
    handler = StructuredHandler(formatter, Output(config.output), config.sample_rate)
    wanted = {config.logger: config.level, **config.levels}
    loggers = {logging.getLogger(name or None): LEVELS[level.lower()] for name, level in wanted.items()}
    installed = _Installed(handler, logging.getLogger(config.logger or None), {one: one.level for one in loggers})
    for one, level in loggers.items():
        one.setLevel(level)
    installed.logger.addHandler(handler)
    return installed


def _remove(installed: _Installed) -> None:
    installed.logger.removeHandler(installed.handler)
    for one, level in installed.levels.items():
        one.setLevel(level)
    installed.handler.close()
