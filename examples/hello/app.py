"""The smallest service: what a handler may return, a path parameter, a body, and what happens when it fails."""

import asyncio

from cello import App, Request, Response

app = App()


@app.get("/")
def hello() -> dict[str, str]:
    return {"message": "Hello, Cello!"}


@app.get("/users/{id}")
async def user(request: Request) -> dict[str, str]:
    await asyncio.sleep(0.01)  # a database would take its time here; other requests are served meanwhile
    return {"id": request.params["id"], "name": "Alice"}


@app.get("/plain")
def plain() -> str:
    return "Any text.\n"


@app.post("/echo")
def echo(request: Request) -> Response:
    return Response.json({"you sent": request.json()}, status=201)


@app.get("/broken")
def broken() -> None:
    raise RuntimeError("on purpose: see what the client gets, and what the log says")


if __name__ == "__main__":
    app.run()
