"""Middleware, hooks and exception handlers."""

from collections.abc import Callable
from typing import Any, assert_type

from cello import App, Blueprint, Request, Response
from cello.errors import HTTPError, NotFound, Unauthorized
from cello.middleware import CallNext, Middleware, Phase, SyncCallNext
from cello.validation import ValidationError

app, api = App(), Blueprint("/api")


async def stamp(request: Request, call_next: CallNext) -> Response:
    response = await call_next(request)
    assert_type(response, Response)
    response.headers["x-served-by"] = "cello"
    return response


def no_sniffing(request: Request, call_next: SyncCallNext) -> Response:
    response = call_next(request)
    assert_type(response, Response)
    return response


def say(word: str) -> Middleware:
    async def middleware(request: Request, call_next: CallNext) -> Response:
        response = await call_next(request)
        response.append_header("x-passed", word)
        return response

    return middleware


class Maintenance:
    """A middleware that is an object; of the class an instance is made."""

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        return await call_next(request)


class Still:
    """The same for what is `def`."""

    def __call__(self, request: Request, call_next: SyncCallNext) -> Response:
        return call_next(request)


assert_type(app.use(stamp), App)
assert_type(api.use(no_sniffing).use(say("blueprint")), Blueprint)
app.use(Maintenance())
app.use(Maintenance)
api.use(Still)
app.add_middleware(Maintenance, name="another")
app.add_middleware(stamp, phase=Phase.SHIELD, before="users", after=["?sessions", "other"], name="stamp")


@app.before_request
def need_a_key(request: Request) -> None:
    if "x-key" not in request.headers:
        raise Unauthorized("Send the key.")


@app.before_request
async def answer_early(request: Request) -> Response | None:
    return Response.text("early") if request.path == "/early" else None


@api.after_request
async def count(request: Request, response: Response) -> None:
    request.state.status = response.status


assert_type(need_a_key(Request("GET", "/", headers={"x-key": "1"})), None)


@app.exception_handler(ValueError)
def refuse(request: Request, exc: ValueError) -> Response:
    return Response.json({"error": str(exc)}, status=400)


@app.exception_handler(404)
async def nothing_there(request: Request, exc: NotFound) -> dict[str, str]:
    return {"there is nothing at": request.path}


@app.exception_handler(KeyError)
@app.exception_handler(IndexError)
@api.exception_handler(410)
def gone(request: Request, exc: LookupError | HTTPError) -> tuple[str, int]:
    return str(exc), 410


@api.exception_handler(ValidationError)
def tell_all(request: Request, exc: HTTPError) -> tuple[Any, int]:
    return [*exc.extensions], exc.status


@app.exception_handler(Exception)
def sorry(request: Request, exc: Exception) -> dict[str, str]:
    return {"sorry": request.request_id}


answered: Callable[[Request, ValueError], Response] = refuse
assert_type(sorry(Request("GET", "/"), ValueError()), dict[str, str])
