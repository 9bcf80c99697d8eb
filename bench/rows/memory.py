"""Row 8: the most memory that a process has under load."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from bench.child import started
from bench.measuring import CLIENTS, Reading
from bench.rows.row import Row, Target

if TYPE_CHECKING:
    from bench.stage import Stage

_RUNS: Final = 3
_MB: Final = 1_000_000


def _peak(stage: Stage) -> list[Reading]:
    told = {"address": stage.address.fields(), "rules": asdict(stage.rules), "token": stage.token()}
    peaks: dict[str, list[float]] = {"ours": [], "boto3": []}
    for _ in range(_RUNS):
        for what, found in peaks.items():
            with started(what, told) as answer:
                found.append(answer["peak"] / _MB)
    return [Reading.of(peaks["ours"], f"boto3 {sorted(peaks['boto3'])[_RUNS // 2]:.0f}")]


PEAK: Final = Row(
    8,
    (Target("peak memory under load", must=90, goal=60, unit="MB"),),
    f"The largest resident size of a process of its own, in which {CLIENTS} clients chat and stream.",
    _peak,
)
