"""Which connection a call is made with, remembered for seconds so that a chat costs no read of the table."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers import ModelId
from chalicelib.onboarding.connection import Status
from chalicelib.onboarding.registry import not_found
from chalicelib.onboarding.verifier import grant_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.sessions import Grant
    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.registry import Registry

_CAPACITY: Final = 1000
_MOST_CONNECTIONS: Final = 100
_MOST_PAGES: Final = 5
"""What one call may read of the table to find the tenant's only connection, of which old ones are never taken away."""


@dataclass(frozen=True, slots=True)
class Served:
    """A connection that may be used now, and the grant to use it with."""

    connection: Connection
    grant: Grant

    def model(self, text: str) -> ModelId:
        """Return a model by its id. Raises `ServiceError` unless it is of this region and account, and in scope."""
        model = ModelId.parse(text, region=self.connection.region, account_id=self.grant.role_arn.account_id)
        self.connection.require_in_scope(str(model))
        return model


class ServedConnections:
    """Chooses the connection of a call: the one named, or the tenant's only one.

    A change takes effect at once in the process that made it (`forget`), elsewhere within `seconds`.
    """

    def __init__(self, registry: Registry, clock: Callable[[], datetime], seconds: int) -> None:
        self._registry = registry
        self._clock = clock
        self._life = timedelta(seconds=seconds)
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str | None], tuple[datetime, Served]] = OrderedDict()
        self._changes = 0

    def choose(self, tenant: str, connection_id: str | None) -> Served:
        """Return what a call of this tenant is made with; raises `ServiceError` when there is none or no single one."""
        key = (tenant, connection_id)
        with self._lock:
            known, changes = self._known.get(key), self._changes
        now = self._clock()
        if known is not None and now < known[0]:
            return known[1]
        connection = self._only_one(tenant) if connection_id is None else self._registry.get(tenant, connection_id)
        served = _serve(connection, now)
        with self._lock:
            if changes != self._changes:
                # What was read may be older than a change that this process has made since.
                return served
            self._known[key] = (now + self._life, served)
            self._known.move_to_end(key)
            if len(self._known) > _CAPACITY:
                self._known.popitem(last=False)
        return served

    def forget(self, tenant: str) -> None:
        """Drop what is known of a tenant."""
        with self._lock:
            self._changes += 1
            for key in [key for key in self._known if key[0] == tenant]:
                del self._known[key]

    def _only_one(self, tenant: str) -> Connection:
        served: list[Connection] = []
        cursor = None
        for _ in range(_MOST_PAGES):
            page, cursor = self._registry.page(tenant, limit=_MOST_CONNECTIONS, cursor=cursor)
            served.extend(connection for connection in page if connection.served)
            if cursor is None or len(served) > 1:
                break
        if cursor is not None and len(served) < 2:
            raise ServiceError(
                "connection_ambiguous",
                "This tenant has more connections than are looked through for the only active one.",
                param="Rolecall-Connection",
                fix="Name one of them in the header Rolecall-Connection.",
            )
        if not served:
            raise ServiceError(
                "connection_required",
                "This tenant has no active connection.",
                param="Rolecall-Connection",
                fix="Create a connection and verify its role: POST /v1/connections.",
                whose_fix="customer",
            )
        if len(served) > 1:
            raise ServiceError(
                "connection_ambiguous",
                "This tenant has several active connections.",
                param="Rolecall-Connection",
                fix="Name one of them in the header Rolecall-Connection.",
            )
        return served[0]


def _serve(connection: Connection, now: datetime) -> Served:
    if connection.status is Status.REVOKED:
        raise not_found()
    if not connection.served or connection.role_arn is None:
        open_role = " Its role lets strangers in." if connection.open_to_strangers else ""
        raise ServiceError(
            "connection_not_active",
            f"The connection is {connection.status_at(now).value}; calls need an active one.{open_role}",
            param="Rolecall-Connection",
            fix="Verify its role: POST /v1/connections/{id}/verification says what to change.",
            whose_fix="customer",
        )
    return Served(connection, grant_of(connection, connection.role_arn))
