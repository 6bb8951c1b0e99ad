"""Drives wrk against a server and reads what it counted."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypedDict, cast

from processes import MeasurementError

SCRIPT = Path(__file__).resolve().parent / "load.lua"
ANSWER_TIMEOUT_S = 4


class Load(TypedDict):
    """What wrk counted, over its whole run."""

    requests: int
    duration_us: int
    bytes: int
    bad_statuses: int
    timeouts: int
    socket_errors: int
    p50_us: int
    p99_us: int


def drive(
    port: int,
    paths: Sequence[str],
    *,
    core: int | str,
    duration_s: int,
    connections: int = 64,
    threads: int = 1,
    pipeline: int = 1,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    request_limit: int = 0,
) -> Load:
    """Load one server for a time, or until `request_limit` answers have come; with a body, by POST.

    Errors: MeasurementError where wrk fails, nothing is answered, or an answer is an error page.
    """
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", str(threads), "--connections", str(connections)]
    command += ["--duration", f"{duration_s}s", "--timeout", f"{ANSWER_TIMEOUT_S}s", "--script", str(SCRIPT)]
    for name, value in (headers or {}).items():
        command += ["--header", f"{name}: {value}"]
    # By a file, since no argument of a command may be as long as an upload.
    with NamedTemporaryFile() as body_file:
        body_file.write(body)
        body_file.flush()
        command += [f"http://127.0.0.1:{port}{paths[0]}", "--", str(pipeline), str(request_limit)]
        command += [body_file.name if body else "", *paths[1:]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=duration_s + 30)
        except subprocess.TimeoutExpired:
            raise MeasurementError("wrk did not end") from None
    found = re.search(r"^JSON (.*)$", done.stdout, re.MULTILINE)
    if not found:
        raise MeasurementError(f"wrk: {(done.stderr or done.stdout).strip()[-200:]}")
    load = cast("Load", json.loads(found[1]))
    if not load["requests"]:
        raise MeasurementError("no request was answered")
    if load["bad_statuses"]:
        raise MeasurementError(f"{load['bad_statuses']} of {load['requests']} answers were error pages")
    return load
