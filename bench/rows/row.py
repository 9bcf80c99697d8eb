"""What a row of the table is: what is asked for, and how today's figures are got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measuring import Reading
    from bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that is asked for. `must` is ahead of every gateway that was compared, `goal` near what Python can do.

    None: nothing is asked. A ratio is taken against raw boto3 and has no unit.
    """

    what: str
    must: float | None
    goal: float | None
    unit: str = ""
    at_least: bool = False

    def reached(self, bound: float | None, value: float) -> bool:
        """Whether a figure is within a bound."""
        return bound is None or (value >= bound if self.at_least else value <= bound)


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its number. `measure` returns one reading for each target, in their order."""

    number: int
    targets: tuple[Target, ...]
    how: str
    measure: Callable[[Stage], Sequence[Reading]]
