"""Names that newcomers look for where they are not: those of other frameworks, and those that stand in a module."""

from __future__ import annotations

__all__ = ["IN_MODULES", "METHODS", "NAMES", "REQUEST", "written"]

#: What an application of other frameworks has, and what is written here.
METHODS = {
    "add_api_route": "app.route(path, methods=[…])(handler)",
    "add_event_handler": 'app.on_event("startup")(function)',
    "add_exception_handler": "app.exception_handler(exception)(function)",
    "add_route": "app.route(path, methods=[…])(handler)",
    "add_url_rule": "app.route(path, methods=[…])(handler)",
    "api_route": "app.route(path, methods=[…])",
    "errorhandler": "@app.exception_handler(exception)",
    "include_router": "app.register_blueprint(blueprint)",
    "listen": "app.run(port=…)",
    "middleware": "app.use(function)",
    "on_shutdown": '@app.on_event("shutdown")',
    "on_startup": '@app.on_event("startup")',
    "test_client": "cello.testing.TestClient(app)",
}
#: What other frameworks have to import, and what is written here.
NAMES = {
    "APIRouter": "Blueprint",
    "Cello": "App",
    "FastAPI": "App",
    "FileResponse": "Response.file(path)",
    "Flask": "App",
    "HTMLResponse": "Response.html(text)",
    "HTTPException": "HTTPError and its kinds, in cello.errors",
    "JSONResponse": "Response.json(value), or the value itself",
    "PlainTextResponse": "Response.text(text)",
    "RedirectResponse": "Response.redirect(url)",
    "Router": "Blueprint",
    "StreamingResponse": "Response.stream(pieces), or a generator",
    "UploadFile": "UploadedFile",
    "abort": "raise, of what is in cello.errors",
    "jsonify": "the value itself, which a handler returns",
    "request": "request as the first parameter of the handler",
}
#: What a request of other frameworks has, and what is written here.
REQUEST = {
    "GET": "request.query",
    "META": "request.headers",
    "POST": "request.form()",
    "FILES": "await request.files()",
    "args": "request.query",
    "base_url": "request.url",
    "client": "request.client_ip",
    "data": "request.body()",
    "get_data": "request.body()",
    "get_json": "request.json()",
    "match_info": "request.params",
    "path_params": "request.params",
    "user": 'request.context["user"]',
    "view_args": "request.params",
}
#: What stands in a module of its own.
IN_MODULES = {
    "cello.errors": ("BadRequest", "Conflict", "Forbidden", "HTTPError", "NotFound", "StartError", "Unauthorized"),
    "cello.middleware": ("CallNext", "Middleware", "Phase"),
    "cello.params": ("Body", "Cookie", "File", "Form", "Header", "Path", "Query"),
    "cello.testing": ("AsyncTestClient", "TestClient"),
    "cello.validation": ("DTO", "DTOConfig", "ValidationError"),
}


def written(unknown: str) -> str | None:
    """What is to be written for a name that is not in `cello`; None for one that is nowhere."""
    module = next((module for module, names in IN_MODULES.items() if unknown in names), None)
    return NAMES.get(unknown) if module is None else f"from {module} import {unknown}"
