"""Errors, raised and returned."""

from typing import Any, assert_type

from cello import App, ProblemDetails, Response
from cello.errors import (
    BadRequest,
    CelloError,
    HTTPError,
    MalformedJSON,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
)

app = App()


@app.get("/problem")
def problem() -> ProblemDetails:
    sold_out = ProblemDetails("https://example.org/sold-out", "It is sold out.", 409, detail="No violin is left.")
    assert_type(sold_out.with_extension("next_in_days", 3), ProblemDetails)
    assert_type(sold_out.to_response(), Response)
    assert_type(sold_out.to_json(), str)
    assert_type(sold_out.detail, str | None)
    return sold_out


errors: list[HTTPError] = [
    HTTPError(418, "I am a teapot.", title="Teapot", type="https://example.org/teapot"),
    NotFound(),
    BadRequest("No.", headers={"x-why": "no"}, extensions={"left": 0}),
    MalformedJSON("No.", headers=[("x-why", "no")]),
    Unauthorized(challenge='Basic realm="cello"'),
    MethodNotAllowed(allow=["GET", "HEAD"]),
    UnprocessableContent("No.", errors=[{"detail": "must be positive", "pointer": "#/price"}]),
    TooManyRequests(retry_after_s=2.5),
    ServiceUnavailable("Later.", retry_after_s=10),
    PreconditionFailed("No.", headers={"etag": '"2"'}, extensions={"current": 2}),
    RangeNotSatisfiable(length_bytes=10),
]
failures: list[CelloError] = [*errors]
values: list[ValueError] = [MalformedJSON()]
assert_type(errors[0].status, int)
assert_type(errors[0].detail, str | None)
assert_type(errors[0].title, str)
assert_type(errors[0].headers, tuple[tuple[str, str], ...])
assert_type(errors[0].extensions, dict[str, Any])
