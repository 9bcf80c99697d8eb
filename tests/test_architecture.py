"""The shape of the code: who imports whom, what importing costs, and that each rule has one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "chalicelib").rglob("*.py"))

BELOW_ALL = {"errors", "identifiers", "trust", "chat", "logs", "streaming"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "identifiers": {"errors"},
    "trust": set(),
    "chat": {"errors"},
    "logs": set(),
    "streaming": set(),
    "runtime_api": {"streaming"},
    "runtime": {"runtime_api", "streaming", "logs", "settings"},
    "variables": {"errors", "identifiers"},
    "settings": {"identifiers", "variables"},
    "services": {"settings", "identifiers", "bedrock"},
    "bedrock": BELOW_ALL,
    "builtin": BELOW_ALL | {"bedrock"},
    "onboarding": BELOW_ALL | {"bedrock", "services"},
    "providers": BELOW_ALL | {"bedrock"},
    "routes": BELOW_ALL | {"bedrock", "builtin", "onboarding", "providers", "services", "settings", "variables"},
}
"""Rooms and what each may import: one direction, from HTTP inwards."""


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "chalicelib").parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_in_one_direction(path: Path) -> None:
    """A room imports only what lies further in, so each can be read without the ones around it."""
    room = _room(path)
    if room == "__init__":
        return
    rooms = {name.split(".")[1] for name in _imports(path) if name.startswith("chalicelib.") and name.count(".") >= 1}
    # `from chalicelib import VERSION` names no room.
    foreign = {
        name for name in rooms if (ROOT / "chalicelib" / name).exists() or (ROOT / f"chalicelib/{name}.py").exists()
    }

    assert foreign - MAY_IMPORT[room] - {room} == set()


@pytest.mark.parametrize("path", [*SOURCES, ROOT / "app.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_deployed_needs_nothing_of_the_sandbox(path: Path) -> None:
    """The sandbox, moto and the test tools are never imported by what is deployed."""
    forbidden = {
        name
        for name in _imports(path)
        if name.split(".")[0] in {"sandbox", "bench", "moto", "werkzeug", "tests", "pytest"}
    }

    assert forbidden == set()


def test_importing_the_app_reads_nothing_and_connects_nowhere() -> None:
    """Importing app.py opens no connection, loads no moto and builds no client: a cold start pays for what it needs."""
    program = """
import sys
def no_network(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
        raise SystemExit(f"importing app.py caused {event} {arguments}")
sys.addaudithook(no_network)
import app
heavy = {"moto", "jwt", "cryptography", "openai", "boto3", "botocore.session"} & set(sys.modules)
heavy |= {name for name in sys.modules if name.startswith("chalicelib.providers")}
raise SystemExit(f"importing app.py loads {heavy}" if heavy else 0)
"""
    environ = {
        "PATH": "/usr/bin:/bin",
        "AWS_REGION": "us-east-1",
        "TABLE_NAME": "rolecall",
        "SERVICE_ROLE_ARN": "arn:aws:iam::111122223333:role/rolecall",
        "JWT_ISSUER": "https://login.example.com/",
        "JWT_AUDIENCE": "rolecall",
        "JWT_JWKS_URL": "https://login.example.com/keys",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["builtin.py", "routes/completions.py"])
def test_the_operators_model_knows_neither_sessions_nor_keys(name: str) -> None:
    """What runs with the service's credentials can't reach a tenant's role, and reads no key that a request brings."""
    inside = ("bedrock.sessions", "providers")
    at_the_door = ("routes.accounts", "routes.credential", "routes.own_key", "routes.upstream.with_session")
    forbidden = tuple(f"chalicelib.{part}" for part in inside + at_the_door)
    imported = _imports(ROOT / "chalicelib" / name)

    assert {found for found in imported if found.startswith(forbidden)} == set()


def _lines_with(pattern: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}"
        for path in [*SOURCES, ROOT / "app.py"]
        for line in path.read_text().splitlines()
        if re.search(pattern, line)
    ]


def test_there_is_one_assume_role() -> None:
    """What was verified is what runs: every AssumeRole goes through bedrock/sessions.py."""
    assert set(_lines_with(r"\.assume_role\(")) == {"chalicelib/bedrock/sessions.py"}


def test_the_environment_is_read_in_one_place() -> None:
    """Nothing on a tenant's path can take a credential or an address from the environment."""
    # What Lambda tells its runtime is not for the app: nothing imports the loop (see MAY_IMPORT).
    assert set(_lines_with(r"os\.environ|os\.getenv|getenv\(")) == {"chalicelib/settings.py", "chalicelib/runtime.py"}


def test_nothing_scans_the_table() -> None:
    """No call's cost grows with the number of connections."""
    assert _lines_with(r"\.scan\(") == []


def test_files_stay_small_enough_to_be_read() -> None:
    """A security reviewer reads every line, so no file grows beyond one sitting."""
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}

    assert {name: size for name, size in sizes.items() if size > 300} == {}
