"""Who holds the interpreter: the loop beside threads that want it, or will not let it go."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from serving import PATIENCE_S

if TYPE_CHECKING:
    from serving import Serve, Server

#: A thread that holds the interpreter for two seconds: a function called by PyDLL does not release it.
HOLDER = """
    import ctypes, socket, threading, time
    from cello import App

    app = App()
    control = socket.create_server(("127.0.0.1", 0))
    sleep = ctypes.PyDLL(None).sleep

    def hold():
        with control.accept()[0] as connection:
            connection.recv(1)
            connection.sendall(b"!")
            began_s = time.monotonic()
            sleep(2)
            ended_s = time.monotonic()
            connection.sendall(f"{began_s} {ended_s}".encode())

    @app.get("/arm")
    def arm():
        threading.Thread(target=hold).start()
        return control.getsockname()[1]

    @app.post("/python")
    def python():
        return "answered"

    app.run()
"""

#: A thread that counts for as long as the application lives. `/idle` says how far it gets in a second while nothing
#: else happens, and how far it got before there was a server.
COUNTER = """
    import asyncio, threading, time
    from cello import App

    app = App()
    count = 0

    def spin(is_over):
        global count
        while not is_over():
            for _ in range(1000):
                count += 1

    began_s = time.monotonic()
    spin(lambda: time.monotonic() > began_s + 0.3)
    alone_per_s = count / 0.3

    stopping = threading.Event()
    thread = threading.Thread(target=spin, args=[stopping.is_set])

    @app.on_event("startup")
    def start():
        thread.start()

    @app.on_event("shutdown")
    def stop():
        stopping.set()
        thread.join()

    @app.get("/counted")
    def counted():
        return [count, time.monotonic()]

    @app.get("/idle")
    async def idle():
        before, began_s = count, time.monotonic()
        await asyncio.sleep(0.5)
        return [(count - before) / (time.monotonic() - began_s), alone_per_s]

    @app.get("/sync")
    def sync_handler():
        return {"message": "hello"}

    @app.get("/async")
    async def async_handler():
        return {"message": "hello"}

    @app.get("/turns")
    async def handler_of_many_turns():
        await asyncio.sleep(0)
        return {"message": "hello"}

    app.run()
"""


def request(path: str, method: str = "GET", fields: str = "") -> bytes:
    """A request, without a body."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()


def test_native_answers_are_given_while_a_thread_holds_the_interpreter(serve: Serve) -> None:
    server = serve(HOLDER)
    port = server.get("/arm").json()
    requests = {
        404: request("/missing", fields="Connection: close\r\n"),
        405: request("/python", fields="Connection: close\r\n"),
        413: request("/python", "POST", f"Content-Length: {11 << 20}\r\n"),
        431: request("/python", "POST", f"X-Large: {'x' * (40 << 10)}\r\n"),
    }
    answers: list[tuple[int, bytes, float]] = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as control:
        control.sendall(b"?")
        assert control.recv(1) == b"!"
        give_up_s = time.monotonic() + 1
        while time.monotonic() < give_up_s:
            answers += [(status, server.exchange(data), time.monotonic()) for status, data in requests.items()]
        # Now something waits for Python: until the thread lets it go, that is.
        assert server.request("POST", "/python").body == b"answered"
        python_answered_s = time.monotonic()
        began_s, ended_s = map(float, control.recv(100).split())
    assert ended_s >= began_s + 2
    assert python_answered_s >= began_s + 2
    assert all(answer.startswith(f"HTTP/1.1 {status} ".encode()) for status, answer, _ in answers)
    assert {status for status, _, answered_s in answers if began_s < answered_s < began_s + 2} == requests.keys()
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_an_idle_server_uses_no_processor_time(serve: Serve) -> None:
    server = serve("""
        import asyncio, time
        from cello import App

        app = App()

        @app.get("/")
        async def handler():
            before_s = time.process_time()
            await asyncio.sleep(1)
            return time.process_time() - before_s

        app.run()
    """)
    assert server.get("/").json() < 0.05


def saturate(server: Server, path: str, requests: int) -> float:
    """Has that many requests wait at the server, on two connections; returns how many it answers in a second."""
    data = request(path) * (requests // 2 - 1) + request(path, fields="Connection: close\r\n")

    def exchange(_: int) -> int:
        with server.connect() as connection, ThreadPoolExecutor(1) as sender:
            sent = sender.submit(connection.sendall, data)
            answers = b"".join(iter(lambda: connection.recv(1 << 18), b""))
            sent.result()
            return answers.count(b"HTTP/1.1 200 ")

    began_s = time.monotonic()
    with ThreadPoolExecutor(2) as executor:
        answers = sum(executor.map(exchange, range(2)))
    assert answers == requests
    return answers / (time.monotonic() - began_s)


def test_a_thread_that_spins_gets_on_while_the_server_is_idle(serve: Serve) -> None:
    idle_per_s, alone_per_s = serve(COUNTER).get("/idle").json()
    assert idle_per_s > alone_per_s / 4


@pytest.mark.parametrize("path", ["/sync", "/async", "/turns"])
def test_a_thread_that_spins_and_a_saturated_loop_both_get_on(serve: Serve, path: str) -> None:
    server = serve(COUNTER)
    idle_per_s, _ = server.get("/idle").json()
    before, began_s = server.get("/counted").json()
    answers_per_s = saturate(server, path, requests=40_000)
    after, ended_s = server.get("/counted").json()
    assert (after - before) / (ended_s - began_s) > idle_per_s / 20
    # Giving the interpreter away after each request, or two, made a few hundred.
    assert answers_per_s > 1000
