"""Responses: arguments that they do not take, and what cannot be set in them."""

from cello import Response

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
