#!/usr/bin/env python3
"""Builds what is measured: an environment for each peer, bare hyper, and Cello's wheel.

Each environment lies under $BENCH_CACHE and is built once; a change of its requirements builds it anew.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from peers import CACHE, HERE, Peer, load_peers

CHECKOUT = HERE.parent
BUILD_PATIENCE_S = 1800

# What would turn the default release build into another one.
TUNING_VARIABLES = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "MATURIN_PEP517_ARGS", "RUSTC_WRAPPER")
TUNING_PREFIXES = ("CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_")


class BuildError(Exception):
    """A build step failed; the message is the end of its output."""


def build_environment() -> dict[str, str]:
    """Give this process's environment without anything that tunes a build."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in TUNING_VARIABLES and not name.startswith(TUNING_PREFIXES)
    }


def run(command: Sequence[str | Path], *, cwd: Path = HERE, **variables: str) -> str:
    """Run a build step and give its output.

    Errors: BuildError where it fails.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=build_environment() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(str(error)) from None
    if done.returncode:
        raise BuildError(f"{Path(str(command[0])).name}: " + " / ".join(done.stdout.strip().splitlines()[-3:]))
    return done.stdout


def build_wrk() -> None:
    """Install the load generator from the system's packages where it is missing."""
    if shutil.which("wrk"):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise BuildError("wrk is missing: install it from the system's packages")
    run(["apt-get", "update"])
    run(["apt-get", "install", "--yes", "--no-install-recommends", "wrk"], DEBIAN_FRONTEND="noninteractive")


def build_bare_hyper() -> None:
    """Compile the limit that every server is compared with."""
    manifest = HERE / "bare-hyper" / "Cargo.toml"
    target = CACHE / "bare-hyper"
    run(["cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target])


def build_peer(peer: Peer, *, upgrade: bool = False) -> None:
    """Install a peer's pinned requirements; `upgrade` pins the newest versions first."""
    pip = pip_of(peer.venv)
    stamp = peer.venv / "installed"
    if not upgrade and stamp.exists() and stamp.read_text() == fingerprint(peer.requirements):
        return
    run([sys.executable, "-m", "venv", "--clear", peer.venv])
    if upgrade:
        run([*pip, "install", *peer.packages])
        peer.requirements.write_text(run([*pip, "freeze"]))
    else:
        run([*pip, "install", "--requirement", peer.requirements])
    stamp.write_text(fingerprint(peer.requirements))


def pip_of(venv: Path) -> list[str | Path]:
    """Give the command that installs into an environment."""
    return [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]


def fingerprint(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build_cello(venv: Path) -> Path:
    """Build the default release wheel from this checkout and install it in a fresh environment."""
    wheels = CACHE / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    run([sys.executable, "-m", "venv", "--clear", venv])
    pip = pip_of(venv)
    package = CHECKOUT / "packages" / "cello-core"
    # A target folder of its own, so that nothing compiled for development gets into the wheel.
    run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", wheels, package],
        cwd=CHECKOUT,
        CARGO_TARGET_DIR=str(CACHE / "wheel-target"),
    )
    built = list(wheels.glob("*.whl"))
    if len(built) != 1:
        raise BuildError(f"expected one wheel, found {len(built)}")
    run([*pip, "install", built[0]])
    return built[0]


def build(peer: Peer, *, upgrade: bool = False) -> None:
    """Build whatever this server needs."""
    if peer.name == "bare-hyper":
        build_bare_hyper()
    elif peer.packages:
        build_peer(peer, upgrade=upgrade)


def main() -> int:
    """Build the named servers, or all; the exit code tells whether each succeeded."""
    peers = load_peers()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SERVER", help=f"of {', '.join(peers)}; all without a name")
    parser.add_argument("--upgrade", action="store_true", help="pin the newest versions in requirements/")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    failures = 0
    try:
        build_wrk()
    except BuildError as error:
        print(error)
        failures += 1
    for name in options.names or peers:
        try:
            build(peers[name], upgrade=options.upgrade)
            if name == "cello":
                build_cello(peers[name].venv)
        except BuildError as error:
            print(f"{name}: {error}")
            failures += 1
        else:
            print(f"{name}: ready")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
