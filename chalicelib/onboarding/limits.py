"""How often a tenant may do something: counters in the service's table, so that they hold for all processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.onboarding import items

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.onboarding.table import Table

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
_KEPT_AFTERWARDS: Final = 3600


class Limits:
    """Counts in windows of a minute or a day in UTC; a new window begins at nothing."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock

    def take(self, tenant: str, what: str, most: int, period: timedelta) -> int | None:
        """Count one. Returns None, or when there were `most` already, the seconds until the next window."""
        now = self._clock()
        seconds = int(period.total_seconds())
        window = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
        end = window + period
        key = items.rate_key(tenant, f"{what}#{window.isoformat()}")
        if self._table.add(key, "runs", 1, most=most, ttl=int(end.timestamp()) + _KEPT_AFTERWARDS):
            return None
        return max(1, int((end - now).total_seconds()))
