"""The features of an application, and of a request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cello.plugin import configured

from limelight.config import LimelightConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cello import App, Request, Response
    from cello.middleware import CallNext

__all__ = ["Choosing", "Flags", "Limelight", "enable", "find", "of_request", "tell"]

_log = logging.getLogger("limelight")


class Limelight:
    """The features of an application."""

    def __init__(self, config: LimelightConfig) -> None:
        self.config = config
        #: How often each was asked for.
        self.asked: dict[str, int] = dict.fromkeys(config.flags, 0)


class Flags:
    """The features of a request."""

    def __init__(self, limelight: Limelight, chosen: Mapping[str, bool]) -> None:
        self._limelight = limelight
        self._chosen = chosen

    def is_on(self, name: str) -> bool:
        """Whether a feature is on.

        Errors: KeyError for one that there is not.
        """
        flags = self._limelight.config.flags
        if name not in flags:
            raise KeyError(f"there is no feature {name!r}: there are {', '.join(sorted(flags)) or 'none'}")
        self._limelight.asked[name] += 1
        return self._chosen.get(name, flags[name])

    def __iter__(self) -> Iterator[str]:
        return (name for name, is_on in self._limelight.config.flags.items() if self._chosen.get(name, is_on))


class Choosing:
    """Middleware that takes what clients choose."""

    def __init__(self, limelight: Limelight) -> None:
        self._limelight = limelight

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        """Answers with the features that the request chooses; of names that there are not nothing is said."""
        flags = self._limelight.config.flags
        words = [word.strip() for word in request.headers.get(self._limelight.config.header, "").split(",")]
        chosen = {word.removeprefix("-"): not word.startswith("-") for word in words}
        request.set_context("limelight", {name: is_on for name, is_on in chosen.items() if name in flags})
        return await call_next(request)


def enable(app: App, flags: Mapping[str, bool] | None = None, *, header: str | None = None) -> App:
    """Has an application know features by name, each on or off.

    With `header` clients choose in that header field, for their own request. What is not given is as configured.
    Errors: OptionError for what the configuration says and cannot be; ValueError for what is no name of a feature.
    """
    given = None if flags is None else dict(flags)
    config = configured("limelight", LimelightConfig, flags=given, header=header)
    app.state.limelight = Limelight(config)
    if config.header:
        app.add_middleware(Choosing(app.state.limelight), name="limelight")
    return app


def find(app: App) -> Limelight | None:
    """The features of an application; None where it has not enabled them."""
    found: Limelight | None = getattr(app.state, "limelight", None)
    return found


def of_request(request: Request) -> Flags:
    """The features of a request.

    Errors: RuntimeError where its application has not enabled them.
    """
    limelight = find(request.app)
    if limelight is None:
        raise RuntimeError("request.flags needs app.enable_limelight()")
    return Flags(limelight, request.get_context("limelight", {}))


def tell(app: App) -> None:
    """Writes to the log how often each feature was asked for, and counts anew."""
    limelight = find(app)
    if limelight is not None and any(limelight.asked.values()):
        words = ", ".join(f"{name} {count} times" for name, count in limelight.asked.items())
        _log.info("features asked for: %s", words)
        limelight.asked.update(dict.fromkeys(limelight.asked, 0))
