"""The deployment package: what is in it and what is not, for whom it was made, and that its bytes can be had again."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builds import WHEELS, deployed_python
from tools import bundle
from tools.package import build
from tools.pythons import PackageError

if TYPE_CHECKING:
    from tools.package import Package

ROOT = Path(__file__).parent.parent.parent
GOAL = 11_000_000
"""Octets (row 9 of the performance table); tools/bundle.py ends the build at 14 MB."""
AARCH64 = 183
"""ELF's number for the machine, at octet 18."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def archive(deployed: Package) -> zipfile.ZipFile:
    """Give the zip that is deployed."""
    return zipfile.ZipFile(deployed.zip)


def _tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_of_ours_exactly_the_service_is_in_it(archive: zipfile.ZipFile) -> None:
    """app.py, chalicelib/ and policies/, each file of them, with bytecode, and nothing else of this repository."""
    ours = {name for name in archive.namelist() if name.startswith(("chalicelib/", "policies/", "app", "__pycache__"))}
    sources = _tracked("app.py", "chalicelib", "policies")
    version = deployed_python().version
    bytecode = {
        str(Path(name).parent / "__pycache__" / f"{Path(name).stem}.cpython-{version[0]}{version[1]}.pyc")
        for name in sources
        if name.endswith(".py")
    }

    assert ours == sources | bytecode
    assert {name.split("/")[0] for name in _tracked()} & {name.split("/")[0] for name in archive.namelist()} == {
        "app.py",
        "chalicelib",
        "policies",
    }


def test_of_others_exactly_the_locked_packages_are_in_it(archive: zipfile.ZipFile) -> None:
    """Each package of requirements.txt, by its name and version, and Chalice's two files; no tool, test or moto."""
    locked = set(re.findall(r"^([a-z0-9-]+==\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    named = re.compile(r"([^/]+)-([^-/]+)\.dist-info/")
    found = {match.groups() for name in archive.namelist() if (match := named.match(name))}

    assert {f"{name.replace('_', '-').lower()}=={version}" for name, version in found} == locked
    assert {name for name in archive.namelist() if name.startswith("chalice/")} == {
        "chalice/__init__.pyc",
        "chalice/app.pyc",
    }
    roots = {name.split("/")[0].split(".")[0] for name in archive.namelist() if ".dist-info/" not in name}
    assert roots == {
        "__pycache__", "_cffi_backend", "annotated_types", "app", "botocore", "chalice", "chalicelib",
        "cryptography", "dateutil", "jmespath", "jwt", "policies", "pydantic", "pydantic_core", "rolecall-runtime",
        "six", "typing_extensions", "typing_inspection", "urllib3",
    }  # fmt: skip


def test_the_runtime_loop_can_be_started(archive: zipfile.ZipFile) -> None:
    """Lambda runs the wrapper as a program, so its mode is in the zip; but for libraries, all else is read."""
    executable = {entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & 0o111}
    programs = [name for name in executable if not name.endswith(".so")]

    assert programs == ["rolecall-runtime"]
    assert archive.read("rolecall-runtime").startswith(b"#!/bin/sh\n")


def test_nothing_that_could_be_a_secret_is_in_it(archive: zipfile.ZipFile) -> None:
    """No hidden file, key, environment file or version control; the only PEM file is the list of public roots."""
    odd = re.compile(r"(^|/)\.|\.(env|key|pem|p12|pfx|log|sqlite|zip)$|(^|/)(tests?|conftest\.py)(/|$)")

    assert [name for name in archive.namelist() if odd.search(name)] == ["botocore/cacert.pem"]
    assert [name for name in archive.namelist() if b"PRIVATE KEY-----\n" in archive.read(name)] == []


def test_of_botocore_only_what_is_in_use_is_in_it(archive: zipfile.ZipFile) -> None:
    """Two services of four hundred; botocore/docs stays, as botocore's clients import it."""
    data = {name.split("/")[2] for name in archive.namelist() if name.startswith("botocore/data/")}

    assert data == {
        "dynamodb", "sts", "_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json",
    }  # fmt: skip
    assert "botocore/docs/docstring.pyc" in archive.namelist()


def test_it_is_made_for_lambdas_machine_and_python(archive: zipfile.ZipFile, deployed: Package) -> None:
    """Every library is for arm64 and loads in the Python that the stack names."""
    told = json.loads(deployed.manifest.read_text())
    libraries = [name for name in archive.namelist() if name.endswith(".so")]

    assert len(libraries) == 3
    assert {archive.read(name)[18] for name in libraries} == {AARCH64}
    tag = f"cpython-{deployed_python().tag[2:]}-"
    assert {name for name in libraries if "abi3" not in name} == {name for name in libraries if tag in name}
    assert (told["architecture"], told["runtime"]) == ("arm64", deployed_python().runtime)


_STALE = """
import importlib.util, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
names = set(archive.namelist())
# PEP 552: flags follow the magic number; bit 0 is "by hash", bit 1 "check the source".
head = importlib.util.MAGIC_NUMBER + bytes([1, 0, 0, 0])
stale = [name for name in names if name.endswith(".pyc") and archive.read(name)[:8] != head]
for name in names:
    if name.endswith(".py"):
        folder, _, file = name.rpartition("/")
        pyc = f"{folder}/__pycache__/{file[:-3]}.{sys.implementation.cache_tag}.pyc".lstrip("/")
        if pyc not in names or archive.read(pyc)[8:16] != importlib.util.source_hash(archive.read(name)):
            stale.append(name)
sys.exit(repr(stale) if stale else 0)
"""


def test_every_module_comes_with_bytecode_that_is_never_checked(deployed: Package) -> None:
    """The zip's dates would make any other kind stale, and each cold start would compile everything again."""
    done = subprocess.run(
        [deployed_python().path, "-I", "-c", _STALE, str(deployed.zip)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_small(deployed: Package) -> None:
    """What is downloaded and unpacked at each cold start."""
    assert deployed.zip.stat().st_size <= GOAL


def test_the_manifest_lists_what_is_in_it(archive: zipfile.ZipFile, deployed: Package) -> None:
    """Every file with its size and hash, and the hash of the whole."""
    told = json.loads(deployed.manifest.read_text())

    assert told["sha256"] == hashlib.sha256(deployed.zip.read_bytes()).hexdigest()
    assert told["files"] == {
        name: {"size": len(archive.read(name)), "sha256": hashlib.sha256(archive.read(name)).hexdigest()}
        for name in archive.namelist()
    }


def test_the_same_sources_make_the_same_bytes(deployed: Package, tmp_path: Path) -> None:
    """Who has the commit can check what is deployed."""
    again = build("prod", "arm64", deployed_python(), tmp_path, WHEELS)

    assert again.zip.read_bytes() == deployed.zip.read_bytes()
    assert again.stack.read_bytes() == deployed.stack.read_bytes()


_RUN = """
import importlib, json, os, pkgutil, sys
root = sys.argv[1]
sys.path[:] = [root] + [entry for entry in sys.path if "site-packages" not in entry and entry not in {"", os.getcwd()}]
import app
event = {"requestContext": {"httpMethod": "GET", "resourcePath": "/health", "requestId": "r"}, "body": None,
         "headers": {}, "multiValueHeaders": {}, "pathParameters": None, "stageVariables": None,
         "multiValueQueryStringParameters": None, "isBase64Encoded": False}
answer = app.app(event, None)["body"]
from chalicelib.services import Services
from chalicelib.settings import Settings
services = Services(Settings.from_environment())
services.dynamodb, services.sts("us-east-1")
missing = {}
for module in pkgutil.walk_packages([root], onerror=lambda name: None):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        missing[module.name] = str(error)
print(json.dumps([answer, missing, app.__file__]))
"""


def test_all_of_it_can_be_imported_from_it_alone(runnable: Package, tmp_path: Path) -> None:
    """No kept module needs a dropped one: what can't be imported needs a package that was never locked."""
    zipfile.ZipFile(runnable.zip).extractall(tmp_path)
    environ = {
        "AWS_REGION": "us-east-1",
        "TABLE_NAME": "rolecall",
        "SERVICE_ROLE_ARN": "arn:aws:iam::111122223333:role/rolecall",
        "JWT_ISSUER": "https://login.example.com/",
        "JWT_AUDIENCE": "rolecall",
        "JWT_JWKS_URL": "https://login.example.com/keys",
    }
    done = subprocess.run(
        [sys.executable, "-B", "-S", "-W", "ignore", "-c", _RUN, str(tmp_path)],
        cwd="/",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, missing, place = json.loads(done.stdout)

    assert json.loads(answer)["status"] == "ok"
    assert place == str(tmp_path / "app.py")
    optional = re.compile(r"awscrt|docutils|winreg|hypothesis|mypy|'js'|OpenSSL|'socks'|'h2'|pyodide")
    assert {name: why for name, why in missing.items() if not optional.search(why)} == {}
    assert not [name for name in missing if name.startswith("chalicelib")]


def test_a_package_over_the_limit_is_refused_with_what_takes_the_room(deployed: Package) -> None:
    """The operator learns which package grew, before anything is uploaded."""
    with pytest.raises(PackageError, match=r"has 1\d\.\d MB; 9\.0 MB is the limit\. MB of it: cryptography"):
        bundle.check_size(deployed.zip, 9_000_000)


def test_a_file_that_does_not_belong_ends_the_build(tmp_path: Path) -> None:
    """A dump or key that lies in a folder that is deployed is told, not shipped; what is hidden stays behind."""
    for name in ("app.py", "chalicelib/a.py", "chalicelib/.env", "chalicelib/__pycache__/a.pyc", "policies/p.json"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text("")
    bundle.copy_sources(tmp_path / "root", tmp_path / "copied")
    copied = {str(path.relative_to(tmp_path / "copied")) for path in (tmp_path / "copied").rglob("*") if path.is_file()}
    assert copied == {"app.py", "chalicelib/a.py", "policies/p.json"}

    (tmp_path / "root/chalicelib/customers.sqlite").write_text("x")
    with pytest.raises(PackageError, match=r"chalicelib/customers\.sqlite is of a kind"):
        bundle.copy_sources(tmp_path / "root", tmp_path / "again")


def _package(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.package", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--stage", "production"], "There is no stage 'production'; .chalice/config.json has", id="stage"),
        pytest.param(["--stage", ""], "There is no stage ''", id="no stage"),
        pytest.param(["--stage", "prod", "--arch", "riscv"], "ARCH is arm64 or x86_64, not 'riscv'", id="architecture"),
        pytest.param(
            ["--stage", "prod", "--out", __file__], f"Nothing can be written to {__file__}: File", id="a file"
        ),
        pytest.param(["--stage", "prod", "--python", "/no/python"], "/no/python is not a CPython", id="Python"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], told: str) -> None:
    """What is wrong and what there is instead, without a traceback."""
    if "--python" not in arguments:
        arguments = [*arguments, "--python", sys.executable]
    done = _package(*arguments)

    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_program_explains_itself() -> None:
    """`--help` says what it is for."""
    assert "usage: python -m tools.package" in _package("--help").stdout


def test_a_missing_python_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no 3.13 is to be found the operator reads how to get one, or how to name it."""
    from tools import pythons

    if sys.version_info[:2] == pythons.DEPLOYED:
        pytest.skip("this is a 3.13")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))

    with pytest.raises(PackageError, match=r"PYTHON313=/path/to/python3\.13") as refused:
        pythons.find("")
    assert "is not on this machine" in str(refused.value)
