"""The stub and the service on it, one for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give the running stub; each test makes its own tenants."""
    with Stage() as running:
        yield running
