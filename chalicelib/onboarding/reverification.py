"""Verifying again, without being asked: a role that was safe may have been opened since.

A schedule wakes this every few minutes. Each connection has its own time in the index `due`; a run moves it on, so one
that failed or was overtaken is simply found again. Those after it get their turn all the same: however many connections
a tenant makes fail, nobody else's role goes unwatched.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chalicelib import logs
from chalicelib.errors import ServiceError
from chalicelib.onboarding.items import DUE_SHARDS
from chalicelib.onboarding.registry import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.registry import Registry
    from chalicelib.onboarding.verifier import Verifier

log = logging.getLogger("rolecall")

ACTOR: Final = Actor(subject="rolecall:schedule", source_ip="")
"""Who the audit record names for these runs. A token's subject could be the same text, but comes with an address."""
ONE_RUN_SECONDS: Final = 60
"""More than any run takes: less time than this left, and none is begun."""


@dataclass(slots=True)
class Tally:
    """What became of the connections that were due."""

    verified: int = 0
    degraded: int = 0
    left: int = 0
    """Not run or not written: deleted, changed or being verified meanwhile. Without time, one for each shard."""


class Reverification:
    """Runs what is due."""

    def __init__(self, registry: Registry, verifier: Verifier) -> None:
        self._registry = registry
        self._verifier = verifier

    def run(self, seconds_left: Callable[[], float]) -> Tally:
        """Verify every connection that is due, the longest due first in each shard, while there is time."""
        tally = Tally()
        for shard in DUE_SHARDS:
            for connection in self._registry.due(shard):
                if seconds_left() < ONE_RUN_SECONDS:
                    tally.left += 1
                    break
                self._verify(connection, tally)
        log.info("reverified", extra={"verified": tally.verified, "degraded": tally.degraded, "left": tally.left})
        return tally

    def _verify(self, connection: Connection, tally: Tally) -> None:
        notes = {"tenant": connection.tenant, "connection": str(connection.id)}
        try:
            subject = self._verifier.accept(connection, str(connection.role_arn), invoke=True)
            *_, report = self._verifier.start(subject, ACTOR, unasked=True)
        except ServiceError as error:
            tally.left += 1
            log.info("not reverified", extra={**notes, "code": error.code})
            return
        except Exception as error:  # noqa: BLE001  one connection that breaks the run must not shield those after it
            tally.left += 1
            logs.unexpected(log, error, **notes)
            return
        if isinstance(report, dict) and report["status"] == "degraded":
            tally.degraded += 1
            log.warning("connection degraded", extra={**notes, "verdict": report["verdict"]})
        else:
            tally.verified += 1
