"""Cello: a Python web framework on a minimal native kernel."""

from cello._kernel import FormData, Request, Response, UploadedFile, __version__
from cello._problem import ProblemDetails
from cello.app import App

__all__ = ["App", "FormData", "ProblemDetails", "Request", "Response", "UploadedFile", "__version__"]
