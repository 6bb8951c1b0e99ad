#!/usr/bin/env python3
"""Builds what is measured and what that takes: environments, Cello's wheel, bare hyper, the load, a certificate.

Each environment lies under $BENCH_CACHE and is built once; a change of its requirements builds it anew.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from ctypes.util import find_library
from pathlib import Path

import postgresql
from peers import CACHE, HERE, Peer, load_loops, load_peers

CHECKOUT = HERE.parent
CERTIFICATE = CACHE / "certificate.pem"
ECHO_LOAD = CACHE / "echo-load" / "release" / "echo-load"
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
    if not shutil.which("wrk"):
        install("wrk")


def build_postgresql() -> None:
    """Install PostgreSQL from the system's packages where it is missing."""
    if not postgresql.programs():
        install("postgresql")


def build_libuv() -> None:
    """Install the library that socketify's wheel expects from the system's packages where it is missing."""
    if not find_library("uv"):
        install("libuv1")


def install(package: str) -> None:
    """Install one of the system's packages."""
    if os.geteuid() or not shutil.which("apt-get"):
        raise BuildError(f"{package} is missing: install it from the system's packages")
    run(["apt-get", "update"])
    run(["apt-get", "install", "--yes", "--no-install-recommends", package], DEBIAN_FRONTEND="noninteractive")


def build_bare_hyper() -> None:
    """Compile the limit that every server is compared with."""
    build_crate("bare-hyper")


def build_echo_load() -> None:
    """Compile the load of the loops' echo servers."""
    build_crate("echo-load")


def build_crate(name: str) -> None:
    """Compile one of the programs here that are in Rust."""
    manifest, target = HERE / name / "Cargo.toml", CACHE / name
    run(["cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target])


def build_certificate() -> None:
    """Make the certificate, with its key in the same file, that TLS is measured with."""
    if CERTIFICATE.exists():
        return
    key, certificate = CERTIFICATE.with_suffix(".key"), CERTIFICATE.with_suffix(".new")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    run([*command, "-keyout", key, "-out", certificate])
    key.write_text(key.read_text() + certificate.read_text())
    key.rename(CERTIFICATE)
    certificate.unlink()


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


def build_cello(peer: Peer, *, upgrade: bool = False) -> None:
    """Build the default release wheel from this checkout and install it in a fresh environment."""
    wheels = CACHE / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.rmtree(peer.venv, ignore_errors=True)
    build_peer(peer, upgrade=upgrade)
    pip = pip_of(peer.venv)
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


def build(peer: Peer, *, upgrade: bool = False) -> None:
    """Build whatever this server or loop needs."""
    if peer.name == "bare-hyper":
        build_bare_hyper()
    elif peer.name == "cello":
        build_cello(peer, upgrade=upgrade)
    elif peer.packages:
        if peer.name == "socketify":
            build_libuv()
        build_peer(peer, upgrade=upgrade)


def main() -> int:
    """Build the named servers and loops, or all; the exit code tells whether each succeeded."""
    peers = load_loops() | load_peers()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(peers)}; all without a name")
    parser.add_argument("--upgrade", action="store_true", help="pin the newest versions in requirements/")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    failures = 0
    for build_tool in (build_wrk, build_postgresql, build_certificate, build_echo_load):
        try:
            build_tool()
        except BuildError as error:
            print(error)
            failures += 1
    for name in options.names or peers:
        try:
            build(peers[name], upgrade=options.upgrade)
        except BuildError as error:
            print(f"{name}: {error}")
            failures += 1
        else:
            print(f"{name}: ready")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
