"""The variables of the environment that are the platform's own, and the sections that would spell one."""

from __future__ import annotations

from functools import cache

__all__ = ["PREFIX", "VARIABLES", "reserved", "variable"]

PREFIX = "CELLO_"

#: All that the framework reads; a test compares them with what the code reads.
VARIABLES = frozenset(
    PREFIX + name
    for name in (
        "BIND",
        "CONFIG",
        "CPU_AFFINITY",
        "DEBUG",
        "ENV",
        "HOST",
        "LOGS",
        "MAX_REQUESTS",
        "MAX_REQUESTS_JITTER",
        "MAX_RSS",
        "PLACE",
        "PLUGINS",
        "PLUGINS_AUTOLOAD",
        "PLUGINS_DISABLE",
        "PLUGINS_STRICT",
        "PORT",
        "PRELOAD",
        "RELOAD",
        "RELOAD_EXCLUDE",
        "RELOAD_INCLUDE",
        "SHUTDOWN_DELAY",
        "SHUTDOWN_TIMEOUT",
        "WORKER",
        "WORKERS",
        "WORKER_TIMEOUT",
    )
)


def variable(section: str, key: str) -> str:
    """The variable that gives a key of a section."""
    return f"{PREFIX}{section}_{key}".upper()


@cache
def reserved() -> dict[str, str]:
    """The sections that would spell a variable of the platform's own, each with one that it would."""
    found: dict[str, str] = {}
    for name in sorted(VARIABLES):
        words = name.removeprefix(PREFIX).lower().split("_")
        for count in range(1, len(words)):
            found.setdefault("_".join(words[:count]), name)
    return found
