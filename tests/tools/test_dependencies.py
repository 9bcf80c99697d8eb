"""The wheels that go in: for Lambda's machine, by their hashes, and never silently left out."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.builds import running_python
from tools import dependencies
from tools.pythons import PackageError, Python

if TYPE_CHECKING:
    from pathlib import Path

PYTHON_313 = Python("python3.13", (3, 13))


def _wheel(folder: Path, tags: str, content: str = "") -> str:
    """Make a wheel of a package `small`; return its hash."""
    path = folder / f"small-1.0-{tags}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("small.py", content)
        wheel.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        wheel.writestr("small-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n")
        wheel.writestr("small-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _requirements(folder: Path, *hashes: str, marker: str = "") -> Path:
    path = folder / "requirements.txt"
    lines = ["--no-index", f"--find-links {folder / 'index'}", f"small==1.0{marker} \\"]
    lines.append("    " + " ".join(f"--hash=sha256:{one}" for one in hashes))
    path.write_text("\n".join(lines) + "\n")
    return path


def _install(folder: Path, requirements: Path, architecture: str = "arm64", python: Python = PYTHON_313) -> Path:
    target = folder / "target"
    dependencies.install(requirements, folder / "wheels", target, python, architecture)
    return target


def test_a_wheel_is_taken_for_the_machine_and_python_of_lambda(tmp_path: Path) -> None:
    """Not for those that the build runs on."""
    ours = _wheel(tmp_path / "index", "cp313-cp313-manylinux_2_34_aarch64", "machine = 'arm64'")
    theirs = _wheel(tmp_path / "index", f"{running_python().tag}-{running_python().tag}-manylinux_2_17_x86_64")

    target = _install(tmp_path, _requirements(tmp_path, ours, theirs))

    assert (target / "small.py").read_text() == "machine = 'arm64'"


@pytest.mark.parametrize(
    ("tags", "architecture"),
    [
        pytest.param("cp313-cp313-manylinux_2_17_x86_64", "arm64", id="for the other architecture alone"),
        pytest.param("cp312-cp312-manylinux_2_17_aarch64", "arm64", id="for another Python alone"),
        pytest.param("cp313-cp313-manylinux_2_39_x86_64", "x86_64", id="for a newer glibc than Lambda has"),
        pytest.param("cp313-cp313-macosx_11_0_arm64", "arm64", id="for another system"),
    ],
)
def test_a_missing_wheel_ends_the_build(tmp_path: Path, tags: str, architecture: str) -> None:
    """Chalice alone would go on, and the function would fail at its first import."""
    digest = _wheel(tmp_path / "index", tags)

    with pytest.raises(PackageError, match=f"A wheel for {architecture} is missing") as refused:
        _install(tmp_path, _requirements(tmp_path, digest), architecture)
    assert "small" in str(refused.value)


def test_a_file_with_another_hash_ends_the_build(tmp_path: Path) -> None:
    """An index that was taken over can't put its own file in."""
    _wheel(tmp_path / "index", "cp313-cp313-manylinux_2_34_aarch64")

    with pytest.raises(PackageError, match="hash"):
        _install(tmp_path, _requirements(tmp_path, "0" * 64))


def test_a_kept_file_is_checked_at_each_build(tmp_path: Path) -> None:
    """What was fetched once is not trusted the next time because it lies there."""
    digest = _wheel(tmp_path / "index", "py3-none-any", "good = True")
    requirements = _requirements(tmp_path, digest)
    _install(tmp_path, requirements)
    [kept] = (tmp_path / "wheels").rglob("*.whl")

    (tmp_path / "index" / kept.name).unlink()
    _wheel(kept.parent, "py3-none-any", "good = False")
    with pytest.raises(PackageError, match="hash"):
        dependencies.install(requirements, tmp_path / "wheels", tmp_path / "again", PYTHON_313, "arm64")


def test_source_is_never_built(tmp_path: Path) -> None:
    """Building runs the package's own code on the operator's machine, with the operator's credentials."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "small-1.0.tar.gz").write_bytes(b"not even opened")

    with pytest.raises(PackageError, match="A wheel for arm64 is missing"):
        _install(tmp_path, _requirements(tmp_path, "0" * 64))


def test_a_marker_that_pip_would_answer_for_this_machine_is_refused(tmp_path: Path) -> None:
    """A marker is decided for the Python that pip runs on, so a package could be left out without a word."""
    digest = _wheel(tmp_path / "index", "py3-none-any")

    with pytest.raises(PackageError, match=r"only where python_version < '3\.13'"):
        _install(tmp_path, _requirements(tmp_path, digest, marker=" ; python_version < '3.13'"))


def test_platforms_end_where_lambdas_glibc_does() -> None:
    """Amazon Linux 2 below Python 3.11 has glibc 2.26, Amazon Linux 2023 below the others 2.34."""
    assert dependencies.platforms(PYTHON_313, "arm64")[0] == "manylinux_2_34_aarch64"
    assert dependencies.platforms(Python("x", (3, 11)), "x86_64")[0] == "manylinux_2_26_x86_64"
    assert dependencies.platforms(PYTHON_313, "x86_64")[-1] == "manylinux2014_x86_64"
