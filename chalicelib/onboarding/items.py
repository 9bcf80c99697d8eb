"""How a connection and its events lie in DynamoDB: one table, `pk` and `sk`, low-level attribute values.

TENANT#t / CONNECTION#id, EXTERNAL_ID#x / EXTERNAL_ID, CONNECTION#id / EVENT#time#n, CONNECTION#id / REPORT,
CONNECTION#id / LEASE, TENANT#t / IDEMPOTENCY#key, TENANT#t#RATE / what#time. Index `due` (due_shard, due_at) holds the
connections whose role is to be verified anew, and nothing else.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn
from chalicelib.onboarding.connection import Connection, Guardrail, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from chalicelib.onboarding.shapes import AuditedConnection

    Item = dict[str, AttributeValueTypeDef]


def tenant_key(tenant: str) -> str:
    """Return the partition of a tenant. Quoted: tenant `a#RATE` must not name a partition of tenant `a`."""
    return "TENANT#" + quote(tenant, safe="")


def connection_key(tenant: str, connection_id: ConnectionId) -> Item:
    """Return the key of a connection. The tenant is part of it: another tenant's connection can't be named."""
    return {"pk": {"S": tenant_key(tenant)}, "sk": {"S": f"CONNECTION#{connection_id}"}}


def external_id_key(external_id: ExternalId) -> Item:
    """Return the key that makes an external ID unique, and stays when the connection is gone."""
    return {"pk": {"S": f"EXTERNAL_ID#{external_id}"}, "sk": {"S": "EXTERNAL_ID"}}


def connection_partition(connection_id: ConnectionId) -> str:
    """Return the partition of what belongs to a connection: its events, its last report, its lease."""
    return f"CONNECTION#{connection_id}"


def report_key(connection_id: ConnectionId) -> Item:
    """Return the key of a connection's last verification report."""
    return {"pk": {"S": connection_partition(connection_id)}, "sk": {"S": "REPORT"}}


def lease_key(connection_id: ConnectionId) -> Item:
    """Return the key of the lease that keeps verifications of a connection apart."""
    return {"pk": {"S": connection_partition(connection_id)}, "sk": {"S": "LEASE"}}


def event_key(connection_id: ConnectionId, sort_key: str) -> Item:
    """Return the key of an event."""
    return {"pk": {"S": connection_partition(connection_id)}, "sk": {"S": sort_key}}


def rate_key(tenant: str, window: str) -> Item:
    """Return the key of a counter of a tenant's for some time."""
    return {"pk": {"S": tenant_key(tenant) + "#RATE"}, "sk": {"S": window}}


def usage_key(tenant: str, day: str, model: str) -> Item:
    """Return the key of a counter of the tokens that a tenant used of a model on a day."""
    return {"pk": {"S": tenant_key(tenant) + "#USAGE"}, "sk": {"S": f"{day}#{model}"}}


DUE_SHARDS: Final = tuple(f"DUE#{number}" for number in range(8))
"""Partitions of the index `due`: one alone would take every write of a verification."""


def due_shard(connection_id: ConnectionId) -> str:
    """Return the partition of the index `due` that a connection is in."""
    return DUE_SHARDS[zlib.crc32(str(connection_id).encode()) % len(DUE_SHARDS)]


def from_connection(connection: Connection) -> Item:
    """Return the item of a connection, its key included. What is None is left out."""
    texts = {
        "tenant": connection.tenant,
        "id": str(connection.id),
        "name": connection.name,
        "external_id": str(connection.external_id),
        "pending_external_id": _optional_text(connection.pending_external_id),
        "retiring_external_id": _optional_text(connection.retiring_external_id),
        "region": connection.region,
        "status": connection.status.value,
        "created_at": to_text(connection.created_at),
        "updated_at": to_text(connection.updated_at),
        "expires_at": to_text(connection.expires_at),
        "account_id": connection.account_id,
        "role_arn": _optional_text(connection.role_arn),
        "candidate_role_arn": _optional_text(connection.candidate_role_arn),
        "role_unique_id": connection.role_unique_id,
        "verified_at": to_text(connection.verified_at),
        "guardrail_identifier": connection.guardrail.identifier if connection.guardrail else None,
        "guardrail_version": connection.guardrail.version if connection.guardrail else None,
    }
    item: Item = {name: {"S": text} for name, text in texts.items() if text is not None}
    item["version"] = {"N": str(connection.version)}
    item["usable"] = {"BOOL": connection.usable}
    item["open_to_strangers"] = {"BOOL": connection.open_to_strangers}
    if connection.profile_routes:
        item["profile_routes"] = {"S": json.dumps(connection.profile_routes, separators=(",", ":"))}
    if connection.due_at is not None:
        item["due_shard"] = {"S": due_shard(connection.id)}
        item["due_at"] = {"S": to_text(connection.due_at) or ""}
    if connection.models is not None:
        item["models"] = {"L": [{"S": model} for model in connection.models]}
    return connection_key(connection.tenant, connection.id) | item


def to_connection(item: Mapping[str, Any]) -> Connection:
    """Return the connection of an item that `from_connection` made."""
    texts = {name: value["S"] for name, value in item.items() if "S" in value}
    guardrail = texts.get("guardrail_identifier")
    return Connection(
        tenant=texts["tenant"],
        id=ConnectionId(texts["id"]),
        name=texts["name"],
        external_id=ExternalId(texts["external_id"]),
        region=texts["region"],
        status=Status(texts["status"]),
        version=int(item["version"]["N"]),
        created_at=datetime.fromisoformat(texts["created_at"]),
        updated_at=datetime.fromisoformat(texts["updated_at"]),
        expires_at=_optional_time(texts.get("expires_at")),
        models=tuple(model["S"] for model in item["models"]["L"]) if "models" in item else None,
        guardrail=Guardrail(guardrail, texts["guardrail_version"]) if guardrail else None,
        account_id=texts.get("account_id"),
        role_arn=_optional_role(texts.get("role_arn")),
        candidate_role_arn=_optional_role(texts.get("candidate_role_arn")),
        role_unique_id=texts.get("role_unique_id"),
        verified_at=_optional_time(texts.get("verified_at")),
        usable=item["usable"]["BOOL"],
        open_to_strangers=item["open_to_strangers"]["BOOL"],
        pending_external_id=_optional_id(texts.get("pending_external_id")),
        retiring_external_id=_optional_id(texts.get("retiring_external_id")),
        profile_routes=tuple((name, tuple(arns)) for name, arns in json.loads(texts.get("profile_routes", "[]"))),
        due_at=_optional_time(texts.get("due_at")),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit record: when, what, who from where, and the connection before and after."""

    at: str
    type: str
    actor: str
    source_ip: str
    before: AuditedConnection | None
    after: AuditedConnection


def to_event(item: Mapping[str, Any]) -> Event:
    """Return the event of an item."""
    return Event(
        at=item["at"]["S"],
        type=item["type"]["S"],
        actor=item["actor"]["S"],
        source_ip=item["source_ip"]["S"],
        before=json.loads(item["before"]["S"]),
        after=json.loads(item["after"]["S"]),
    )


def to_text(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, which sorts as text."""
    return None if at is None else at.isoformat(timespec="milliseconds")


def _optional_text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _optional_id(text: str | None) -> ExternalId | None:
    return None if text is None else ExternalId(text)


def _optional_role(text: str | None) -> RoleArn | None:
    return None if text is None else RoleArn.parse(text)
