"""Where figures come from: the commit, the machine and every version."""

import importlib.metadata
import os
import platform
import re
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import postgresql
from environments import CHECKOUT
from peers import HERE, Peer

# What the figures depend on. Results and their rendering are written by a run, so they do not make a checkout dirty.
MEASURED_PATHS = ("crates", "packages/cello-core", "Cargo.toml", "Cargo.lock", "benchmarks")
WRITTEN_PATHS = (":!benchmarks/results", ":!benchmarks/RESULTS.md")
SHOWN_PACKAGES = (
    *("cello-core", "django-bolt", "django", "granian", "blacksheep", "fastapi", "starlette", "pydantic", "uvicorn"),
    *("robyn", "socketify", "cello-framework", "uvloop", "rloop", "httptools", "orjson", "msgspec"),
    *("python-multipart", "asyncpg"),
)


def output_of(*command: str, cwd: Path = CHECKOUT) -> str:
    """Give what a command prints, or nothing where it cannot be run."""
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    except OSError:
        return ""
    return done.stdout.strip()


def commit() -> str:
    """Name the commit that is checked out."""
    found = output_of("git", "rev-parse", "--verify", "HEAD")
    return found if re.fullmatch(r"[0-9a-f]{40}", found) else "none"


def is_dirty() -> bool:
    """Tell whether anything that the figures depend on differs from the commit."""
    present = [path for path in MEASURED_PATHS if (CHECKOUT / path).exists()]
    return bool(output_of("git", "status", "--porcelain", "--", *present, *WRITTEN_PATHS))


def machine() -> dict[str, str]:
    """Describe the machine."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else "unknown",
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
    }


def tools() -> dict[str, str]:
    """List the versions of what everything is built, served and measured with."""
    bin_folder = postgresql.programs()
    database = output_of(str(bin_folder / "postgres"), "--version") if bin_folder else "none"
    return {
        "python": platform.python_version(),
        "rustc": output_of("rustc", "--version").removeprefix("rustc "),
        "PostgreSQL": database.removeprefix("postgres (PostgreSQL) "),
    }


def versions(peers: list[Peer], cello_python: Path | None) -> dict[str, str]:
    """List the versions of the tools, of bare hyper's crates, and of each server's packages."""
    wrk = re.search(r"\d+\.\d+\.\d+", output_of("wrk", "--version"))
    found = tools() | {"wrk": wrk[0] if wrk else "unknown"}
    lock = cast("dict[str, list[dict[str, Any]]]", tomllib.loads((HERE / "bare-hyper" / "Cargo.lock").read_text()))
    crates = {crate["name"]: crate["version"] for crate in lock["package"]}
    found["bare-hyper"] = f"hyper {crates['hyper']}, tokio {crates['tokio']}"
    return found | packages(peers, cello_python)


def packages(peers: Iterable[Peer], cello_python: Path | None) -> dict[str, str]:
    """List the versions of what each environment is about."""
    found: dict[str, str] = {}
    for peer in peers:
        venv = cello_python.parent.parent if cello_python and peer.kind == "subject" else peer.venv
        sites = [str(site) for site in venv.glob("lib/python*/site-packages")]
        installed = {each.name.lower(): each.version for each in importlib.metadata.distributions(path=sites)}
        shown = [f"{name} {installed[name]}" for name in SHOWN_PACKAGES if name in installed]
        if shown:
            found[peer.name] = ", ".join(shown)
    return found
