"""The built wheels, alone in a fresh environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from serving import Server

ROOT = Path(__file__).parent.parent

APP = """
from cello import App

app = App()


@app.get("/")
def hello():
    return {"message": "Hello, Cello!"}
"""


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Runs a command; its output, also when it fails."""
    # The flags of the development builds are no part of a wheel.
    environment = {name: value for name, value in os.environ.items() if name != "RUSTFLAGS"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_wheels_serve_in_an_environment_that_has_nothing_else(tmp_path: Path) -> None:
    dist, environment = tmp_path / "dist", tmp_path / "environment"
    run("maturin", "build", "--release", "--out", dist, folder=ROOT / "packages" / "cello-core")
    run("uv", "build", "--quiet", "--wheel", "--out-dir", dist, "packages/cello-framework")
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", dist, "cello-framework[full]")

    names = [name for wheel in dist.glob("cello_core-*.whl") for name in zipfile.ZipFile(wheel).namelist()]
    assert "cello/py.typed" in names
    assert "cello/_kernel.pyi" in names
    assert "cello/_kernel.abi3.so" in names
    assert [name for name in names if name.startswith("cello/_templates/project/")]
    profile = run(python, "-c", "import cello._kernel as kernel; print(kernel.BUILD_PROFILE, kernel.__version__)")
    assert profile.split() == ["release", "2.0.0"]

    typed = ROOT / "tests/annotations/accepted/routes.py"
    run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, typed, folder=tmp_path)
    run(sys.executable, "-m", "pyright", "--pythonpath", python, typed, folder=tmp_path)

    run(environment / "bin" / "cello", "new", "quartet", folder=tmp_path)
    templates = (ROOT / "packages/cello-core/src/cello/_templates/project").rglob("*.template")
    assert len([path for path in (tmp_path / "quartet").rglob("*") if path.is_file()]) == len([*templates])

    (tmp_path / "service.py").write_text(APP)
    server = Server.run([str(environment / "bin" / "cello"), "run", "service:app", "--port", "0"], tmp_path)
    try:
        assert server.get("/").json() == {"message": "Hello, Cello!"}
        assert server.stop().exit_code == 0
    finally:
        server.end()
