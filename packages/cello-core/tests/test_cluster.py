"""What an application says of its workers, as real processes: how many, on which CPUs, how often they are tried."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cello import _cpus
from cello._supervisor_cluster import Cluster
from serving import Stopped, run_source
from supervised import BREAKABLE, PIDS, answering, children_of, exists, next_error, wait_until, workers_of

if TYPE_CHECKING:
    from serving import Serve, Server

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def clustered(config: str, source: str = PIDS) -> str:
    """An application that says so of its cluster."""
    said = f"from cello import ClusterConfig\n    app.enable_cluster(ClusterConfig{config})"
    return source.replace("app = App()", f"app = App()\n    {said}")


def cpus_of(pid: int) -> str:
    """The CPUs that a process may run on, as the system tells them."""
    found = re.search(r"^Cpus_allowed_list:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


# --- how many


@pytest.mark.parametrize(
    ("run", "arguments", "environment", "workers"),
    [
        ("run()", (), {}, 3),
        ("run()", (), {"CELLO_WORKERS": "2"}, 2),
        ("run(workers=2)", (), {"CELLO_WORKERS": "3"}, 2),
        ("run(workers=3)", ("--workers", "2"), {}, 2),
    ],
    ids=["the application", "the environment", "the argument", "the command line"],
)
def test_the_application_says_how_many_workers_there_are_where_nobody_else_does(
    serve: Serve, run: str, arguments: tuple[str, ...], environment: dict[str, str], workers: int
) -> None:
    server = serve(clustered("(workers=3)").replace("run()", run), *arguments, environment=environment)
    assert len(workers_of(server)) == workers
    assert server.stop() == Stopped(0, server.banner[-1], "")


ON_ONE_CPU = PIDS.replace("app = App()", "app = App()\n    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})")


@pytest.mark.parametrize(
    ("source", "arguments"),
    [(PIDS, ("--env", "production")), (clustered(".auto()"), ())],
    ids=["in production", "automatic"],
)
def test_there_are_as_many_workers_as_cpus(serve: Serve, source: str, arguments: tuple[str, ...]) -> None:
    server = serve(source, *arguments)
    count = _cpus.usable()
    if count == 1:
        assert server.get("/").json() == server.process.pid
    else:
        assert answering(server, count) == set(workers_of(server))
    assert server.stop() == Stopped(0, server.banner[-1], "")


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        (ON_ONE_CPU, ("--env", "production")),
        (PIDS, ("--env", "production", "--debug")),
        (PIDS.replace("run()", "run(debug=False)"), ()),
        (clustered("()"), ()),
    ],
    ids=["one CPU", "debug", "development", "a config that does not say"],
)
def test_one_process_serves_on_one_cpu_and_in_development(
    serve: Serve, source: str, arguments: tuple[str, ...]
) -> None:
    server = serve(source, *arguments)
    assert server.get("/").json() == server.process.pid
    assert server.stop() == Stopped(0, f"Cello running at {server.url}\n", "")


def test_a_mounted_application_says_nothing_of_workers(tmp_path: Path) -> None:
    source = PIDS.replace("app.run()", "outer = App().mount('/inner', app)\n    outer.run()")
    stopped = run_source(tmp_path, clustered("(workers=2)", source))
    told = "cello: a mounted application says enable_cluster, which is for the whole server: say it of the outer one\n"
    assert (stopped.exit_code, stopped.stderr) == (3, told)


# --- on which CPUs

#: Tells the CPUs that the process had when the application was imported.
CPUS = """
    import os
    allowed = sorted(os.sched_getaffinity(0))
    from cello import App

    app = App()
    app.get("/")(lambda: [os.getpid(), allowed])
    app.run()
"""


def cpus_by_pid(server: Server, count: int) -> dict[int, list[int]]:
    """What so many workers tell."""
    found: dict[int, list[int]] = {}

    def are_all_found() -> bool:
        pid, allowed = server.get("/").json()
        found[pid] = allowed
        return len(found) == count

    wait_until(are_all_found)
    return found


@pytest.mark.parametrize(
    ("source", "arguments", "environment"),
    [
        (clustered("(cpu_affinity=True)", CPUS), (), {}),
        (CPUS.replace("run()", "run(cpu_affinity=True)"), (), {}),
        (CPUS, ("--cpu-affinity",), {}),
        (CPUS, (), {"CELLO_CPU_AFFINITY": "1"}),
    ],
    ids=["the application", "the argument", "the command line", "the environment"],
)
def test_each_worker_runs_on_a_cpu_of_its_own_before_it_imports_the_application(
    serve: Serve, source: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    cpus = _cpus.affinity()
    count = len(cpus) + 1  # so that one begins again
    server = serve(source, "--workers", str(count), *arguments, environment=environment)
    pids = workers_of(server)
    expected = {pid: [cpus[number % len(cpus)]] for number, pid in enumerate(pids)}
    assert cpus_by_pid(server, count) == expected
    assert {pid: [int(cpus_of(pid))] for pid in pids} == expected
    assert cpus_of(server.process.pid) == cpus_of(os.getpid())
    assert server.stop() == Stopped(0, server.banner[-1], "")


def test_a_successor_runs_where_the_one_before_did(serve: Serve) -> None:
    server = serve(CPUS, "--workers", "2", "--cpu-affinity")
    first, second = workers_of(server)
    cpus = {pid: cpus_of(pid) for pid in (first, second)}
    os.kill(second, signal.SIGKILL)
    successor = int(next_error(server, f"worker {second} was ended by SIGKILL; its successor is worker (\\d+)")[1])
    assert set(cpus_by_pid(server, 2)) == {first, successor}
    assert cpus_of(successor) == cpus[second]
    server.send_signal(signal.SIGHUP)
    for before in (first, successor):
        after = int(next_error(server, rf"worker (\d+) takes the place of worker {before}\n")[1])
        assert cpus_of(after) == cpus[first if before == first else second]
    assert server.stop().exit_code == 0


def test_workers_run_on_none_but_the_cpus_of_the_server(serve: Serve) -> None:
    cpu = max(_cpus.affinity())
    narrowed = CPUS.replace("allowed =", f"os.sched_setaffinity(0, {{{cpu}}})\n    allowed =")
    server = serve(narrowed, "--workers", "2", "--cpu-affinity")
    assert [cpus_of(pid) for pid in workers_of(server)] == [str(cpu)] * 2


def test_a_process_alone_runs_on_one_cpu_too(serve: Serve) -> None:
    server = serve(PIDS, "--cpu-affinity")
    assert cpus_of(server.get("/").json()) == str(min(_cpus.affinity()))


def test_the_environment_and_arguments_take_the_affinity_back(serve: Serve) -> None:
    source = clustered("(cpu_affinity=True)")
    for server in (
        serve(source, environment={"CELLO_CPU_AFFINITY": "0"}),
        serve(source.replace("run()", "run(cpu_affinity=False)")),
    ):
        assert cpus_of(server.get("/").json()) == cpus_of(os.getpid())


# --- how long they may end

#: Its handler never ends.
ENDLESS = """
    import asyncio, time
    from cello import App

    app = App()

    @app.get("/")
    async def endless() -> None:
        print("in flight", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("cancelled", flush=True)

    @app.on_event("shutdown")
    def shutdown():
        print("shut down", flush=True)

    app.run()
"""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("source", "arguments", "environment"),
    [
        (clustered("(graceful_shutdown=False)", ENDLESS), (), {}),
        (clustered("(shutdown_timeout=0.2)", ENDLESS), (), {}),
        (clustered("(shutdown_timeout=60)", ENDLESS).replace("run()", "run(shutdown_timeout=0)"), (), {}),
        (ENDLESS, ("--shutdown-timeout", "0.2"), {}),
        (ENDLESS, (), {"CELLO_SHUTDOWN_TIMEOUT": "0.2"}),
    ],
    ids=["not graceful", "the application", "the argument", "the command line", "the environment"],
)
def test_what_is_in_flight_is_cancelled_when_the_time_to_stop_is_over(
    serve: Serve, workers: str, source: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    server = serve(source, "--workers", workers, *arguments, environment=environment)
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        stopped = server.stop()
        assert connection.recv(1) == b""
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    told = stopped.stdout.splitlines()[len(server.banner) :]
    assert sorted(told) == ["cancelled", *["shut down"] * int(workers)]


def test_a_stop_that_is_not_graceful_may_be_made_so(serve: Serve, tmp_path: Path) -> None:
    source = clustered("(graceful_shutdown=False)", ENDLESS).replace(
        "await asyncio.Event().wait()",
        "while not os.path.exists('finish'): await asyncio.sleep(0.01)",
    )
    server = serve(source.replace("import asyncio", "import os, asyncio"), "--shutdown-timeout", "30")
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        server.send_signal(signal.SIGTERM)
        (tmp_path / "0" / "finish").touch()
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert server.wait().exit_code == 0


def test_a_worker_that_does_not_end_is_killed_soon_after(serve: Serve) -> None:
    server = serve(ENDLESS.replace("try:", "time.sleep(3600)\n        try:"), "--workers=2", "--shutdown-timeout=0.1")
    with server.connect() as connection:
        connection.sendall(REQUEST)
        assert server.next_line() == "in flight"
        stopped = server.stop()
    assert stopped.exit_code == 1
    assert re.search(r"^cello: worker \d+ has not ended within 5.2 s, and is killed$", stopped.stderr, re.MULTILINE)
    assert not any(exists(pid) for pid in workers_of(server))


def test_by_default_a_worker_has_65_seconds() -> None:
    assert Cluster(cpu_affinity=False, shutdown_timeout=30.0, max_restarts=None).kill_after_s == 65.0


# --- how often they are tried


def breakable(config: str, broken: Path) -> str:
    """An application that ends at start where the file is there."""
    return clustered(config, BREAKABLE.replace("'broken'", repr(str(broken))))


def test_the_place_of_a_worker_that_ends_too_often_is_given_up_and_tried_again_when_asked(
    serve: Serve, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    server = serve(breakable("(max_restarts=2)", broken), "--workers", "2")
    first, second = workers_of(server)
    for number in (signal.SIGHUP, signal.SIGTTIN):
        broken.touch()
        os.kill(first, signal.SIGKILL)
        next_error(server, f"worker {first} was ended by SIGKILL; its successor is worker")
        next_error(server, r"worker \d+ ended with exit code 70; its successor starts in 0.25 s")
        given_up = next_error(server, r"worker \d+ ended with exit code 70; its place is given up (.*)\n")
        assert given_up[1] == "(max_restarts=2): SIGHUP or SIGTTIN tries it again"
        assert children_of(server) == {second} == answering(server, 1)
        broken.unlink()
        server.send_signal(number)
        first = int(next_error(server, r"worker (\d+) is one more")[1])
        if number == signal.SIGHUP:
            second = int(next_error(server, rf"worker (\d+) takes the place of worker {second}")[1])
        wait_until(lambda: children_of(server) == {first, second})  # noqa: B023 - called at once
        assert answering(server, 2) == {first, second}
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")


def test_a_server_whose_workers_are_all_given_up_ends_and_says_so(serve: Serve, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    server = serve(breakable("(max_restarts=1)", broken), "--workers", "2")
    broken.touch()
    for pid in workers_of(server):
        os.kill(pid, signal.SIGKILL)
    stopped = server.wait()
    assert stopped.exit_code == 1
    assert stopped.stderr.count("its place is given up (max_restarts=1)") == 2
    assert stopped.stderr.endswith("\ncello: the places of all workers are given up: the server ends\n")


def test_a_worker_need_not_be_replaced_at_all(serve: Serve) -> None:
    server = serve(clustered("(max_restarts=0)"), "--workers", "2")
    first, second = workers_of(server)
    os.kill(first, signal.SIGKILL)
    next_error(server, rf"worker {first} was ended by SIGKILL; its place is given up \(max_restarts=0\)")
    assert children_of(server) == {second} == answering(server, 1)
    server.send_signal(signal.SIGTTOU)
    next_error(server, "the last worker stays")
    assert server.stop().exit_code == 0


@pytest.mark.parametrize(("failures", "is_over"), [(0, False), (4, False), (5, True)])
def test_without_a_limit_no_place_is_given_up(failures: int, is_over: bool) -> None:
    limited = Cluster(cpu_affinity=False, shutdown_timeout=30.0, max_restarts=5)
    unlimited = Cluster(cpu_affinity=False, shutdown_timeout=30.0, max_restarts=None)
    assert limited.gives_up(failures) is is_over
    assert not unlimited.gives_up(failures * 1000)
