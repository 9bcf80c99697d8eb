"""Who may verify now: one run at a time for a connection, and so many a minute for a tenant.

A run makes five AssumeRole calls, and its answers tell strangers about roles; neither is to be had without limit. The
proof of a removal asks the same and counts as a run.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import ServiceError
from chalicelib.onboarding import items
from chalicelib.onboarding.limits import MINUTE, Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.table import Table

log = logging.getLogger("rolecall")

LEASE_LIFE: Final = timedelta(seconds=60)
"""Longer than any run takes. A run that was killed blocks the next one no longer than this."""
RUNS_A_MINUTE: Final = 120


class Turnstile:
    """Lets verifications in one by one."""

    def __init__(self, table: Table, *, clock: Callable[[], datetime], random_bytes: Callable[[int], bytes]) -> None:
        self._table = table
        self._clock = clock
        self._random_bytes = random_bytes
        self._limits = Limits(table, clock)

    def enter(self, connection: Connection, *, counted: bool = True) -> str:
        """Take the connection's lease and return its ticket; raises `ServiceError` when it is not this run's turn.

        `counted` False: the run is the service's own. Else a tenant who always has used up the minute would keep its
        roles from ever being verified again.
        """
        wait = self._limits.take(connection.tenant, "VERIFY", RUNS_A_MINUTE, MINUTE) if counted else None
        if wait is not None:
            raise ServiceError(
                "too_many_verifications",
                f"This tenant has started {RUNS_A_MINUTE} verifications in this minute.",
                fix="Wait a minute and verify again.",
                retry_after=wait,
            )
        now = self._clock()
        ticket = self._random_bytes(12).hex()
        until = now + LEASE_LIFE
        lease: items.Item = {
            **items.lease_key(connection.id),
            "ticket": {"S": ticket},
            "until": {"N": str(until.timestamp())},
            "ttl": {"N": str(int(until.timestamp()))},
        }
        over: items.Item = {":now": {"N": str(now.timestamp())}}
        free = "attribute_not_exists(pk) OR #until <= :now"
        if self._table.write([self._table.put(lease, free, over, {"#until": "until"})]):
            raise ServiceError(
                "verification_running",
                "A verification of this connection is under way.",
                fix="Wait for it to end; GET …/verification shows its report.",
                retry_after=5,
            )
        return ticket

    def leave(self, connection: Connection, ticket: str) -> None:
        """Give the lease back, if it is still this run's. One that can't be given back ends by itself in a minute."""
        try:
            self._table.delete(items.lease_key(connection.id), "ticket = :ticket", {":ticket": {"S": ticket}})
        except (BotoCoreError, ClientError) as error:
            # The run is over and what it found is stored: to fail now would tell the customer that it was not.
            log.warning("a lease was not given back: %s", type(error).__name__)
