"""A PostgreSQL for one run: fresh, on loopback, without privileges, gone when the run ends."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peers import CACHE
from processes import MeasurementError

PORT = 28100
USER = "bench"
FOLDER = CACHE / "postgresql"
LOG = CACHE / "logs" / "postgresql.log"
PATIENCE_S = 60
# PostgreSQL refuses to run as root; this account comes with its package.
ACCOUNT = None if os.geteuid() else "postgres"


def programs() -> Path | None:
    """Find PostgreSQL's programs, where Debian keeps them off the path or on the path."""
    packaged = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(packaged, key=lambda path: float(path.parent.parent.name), default=None)
    found = newest or shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def spawn(command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    """Start one of the programs, without privileges and out of the terminal's reach."""
    with LOG.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=ACCOUNT,
            group=ACCOUNT,
            extra_groups=ACCOUNT and [],
            start_new_session=True,
        )


def last_words() -> str:
    """Give the last line of what a program complained of."""
    lines = LOG.read_text(errors="replace").strip().splitlines()
    return lines[-1][-200:] if lines else "no output"


@dataclass(slots=True)
class PostgreSQL:
    """A server that nothing else uses, pinned to a core. `url` is empty while it does not run."""

    core: int
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Lay out its folder, start it and wait until it accepts connections.

        Errors: MeasurementError where it does not.
        """
        bin_folder = programs()
        if bin_folder is None:
            raise MeasurementError("PostgreSQL is not installed")
        password = secrets.token_hex(16)
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True, mode=0o700)
        (FOLDER / "password").write_text(password)
        if ACCOUNT:
            shutil.chown(FOLDER, ACCOUNT, ACCOUNT)
            shutil.chown(FOLDER / "password", ACCOUNT, ACCOUNT)
        layout: list[str | Path] = [bin_folder / "initdb", "--pgdata", FOLDER / "data", "--no-sync", "--no-locale"]
        layout += ["--encoding", "UTF8", "--username", USER, "--auth", "scram-sha-256", "--pwfile", FOLDER / "password"]
        if code := spawn(layout).wait():
            raise MeasurementError(f"initdb exited with {code}: {last_words()}")
        command: list[str | Path] = ["taskset", "--cpu-list", str(self.core), bin_folder / "postgres"]
        command += ["-D", FOLDER / "data"]
        for setting in (f"port={PORT}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
            command += ["-c", setting]
        self.process = spawn(command)
        self._wait(bin_folder)
        self.url = f"postgresql://{USER}:{password}@127.0.0.1:{PORT}/postgres"

    def _wait(self, bin_folder: Path) -> None:
        assert self.process is not None
        deadline_s = time.monotonic() + PATIENCE_S
        probe: list[str | Path] = [bin_folder / "pg_isready", "--quiet", "--host", "127.0.0.1", "--port", str(PORT)]
        while subprocess.run(probe).returncode:
            if self.process.poll() is not None:
                raise MeasurementError(f"PostgreSQL exited with {self.process.returncode}: {last_words()}")
            if time.monotonic() > deadline_s:
                self.stop()
                raise MeasurementError(f"PostgreSQL is not ready after {PATIENCE_S} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, at once for its clients, and remove what it kept."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
            self.process = None
        self.url = ""
        shutil.rmtree(FOLDER, ignore_errors=True)
