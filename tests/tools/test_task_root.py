"""What must survive packaging for our runtime loop to start on Lambda."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

from tools.lambda_emulator.package import link_repository, unzip

WRAPPER = Path(__file__).parent.parent.parent / "vendor" / "rolecall-runtime"


def test_the_wrapper_is_executable_and_stays_so(tmp_path: Path) -> None:
    """The mode that a zip has for it is kept when it is unpacked: Lambda runs it as a program."""
    with zipfile.ZipFile(tmp_path / "deployment.zip", "w") as package:
        package.write(WRAPPER, WRAPPER.name)
    root = unzip(tmp_path / "deployment.zip", tmp_path / "task")

    assert stat.S_IMODE(WRAPPER.stat().st_mode) & 0o111 == 0o111
    assert os.access(root / "rolecall-runtime", os.X_OK)


def test_the_repository_is_laid_out_as_the_package_is(tmp_path: Path) -> None:
    """The content of vendor/ lies beside app.py, the policies by their link."""
    root = link_repository(tmp_path / "task")

    assert {path.name for path in root.iterdir()} == {"app.py", "chalicelib", "policies", "rolecall-runtime"}
    assert (root / "policies" / "trust-policy.json").is_file()
