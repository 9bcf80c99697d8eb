"""What goes into the package beside our code: the wheels of requirements.txt for Lambda's machine, by their hashes.

Chalice would install them itself, but fetches a wheel for another architecture by name alone, without its hash, and
leaves out what it can't find with exit status 0. So it is given none, and pip is asked here: every file's hash must
stand in requirements.txt, only wheels are taken (nothing is built), and what is missing ends the build.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tools.pythons import PackageError

if TYPE_CHECKING:
    from pathlib import Path

    from tools.pythons import Python

ARCHITECTURES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's names, and those of wheels."""
_GLIBC: Final = {(3, 11): 26, (3, 12): 34, (3, 13): 34}
"""The minor version of glibc below each of Lambda's Pythons: Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34."""
_OLDEST_GLIBC: Final = 17
_MARKER: Final = re.compile(r"^[A-Za-z0-9._-]+(?:\[[^\]]*\])?==\S+\s*;\s*(?P<marker>[^\\#]+)", re.MULTILINE)
_KNOWN_MARKER: Final = re.compile(r"(platform_python_implementation|implementation_name) != 'PyPy'")


def install(requirements: Path, wheels: Path, target: Path, python: Python, architecture: str) -> None:
    """Put the packages of `requirements` into `target`, as they are for this Python and architecture.

    `wheels` is where the files are kept from one build to the next; each build checks their hashes anew. Raises
    `PackageError` when a file is missing or is not the one that the hashes name.
    """
    _check_markers(requirements.read_text(encoding="utf-8"))
    for_target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python.tag[2:]}"]
    for_target += [f"--platform={platform}" for platform in platforms(python, architecture)]
    for_target += [f"--abi={abi}" for abi in (python.tag, "abi3", "none")]
    common = ["--require-hashes", "--no-deps", "-r", str(requirements), *for_target]
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    kept = wheels / f"{key}-{python.tag}-{architecture}"
    whole = kept / "whole"
    if not whole.exists():
        _pip(["download", "--dest", str(kept), *common], architecture)
        whole.touch()
    # From the files alone: what was kept is held against the hashes again, and no index is asked.
    offline = ["--no-index", f"--find-links={kept}", "--no-compile", f"--target={target}"]
    _pip(["install", "--quiet", *offline, *common], architecture)


def platforms(python: Python, architecture: str) -> list[str]:
    """Return the platform tags of wheels that run there, the newest first."""
    machine = ARCHITECTURES[architecture]
    minors = range(_GLIBC[python.version], _OLDEST_GLIBC - 1, -1)
    return [*(f"manylinux_2_{minor}_{machine}" for minor in minors), f"manylinux2014_{machine}"]


def _check_markers(text: str) -> None:
    """Refuse markers whose answer depends on the machine: pip answers them for the Python that it runs on."""
    for found in _MARKER.finditer(text):
        for part in found["marker"].strip().split(" and "):
            if not _KNOWN_MARKER.fullmatch(part.strip()):
                raise PackageError(
                    f"requirements.txt has a package only where {part.strip()}, which pip would decide for this"
                    " machine instead of Lambda's. tools/dependencies.py must learn it first."
                )


def _pip(arguments: list[str], architecture: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise PackageError(
            f"A wheel for {architecture} is missing, or is not the file that requirements.txt names:\n"
            + "\n".join(f"  {line.strip()}" for line in reasons[-12:])
        )
