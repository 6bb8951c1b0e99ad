"""Cello as its documents show it, with every default: limits, timeouts and checks are on."""

# ruff: noqa: ARG001 (a handler is given the request, wanted or not)

import asyncio
import importlib
import os
from typing import Annotated

import answers
import loopback
import neighbours
import row
import spin
from cello import App, Depends, Request, Response
from cello.middleware import CallNext, Middleware
from prices import Prices, Settings

app = App()
app.on_event("startup")(row.connect)
app.on_event("startup")(loopback.serve)


@app.get("/")
def hello(request: Request) -> dict[str, str]:
    """Answer from a `def`."""
    return {"message": "Hello, World!"}


@app.get("/async")
async def hello_async(request: Request) -> dict[str, str]:
    """Answer from an `async def`."""
    return {"message": "Hello, World!"}


@app.get("/suspend")
async def suspend(request: Request) -> dict[str, str]:
    """Answer after one turn of the loop."""
    await asyncio.sleep(0)
    return {"message": "Hello, World!"}


@app.get("/row")
async def one_row(request: Request) -> dict[str, object]:
    """Answer with a row of the database."""
    return await row.fetch()


@app.get("/echo")
async def echo(request: Request) -> dict[str, str]:
    """Answer with what has come back over a connection."""
    return {"message": await loopback.echo()}


@app.get("/sleep")
async def sleep(request: Request) -> dict[str, str]:
    """Answer after 50 ms."""
    await asyncio.sleep(0.05)
    return {"message": "Hello, World!"}


@app.get("/search")
def search(request: Request) -> dict[str, object]:
    """Answer from three query parameters and a header."""
    return {
        "q": request.query.get("q"),
        "page": request.get_query_int("page"),
        "limit": request.get_query_int("limit"),
        "client": request.headers.get("x-client"),
    }


@app.post("/upload")
async def upload(request: Request) -> dict[str, object]:
    """Answer from a form with a file."""
    form = await request.form()
    file = form.get_file("file")
    assert file is not None
    return {"filename": file.filename, "size": file.size}


@app.get("/stream")
async def stream(request: Request) -> Response:
    """Answer with a stream."""
    return Response.stream(answers.chunks(), content_type="text/plain")


@app.get("/articles")
def articles(request: Request) -> list[dict[str, object]]:
    """Answer with 64 KiB of JSON."""
    return answers.ARTICLES


@app.post("/orders")
def order(request: Request) -> dict[str, object]:
    """Answer from fields of a body of JSON."""
    return answers.receipt(request.json())


@app.get("/text")
def text(request: Request) -> str:
    """Answer with text where hello answers with JSON."""
    return "Hello, you wide open world!"


@app.get("/numbers")
def numbers(request: Request) -> dict[str, object]:
    """Answer with other JSON of hello's size."""
    return {"id": 42, "x": 0.5, "all": [1, 2]}


@app.get("/people/{name}")
def person(request: Request) -> dict[str, str]:
    """Answer with a path parameter where hello answers with a constant."""
    return {"user": request.params["name"]}


for path in neighbours.paths():
    app.get(path)(hello)


@app.get("/users/{id}")
def user(request: Request) -> dict[str, object]:
    """Answer from a path parameter that is a number."""
    number = int(request.params["id"])
    return {"id": number, "name": f"User {number}"}


def layer() -> Middleware:
    """Make a middleware that passes the response on."""

    async def pass_on(request: Request, call_next: CallNext) -> Response:
        return await call_next(request)

    return pass_on


@app.get("/layers", middleware=[layer() for _ in range(answers.LAYERS)])
async def layered(request: Request) -> dict[str, str]:
    """Answer behind ten middleware."""
    return {"message": "Hello, World!"}


# Only where they are asked for: what the libraries take is none of Cello's memory.
if os.environ.get("BENCH_MODELS"):
    import models
    import structs

    def get_settings() -> Settings:
        """Make what prices depend on."""
        return Settings()

    def get_prices(settings: Annotated[Settings, Depends(get_settings)]) -> Prices:
        """Make what the handler depends on."""
        return Prices(settings)

    @app.post("/models")
    def by_model(order: models.Order, prices: Annotated[Prices, Depends(get_prices)]) -> dict[str, object]:
        """Answer from a model of pydantic's, behind two dependencies."""
        return answers.invoice(order, prices.currency)

    @app.post("/structs")
    def by_struct(order: structs.Order) -> dict[str, object]:
        """Answer from a struct of msgspec's."""
        return answers.invoice(order, "EUR")


if os.environ.get("BENCH_MOUNTED"):
    import bare_asgi

    app.mount("/bare", bare_asgi.app)
    app.mount("/", importlib.import_module("starlette_app").app)  # of which checkers know nothing


if __name__ == "__main__":
    spin.start()
    app.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), workers=1, env="production", logs=False)
