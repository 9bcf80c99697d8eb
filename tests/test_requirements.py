"""The two requirements files are what pyproject.toml asks for, with hashes, and what is installed here."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pins(name: str) -> dict[str, tuple[str, int]]:
    """Return the exact version of each package in a requirements file, and how many hashes it has."""
    pins: dict[str, tuple[str, int]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / name).read_text()):
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", block)
        if found:
            pins[found[1].lower()] = (found[2], block.count("--hash=sha256:"))
    return pins


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]),
    ],
)
def test_every_dependency_is_locked_within_its_bounds(file: str, asked: list[str]) -> None:
    """`make lock` was run after the last edit of pyproject.toml: each pin is a version that it allows."""
    pins = _pins(file)
    for line in asked:
        requirement = Requirement(line)
        assert pins[requirement.name.lower()][0] in requirement.specifier, line


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes(file: str) -> None:
    """What is installed is what was resolved: pip refuses a file without one of these hashes."""
    assert {name for name, (_, hashes) in _pins(file).items() if hashes == 0} == set()


def test_what_runs_is_what_was_locked() -> None:
    """Both files agree with each other and with this environment on the packages that are deployed."""
    deployed, development = _pins("requirements.txt"), _pins("requirements-dev.txt")

    assert {name: development[name][0] for name in deployed} == {name: pin for name, (pin, _) in deployed.items()}
    assert {name: version(name) for name in ("botocore", "pydantic", "pyjwt", "urllib3")} == {
        name: deployed[name][0] for name in ("botocore", "pydantic", "pyjwt", "urllib3")
    }


def test_nothing_locked_names_an_index() -> None:
    """A lock that names an index would send a stranger's pip to an address that they may not have."""
    for file in ("requirements.txt", "requirements-dev.txt"):
        assert not re.search(
            r"^\s*(-i|--index-url|--extra-index-url|-f|--find-links)\b", (ROOT / file).read_text(), re.MULTILINE
        )
