"""Which Python the package is for: Lambda runs what it was compiled with."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEPLOYED: Final = (3, 13)
"""The version that is deployed unless another is named."""
SUPPORTED: Final = ((3, 11), (3, 12), (3, 13))
_TELL: Final = "import sys; print(sys.implementation.name, *sys.version_info[:2])"


class PackageError(Exception):
    """The package can't be made; the message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter, and the version that it is."""

    path: str
    version: tuple[int, int]

    @property
    def runtime(self) -> str:
        """Lambda's name for it."""
        return f"python{self.version[0]}.{self.version[1]}"

    @property
    def tag(self) -> str:
        """Its tag in names of wheels and .pyc files, such as cp313."""
        return f"cp{self.version[0]}{self.version[1]}"


def find(named: str | None) -> Python:
    """Return the Python that was named, or a 3.13. Raises `PackageError` when there is none."""
    if named:
        found = _ask(named)
        if found is None or found.version not in SUPPORTED:
            versions = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
            raise PackageError(f"{named} is not a CPython of one of the versions {versions}.")
        return found
    for candidate in _candidates():
        found = _ask(candidate)
        if found is not None and found.version == DEPLOYED:
            return found
    raise PackageError(
        "Python 3.13, which Lambda will run, is not on this machine: its bytecode can't be made by another version."
        " Install it (pyenv install 3.13, or uv python install 3.13), or name one: PYTHON313=/path/to/python3.13."
        " PYTHON313 may also name a 3.11 or 3.12, which is deployed then."
    )


def _candidates() -> list[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    # pyenv's own name on the path works only for the versions that were made global.
    installed = [str(path) for path in sorted(pyenv.glob("3.13.*/bin/python3.13"), reverse=True)]
    uv = Path(sys.executable).parent / "uv"
    # uv looks where it and the system put Pythons, and is told to fetch none.
    told = _run([str(uv), "python", "find", "--no-python-downloads", "3.13"]) if uv.exists() else None
    return [sys.executable, *installed, "python3.13", *([told] if told else [])]


def _ask(path: str) -> Python | None:
    words = (_run([path, "-I", "-c", _TELL]) or "").split()
    if len(words) != 3 or words[0] != "cpython":
        return None
    return Python(path, (int(words[1]), int(words[2])))


def _run(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  ours
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
