"""Responses, errors, work in the background, and the loop: arguments they do not take."""

import cello
import cello.loop
from cello import BackgroundTasks, ProblemDetails, Request, Response
from cello.errors import HTTPError, MethodNotAllowed, NotFound, TooManyRequests, Unauthorized, UnprocessableContent

Response(b"", "200")  # rejected
Response(b"", content=b"")  # rejected
Response(b"", headers={"x-number": 7})  # rejected
Response(b"", headers=["x-number"])  # rejected
Response.json()  # rejected
Response.json({}, status="200")  # rejected
Response.json({}, indent=2)  # rejected
Response.text(b"text")  # rejected
Response.html(7)  # rejected
Response.binary("text")  # rejected
Response.redirect("/", code=301)  # rejected
Response.no_content("text")  # rejected
Response.created({}, location=7)  # rejected
Response.error("404")  # rejected
Response.error(404, title=7)  # rejected
Response.file(7)  # rejected
Response.file_range("film.mp4")  # rejected
Response.stream(7)  # rejected
Response.stream(b"bytes")  # rejected
Response.stream([1])  # rejected
Response.sse([])  # rejected

response = Response()
response.status = "200"  # rejected
response.headers["x-number"] = 7  # rejected
response.headers = {}  # rejected
response.body = b""  # rejected
response.set_header("x-number", 7)  # rejected
response.set_cookie("seen", 7)  # rejected
response.set_cookie("seen", "yes", max_age="1h")  # rejected
response.set_cookie("seen", "yes", samesite="loose")  # rejected
response.set_cookie("seen", "yes", same_site="off")  # rejected
response.delete_cookie("seen", samesite="loose")  # rejected
response.delete_cookie("seen", "yes", max_age=0)  # rejected

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


async def confirm(order: str, copies: int = 1) -> None: ...


def give_up(request: Request) -> None:
    tasks = BackgroundTasks()
    tasks.add_task(confirm)  # rejected
    tasks.add_task(confirm, 7)  # rejected
    tasks.add_task(confirm, "7", number=2)  # rejected
    tasks.add_task(confirm("7"))  # rejected
    tasks.add_task("confirm", "7")  # rejected
    request.add_background_task(confirm, 7)  # rejected
    request.add_background_task(confirm, "7", copies="2")  # rejected
    tasks.pending_count().append(1)  # rejected


async def main() -> int:
    return 7


cello.loop.run(main)  # rejected
cello.loop.run(main(), debug="yes")  # rejected
word: str = cello.loop.run(main())  # rejected
cello.loop.EventLoop("epoll")  # rejected
