"""Errors: arguments that they do not take."""

import cello
from cello import ProblemDetails
from cello.errors import HTTPError, MethodNotAllowed, NotFound, TooManyRequests, Unauthorized, UnprocessableContent

ProblemDetails("about:blank", "Sold out")  # rejected
ProblemDetails("about:blank", "Sold out", "409")  # rejected

HTTPError()  # rejected
HTTPError("404")  # rejected
HTTPError(404, headers={"x-number": 7})  # rejected
HTTPError(404, "No.", "about:blank")  # rejected
NotFound(404)  # rejected
NotFound("No.", status=404)  # rejected
NotFound("No.", extensions=[1])  # rejected
MethodNotAllowed()  # rejected
Unauthorized(challenge=None)  # rejected
TooManyRequests(retry_after_s="10")  # rejected
UnprocessableContent(errors="No.")  # rejected
detail: str = NotFound().detail  # rejected
cello.NotFound  # rejected
