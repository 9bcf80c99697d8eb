"""A directory that is to the function what /var/task is on Lambda: of a zip, of the repository, and on the sandbox."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.settings import Settings
    from sandbox.world import World

_REPOSITORY = Path(__file__).parent.parent.parent


def unzip(archive: Path, directory: Path) -> Path:
    """Unpack a deployment package with its files' modes, as Lambda does."""
    with zipfile.ZipFile(archive) as package:
        package.extractall(directory)
        for entry in package.infolist():
            mode = entry.external_attr >> 16
            if mode:
                (directory / entry.filename).chmod(mode & 0o777)
    return directory


def link_repository(directory: Path) -> Path:
    """Lay out the repository as the package would be, by links: app.py, chalicelib and the content of vendor."""
    directory.mkdir(parents=True, exist_ok=True)
    for source in [_REPOSITORY / "app.py", _REPOSITORY / "chalicelib", *(_REPOSITORY / "vendor").iterdir()]:
        (directory / source.name).symlink_to(source.resolve())
    return directory


def put_settings(directory: Path, settings: Settings) -> None:
    """Add the module `sandboxed`, whose app has these settings: those of a local AWS, which no variable can give."""
    shutil.copy(Path(__file__).with_name("sandboxed.py"), directory / "sandboxed.py")
    told: dict[str, Any] = {**asdict(settings), "service_role": str(settings.service_role)}
    del told["on_lambda"]
    (directory / "sandboxed.json").write_text(json.dumps(told), encoding="utf-8")


def put_on_sandbox(directory: Path, world: World, **changes: Any) -> dict[str, str]:
    """Add the module `sandboxed` to a package; returns the environment that its process needs.

    `changes` replace settings of the sandbox. The credentials are a session of the service's role, for an hour.
    """
    put_settings(directory, replace(world.settings, **changes))
    session = world.accounts.service_session(world.aws.url, world.settings.region).get_credentials()
    keys = session.get_frozen_credentials() if session is not None else None
    if keys is None or keys.access_key is None or keys.secret_key is None:
        raise AssertionError("the sandbox has no session of the service's role")
    return {
        "AWS_REGION": world.settings.region,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token or "",
    }
