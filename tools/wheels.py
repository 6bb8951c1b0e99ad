#!/usr/bin/env python3
"""Builds every distribution, looks into it, and installs each extra into an environment that has nothing else."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from extras import NAMES
from projects import ROOT, Project, projects
from wheel_building import BuildError, Built, build, machine_paths
from wheel_contents import sdist_complaints, wheel_complaints
from wheel_environments import Environment

__all__ = ["content_complaints", "core_complaints", "extra_complaints", "framework"]

DIST = ROOT / "dist"
FRAMEWORK = "cello-framework"


def framework() -> Project:
    """The distribution of the extras."""
    return next(project for project in projects() if project.name == FRAMEWORK)


def content_complaints(built: Built, project: Project) -> list[str]:
    """What is wrong with the wheel and the sdist of a distribution."""
    machine = machine_paths()
    wheel, sdist = built.wheel(project.name), built.sdist(project.name)
    return [
        *(f"{wheel.name}: {complaint}" for complaint in wheel_complaints(wheel, project, machine)),
        *(f"{sdist.name}: {complaint}" for complaint in sdist_complaints(sdist, project, machine)),
    ]


def core_complaints(environment: Environment) -> list[str]:
    """What is wrong with the core, installed alone: it serves, and helps where a family's name is missing."""
    environment.install("cello-core")
    ours, families = environment.installed()
    complaints = [] if ours == ["cello-core"] and not families else [f"more is there than the core: {ours}, {families}"]
    if (answer := environment.serve()) != {"message": "Hello, Cello!"}:
        complaints.append(f"it answers {answer}")
    return [*complaints, *environment.missing_complaints()]


def extra_complaints(environment: Environment, extra: str) -> list[str]:
    """What is wrong with an extra: exactly its families have to be there."""
    environment.install(f"{FRAMEWORK}[{extra}]")
    expected = {re.split(r"[\[=]", line)[0] for line in framework().extras[extra]}
    names = sorted({"cello-core", FRAMEWORK, *expected})
    families = sorted(project.family for project in projects() if project.family and project.name in expected)
    found = environment.installed()
    return [] if found == (names, families) else [f"{found} is there, not {(names, families)}"]


def told(title: str, complaints: list[str], note: str = "") -> bool:
    """Prints a row; whether there was nothing to complain about."""
    print(f"{title:32} {'FAILED' if complaints else 'ok':8} {note}", flush=True)
    for complaint in complaints:
        print(f"    {complaint}")
    return not complaints


def check_contents(built: Built) -> list[bool]:
    """Looks into every wheel and sdist."""
    results: list[bool] = []
    for project in projects():
        wheel = built.wheel(project.name)
        note = f"{wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB, and its sdist"
        results.append(told(project.name, content_complaints(built, project), note))
    return results


def check_environments(built: Built, folder: Path) -> list[bool]:
    """Installs the core alone, and each extra that there is."""
    note = "serves, and says where a missing name comes from"
    results = [told("the core alone", core_complaints(Environment(folder / "core", built)), note)]
    there = framework().extras
    for extra in NAMES:
        if extra in there:
            complaints = extra_complaints(Environment(folder / extra, built), extra)
            results.append(told(f"{FRAMEWORK}[{extra}]", complaints, ", ".join(there[extra]) or "no family yet"))
        else:
            print(f"{f'{FRAMEWORK}[{extra}]':32} {'absent':8} no family has it yet")
    return results


def main() -> int:
    """Build and check; the exit code tells whether all of it is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DIST, help="the folder of what is built, emptied before; dist/")
    out: Path = parser.parse_args().out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    try:
        built = build(out)
        results = check_contents(built)
        with tempfile.TemporaryDirectory() as folder:
            results += check_environments(built, Path(folder))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    failed = results.count(False)
    print(f"\n{failed or 'none'} of {len(results)} failed; what was built is in {out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
