"""Cello: a Python web framework on a minimal native kernel."""

import os
import sys
from typing import TYPE_CHECKING

from cello._kernel import FormData, Request, Response, UploadedFile, __version__
from cello._plugins.modules import Unknown as _Unknown
from cello._problem import ProblemDetails
from cello.app import App
from cello.blueprint import Blueprint

if TYPE_CHECKING:
    from cello._config import ClusterConfig, LimitsConfig, ThreadPoolConfig, TimeoutConfig
    from cello._current import current_request
    from cello.background import BackgroundTasks
    from cello.dependencies import Depends

__all__: list[str] = [
    "App",
    "BackgroundTasks",
    "Blueprint",
    "ClusterConfig",
    "Depends",
    "FormData",
    "LimitsConfig",
    "ProblemDetails",
    "Request",
    "Response",
    "ThreadPoolConfig",
    "TimeoutConfig",
    "UploadedFile",
    "__version__",
    "current_request",
]

#: What is imported when it is first asked for: name to module.
_LAZY = {
    "BackgroundTasks": "cello.background",
    "ClusterConfig": "cello._config",
    "Depends": "cello.dependencies",
    "LimitsConfig": "cello._config",
    "ThreadPoolConfig": "cello._config",
    "TimeoutConfig": "cello._config",
    "current_request": "cello._current",
}


if TYPE_CHECKING:  # what plugins export is as public as what is here
    from cello import _contrib, _contrib_strangers
    from cello._contrib import *  # noqa: F403
    from cello._contrib_strangers import *  # noqa: F403

    __all__ += _contrib.__all__
    __all__ += _contrib_strangers.__all__


sys.meta_path.append(_Unknown)

if "CELLO_WORKER" in os.environ:  # what its script raises from here on is its supervisor's to tell
    from cello._mistake import watch

    watch()

if not TYPE_CHECKING:  # with it, every misspelt name would be one to a type checker

    def __getattr__(name: str) -> object:
        module = _LAZY.get(name)
        if module is None:
            from cello._plugins.exports import export

            return export(name)
        from importlib import import_module

        return getattr(import_module(module), name)

    def __dir__() -> list[str]:
        from cello._plugins.exports import exported

        return sorted({*globals(), *__all__, *exported()})
