"""A real browser, driven over the DevTools protocol: pages are opened, read and asked as their readers would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Browser", "Page"]

PATIENCE_S = 20.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    # Root has no sandbox, and every page is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Browser:
    """A Chromium without a window. Commands and events go over one socket, a JSON text each, NUL at its end."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._channel = channel
        self._received = bytearray()
        self._sent = 0

    @staticmethod
    def program() -> str | None:
        """Where the browser is installed, if it is."""
        return next(filter(None, map(shutil.which, NAMES)), None)

    @classmethod
    def start(cls, program: str, folder: Path) -> Self:
        """Starts it with a profile of its own in the folder."""
        ours, its = socket.socketpair()
        ours.settimeout(PATIENCE_S)
        with its, (folder / "browser.log").open("wb") as log:
            # It reads its commands from descriptor 3 and writes to 4.
            move = f'exec "$0" "$@" 3<&{its.fileno()} 4>&{its.fileno()}'
            process = subprocess.Popen(
                ["bash", "-c", move, program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"],
                env={**os.environ, "HOME": str(folder)},
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return cls(process, ours)

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Page:
        """Opens a page in a tab of its own, with header fields of its own, and waits until it is loaded."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.command(f"{domain}.enable")
        page.command("Page.setLifecycleEventsEnabled", enabled=True)
        page.command("Network.setExtraHTTPHeaders", headers=dict(headers or {}))
        page.go(url)
        return page

    def command(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """One command of the protocol, and its result."""
        self._sent += 1
        number = self._sent
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._channel.sendall(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def receive(self) -> Any:
        """The next answer or event; events are kept."""
        while (end := self._received.find(b"\0")) < 0:
            chunk = self._channel.recv(65536)
            assert chunk, "the browser has ended"
            self._received += chunk
        message = json.loads(self._received[:end])
        del self._received[: end + 1]
        if "method" in message:
            self.events.append(message)
        return message

    def end(self) -> None:
        """Ends the browser, and waits for it."""
        try:
            self.command("Browser.close")
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._channel.close()


class Page:
    """A tab of a browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def command(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol to this tab, and its result."""
        return self._browser.command(method, self._session, **parameters)

    def go(self, url: str) -> None:
        """Opens another page in this tab, and waits until it is loaded."""
        began = self.command("Page.navigate", url=url)
        assert "errorText" not in began, began["errorText"]
        loaded = {"loaderId": began["loaderId"], "name": "load"}
        while not any(loaded.items() <= event.items() for event in self.events("Page.lifecycleEvent")):
            self._browser.receive()

    def evaluate(self, expression: str) -> Any:
        """What an expression is in the page, as JSON has it; a promise is awaited."""
        asked = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in asked, asked["exceptionDetails"]
        return asked["result"].get("value")

    def until(self, condition: str) -> None:
        """Waits, from frame to frame, until an expression is true in the page."""
        check = f"const check = () => ({condition}) ? done() : requestAnimationFrame(check); check()"
        self.evaluate(f"new Promise(done => {{ {check} }})")

    def text(self) -> str:
        """What a reader sees."""
        return str(self.evaluate("document.body.innerText"))

    def style(self, selector: str, name: str) -> str:
        """A property of the first element that a selector finds, as the stylesheets left it."""
        element = f"document.querySelector({json.dumps(selector)})"
        return str(self.evaluate(f"getComputedStyle({element})[{json.dumps(name)}]"))

    def complaints(self) -> list[str]:
        """What the console says, what the browser refused or missed, and exceptions of scripts, so far.

        The status of the page itself, which the console tells where it is an error's, is left out.
        """
        here = self.evaluate("location.href")
        entries = [event["entry"] for event in self.events("Log.entryAdded")]
        logged = [entry["text"] for entry in entries if (entry["source"], entry.get("url")) != ("network", here)]
        told = [json.dumps(event["args"]) for event in self.events("Runtime.consoleAPICalled")]
        thrown = [json.dumps(event["exceptionDetails"]) for event in self.events("Runtime.exceptionThrown")]
        return [*logged, *told, *thrown]

    def events(self, method: str) -> list[dict[str, Any]]:
        """The events of a kind in this tab, so far."""
        kept = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [event["params"] for event in kept if event["method"] == method]

    def close(self) -> None:
        """Closes the tab."""
        self._browser.command("Target.closeTarget", targetId=self._target)
