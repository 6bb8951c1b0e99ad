"""nginx in front of Cello, with the configuration that the guide gives, taken from there."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from loading import Client, asking, failures_of
from pages import blocks
from serving import PATIENCE_S, free_ports, listens
from supervised import children_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from serving import Serve, Server

GUIDE = "docs/guides/deploy.md"
HOST = "shop.example.com"
#: An address of loopback that nobody trusts, so that it is a client's.
CLIENT = "127.0.0.2"

#: What the guide's own example does not have.
ROUTES = """
    import asyncio
    import hashlib
    import os

    written = asyncio.Event()

    @app.get("/pid")
    async def pid():
        await asyncio.sleep(0)
        return os.getpid()

    @app.post("/pid")
    def pid_of_post(request):
        return os.getpid() if request.body() == b"2 violins" else 0

    @app.get("/pieces")
    async def pieces():
        yield b"first\\n"
        await written.wait()
        yield b"second\\n"

    @app.get("/go-on")
    async def go_on():
        written.set()

    @app.post("/upload")
    async def upload(request):
        return hashlib.sha256(await request.body()).hexdigest()

    @app.post("/small", body_limit=1 << 20)
    async def small(request):
        return len(await request.body())

    app.run()
"""


@dataclass(frozen=True)
class Nginx:
    """An nginx that passes on what comes to it."""

    http_port: int
    https_port: int
    context: ssl.SSLContext

    def connect(self) -> http.client.HTTPSConnection:
        """A connection by TLS, from an address that is none of the proxy's."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.https_port, timeout=PATIENCE_S, source_address=(CLIENT, 0), context=self.context
        )

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of an answer, on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, {"Host": HOST, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()


def example() -> str:
    """The application of the guide, with more routes."""
    (block,) = [block for block in blocks(GUIDE, "python") if 'set_trusted_proxies(["127.0.0.1"])' in block]
    before, run, after = block.rpartition("app.run()\n")
    assert (run, after) == ("app.run()\n", "")
    return before + textwrap.dedent(ROUTES)


def configuration(folder: Path, cello_port: int, http_port: int, https_port: int) -> str:
    """The guide's configuration with the ports and files of a test, in a whole file."""
    (text,) = [block for block in blocks(GUIDE, "nginx") if "server 127.0.0.1:8000;" in block]
    for theirs, ours in (
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{cello_port};"),
        ("listen 80;", f"listen 127.0.0.1:{http_port};"),
        ("listen 443 ", f"listen 127.0.0.1:{https_port} "),
        (f"/etc/letsencrypt/live/{HOST}/fullchain.pem", f"{folder}/certificate.pem"),
        (f"/etc/letsencrypt/live/{HOST}/privkey.pem", f"{folder}/key.pem"),
    ):
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    # A worker of a root's nginx would be somebody who may not enter the folder.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.getuid() == 0 else ""
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"{user}\ndaemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"


@contextlib.contextmanager
def nginx_before(server: Server, folder: Path) -> Generator[Nginx]:
    """Runs nginx in front of a server; it is to have had nothing to complain of."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    http_port, https_port = free_ports(2)
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-subj", f"/CN={HOST}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(make, check=True, capture_output=True)
    (folder / "nginx.conf").write_text(configuration(folder, server.port, http_port, https_port))
    errors = folder / "errors"
    # No alarm of its own before the file is read.
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(errors)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(https_port))
        context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
        context.check_hostname = False
        yield Nginx(http_port, https_port, context)
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(PATIENCE_S)
    told = [line for line in errors.read_text().splitlines() if "[error]" in line or "[crit]" in line]
    assert [line for line in told if "client intended to send too large body" not in line] == []


def test_requests_pass_and_the_application_knows_who_asked_and_how(serve: Serve, tmp_path: Path) -> None:
    with nginx_before(serve(example()), tmp_path) as nginx:
        status, body = nginx.request("GET", "/whoami")
        assert (status, body) == (200, b'{"client":"127.0.0.2","scheme":"https","host":"shop.example.com"}')


def test_what_clients_say_of_themselves_is_not_believed(serve: Serve, tmp_path: Path) -> None:
    claims = {
        "X-Forwarded-For": "10.0.0.1, 127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Port": "81",
        "X-Real-IP": "10.0.0.1",
        "Forwarded": "for=10.0.0.1;host=evil.example.com",
    }
    with nginx_before(serve(example()), tmp_path) as nginx:
        assert nginx.request("GET", "/whoami", headers=claims) == nginx.request("GET", "/whoami")


def test_what_is_asked_without_tls_is_sent_there(serve: Serve, tmp_path: Path) -> None:
    with nginx_before(serve(example()), tmp_path) as nginx:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", nginx.http_port)) as connection:
            connection.request("GET", "/whoami?x=1", headers={"Host": HOST})
            response = connection.getresponse()
            response.read()
        assert (response.status, response.getheader("Location")) == (301, f"https://{HOST}/whoami?x=1")


def test_a_stream_arrives_piece_by_piece(serve: Serve, tmp_path: Path) -> None:
    with nginx_before(serve(example()), tmp_path) as nginx, contextlib.closing(nginx.connect()) as connection:
        connection.request("GET", "/pieces", headers={"Host": HOST})
        response = connection.getresponse()
        assert response.readline() == b"first\n"
        assert nginx.request("GET", "/go-on")[0] == 200
        assert response.read() == b"second\n"


def test_an_upload_passes_and_one_that_is_too_large_is_refused(serve: Serve, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 8
    with nginx_before(serve(example()), tmp_path) as nginx:
        status, body = nginx.request("POST", "/upload", data)
        assert (status, body.decode()) == (200, hashlib.sha256(data).hexdigest())
        assert nginx.request("POST", "/upload", data + data)[0] == 413
        # Cello's own refusal, of a route that takes less.
        status, body = nginx.request("POST", "/small", data)
        assert (status, b'"status":413' in body) == (413, True)


def client(nginx: Nginx, method: str, *, keeps_alive: bool, pause_s: float = 0.0) -> Client:
    """Asks nginx for as long as it is let."""
    host, body = {"Host": HOST}, b"2 violins" if method == "POST" else None
    return Client(
        nginx.connect, "/pid", keeps_alive=keeps_alive, method=method, body=body, headers=host, pause_s=pause_s
    )


def test_workers_are_replaced_under_load_without_a_502(serve: Serve, tmp_path: Path) -> None:
    server = serve(example(), "--workers", "2")
    with nginx_before(server, tmp_path) as nginx:
        started = [client(nginx, method, keeps_alive=keeps) for method in ("GET", "POST") for keeps in (True, False)]
        # What is idle in nginx when workers are replaced: a POST is never asked twice.
        started += [client(nginx, "POST", keeps_alive=True, pause_s=pause_s) for pause_s in (0.3, 0.7)]
        with asking(started) as clients:
            for _ in range(3):
                before = children_of(server)
                server.send_signal(signal.SIGHUP)
                wait_until(lambda: not children_of(server) & before)  # noqa: B023 - called at once
                now = children_of(server)
                wait_until(lambda: all(client.pids[-1] in now for client in clients))  # noqa: B023 - called at once
        assert failures_of(clients) == []
    assert server.stop().exit_code == 0
