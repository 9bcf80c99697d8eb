"""How often a tenant may do something: counters in the service's table, so that they hold for all processes."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.onboarding import items

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from chalicelib.onboarding.table import Table

log = logging.getLogger("rolecall")

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
_KEPT_AFTERWARDS: Final = 3600
_CAPACITY: Final = 1000
_NO_BOUND: Final = 10**18
_USAGE_KEPT: Final = 40 * 86400
"""Seconds; so that a month of use can be read."""


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


class Closed:
    """Who is let in no more until when, remembered in this process: the table need not be asked each time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: OrderedDict[Hashable, datetime] = OrderedDict()

    def close(self, who: Hashable, seconds: int) -> None:
        """Let nobody in of this name for so long."""
        with self._lock:
            self._until[who] = self._clock() + timedelta(seconds=seconds)
            self._until.move_to_end(who)
            if len(self._until) > _CAPACITY:
                self._until.popitem(last=False)

    def seconds(self, who: Hashable) -> int | None:
        """Return how long it is until this one is let in again; None for now."""
        until = self._until.get(who)
        now = self._clock()
        return None if until is None or until <= now else max(1, int((until - now).total_seconds()))


class TokenLimit:
    """How many tokens of a model a tenant may use on a day in UTC: taken before a call, settled after it.

    A call that never comes back keeps what it has taken: the limit errs to the operator's side.
    """

    def __init__(self, table: Table, clock: Callable[[], datetime], model: str, most: int) -> None:
        self._table = table
        self._clock = clock
        self._model = model
        self._most = most

    def take(self, tenant: str, tokens: int) -> TakenTokens | int:
        """Take tokens before a call. Returns them, or when there are not so many left, the seconds until midnight."""
        now = self._clock().astimezone(UTC)
        midnight = (now + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        key = items.usage_key(tenant, now.date().isoformat(), self._model)
        ttl = int(midnight.timestamp()) + _USAGE_KEPT
        if self._table.add(key, "tokens", tokens, most=self._most, ttl=ttl):
            return TakenTokens(self._table, key, tokens, ttl)
        return max(1, int((midnight - now).total_seconds()))


class TakenTokens:
    """Tokens that were taken for one call."""

    def __init__(self, table: Table, key: items.Item, tokens: int, ttl: int) -> None:
        self._table = table
        self._key = key
        self._tokens = tokens
        self._ttl = ttl

    def settle(self, used: int) -> None:
        """Count what was used instead of what was taken; on the day of the taking.

        It raises nothing where the table is out of reach: the answer is made and paid for, and what was taken counts.
        """
        if used == self._tokens:
            return
        try:
            self._table.add(self._key, "tokens", used - self._tokens, most=_NO_BOUND, ttl=self._ttl)
        except (BotoCoreError, ClientError) as error:
            log.warning("tokens not settled", extra={"reason": type(error).__name__})
