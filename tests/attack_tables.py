"""The two tables that a verification is held against, and which test shows which row.

`tests/cases/attacks.json` and `behaviours.json` have a number, a sentence and what is expected. Each row is claimed by
a test here or elsewhere, or says in `note` why there is none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: Final = Path(__file__).parent / "cases"
CLAIMED: Final[dict[str, set[int]]] = {"attacks": set(), "behaviours": set()}
_T = TypeVar("_T")


def rows(table: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    found: list[dict[str, Any]] = json.loads((CASES / f"{table}.json").read_text(encoding="utf-8"))
    return found


def attack(*numbers: int) -> Callable[[_T], _T]:
    """Mark a test as the one that shows these attacks."""
    return _claim("attacks", numbers)


def behaviour(*numbers: int) -> Callable[[_T], _T]:
    """Mark a test as the one that shows these behaviours."""
    return _claim("behaviours", numbers)


def _claim(table: str, numbers: tuple[int, ...]) -> Callable[[_T], _T]:
    CLAIMED[table].update(numbers)
    return lambda test: test
