"""`make package STAGE=prod`: the deployment package and the stack, ready to be looked at and uploaded.

Chalice turns app.py into functions, routes and a template; the wheels, the slimming, the bytecode and the plain
CloudFormation are ours. Writes `rolecall.zip`, `manifest.json` and `stack.json`. Nothing is uploaded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chalicelib.streaming import STREAM_ROUTES
from tools import bundle, dependencies, pythons, template
from tools.pythons import PackageError, Python

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parent.parent
WRAPPER: Final = "rolecall-runtime"
"""The program in vendor/ that Lambda starts in place of its own runtime: our loop, which streams."""
_SETTINGS: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "TABLE_NAME": "packaging",
    "SERVICE_ROLE_ARN": "arn:aws:iam::111122223333:role/packaging",
    "JWT_ISSUER": "https://packaging.invalid/",
    "JWT_AUDIENCE": "packaging",
    "JWT_JWKS_URL": "https://packaging.invalid/keys",
}
"""Chalice imports app.py to learn its routes; none of these reaches the package."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was made, and where."""

    zip: Path
    manifest: Path
    stack: Path


def stages() -> list[str]:
    """Return the stages that .chalice/config.json has."""
    return list(json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"])


def build(stage: str, architecture: str, python: Python, out: Path, wheels: Path | None = None) -> Package:
    """Make the package and the stack of a stage in `out`. Raises `PackageError` with what to do about it."""
    if stage not in stages():
        raise PackageError(f"There is no stage {stage!r}; .chalice/config.json has {', '.join(stages())}.")
    if architecture not in dependencies.ARCHITECTURES:
        raise PackageError(f"ARCH is {' or '.join(dependencies.ARCHITECTURES)}, not {architecture!r}.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"Nothing can be written to {out}: {error.strerror}.") from error
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sources, content = work / "sources", work / "content"
        sources.mkdir()
        bundle.copy_sources(ROOT, sources)
        sam = _chalice(sources, work / "out", stage)
        # Chalice's own zip: app.py, chalicelib/, and what of Chalice itself is needed to run them.
        with zipfile.ZipFile(work / "out" / "deployment.zip") as archive:
            archive.extractall(content)
        shutil.copytree(sources / "policies", content / "policies")
        # With its mode: Lambda runs it as a program.
        shutil.copy(ROOT / "vendor" / WRAPPER, content / WRAPPER)
        kept = wheels or ROOT / "build" / "wheels"
        dependencies.install(ROOT / "requirements.txt", kept, content, python, architecture)
        bundle.slim(content)
        bundle.compile_sources(content, python)
        made = Package(out / "rolecall.zip", out / "manifest.json", out / "stack.json")
        bundle.write_zip(content, made.zip)
    bundle.write_json(made.manifest, bundle.manifest(made.zip, python, architecture))
    policies = {
        resource: json.loads((ROOT / "policies" / name).read_text(encoding="utf-8"))
        for resource, name in (
            ("ServiceRolePolicy", "service-role.json"),
            ("BuiltInModelPolicy", "built-in-model.json"),
        )
    }
    stack = template.stack(
        sam,
        policies,
        stage=stage,
        architecture=architecture,
        runtime=python.runtime,
        streams=sorted(STREAM_ROUTES),
        wrapper=WRAPPER,
    )
    bundle.write_json(made.stack, stack)
    return made


def _chalice(sources: Path, out: Path, stage: str) -> dict[str, Any]:
    """Run `chalice package` over a copy of the sources, and return the template that it wrote."""
    shutil.copytree(ROOT / ".chalice", sources / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    # Nothing for Chalice to install: tools/dependencies.py does, and says why.
    (sources / "requirements.txt").touch()
    command = ["package", "--stage", stage, "--merge-template", ".chalice/resources.json", str(out)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", "from chalice.cli import main; main()", *command],
        cwd=sources,
        env={**environ, **_SETTINGS, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not (out / "sam.json").exists():
        raise PackageError(f"chalice package failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    sam: dict[str, Any] = json.loads((out / "sam.json").read_text(encoding="utf-8"))
    return sam


def main(arguments: Sequence[str] | None = None) -> int:
    """Package; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.package",
        description="Make the deployment package and the stack of a stage in build/STAGE. Nothing is uploaded.",
    )
    parser.add_argument("--stage", required=True, help=f"one of {', '.join(stages())}")
    parser.add_argument("--arch", default="arm64", help="arm64 (default) or x86_64")
    parser.add_argument("--python", default="", help="the Python to compile for; by default a 3.13 is looked for")
    parser.add_argument("--out", type=Path, help="where to write (build/STAGE)")
    options = parser.parse_args(arguments)
    try:
        python = pythons.find(options.python)
        made = build(options.stage, options.arch, python, options.out or ROOT / "build" / options.stage)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    told = json.loads(made.manifest.read_text(encoding="utf-8"))
    print(
        f"{made.zip}: {told['size'] / 1e6:.1f} MB, {len(told['files'])} files, for {told['runtime']} on"
        f" {told['architecture']}\nsha256 {told['sha256']}\nstack: {made.stack}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
