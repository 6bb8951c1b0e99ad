"""Middleware, hooks and exception handlers: what cannot be one."""

from cello import App, Request, Response
from cello.errors import NotFound
from cello.middleware import CallNext, Phase, SyncCallNext

app = App()


async def gives_nothing(request: Request, call_next: CallNext) -> None:
    await call_next(request)


async def takes_no_next(request: Request) -> Response:
    return Response()


def forgets_to_wait(request: Request, call_next: CallNext) -> Response:
    return call_next(request)  # rejected


def gives_a_dict(request: Request, call_next: SyncCallNext) -> dict[str, str]:
    return {}


async def calls_with_nothing(request: Request, call_next: CallNext) -> Response:
    return await call_next()  # rejected


class NotOne:
    """Cannot be called."""


app.use(gives_nothing)  # rejected
app.use(takes_no_next)  # rejected
app.use(gives_a_dict)  # rejected
app.use(NotOne())  # rejected
app.use(NotOne)  # rejected
app.use("cors")  # rejected
app.add_middleware(NotOne)  # rejected
app.add_middleware(calls_with_nothing, phase="shield")  # rejected
app.add_middleware(calls_with_nothing, phase=3)  # rejected
app.add_middleware(calls_with_nothing, Phase.EDGE, before=[1])  # rejected
app.add_middleware(calls_with_nothing, name=7)  # rejected
Phase.OUTERMOST  # rejected


@app.before_request  # rejected
def takes_too_much(request: Request, response: Response) -> None: ...


@app.after_request  # rejected
def takes_too_little(request: Request) -> None: ...


@app.exception_handler(ValueError)  # rejected
def of_another_error(request: Request, exc: KeyError) -> None: ...


@app.exception_handler(NotFound)  # rejected
def of_no_error(request: Request) -> None: ...


app.exception_handler("404")  # rejected
app.exception_handler(ValueError())  # rejected
app.exception_handler(KeyboardInterrupt)  # rejected
app.exception_handler(Request)  # rejected
