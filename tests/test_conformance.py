"""Suites that judge a server from outside: HTTP/1.1 framing and smuggling, forms, and slow clients."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving import Serve, Server

SUITES = Path(__file__).parent.parent / "conformance"

APP = """
    from cello import App

    app = App()

    @app.route("/", methods=["GET", "POST"])
    def root(request):
        return {"received": len(request.body())}

    app.run()
"""


FORMS = """
    import hashlib
    from cello import App

    app = App()

    def told(data, **more):
        return {**more, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    @app.post("/whole")
    async def whole(request):
        form = await request.form()
        fields, files = {}, {}
        for name, value in form.items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
            else:
                file = told(await value.read(), filename=value.filename, content_type=value.content_type)
                files.setdefault(name, []).append(file)
        return {"fields": fields, "files": files}

    @app.post("/parts", stream=True)
    async def parts(request):
        fields, files = {}, {}
        async for part in request.parts():
            data = b"".join([piece async for piece in part])
            if part.filename is None:
                fields.setdefault(part.name, []).append(data.decode(errors="replace"))
            else:
                file = told(data, filename=part.filename, content_type=part.content_type)
                files.setdefault(part.name, []).append(file)
        return {"fields": fields, "files": files}

    app.run()
"""


def passed(server: Server, *command: str, timeout_s: float, **environment: str) -> dict[str, tuple[int, int]]:
    """Runs a suite; its verdicts by name, as (passed, total)."""
    result = subprocess.run(
        [*command[:-1], str(SUITES / command[-1]), server.host, str(server.port), "/"],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    print(result.stdout, result.stderr)
    verdicts = re.findall(r"^([a-z0-9-]+): (\d+)/(\d+)$", result.stdout, re.MULTILINE)
    return {name: (int(good), int(total)) for name, good, total in verdicts}


@pytest.mark.timeout(180)
def test_every_must_of_http_1_1_is_kept(serve: Serve) -> None:
    verdicts = passed(serve(APP), sys.executable, "http1.py", timeout_s=170)
    assert verdicts["http1"] == (94, 94)
    # A client that has shut down its side counts as gone: whether it is answered still is a matter of moments.
    assert verdicts["http1-should"] >= (14, 17)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", ["/whole", "/parts"])
def test_forms_of_real_clients_and_hostile_ones_are_read_or_refused(serve: Serve, path: str) -> None:
    server = serve(FORMS)
    result = subprocess.run(
        ["bash", str(SUITES / "multipart.sh"), server.url + path],
        capture_output=True,
        text=True,
        timeout=170,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "MULTIPART_LIMIT": "1"},
    )
    print(result.stdout, result.stderr)
    verdict = re.search(r"^multipart: (\d+)/(\d+)$", result.stdout, re.MULTILINE)
    assert verdict
    # Node and Go are not everywhere.
    assert int(verdict[2]) >= 46
    assert verdict[1] == verdict[2]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_slow_clients_are_let_go_in_time(serve: Serve) -> None:
    cases = "slowloris-headers slowloris-request-line silent-connection"
    options = {"HTTP1_SLOW": "1", "HTTP1_HEADER_TIMEOUT": "10", "HTTP1_ONLY": cases}
    verdicts = passed(serve(APP), sys.executable, "http1.py", timeout_s=170, **options)
    assert verdicts["http1"] == (3, 3)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_slow_headers_bodies_and_readers_keep_nobody_else_waiting(serve: Serve) -> None:
    if shutil.which("slowhttptest") is None:
        pytest.skip("slowhttptest is not installed")
    verdicts = passed(serve(APP), "bash", "slow.sh", timeout_s=170)
    assert verdicts["slow"] == (3, 3)
