#!/usr/bin/env python3
"""Writes what is compiled into cello-core's wheel: its bill of materials, in the form of CycloneDX 1.5 (ECMA-424).

The crates are those that Cargo links on Linux, with the checksums of Cargo.lock. No path of a machine is in it, as
there would be in one that is made while a wheel is built.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import generated
from projects import version

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TARGET", "texts"]

CRATE = "cello-py"
DISTRIBUTION = "cello-core"
TARGET = "x86_64-unknown-linux-gnu"
#: Without what is run by the compiler only: it is in no wheel.
TREE = [
    *("cargo", "tree", "--locked", "--package", CRATE, "--edges", "normal,no-proc-macro", "--target", TARGET),
    *("--no-dedupe", "--prefix", "depth", "--format", "|{p}|{l}"),
]


def texts(root: Path) -> dict[Path, str]:
    """The bill, which the wheel holds as it is."""
    lines = subprocess.run(TREE, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    checksums = {
        (package["name"], package["version"]): package["checksum"]
        for package in tomllib.loads((root / "Cargo.lock").read_text())["package"]
        if "checksum" in package
    }
    bill = bill_of(lines, checksums, version(root))
    return {root / "packages" / DISTRIBUTION / f"{DISTRIBUTION}.cdx.json": json.dumps(bill, indent=2) + "\n"}


def bill_of(lines: list[str], checksums: dict[tuple[str, str], str], now: str) -> dict[str, Any]:
    """The bill of what `cargo tree` has printed."""
    components: dict[str, dict[str, Any]] = {}
    needs: dict[str, set[str]] = {}
    above: list[str] = [f"pkg:pypi/{DISTRIBUTION}@{now}"]
    for line in lines:
        depth, package, licenses = line.split("|")
        name, its_version = package.split()[:2]
        component = component_of(name, its_version.removeprefix("v"), licenses, checksums)
        reference = component["bom-ref"]
        components[reference] = component
        del above[int(depth) + 1 :]
        needs.setdefault(above[-1], set()).add(reference)
        needs.setdefault(reference, set())
        above.append(reference)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": above[0],
                "name": DISTRIBUTION,
                "version": now,
                "licenses": [{"expression": "MIT"}],
                "purl": above[0],
            }
        },
        "components": [components[reference] for reference in sorted(components)],
        "dependencies": [{"ref": reference, "dependsOn": sorted(needs[reference])} for reference in sorted(needs)],
    }


def component_of(name: str, its_version: str, licenses: str, checksums: dict[tuple[str, str], str]) -> dict[str, Any]:
    """A crate."""
    reference = f"pkg:cargo/{name}@{its_version}"
    component: dict[str, Any] = {"type": "library", "bom-ref": reference, "name": name, "version": its_version}
    if checksum := checksums.get((name, its_version)):
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    # Older crates write a slash where an expression of SPDX has a word.
    component["licenses"] = [{"expression": " OR ".join(part.strip() for part in licenses.split("/"))}]
    return {**component, "purl": reference}


if __name__ == "__main__":
    sys.exit(generated.run(__doc__, texts))
