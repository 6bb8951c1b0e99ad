"""Cello: a Python web framework on a minimal native kernel."""

from cello._kernel import Request, Response, __version__
from cello._problem import ProblemDetails
from cello.app import App

__all__ = ["App", "ProblemDetails", "Request", "Response", "__version__"]
