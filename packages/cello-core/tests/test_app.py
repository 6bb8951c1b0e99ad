"""What an application answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving import Serve

RETURNS = """
    from cello import App, Response

    app = App()

    @app.get("/dict")
    def a_dict(request):
        return {"message": "Hello, Cello!", "n": [1, 2.5, True, None, "é"]}

    @app.get("/async")
    async def an_async_list():
        return ["a", {"b": 10**30}]

    @app.get("/str")
    def a_str():
        return "plain"

    @app.get("/bytes")
    def some_bytes():
        return b"\\x00\\xff"

    @app.get("/json")
    def a_response():
        return Response.json({"made": True}, status=201, headers={"x-made": "yes"})

    @app.get("/text")
    async def a_text():
        return Response.text("gone", status=410)

    @app.get("/users/{id}/files/{*rest}")
    def params(request):
        return request.params

    @app.post("/echo")
    def echo(request):
        return {"json": request.json(), "body": request.body().decode(), "app": request.app is app}

    app.run()
"""


def test_what_a_handler_returns_becomes_the_answer(serve: Serve) -> None:
    server = serve(RETURNS)
    answers = {path: server.get(path) for path in ("/dict", "/async", "/str", "/bytes", "/json", "/text")}
    assert answers["/dict"].body == '{"message":"Hello, Cello!","n":[1,2.5,true,null,"é"]}'.encode()
    assert answers["/async"].body == b'["a",{"b":1' + b"0" * 30 + b"}]"
    assert {path: answer.headers["content-type"] for path, answer in answers.items()} == {
        "/dict": "application/json",
        "/async": "application/json",
        "/str": "text/plain; charset=utf-8",
        "/bytes": "application/octet-stream",
        "/json": "application/json",
        "/text": "text/plain; charset=utf-8",
    }
    assert (answers["/str"].body, answers["/bytes"].body) == (b"plain", b"\x00\xff")
    assert (answers["/json"].status, answers["/json"].headers["x-made"]) == (201, "yes")
    assert (answers["/text"].status, answers["/text"].body) == (410, b"gone")


def test_path_parameters_arrive_decoded(serve: Serve) -> None:
    answer = serve(RETURNS).get("/users/a%20b%2Fc/files/x/y.txt")
    assert answer.json() == {"id": "a b/c", "rest": "x/y.txt"}
