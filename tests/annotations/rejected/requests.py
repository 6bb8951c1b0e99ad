"""Requests and forms: what they do not have, and types that values are not."""

from cello import FormData, Request, UploadedFile, current_request


async def read(request: Request, form: FormData, file: UploadedFile) -> None:
    request.method = "POST"  # rejected
    request.user  # rejected
    request.request_id = 7  # rejected
    request.is_from_trusted_proxy = True  # rejected
    request.is_from_trusted_proxy()  # rejected
    current_request().path  # rejected
    request.params("id")  # rejected
    request.server_stopping = True  # rejected
    request.server_stopping(7)  # rejected
    request.method()  # rejected
    await request.method  # rejected
    number: int = request.params["id"]  # rejected
    page: int = request.get_query_int("page")  # rejected
    number = request.get_param("id", 0)  # rejected
    page = request.get_query_float("page", 1)  # rejected
    request.query["page"] = "2"  # rejected
    request.query.get(7)  # rejected
    request.query.get("page").upper()  # rejected
    request.headers.get("accept").upper()  # rejected
    request.headers["accept"] = "*/*"  # rejected
    request.get_query_bool("all", default=1, strict=True)  # rejected
    request.best_match("json", "html")  # rejected
    request.app.prices  # rejected
    body: str = request.body()  # rejected
    text: bytes = await request.text()  # rejected
    body = await request.body_async()  # rejected
    request.text_async().upper()  # rejected
    request.set_context(7, "user")  # rejected
    for _ in request.stream():  # rejected
        ...
    async for part in request.parts():
        text = part.filename  # rejected
        text = part.read()  # rejected
        number = part.size  # rejected
    form.get("picture").save("pictures")  # rejected
    form.get_file("picture").save("pictures")  # rejected
    name: str = form.get("name")  # rejected
    name = form["name"]  # rejected
    form["name"] = "Alice"  # rejected
    FormData({"name": "Alice"})  # rejected
    FormData.parse(b"multipart/form-data", b"")  # rejected
    file.read("all")  # rejected
    file.size = 7  # rejected
    file.save(7)  # rejected
    file.write(b"")  # rejected


Request("GET")  # rejected
Request("GET", "/", body=7)  # rejected
Request("GET", "/", headers={"x-number": 7})  # rejected
Request("GET", "/", client=("192.0.2.1", "80"))  # rejected
Request("GET", "/", app=object())  # rejected
