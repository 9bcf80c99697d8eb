"""Connections over HTTP: create, list, get, documents, verification."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from chalicelib.errors import ServiceError
from chalicelib.identifiers import parse_account_id, parse_guardrail, parse_model_scope, parse_region, partition_of
from chalicelib.onboarding.connection import Connection, Guardrail
from chalicelib.onboarding.documents import documents, expected_role_arn
from chalicelib.onboarding.registry import Actor, NewConnection
from chalicelib.onboarding.report import check_row
from chalicelib.routes import bodies
from chalicelib.routes.codes import envelope
from chalicelib.routes.exchange import EventStream, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from chalicelib.onboarding.documents import Documents
    from chalicelib.onboarding.registry import Registry
    from chalicelib.onboarding.verifier import Verifier
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request
    from chalicelib.services import Services


def _printable(text: str) -> str:
    # Bidirectional and zero-width characters make one name look like another on the page of an administrator.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for character in text):
        raise ValueError("control and invisible characters are not allowed")
    if not text.strip():
        raise ValueError("at least one visible character is needed")
    return text.strip()


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]


class GuardrailBody(bodies.Body):
    """A guardrail by identifier or ARN, and its version."""

    identifier: Annotated[str, Field(max_length=2048)]
    version: Annotated[str, Field(pattern=r"^(([1-9][0-9]{0,7})|(DRAFT))$")]


class CreateBody(bodies.Body):
    """The body of `POST /v1/connections`."""

    name: Name
    region: Annotated[str, Field(max_length=64)]
    models: Annotated[list[Annotated[str, Field(max_length=2048)]], Field(min_length=1, max_length=100)] | None = None
    account_id: Annotated[str, Field(max_length=64)] | None = None
    guardrail: GuardrailBody | None = None


class VerificationBody(bodies.Body):
    """The body of `POST /v1/connections/{id}/verification`."""

    role_arn: Annotated[str, Field(max_length=4096)]
    invoke: bool | Annotated[str, Field(min_length=1, max_length=2048)] = True


class OnboardingRoutes:
    """The views; each parses, calls the domain once, and renders."""

    def __init__(self, services: Services, registry: Registry, verifier: Verifier) -> None:
        self._settings = services.settings
        self._clock = services.clock
        self._registry = registry
        self._verifier = verifier

    def register(self, boundary: Boundary) -> None:
        """Add the routes."""
        one = "/v1/connections/{connection_id}"
        boundary.protected("POST", "/v1/connections", "connections:write", self.create)
        boundary.protected("GET", "/v1/connections", "connections:read", self.list)
        boundary.protected("GET", one, "connections:read", self.get)
        boundary.protected("GET", f"{one}/documents", "connections:read", self.documents)
        boundary.protected("GET", f"{one}/documents/{{file}}", "connections:read", self.document)
        boundary.protected("POST", f"{one}/verification", "connections:write", self.verify)
        boundary.protected("GET", f"{one}/verification", "connections:read", self.last_report)
        boundary.protected("GET", f"{one}/events", "connections:read", self.events)

    def create(self, request: Request, caller: Caller) -> Reply:
        """Make a connection with a fresh external ID."""
        bodies.refuse_external_id(request)
        body = bodies.parse(request, CreateBody)
        partition = self._settings.service_role.partition
        region = parse_region(body.region, partition)
        account_id = None if body.account_id is None else parse_account_id(body.account_id)
        if account_id == self._settings.service_role.account_id:
            raise ServiceError(
                "own_account_role", "This is the service's own AWS account. Give yours.", param="account_id"
            )
        new = NewConnection(
            name=body.name,
            region=region,
            models=None
            if body.models is None
            else parse_model_scope(body.models, region=region, account_id=account_id),
            account_id=account_id,
            guardrail=_guardrail(body.guardrail, region, account_id),
        )
        connection = self._registry.create(caller.tenant, new, _actor(request, caller), _idempotency_key(request))
        return self._reply(connection, status=201)

    def list(self, request: Request, caller: Caller) -> Reply:
        """List the tenant's connections, a page at a time."""
        query = request.query()
        cursor = _single(query, "cursor")
        found, next_cursor = self._registry.page(caller.tenant, limit=_limit(_single(query, "limit")), cursor=cursor)
        now = self._clock()
        return Reply({"data": [connection_row(connection, now) for connection in found], "next_cursor": next_cursor})

    def get(self, request: Request, caller: Caller) -> Reply:
        """Show one connection."""
        return self._reply(self._find(request, caller))

    def documents(self, request: Request, caller: Caller) -> Reply:
        """Give all documents at once."""
        made = self._documents(self._find(request, caller))
        return Reply(
            {
                "external_id": made.external_id,
                "trust_policy": made.trust_policy,
                "permissions_policy": made.permissions_policy,
                "files": made.files,
            }
        )

    def document(self, request: Request, caller: Caller) -> Reply:
        """Give one document, to download."""
        files = self._documents(self._find(request, caller)).files
        name = request.path_parameter("file")
        if name not in files:
            raise ServiceError(
                "document_not_found", "There is no such document.", param="file", fix=f"Ask for {', '.join(files)}."
            )
        kind = "application/json" if name.endswith(".json") else "text/plain; charset=utf-8"
        disposition = f'attachment; filename="{name}"'
        return Reply(files[name], headers={"Content-Type": kind, "Content-Disposition": disposition})

    def verify(self, request: Request, caller: Caller) -> Reply | EventStream:
        """Run the checks; as events, one for each check, where the caller accepts them."""
        bodies.refuse_external_id(request)
        body = bodies.parse(request, VerificationBody)
        connection = self._find(request, caller)
        subject = self._verifier.accept(connection, body.role_arn, body.invoke)
        steps = self._verifier.start(subject, _actor(request, caller))
        if "text/event-stream" in (request.header("accept") or "").lower():
            return EventStream(_events(steps, request.id), {}, live=request.can_stream)
        *_, report = steps
        return Reply(report)

    def last_report(self, request: Request, caller: Caller) -> Reply:
        """Show the last report."""
        report = self._registry.last_report(self._find(request, caller))
        if report is None:
            raise ServiceError(
                "report_not_found",
                "This connection was never verified.",
                fix="POST the role's ARN to this address to verify it.",
            )
        return Reply(report)

    def events(self, request: Request, caller: Caller) -> Reply:
        """Show the audit record, newest first, a page at a time."""
        query = request.query()
        connection = self._find(request, caller)
        found, next_cursor = self._registry.events(
            connection, limit=_limit(_single(query, "limit")), cursor=_single(query, "cursor")
        )
        return Reply({"data": [asdict(event) for event in found], "next_cursor": next_cursor})

    def _find(self, request: Request, caller: Caller) -> Connection:
        connection_id = request.path_parameter("connection_id")
        connection = self._registry.get(caller.tenant, connection_id)
        request.notes["connection"] = str(connection.id)
        return connection

    def _documents(self, connection: Connection) -> Documents:
        return documents(connection, self._settings.service_role, [connection.external_id])

    def _reply(self, connection: Connection, status: int = 200) -> Reply:
        row = connection_row(connection, self._clock())
        return Reply(row, status=status, headers={"ETag": f'"{connection.version}"'})


def connection_row(connection: Connection, now: datetime) -> dict[str, object]:
    """Return a connection as JSON values; what is not known is left out."""
    foretold = expected_role_arn(connection, partition_of(connection.region).id)
    optional: dict[str, object | None] = {
        "role_arn": _text(connection.role_arn),
        "candidate_role_arn": _text(connection.candidate_role_arn),
        "expected_role_arn": _text(foretold),
        "account_id": connection.account_id,
        "models": None if connection.models is None else [*connection.models],
        "guardrail": None
        if connection.guardrail is None
        else {"identifier": connection.guardrail.identifier, "version": connection.guardrail.version},
        "verified_at": _time(connection.verified_at),
        "expires_at": _time(connection.expires_at),
    }
    return {
        "id": str(connection.id),
        "name": connection.name,
        "status": connection.status_at(now).value,
        "external_id": str(connection.external_id),
        "region": connection.region,
        "usable": connection.usable,
        "version": connection.version,
        "created_at": _time(connection.created_at),
        "updated_at": _time(connection.updated_at),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _events(steps: Iterator[Any], request_id: str) -> Iterator[str]:
    try:
        for step in steps:
            kind, data = ("report", step) if isinstance(step, dict) else ("check", check_row(step))
            yield f"event: {kind}\ndata: {json.dumps(data)}\n\n"
    except ServiceError as error:
        yield f"event: error\ndata: {json.dumps(envelope(error, request_id))}\n\n"


def _guardrail(body: GuardrailBody | None, region: str, account_id: str | None) -> Guardrail | None:
    if body is None:
        return None
    return Guardrail(parse_guardrail(body.identifier, region=region, account_id=account_id), body.version)


def _actor(request: Request, caller: Caller) -> Actor:
    return Actor(subject=caller.subject, source_ip=request.source_ip)


def _idempotency_key(request: Request) -> str | None:
    key = request.header("idempotency-key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise ServiceError(
            "invalid_value", "An Idempotency-Key has 1 to 255 visible ASCII characters.", param="Idempotency-Key"
        )
    return key


def _single(query: Any, name: str) -> str | None:
    values = query.get(name) or []
    if len(values) > 1:
        raise ServiceError("invalid_value", f"{name} was sent twice.", param=name, fix="Send it once.")
    return values[0] if values else None


def _limit(text: str | None) -> int:
    if text is None:
        return 50
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise ServiceError("invalid_value", "limit is a whole number from 1 to 100.", param="limit")
    return int(text)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
