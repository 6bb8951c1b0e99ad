"""Applications: what they are made with, what is said of the whole server, and serving."""

from collections.abc import Awaitable, Callable, MutableMapping
from types import SimpleNamespace
from typing import Any, assert_type

import cello
from cello import App, ClusterConfig, LimitsConfig, Request, ThreadPoolConfig, TimeoutConfig
from cello.routing import IntConstraint

assert_type(cello.__version__, str)
app = App()
assert_type(App(errors="legacy"), App)
assert_type(app.state, SimpleNamespace)


@app.get("/")
def home(request: Request) -> dict[str, str]:
    return {"message": f"Hello, {request.client_ip}"}


# What is decorated keeps its type, so that a test, or another handler, may call it.
assert_type(home(Request("GET", "/")), dict[str, str])


async def asgi(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await send({"type": "http.response.start", "status": 200})


class Other:
    """An application of ASGI that is an object, with types of its own."""

    async def __call__(
        self, scope: dict[str, str], receive: Callable[[], Awaitable[object]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await receive()
        await send({"type": scope["type"]})


class Shop(App):
    """An application whose attributes checkers are to know."""

    prices: dict[str, int]


shop = Shop()
shop.prices = {"violin": 900}

assert_type(app.mount("/shop", shop), App)
assert_type(shop.mount("/app", App()), Shop)
assert_type(shop.mount("/asgi", asgi), Shop)
assert_type(app.mount("/more", Other(), body_limit=1 << 30), App)
assert_type(app.register_singleton("db", object()), App)
assert_type(app.enable_body_limit(1 << 20), App)
assert_type(app.set_trusted_proxies(["10.0.0.0/8", "unix"], fields="forwarded"), App)
assert_type(app.set_trusted_proxies(address for address in ("::1",)), App)
assert_type(app.set_access_log("json", sample_rate=0.1, skip=["/health"]), App)
assert_type(app.set_access_log(skip=("/health", "/metrics")), App)
assert_type(app.set_request_id_header("X-Request-ID").set_request_id_header(None), App)

limits = LimitsConfig(max_header_size=16 << 10, max_body_size=1 << 20, max_connections=100)
assert_type(limits.max_body_size, int)
assert_type(app.set_limits(limits), App)
assert_type(app.enable_limits(LimitsConfig()), App)

timeouts = TimeoutConfig(read_header=5, read_body=2.5, write=None, idle=30, handler=None)
assert_type(timeouts.read_header_timeout, float)
assert_type(timeouts.handler_timeout, float | None)
assert_type(app.set_timeouts(timeouts), App)
app.enable_timeouts(TimeoutConfig(keep_alive_timeout=5, request_timeout=1, response_timeout=1))

threads = ThreadPoolConfig(size=4)
assert_type(threads.size, int)
assert_type(app.set_threadpool(threads), App)

cluster = ClusterConfig(workers=4, cpu_affinity=True, max_restarts=3, graceful_shutdown=False, shutdown_timeout=2.5)
assert_type(cluster.workers, int | None)
assert_type(cluster.shutdown_timeout, float)
assert_type(ClusterConfig.auto(), ClusterConfig)
assert_type(shop.enable_cluster(cluster), Shop)


def get_db() -> str:
    return "the real one"


app.dependency_overrides[get_db] = lambda: "another"
app.dependency_overrides["db"] = "another"


@app.get("/users/{id}", constraints={"id": IntConstraint()}, summary="One user")
async def user(id: int) -> dict[str, int]:
    return {"id": id}


handler: Callable[[int], Awaitable[dict[str, int]]] = user

for route in app.routes:
    assert_type(route.method, str)
    assert_type(route.path, str)
    assert_type(route.handler, Callable[..., Any])


def serve() -> None:
    app.run()
    app.run("0.0.0.0", 8080, env="production", debug=False, logs=True)
    app.run(workers=4, cpu_affinity=True, shutdown_timeout=2.5)
