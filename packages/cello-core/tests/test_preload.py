"""Workers that are forked off a template, as real processes: what is imported once, and what is as without."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from loading import failures_of, load
from serving import run_source
from supervised import HELD, answering, children_of, exists, next_error, wait_until, workers_of

if TYPE_CHECKING:
    from serving import Launch, Server

#: Each import is a line in the file `imports`: of the script that starts the server, and of each template.
SOURCE = """
    import os, threading
    from cello import App

    with open("imports", "a") as imports:
        imports.write("%d\\n" % os.getpid())
    if os.path.exists("broken") and "CELLO_WORKER" in os.environ:
        raise ImportError("this cannot be imported now")
    if os.path.exists("threads"):
        threading.Thread(target=threading.Event().wait, name="mine", daemon=True).start()

    app = App()

    @app.get("/")
    async def pid():
        return os.getpid()

    app.run()
"""


def preloaded(launch: Launch, folder: Path, workers: int) -> Server:
    """The application, served by so many workers."""
    (folder / "app.py").write_text(textwrap.dedent(SOURCE))
    return launch(sys.executable, "app.py", "--port", "0", "--workers", str(workers), "--preload", "--no-logs")


def imports(folder: Path) -> list[int]:
    """The processes that imported the application, in their order."""
    return [int(line) for line in (folder / "imports").read_text().split()]


def parent_of(pid: int) -> int:
    """The process that a process's end is told to."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def template_of(server: Server, tmp_path: Path) -> int:
    """The process that workers are forked off."""
    return next(pid for pid in reversed(imports(tmp_path)) if pid in children_of(server))


def test_the_application_is_imported_once_for_all_workers(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 3)
    workers = workers_of(server)
    assert answering(server, 3) == {*workers}
    assert {parent_of(pid) for pid in workers} == {server.process.pid}
    started, template = imports(tmp_path)
    assert (started, template not in workers) == (server.process.pid, True)
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    assert not [pid for pid in (*workers, template) if exists(pid)]


def test_a_worker_that_is_killed_is_forked_off_anew(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 2)
    victim = workers_of(server)[0]
    os.kill(victim, signal.SIGKILL)
    successor = int(next_error(server, rf"worker {victim} was ended by SIGKILL; its successor is worker (\d+)")[1])
    wait_until(lambda: successor in answering(server, 2))
    assert len(imports(tmp_path)) == 2


def test_a_roll_takes_new_code_by_a_new_template_and_loses_nothing(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 2)
    workers, template = workers_of(server), template_of(server, tmp_path)
    with load(server) as clients:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not any(exists(pid) for pid in (*workers, template)))
    assert failures_of(clients) == []
    assert len(imports(tmp_path)) == 3
    assert len(children_of(server)) == 3


def test_a_template_that_is_being_made_at_a_roll_does_not_bring_the_code_of_before(
    launch: Launch, tmp_path: Path
) -> None:
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(HELD))
    server = launch(sys.executable, "app.py", "--port", "0", "--no-logs", "--workers", "2", "--preload")
    before = children_of(server)
    (tmp_path / "hold").touch()
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: len(children_of(server)) == len(before) + 1)
    (made,) = children_of(server) - before
    wait_until(lambda: (tmp_path / f"held {made}").exists())
    script.write_text(script.read_text().replace("[1,", "[2,"))
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not exists(made))
    (tmp_path / "hold").unlink()
    wait_until(lambda: not children_of(server) & before)
    assert server.get("/").json()[0] == 2
    assert server.stop().exit_code == 0


def test_new_code_that_cannot_be_imported_is_not_taken(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 2)
    workers = workers_of(server)
    (tmp_path / "broken").touch()
    server.process.send_signal(signal.SIGHUP)
    next_error(server, "this cannot be imported now")
    next_error(server, "the workers stay as they are")
    assert answering(server, 2) == {*workers}
    (tmp_path / "broken").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not any(exists(pid) for pid in workers))
    assert len(answering(server, 2)) == 2


def test_workers_start_without_a_template_that_was_killed(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 2)
    template = template_of(server, tmp_path)
    os.kill(template, signal.SIGKILL)
    next_error(server, f"the template {template} was ended by SIGKILL: workers start without it until SIGHUP")
    victim = workers_of(server)[1]
    os.kill(victim, signal.SIGKILL)
    successor = int(next_error(server, r"its successor is worker (\d+)")[1])
    wait_until(lambda: successor in answering(server, 2))
    assert imports(tmp_path)[2:] == [successor]


def test_all_end_when_the_supervisor_is_killed(launch: Launch, tmp_path: Path) -> None:
    server = preloaded(launch, tmp_path, 2)
    children = children_of(server)
    assert len(children) == 3
    server.process.kill()
    wait_until(lambda: not any(exists(pid) for pid in children))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("broken", "ImportError: this cannot be imported now"),
        ("threads", "threads run once the application is imported (mine)"),
    ],
)
def test_an_application_that_cannot_be_preloaded_is_told_once(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).touch()
    stopped = run_source(tmp_path, SOURCE, "--workers", "2", "--preload")
    assert (stopped.exit_code, stopped.stderr.count(words), len(imports(tmp_path))) == (3, 1, 2)


def test_preload_and_reload_exclude_each_other(tmp_path: Path) -> None:
    stopped = run_source(tmp_path, "from cello import App\nApp().run(preload=True, reload=True)")
    assert stopped.exit_code == 2
    assert "preload imports the application once, and reload at each save: leave one of them out" in stopped.stderr
