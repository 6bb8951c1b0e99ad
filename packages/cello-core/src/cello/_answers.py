"""Exception handlers: which of a scope's functions answers for an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cello._failure import log_failure
from cello._handler import is_async, name_of, takes, where
from cello._returned import to_response, with_status
from cello.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cello._kernel import Request, Response

__all__ = ["Answers", "Found", "checked_answer", "checked_subject"]

#: On an exception that an exception handler raised: the table it is of, which is not asked again.
_RAISED_BY = "__cello_raised_by__"


class Found(NamedTuple):
    """An exception handler, and whether what it gives is to be awaited."""

    function: Callable[[Request, Any], Any]
    is_async: bool
    #: Whether it answers for every exception: what it answers for is a failure, and is logged as one.
    is_last_resort: bool


class Answers:
    """The exception handlers of a scope, by what they answer for."""

    def __init__(
        self,
        functions: Mapping[type[Exception] | int, Callable[[Request, Any], Any]],
        tell: Callable[[Request, Any], Response] | None = None,
    ) -> None:
        #: Answers for an HTTPError that nobody else answers for.
        self._tell = None if tell is None else Found(tell, is_async=False, is_last_resort=False)
        self._found = {
            subject: Found(function, is_async(function), subject in (Exception, 500))
            for subject, function in functions.items()
        }

    def __bool__(self) -> bool:
        return bool(self._found) or self._tell is not None

    def first_async(self) -> Callable[..., Any] | None:
        """One that is an `async def`, if there is any."""
        return next((found.function for found in self._found.values() if found.is_async), None)

    def find(self, error: Exception) -> Found | None:
        """Who answers for an exception: the most specific class first.

        A status goes between the framework's class for it and HTTPError; 500 is for whatever nobody else answers for.
        """
        found = self._found
        is_http = isinstance(error, HTTPError)
        if getattr(error, _RAISED_BY, None) is self:
            return self._tell if is_http else None
        for kind in type(error).__mro__:
            if kind is HTTPError and error.status in found:  # type: ignore[attr-defined]
                return found[error.status]  # type: ignore[attr-defined]
            if kind in found:
                return found[kind]
        return self._tell if is_http else found.get(500)

    def answer(self, found: Found, request: Request, error: Exception) -> Response:
        """Has an exception handler answer that is a `def`."""
        try:
            return respond(request, error, found.function(request, error), found)
        except Exception as failure:
            setattr(failure, _RAISED_BY, self)
            raise

    async def answer_async(self, found: Found, request: Request, error: Exception) -> Response:
        """Has an exception handler answer."""
        try:
            returned = found.function(request, error)
            return respond(request, error, await returned if found.is_async else returned, found)
        except Exception as failure:
            setattr(failure, _RAISED_BY, self)
            raise


def respond(request: Request, error: Exception, returned: Any, found: Found) -> Response:
    """What an exception handler returned, with the status of the exception where it says none.

    What is no Response has its header fields too, such as `Allow`, where the status is the exception's.

    Errors: TypeError for None, which is a forgotten return, and for what is no answer.
    """
    if returned is None:
        raise TypeError(f"the exception handler {where(found.function)} returned None: it is to return a response")
    if isinstance(error, HTTPError):
        response = to_response(with_status(returned, error.status))
        if response is not returned and response.status == error.status:
            own = {name.lower() for name in response.headers}
            for name, value in error.headers:
                if name.lower() not in own:
                    response.append_header(name, value)
    else:
        response = to_response(with_status(returned, 500))
    if found.is_last_resort and response.status >= 500:
        log_failure(request, error)
    return response


def checked_subject(subject: object) -> type[Exception] | int:
    """What an exception handler answers for, if it can be that.

    Errors: TypeError, ValueError for a status that is no error's.
    """
    name = name_of(subject)
    if isinstance(subject, type) and issubclass(subject, Exception):
        return subject
    if isinstance(subject, int) and not isinstance(subject, bool):
        if not 400 <= subject <= 599:
            raise ValueError(f"no exception has the status {subject}: use 400 to 599")
        return subject
    raise TypeError(
        f"{name} is no exception: an exception handler is for a class, as ValueError, or for a status, as 404"
    )


def checked_answer(function: object) -> Callable[[Request, Any], Any]:
    """An exception handler, if it can be one.

    Errors: TypeError.
    """
    if not callable(function):
        raise TypeError(f"{function!r} is no exception handler: it is a function (request, exc)")
    if not takes(function, 2):
        raise TypeError(f"the exception handler {where(function)} is to take (request, exc)")
    return function
