"""The table: what is asked for, today's figures, and how each was got."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count, getloadavg
from typing import TYPE_CHECKING, Final

from bench.measuring import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.measuring import Reading
    from bench.rows.row import Row, Target

BEGIN: Final = "<!-- made by `make bench README=1`: begin -->"
END: Final = "<!-- made by `make bench README=1`: end -->"
_HEAD: Final = ("#", "what", "must", "goal", "today", "middle half of the rounds", "made of", "reached")


def table(rows: Sequence[Row], readings: Mapping[int, Sequence[Reading]]) -> str:
    """Return the table as Markdown: a line for each target of the rows that were measured."""
    lines = [_HEAD, ("---",) * len(_HEAD)]
    for row in rows:
        for target, reading in zip(row.targets, readings.get(row.number, ()), strict=row.number in readings):
            lines.append(_line(row.number, target, reading))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _line(number: int, target: Target, reading: Reading) -> tuple[str, ...]:
    spread = "" if reading.low == reading.high else f"{figure(reading.low)} to {figure(reading.high)}"
    return (
        str(number),
        target.what,
        _bound(target, target.must),
        _bound(target, target.goal),
        f"**{figure(reading.value)}**{' ' if target.unit else ''}{target.unit}",
        spread,
        reading.note,
        verdict(target, reading),
    )


def verdict(target: Target, reading: Reading) -> str:
    """Return what a figure reaches: the goal, what it must, or neither. Where nothing must be, it can fall short."""
    if not target.reached(target.must, reading.value):
        return "**missed**"
    if target.reached(target.goal, reading.value):
        return "goal"
    return "short" if target.must is None else "must"


def methods(rows: Sequence[Row]) -> str:
    """Return how each row was got, as a list."""
    return "".join(f"- {row.number}: {row.how}\n" for row in rows)


def machine() -> str:
    """Return on what, and beside how much other work, in words that fit any machine."""
    processors = cpu_count() or 1
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {processors} processors ({platform.machine()}), {platform.system()}, Python "
        f"{platform.python_version()}, boto3 {version('boto3')}; load {getloadavg()[1]:.1f}."
    )


def write_readme(path: Path, text: str) -> None:
    """Put the text between the two markers of the README. Raises ValueError when they are not there, once each."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"{path.name} must hold {BEGIN} and {END}, once each and in this order")
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def _bound(target: Target, bound: float | None) -> str:
    if bound is None:
        return ""
    sign = "" if bound == 0 else "≥ " if target.at_least else "≤ "
    return f"{sign}{bound:g}{' ' if target.unit else ''}{target.unit}"
