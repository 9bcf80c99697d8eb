"""How things are compared on a machine that does other work too: block by block, in shuffled order, by ratios."""

from __future__ import annotations

import gc
import math
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Block: TypeAlias = "Callable[[], float]"
"""Some work done several times over; returns the one figure of it, such as the median of its times."""

ROUNDS: Final = 20
_FEWEST_ROUNDS: Final = 10
_SECONDS: Final = 30.0
CLIENTS: Final = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure with the middle half of the rounds that it is the median of; `low` equals `high` for what is counted.

    `note` says what a ratio was made of, in milliseconds of this machine.
    """

    value: float
    low: float
    high: float
    note: str = ""

    @classmethod
    def of(cls, values: Sequence[float], note: str = "") -> Reading:
        """Return the reading of the rounds' figures."""
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high, note)

    @classmethod
    def exact(cls, value: float, note: str = "") -> Reading:
        """Return the reading of what was counted."""
        return cls(value, value, value, note)


def interleaved(blocks: Mapping[str, Block], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Run every block once in each round, in shuffled order; return each one's figures, round by round.

    A first round warms up and is not kept. Where a machine is so busy that this would take too long, there are fewer
    rounds, but ten.
    """
    end = time.monotonic() + _SECONDS
    order = list(blocks)
    shuffle = random.Random(2026).shuffle
    figures: dict[str, list[float]] = {name: [] for name in order}
    for block in blocks.values():
        block()
    for done in range(rounds):
        if done >= _FEWEST_ROUNDS and time.monotonic() > end:
            break
        shuffle(order)
        for name in order:
            gc.collect()
            figures[name].append(blocks[name]())
    return figures


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return one by the other, round by round: what slowed a whole round slowed both."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return one less the other, round by round."""
    return [mine - other for mine, other in zip(ours, theirs, strict=True)]


def ours_of_theirs(ours: Sequence[float], theirs: Sequence[float], unit: str) -> str:
    """Return the note of a ratio: both medians as they were."""
    return f"{figure(statistics.median(ours))} {unit} beside boto3's {figure(statistics.median(theirs))}"


def figure(value: float) -> str:
    """Return a figure with three digits at most; what was counted stays whole."""
    if value == int(value):
        return str(int(value))
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long one piece of work takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def p50(work: Callable[[], object], times: int) -> float:
    """Return the median of so many pieces of work, in milliseconds."""
    return statistics.median(milliseconds(work) for _ in range(times))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def side_by_side(work: Callable[[], float]) -> list[float]:
    """Have `CLIENTS` threads begin the work at once; return what each returns. Raises what one of them raises."""
    start = threading.Barrier(CLIENTS)

    def run(_: int) -> float:
        start.wait()
        return work()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))
