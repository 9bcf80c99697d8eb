"""The registry: connections in DynamoDB. Conditional writes alone; a change and its audit event are one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers import ConnectionId, ExternalId
from chalicelib.onboarding import cursors, items
from chalicelib.onboarding.connection import MOVES, PENDING_LIFE, Connection, Status
from chalicelib.onboarding.table import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from chalicelib.onboarding import shapes
    from chalicelib.onboarding.connection import Guardrail
    from chalicelib.onboarding.items import Event
    from chalicelib.onboarding.table import Table, Write

IDEMPOTENCY_LIFE: Final = timedelta(hours=24)
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change, and from where: what the audit record says of it."""

    subject: str
    source_ip: str


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a tenant may say of a new connection, already parsed. The external ID is not among it."""

    name: str
    region: str
    models: tuple[str, ...] | None
    account_id: str | None
    guardrail: Guardrail | None

    def fingerprint(self) -> str:
        """Return what two requests under one idempotency key must share."""
        guardrail = [self.guardrail.identifier, self.guardrail.version] if self.guardrail else None
        fields = [self.name, self.region, self.models, self.account_id, guardrail]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


class Registry:
    """Connections by tenant. Another tenant's connection and an unknown one are the same here: not found."""

    def __init__(self, table: Table, *, clock: Callable[[], datetime], random_bytes: Callable[[int], bytes]) -> None:
        self._table = table
        self._clock = clock
        self._random_bytes = random_bytes
        self._listeners: list[Callable[[Connection], None]] = []

    def on_change(self, listener: Callable[[Connection], None]) -> None:
        """Have `listener` called with each connection that was created or changed here, after it was written."""
        self._listeners.append(listener)

    def _tell(self, changed: Connection) -> Connection:
        for listener in self._listeners:
            listener(changed)
        return changed

    def create(self, tenant: str, new: NewConnection, actor: Actor, idempotency_key: str | None = None) -> Connection:
        """Store a new connection with a fresh external ID and return it.

        The same idempotency key with the same content returns the connection made first; with other content it raises
        `idempotency_key_reused`.
        """
        if idempotency_key is not None:
            earlier = self._created_earlier(tenant, new, idempotency_key)
            if earlier is not None:
                return earlier
        for _ in range(3):
            connection = self._draft(tenant, new)
            writes = [self._table.put(items.from_connection(connection), ABSENT)]
            writes.append(self._table.put(_external_id_item(connection, connection.external_id), ABSENT))
            writes.append(self._event(connection, "connection_created", actor, before=None))
            if idempotency_key is not None:
                writes.append(self._idempotency_write(connection, new, idempotency_key))
            taken = self._table.write(writes)
            if not taken:
                return self._tell(connection)
            if idempotency_key is not None and len(writes) - 1 in taken:
                # The same request, sent twice at once: the other one has just won.
                earlier = self._created_earlier(tenant, new, idempotency_key)
                if earlier is not None:
                    return earlier
        raise ServiceError("storage_unavailable", "No connection could be stored.", fix="Try again.", retry_after=1)

    def get(self, tenant: str, connection_id: str) -> Connection:
        """Return a connection of this tenant by a consistent read. Raises `connection_not_found`."""
        parsed = ConnectionId.parse(connection_id)
        item = None if parsed is None else self._table.get(items.connection_key(tenant, parsed))
        if item is None:
            raise not_found()
        return items.to_connection(item)

    def page(self, tenant: str, *, limit: int = PAGE, cursor: str | None = None) -> tuple[list[Connection], str | None]:
        """Return up to `limit` connections of this tenant, in order of their ids, and the cursor of the next page."""
        # Only an id travels in the cursor: the partition is always the tenant's own.
        after = None if cursor is None else items.connection_key(tenant, cursors.to_connection_id(cursor))
        rows, more = self._table.page(items.tenant_key(tenant), "CONNECTION#", limit=limit, after=after)
        found = [items.to_connection(row) for row in rows]
        return found, cursors.from_place(str(found[-1].id)) if more and found else None

    def due(self, shard: str) -> Iterator[items.Item]:
        """Yield keys of connections of all tenants whose role is to be verified anew, the longest due first.

        The index is behind the table by a moment: `if_due` looks at the table.
        """
        now = items.to_text(self._clock()) or ""
        more: items.Item | None = None
        while True:
            rows, more = self._table.due(shard, now, limit=PAGE, after=more)
            for row in rows:
                yield {"pk": row["pk"], "sk": row["sk"]}
            if more is None:
                return

    def if_due(self, key: items.Item) -> Connection | None:
        """Return the connection of this key by a consistent read, unless it is gone or its turn was moved on."""
        item = self._table.get(key)
        connection = None if item is None else items.to_connection(item)
        is_due = connection is not None and connection.due_at is not None and connection.due_at <= self._clock()
        return connection if is_due else None

    def save(
        self,
        before: Connection,
        after: Connection,
        event_type: str,
        actor: Actor,
        report: Mapping[str, object] | None = None,
    ) -> Connection:
        """Replace `before` by `after`, with its event and, after a verification, its report; the version goes up.

        Raises `connection_changed` when the stored version is no longer that of `before`, and then changes nothing.
        """
        if after.status not in MOVES[before.status]:
            raise ValueError(f"a connection can't go from {before.status} to {after.status}")
        after = replace(after, version=before.version + 1, updated_at=self._clock())
        unchanged: items.Item = {":version": {"N": str(before.version)}}
        put = self._table.put(items.from_connection(after), "version = :version", unchanged)
        writes = [put, self._event(after, event_type, actor, before=before)]
        if after.pending_external_id is not None and after.pending_external_id != before.pending_external_id:
            reservation = _external_id_item(after, after.pending_external_id)
            writes.append(self._table.put(reservation, ABSENT))
        if report is not None:
            text = json.dumps(report, separators=(",", ":"))
            writes.append(self._table.put(items.report_key(after.id) | {"report": {"S": text}}))
        if self._table.write(writes):
            raise ServiceError(
                "connection_changed",
                "The connection was changed by another request in the meantime; nothing was written.",
                fix="Get the connection again and repeat the change if it is still wanted.",
            )
        return self._tell(after)

    def events(
        self, connection: Connection, *, limit: int = PAGE, cursor: str | None = None
    ) -> tuple[list[Event], str | None]:
        """Return up to `limit` events of a connection, newest first, and the cursor of the next page."""
        after = None if cursor is None else items.event_key(connection.id, cursors.to_event_key(cursor))
        rows, more = self._table.page(
            items.connection_partition(connection.id), "EVENT#", limit=limit, after=after, newest_first=True
        )
        return [items.to_event(row) for row in rows], cursors.from_place(rows[-1]["sk"]["S"]) if more and rows else None

    def last_report(self, connection: Connection) -> shapes.VerificationReport | None:
        """Return the report of the last verification, as it was answered."""
        item = self._table.get(items.report_key(connection.id))
        if item is None:
            return None
        report: shapes.VerificationReport = json.loads(item["report"]["S"])
        return report

    def _draft(self, tenant: str, new: NewConnection) -> Connection:
        now = self._clock()
        return Connection(
            tenant=tenant,
            id=ConnectionId.generate(self._random_bytes),
            name=new.name,
            external_id=ExternalId.generate(self._random_bytes),
            region=new.region,
            status=Status.PENDING,
            version=1,
            created_at=now,
            updated_at=now,
            expires_at=now + PENDING_LIFE,
            models=new.models,
            guardrail=new.guardrail,
            account_id=new.account_id,
        )

    def _created_earlier(self, tenant: str, new: NewConnection, idempotency_key: str) -> Connection | None:
        item = self._table.get(_idempotency_key(tenant, idempotency_key))
        # DynamoDB deletes expired items days late, so an expired one counts as gone.
        if item is None or int(item["ttl"]["N"]) <= self._clock().timestamp():
            return None
        if item["fingerprint"]["S"] != new.fingerprint():
            raise ServiceError(
                "idempotency_key_reused",
                "This Idempotency-Key was used for a connection with other content.",
                param="Idempotency-Key",
                fix="Use a new key for each new connection.",
            )
        return self.get(tenant, item["connection_id"]["S"])

    def _idempotency_write(self, connection: Connection, new: NewConnection, key: str) -> Write:
        now = self._clock()
        item = _idempotency_key(connection.tenant, key) | {
            "connection_id": {"S": str(connection.id)},
            "fingerprint": {"S": new.fingerprint()},
            "ttl": {"N": str(int((now + IDEMPOTENCY_LIFE).timestamp()))},
        }
        over: items.Item = {":now": {"N": str(int(now.timestamp()))}}
        return self._table.put(item, "attribute_not_exists(pk) OR #ttl <= :now", over, {"#ttl": "ttl"})

    def _event(self, after: Connection, event_type: str, actor: Actor, *, before: Connection | None) -> Write:
        at = items.to_text(after.updated_at) or ""
        item: items.Item = {
            **items.event_key(after.id, f"EVENT#{at}#{after.version:010d}"),
            "at": {"S": at},
            "type": {"S": event_type},
            "actor": {"S": actor.subject},
            "source_ip": {"S": actor.source_ip},
            "before": {"S": json.dumps(_audited(before))},
            "after": {"S": json.dumps(_audited(after))},
        }
        return self._table.put(item, ABSENT)


def not_found() -> ServiceError:
    """Return the one answer for connections that do not exist and for those of other tenants."""
    return ServiceError(
        "connection_not_found",
        "There is no such connection.",
        param="connection_id",
        fix="GET /v1/connections lists the connections of this tenant.",
    )


def _audited(connection: Connection | None) -> shapes.AuditedConnection | None:
    if connection is None:
        return None
    return {
        "status": connection.status,
        "name": connection.name,
        "region": connection.region,
        "models": None if connection.models is None else [*connection.models],
        "external_id": str(connection.external_id),
        "pending_external_id": None if connection.pending_external_id is None else str(connection.pending_external_id),
        "role_arn": None if connection.role_arn is None else str(connection.role_arn),
        "version": connection.version,
    }


def _external_id_item(connection: Connection, external_id: ExternalId) -> items.Item:
    owner: items.Item = {
        "tenant": {"S": connection.tenant},
        "connection_id": {"S": str(connection.id)},
        "created_at": {"S": items.to_text(connection.updated_at) or ""},
    }
    return items.external_id_key(external_id) | owner


def _idempotency_key(tenant: str, key: str) -> items.Item:
    # Hashed: the key is the client's text, of any length and alphabet.
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return {"pk": {"S": items.tenant_key(tenant)}, "sk": {"S": f"IDEMPOTENCY#{digest}"}}
