"""Deployment packages for tests: each is made once in a session, however many workers ask for it."""

from __future__ import annotations

import fcntl
import platform
import sys
import warnings
from typing import TYPE_CHECKING, Final

from tools import pythons
from tools.package import ROOT, Package, build

if TYPE_CHECKING:
    from pathlib import Path

    from tools.pythons import Python

HERE: Final = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
"""Lambda's name for the architecture that the tests run on."""
WHEELS: Final = ROOT / "build" / "wheels"


def running_python() -> Python:
    """Return the Python that runs the tests."""
    return pythons.find(sys.executable)


def deployed_python() -> Python:
    """Return a 3.13, as is deployed; where there is none the running one, with a warning that says so."""
    try:
        return pythons.find(None)
    except pythons.PackageError as error:
        # Told, and not an error of the tests: a contributor's machine need not have what the operator's must.
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(f"Packaging with {sys.version.split()[0]} instead: {error}", stacklevel=2)
        return running_python()


def built(shared: Path, architecture: str, python: Python) -> Package:
    """Return the package for an architecture and a Python, made by whoever asks first."""
    out = shared / f"package-{architecture}-{python.tag}"
    with (shared / f"{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Package(out / "rolecall.zip", out / "manifest.json", out / "stack.json")
        # The stack is written last.
        return made if made.stack.exists() else build("prod", architecture, python, out, WHEELS)
