"""One sandbox for each test process: the local AWS, its accounts, and Rolecall on a real port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Give the running sandbox. Tests share it, so each makes its own tenant and its own roles."""
    from sandbox.world import World

    # The local IAM knows its changes at once; the tests of waiting ask for it.
    with World(settle_seconds=0) as running:
        yield running
