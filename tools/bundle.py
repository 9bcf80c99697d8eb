"""The deployment package: which files go in, and a zip of them whose bytes depend on nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING, Final

from tools import compiling
from tools.pythons import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.pythons import Python

LIMIT: Final = 14 * 1000 * 1000
"""Octets. A larger package starts more slowly than promised; Lambda itself would take 50 MB."""
BOTOCORE_SERVICES: Final = ("dynamodb", "sts")
"""The services that botocore is asked for; Bedrock is called without a client."""
_BOTOCORE_FILES: Final = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
_OURS: Final = {
    ".css", ".html", ".ico", ".js", ".json", ".md", ".mjs", ".png", ".py", ".sh", ".svg", ".tf", ".txt", ".webmanifest",
    ".woff2", ".yaml",
}  # fmt: skip
"""Kinds of file that our own folders may hold. Anything else there is not known to belong on a public function."""
_DROPPED: Final = re.compile(
    r"(^|/)__pycache__/|^bin/"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json|sboms/)|\.pyi$|(^|/)py\.typed$"
    r"|^botocore/data/[^/]+/[^/]+/examples-1\.json"
    # cffi's compiler and what it parses C with: cryptography was compiled, and needs _cffi_backend alone.
    r"|^(cffi|pycparser)/|^dateutil/zoneinfo/.*\.tar\.gz$|^pydantic/(mypy|_hypothesis_plugin)\.py$"
)
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can hold, as Chalice has it."""
_REGULAR: Final = 0o100644 << 16
_PROGRAM: Final = 0o100755 << 16


def copy_sources(root: Path, target: Path) -> None:
    """Copy what is ours and deployed: app.py, chalicelib/ and policies/. Raises `PackageError` for an odd file."""
    for path in (root / "app.py", *_below(root / "chalicelib"), *_below(root / "policies")):
        name = path.relative_to(root)
        if path.suffix not in _OURS and not _is_program(path):
            raise PackageError(f"{name} is of a kind that the package has no place for. Take it away or name its kind.")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
        (target / name).chmod(0o755 if _is_program(path) else 0o644)


def _is_program(path: Path) -> bool:
    """Whether it is a script without a suffix, as Lambda wants its wrapper."""
    return not path.suffix and path.read_bytes().startswith(b"#!")


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def slim(folder: Path) -> None:
    """Take out of the installed packages what is never read. botocore/docs stays: botocore's clients import it."""
    kept = {*BOTOCORE_SERVICES, *_BOTOCORE_FILES}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        parts = name.split("/")
        unused = parts[:2] == ["botocore", "data"] and len(parts) > 2 and parts[2] not in kept
        if path.is_file() and (unused or _DROPPED.search(name)):
            path.unlink()
    for service in BOTOCORE_SERVICES:
        if not (folder / "botocore" / "data" / service).is_dir():
            raise PackageError(f"botocore has no service {service}.")


def compile_sources(folder: Path, python: Python) -> None:
    """Add the bytecode of this Python beside every module. Raises `PackageError` for a file that it can't compile."""
    done = subprocess.run(  # noqa: S603  our own program
        [python.path, "-I", "-S", compiling.__file__, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PackageError(f"{python.runtime} can't compile: {' '.join(done.stderr.split())[:500]}")


def write_zip(folder: Path, target: Path) -> None:
    """Zip a folder: names in order, one date, one compression. Raises `PackageError` above the limit."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _DATE)
            entry.external_attr = _PROGRAM if path.stat().st_mode & 0o100 else _REGULAR
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    check_size(target)


def check_size(package: Path, limit: int = LIMIT) -> None:
    """Raise `PackageError` when the package is larger than it may be, naming what takes the room."""
    size = package.stat().st_size
    if size <= limit:
        return
    rooms: dict[str, int] = {}
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            room = entry.filename.split("/")[0]
            rooms[room] = rooms.get(room, 0) + entry.compress_size
    largest = ", ".join(
        f"{room} {octets / 1e6:.1f}" for room, octets in sorted(rooms.items(), key=lambda item: -item[1])[:5]
    )
    raise PackageError(f"The package has {size / 1e6:.1f} MB; {limit / 1e6:.1f} MB is the limit. MB of it: {largest}.")


def manifest(package: Path, python: Python, architecture: str) -> dict[str, object]:
    """Return what the package is and holds: each file with its size and hash."""
    with zipfile.ZipFile(package) as archive:
        files = {
            entry.filename: {"size": entry.file_size, "sha256": hashlib.sha256(archive.read(entry)).hexdigest()}
            for entry in archive.infolist()
        }
    return {
        "runtime": python.runtime,
        "architecture": architecture,
        "size": package.stat().st_size,
        "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "files": files,
    }


def write_json(path: Path, document: object) -> None:
    """Write a document as people read it."""
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
