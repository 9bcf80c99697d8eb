"""Verifying again, without being asked: a role that was safe may have been opened since.

A schedule wakes this every few minutes. Each connection has its own time in the index `due`; a run moves it on, so one
that failed or was overtaken is simply found again. Those after it get their turn all the same: however many connections
a tenant makes fail, or take their time, nobody else's role goes unwatched.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from chalicelib import logs
from chalicelib.errors import ServiceError
from chalicelib.onboarding.items import DUE_SHARDS
from chalicelib.onboarding.registry import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chalicelib.onboarding.items import Item
    from chalicelib.onboarding.registry import Registry
    from chalicelib.onboarding.verifier import Verifier

log = logging.getLogger("rolecall")

ACTOR: Final = Actor(subject="rolecall:schedule", source_ip="")
"""Who the audit record names for these runs. A token's subject could be the same text, but comes with an address."""
ONE_RUN_SECONDS: Final = 60
"""More than any run takes: less time than this left, and none is begun."""
ONE_TENANT_SECONDS: Final = 120
"""What the roles of one tenant may take of a wake while others wait."""
_MOST_LATER: Final = 1000
"""Keys of a wake that are kept for when nobody else is due; the rest is found again at the next."""


@dataclass(slots=True)
class Tally:
    """What became of the connections that were due."""

    verified: int = 0
    degraded: int = 0
    left: int = 0
    """Not run or not written: deleted, changed or being verified meanwhile. Without time, one for all that is left."""


class Reverification:
    """Runs what is due."""

    def __init__(self, registry: Registry, verifier: Verifier) -> None:
        self._registry = registry
        self._verifier = verifier

    def run(self, seconds_left: Callable[[], float]) -> Tally:
        """Verify every connection that is due, the longest due first in each shard, while there is time.

        Whoever makes many connections that take long, or whose runs are never written, has a share of each wake like
        everybody else, and more of it only when nobody else is due.
        """
        tally = Tally()
        spent: Counter[str] = Counter()
        later: list[Item] = []

        def in_turn() -> Iterator[Item]:
            for key in self._of_all_shards():
                if spent[_tenant(key)] < ONE_TENANT_SECONDS:
                    yield key
                elif len(later) < _MOST_LATER:
                    later.append(key)
            yield from later

        for key in in_turn():
            before = seconds_left()
            if before < ONE_RUN_SECONDS:
                tally.left += 1
                break
            self._verify(key, tally)
            spent[_tenant(key)] += math.ceil(before - seconds_left())
        log.info("reverified", extra={"verified": tally.verified, "degraded": tally.degraded, "left": tally.left})
        return tally

    def _of_all_shards(self) -> Iterator[Item]:
        """Yield a key of each shard in turn: one after the other, the first would have all the time that there is."""
        shards = [self._registry.due(shard) for shard in DUE_SHARDS]
        while shards:
            for shard in tuple(shards):
                key = next(shard, None)
                if key is None:
                    shards.remove(shard)
                else:
                    yield key

    def _verify(self, key: Item, tally: Tally) -> None:
        notes = {"tenant": _tenant(key), "connection": key["sk"]["S"].removeprefix("CONNECTION#")}
        try:
            connection = self._registry.if_due(key)
            if connection is None:
                return
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


def _tenant(key: Item) -> str:
    return unquote(key["pk"]["S"].removeprefix("TENANT#"))
