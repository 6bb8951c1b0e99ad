"""Clients that ask a server all the time, while a test does something to it."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import TYPE_CHECKING

from serving import PATIENCE_S
from supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from serving import Server

__all__ = ["Client", "asking", "failures_of", "load"]


class Client:
    """Asks for as long as it is let, what is answered with the number of a process."""

    def __init__(
        self,
        dial: Callable[[], http.client.HTTPConnection],
        path: str = "/",
        *,
        keeps_alive: bool,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        pause_s: float = 0.0,
    ) -> None:
        self.dial = dial
        self.method, self.path, self.body = method, path, body
        self.headers = {**(headers or {}), **({} if keeps_alive else {"Connection": "close"})}
        self.pause_s = pause_s
        self.pids: list[int] = []
        self.failures: list[str] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        """Asks; on one connection, or on one for each request."""
        connection = self.dial()
        while not self.is_over.wait(self.pause_s):
            try:
                connection.request(self.method, self.path, self.body, self.headers)
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, response.status
                self.pids.append(int(body))
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = self.dial()
        connection.close()

    def finish(self) -> None:
        """Asks no more."""
        self.is_over.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def asking(clients: list[Client]) -> Generator[list[Client]]:
    """Clients, each of which has been answered."""
    try:
        wait_until(lambda: all(client.pids for client in clients))
        yield clients
    finally:
        for client in clients:
            client.finish()


@contextlib.contextmanager
def load(server: Server) -> Generator[list[Client]]:
    """Clients of both kinds, each of which has been answered."""
    kinds = (True, True, False, False)
    with asking([Client(server.dial, keeps_alive=keeps_alive) for keeps_alive in kinds]) as clients:
        yield clients


def failures_of(clients: list[Client]) -> list[str]:
    """What failed of all requests."""
    return [failure for client in clients for failure in client.failures]
