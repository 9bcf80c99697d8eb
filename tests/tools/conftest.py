"""A package directory made of the repository, with the handlers of `handlers.py` beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.lambda_emulator.fleet import Fleet
from tools.lambda_emulator.package import link_repository
from tools.lambda_emulator.process import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the directory."""
    made = link_repository(tmp_path / "task")
    shutil.copy(Path(__file__).with_name("handlers.py"), made)
    return made


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Fleet]]:
    """Give what starts a fleet of a handler; its output goes to `fleet.function.log`."""
    fleets: list[Fleet] = []

    def started(handler: str, *, processes: int = 1, **more: Any) -> Fleet:
        # A busy machine is not what is tested.
        log = root.parent / f"{len(fleets)}.log"
        function = Function(root, handler=handler, log=log, init_seconds=60, stop_seconds=30, **more)
        fleets.append(Fleet(function, processes))
        return fleets[-1]

    yield started
    for fleet in fleets:
        fleet.close()
