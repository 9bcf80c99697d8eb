"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.bedrock.far_side import FarSide

Start = Callable[..., FarSide]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start far sides, and stop them afterwards."""
    running: list[FarSide] = []

    def starter(*steps: object, **how: object) -> FarSide:
        running.append(FarSide(*steps, **how))  # type: ignore[arg-type]  # handed through
        return running[-1]

    yield starter
    for far in running:
        far.stop()
