"""Clients that ask a server all the time, while a test does something to it."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import TYPE_CHECKING

from serving import PATIENCE_S
from supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from serving import Server

__all__ = ["Client", "failures_of", "load"]


class Client:
    """Asks for as long as it is let."""

    def __init__(self, server: Server, *, keeps_alive: bool) -> None:
        self.server = server
        self.keeps_alive = keeps_alive
        self.pids: list[int] = []
        self.failures: list[str] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        """Asks; on one connection, or on one for each request."""
        connection = self.server.dial()
        while not self.is_over.is_set():
            try:
                connection.request("GET", "/", headers={} if self.keeps_alive else {"Connection": "close"})
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, response.status
                self.pids.append(int(body))
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = self.server.dial()
        connection.close()

    def finish(self) -> None:
        """Asks no more."""
        self.is_over.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def load(server: Server) -> Generator[list[Client]]:
    """Clients of both kinds, each of which has been answered."""
    clients = [Client(server, keeps_alive=keeps_alive) for keeps_alive in (True, True, False, False)]
    try:
        wait_until(lambda: all(client.pids for client in clients))
        yield clients
    finally:
        for client in clients:
            client.finish()


def failures_of(clients: list[Client]) -> list[str]:
    """What failed of all requests."""
    return [failure for client in clients for failure in client.failures]
