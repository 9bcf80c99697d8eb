"""When a verification tries again: IAM takes some seconds to make a change known everywhere.

It works both ways (IAM guide, "Changes that I make are not always immediately visible"): a role that was just made
refuses us, and one that was just closed still lets strangers in. Each try is all five probes anew, and the verdict
rests on the last one alone: outcomes of two policies, put together, could make up a policy that never was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Waiting:
    """Said before another try: `attempt` is the number of the one that ended, `seconds` the time until the next."""

    attempt: int
    seconds: int
    reason: str


def pauses(budget: int) -> Iterator[int]:
    """Yield seconds to wait, twice as long each time and `budget` together: 7 gives 1, 2 and 4."""
    pause = 1
    while budget > 0:
        yield min(pause, budget)
        budget -= pause
        pause *= 2
