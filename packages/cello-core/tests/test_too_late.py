"""What is given to an application that is served: it would never be asked, so that it is refused where it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cello import App, Blueprint
from cello.errors import StartError
from cello.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable


async def passed_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


def seen(request: Any, told: Any = None) -> None: ...


async def of_asgi(scope: Any, receive: Any, send: Any) -> None: ...


GIVEN: dict[str, Callable[[App], object]] = {
    "POST /late": lambda app: app.post("/late")(dict),
    "the blueprint /late": lambda app: app.register_blueprint(Blueprint("/late")),
    "the application": lambda app: app.mount("/late", App()),
    "the mounted application /late": lambda app: app.mount("/late", of_asgi),
    "a middleware": lambda app: app.use(passed_on),
    "an exception handler": lambda app: app.exception_handler(KeyError)(seen),
    "a before_request function": lambda app: app.before_request(seen),
    "an after_request function": lambda app: app.after_request(seen),
}


def hello() -> App:
    app = App()
    app.get("/")(lambda: "hello")
    return app


@pytest.mark.parametrize("what", GIVEN)
def test_what_is_given_while_it_is_served_is_refused_and_changes_nothing(what: str) -> None:
    app = hello()
    with TestClient(app) as client:
        with pytest.raises(RuntimeError, match=rf"^{what} comes too late, when the application is served"):
            GIVEN[what](app)
        assert client.get("/").text == "hello"
        assert client.get("/late").status_code == 404
    GIVEN[what](app)
    with TestClient(app) as client:
        assert client.get("/").text == "hello"


def test_a_middleware_with_a_place_is_refused_as_one_without() -> None:
    app = hello()
    with TestClient(app), pytest.raises(RuntimeError, match=r"^a middleware comes too late"):
        app.add_middleware(passed_on)


def test_what_is_in_an_application_that_is_served_is_as_settled() -> None:
    app, mounted, users, orders = hello(), App(), Blueprint("/users"), Blueprint("/orders")
    app.register_blueprint(users.register_blueprint(orders)).mount("/mounted", mounted)
    with TestClient(app):
        for scope in (mounted, users, orders):
            with pytest.raises(RuntimeError, match=r"^GET /late comes too late, when the .* is served"):
                scope.get("/late")(dict)
    orders.get("/late")(lambda: "in time")
    with TestClient(app) as client:
        assert client.get("/users/orders/late").text == "in time"


def test_a_blueprint_of_two_applications_is_settled_until_both_have_ended() -> None:
    one, other, users = hello(), hello(), Blueprint("/users")
    one.register_blueprint(users)
    other.register_blueprint(users)
    with TestClient(one):
        with TestClient(other):
            pass
        with pytest.raises(RuntimeError, match="too late"):
            users.get("/late")(dict)
    users.get("/late")(dict)


def test_a_start_that_fails_leaves_the_application_open() -> None:
    app = hello()
    late: list[RuntimeError] = []

    @app.on_event("startup")
    def start() -> None:
        try:
            app.get("/late")(dict)
        except RuntimeError as error:
            late.append(error)
            raise

    with pytest.raises(StartError, match="the startup function"), TestClient(app):
        pass
    assert len(late) == 1
    app.get("/late")(dict)
