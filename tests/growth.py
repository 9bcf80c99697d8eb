"""How the cost of a thing grows with its input: ratios of two sizes in the same run, never seconds.

A limit in seconds fails on a machine with other work; a thing that takes the square of its input does so anywhere.
"""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TIMES_AS_LARGE = 8
_TIMES_THE_COST = 24
"""Between the eight of what grows with the size and the 64 of what grows with its square."""
_ROUNDS = 8


def is_linear(prepare: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Tell whether what `prepare` returns for `size` costs about eight times what it returns for an eighth of it.

    Other work on the machine makes a run slower and never faster: the fastest of some is taken.
    """
    small, large = prepare(size // _TIMES_AS_LARGE), prepare(size)
    costs_small, costs_large = [], []
    with _no_collection():
        for _ in range(_ROUNDS):
            costs_small.append(_processor_seconds(small))
            costs_large.append(_processor_seconds(large))
            if min(costs_large) <= _TIMES_THE_COST * min(costs_small):
                return True
    return False


def _processor_seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


@contextmanager
def _no_collection() -> Iterator[None]:
    # It goes through all that the tests hold, in whichever of them its time has come.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
