"""Connections over HTTP: their life from creation to deletion, their documents, verification and record."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, cast

from chalicelib.bedrock.regions import require_endpoint
from chalicelib.errors import ServiceError
from chalicelib.onboarding.checks import Result
from chalicelib.onboarding.documents import documents
from chalicelib.onboarding.documents.launch import quick_create_url
from chalicelib.onboarding.life import teardown_steps
from chalicelib.onboarding.limits import DAY
from chalicelib.onboarding.linter import lint
from chalicelib.onboarding.patience import Waiting
from chalicelib.onboarding.registry import PAGE, Actor
from chalicelib.onboarding.report import check_row, finding_row
from chalicelib.routes import bodies
from chalicelib.routes.codes import envelope
from chalicelib.routes.connections import ChangeBody, CreateBody, TrustPolicyBody, VerificationBody, connection_row
from chalicelib.routes.exchange import EventStream, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.onboarding.connection import Connection
    from chalicelib.onboarding.documents import Documents
    from chalicelib.onboarding.items import Event
    from chalicelib.onboarding.life import Life
    from chalicelib.onboarding.limits import Limits
    from chalicelib.onboarding.registry import Registry
    from chalicelib.onboarding.shapes import AuditEvent, VerificationReport
    from chalicelib.onboarding.verifier import Step, Verifier
    from chalicelib.routes import shapes
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.exchange import Request
    from chalicelib.services import Services


IDS_A_DAY: Final = 10_000
"""Far above what a tenant needs, and an end to what one can fill the table with."""


class OnboardingRoutes:
    """The views; each parses, calls the domain once, and renders."""

    def __init__(self, services: Services, registry: Registry, verifier: Verifier, life: Life, limits: Limits) -> None:
        self._limits = limits
        self._settings = services.settings
        self._clock = services.clock
        self._random_bytes = services.random_bytes
        self._registry = registry
        self._verifier = verifier
        self._life = life

    def register(self, boundary: Boundary) -> None:
        """Add the routes."""
        one = "/v1/connections/{connection_id}"
        boundary.protected("POST", "/v1/connections", "connections:write", self.create)
        boundary.protected("GET", "/v1/connections", "connections:read", self.list)
        boundary.protected("GET", one, "connections:read", self.get)
        boundary.protected("PATCH", one, "connections:write", self.change)
        boundary.protected("DELETE", one, "connections:write", self.delete)
        boundary.protected("POST", f"{one}/removal", "connections:write", self.prove_removal)
        boundary.protected("POST", f"{one}/rotation", "connections:write", self.start_rotation)
        boundary.protected("DELETE", f"{one}/rotation", "connections:write", self.cancel_rotation)
        boundary.protected("GET", f"{one}/documents", "connections:read", self.documents)
        boundary.protected("GET", f"{one}/documents/{{file}}", "connections:read", self.document)
        boundary.protected("POST", f"{one}/verification", "connections:write", self.verify)
        boundary.protected("GET", f"{one}/verification", "connections:read", self.last_report)
        boundary.protected("POST", f"{one}/trust-policy", "connections:read", self.lint)
        boundary.protected("GET", f"{one}/events", "connections:read", self.events)

    def create(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionRow]:
        """Make a connection with a fresh external ID."""
        bodies.refuse_external_id(request)
        body = bodies.parse(request, CreateBody)
        new = body.connection(self._settings.service_role)
        require_endpoint(new.region, fips=self._settings.use_fips)
        self._count_new_id(caller)
        connection = self._registry.create(caller.tenant, new, _actor(request, caller), _idempotency_key(request))
        return self._reply(connection, status=201)

    def list(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionPage]:
        """List the tenant's connections, a page at a time."""
        cursor = request.query_parameter("cursor")
        found, next_cursor = self._registry.page(caller.tenant, limit=_limit(request), cursor=cursor)
        now = self._clock()
        return Reply({"data": [connection_row(connection, now) for connection in found], "next_cursor": next_cursor})

    def get(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionRow]:
        """Show one connection."""
        return self._reply(self._find(request, caller))

    def change(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionRow]:
        """Change name, region, model scope or guardrail of the version that If-Match names."""
        bodies.refuse_external_id(request)
        body = bodies.parse(request, ChangeBody)
        before = self._find(request, caller)
        _require_version(request, before)
        after = body.applied_to(before, self._settings.service_role)
        require_endpoint(after.region, fips=self._settings.use_fips)
        return self._reply(self._life.change(before, after, _actor(request, caller)))

    def delete(self, request: Request, caller: Caller) -> Reply[shapes.DeletedConnection]:
        """End the connection, and say how its role is taken away."""
        connection = self._life.revoke(self._find(request, caller), _actor(request, caller))
        row = connection_row(connection, self._clock())
        return Reply({"connection": row, "teardown": teardown_steps(connection)})

    def prove_removal(self, request: Request, caller: Caller) -> Reply[shapes.RemovalProof]:
        """Find out whether the role of a deleted connection refuses us."""
        removal = self._life.prove_removal(self._find(request, caller))
        rows = [finding_row(finding) for finding in removal.findings]
        return Reply({"removed": removal.removed, "findings": rows, "retry_after": None if removal.removed else 10})

    def start_rotation(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionRow]:
        """Make a second external ID, to take the place of the first once it was verified."""
        bodies.refuse_external_id(request)
        self._count_new_id(caller)
        return self._reply(self._life.start_rotation(self._find(request, caller), _actor(request, caller)))

    def _count_new_id(self, caller: Caller) -> None:
        """Count an external ID: each leaves an item that stays for ever, so that it is never given out again."""
        wait = self._limits.take(caller.tenant, "EXTERNAL-IDS", IDS_A_DAY, DAY)
        if wait is not None:
            raise ServiceError(
                "too_many_connections",
                f"This tenant has been given {IDS_A_DAY:,} external IDs today.",
                fix="Use the connections that there are, or wait until midnight (UTC).",
                retry_after=wait,
            )

    def cancel_rotation(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionRow]:
        """Drop the second external ID."""
        return self._reply(self._life.cancel_rotation(self._find(request, caller), _actor(request, caller)))

    def documents(self, request: Request, caller: Caller) -> Reply[shapes.ConnectionDocuments]:
        """Give all documents at once."""
        connection = self._find(request, caller)
        made = self._documents(connection)
        row: shapes.ConnectionDocuments = {
            "external_id": made.external_id,
            "trust_policy": made.trust_policy,
            "permissions_policy": made.permissions_policy,
            "files": made.files,
        }
        link = quick_create_url(connection, connection.accepted_ids, self._settings.customer_templates)
        if link is not None:
            row["quick_create_url"] = link
        return Reply(row)

    def document(self, request: Request, caller: Caller) -> Reply[str]:
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

    def verify(self, request: Request, caller: Caller) -> Reply[VerificationReport] | EventStream:
        """Run the checks; as events, one for each check, where the caller accepts them."""
        bodies.refuse_external_id(request)
        body = bodies.parse(request, VerificationBody)
        connection = self._find(request, caller)
        subject = self._verifier.accept(connection, body.role_arn, body.invoke)
        steps = self._verifier.start(subject, _actor(request, caller))
        if "text/event-stream" in (request.header("accept") or "").lower():
            return EventStream(_events(steps, request.id), {}, live=request.can_stream)
        *_, report = steps
        return Reply(cast("VerificationReport", report))

    def last_report(self, request: Request, caller: Caller) -> Reply[VerificationReport]:
        """Show the last report."""
        report = self._registry.last_report(self._find(request, caller))
        if report is None:
            raise ServiceError(
                "report_not_found",
                "This connection was never verified.",
                fix="POST the role's ARN to this address to verify it.",
            )
        return Reply(report)

    def lint(self, request: Request, caller: Caller) -> Reply[shapes.TrustPolicyLint]:
        """Say what a pasted trust policy would do, and how it should be. AWS is not asked, and nothing is stored."""
        body = bodies.parse(request, TrustPolicyBody)
        connection = self._find(request, caller)
        result = lint(connection, self._settings.service_role, body.trust_policy, self._random_bytes)
        rows = [finding_row(finding) for finding in result.findings]
        return Reply({"findings": rows, "corrected_trust_policy": result.corrected})

    def events(self, request: Request, caller: Caller) -> Reply[shapes.EventPage]:
        """Show the audit record, newest first, a page at a time."""
        connection = self._find(request, caller)
        cursor = request.query_parameter("cursor")
        found, next_cursor = self._registry.events(connection, limit=_limit(request), cursor=cursor)
        return Reply({"data": [_event_row(event) for event in found], "next_cursor": next_cursor})

    def _find(self, request: Request, caller: Caller) -> Connection:
        connection_id = request.path_parameter("connection_id")
        connection = self._registry.get(caller.tenant, connection_id)
        request.notes["connection"] = str(connection.id)
        return connection

    def _documents(self, connection: Connection) -> Documents:
        # Whoever runs an old script would make a role that nothing uses.
        connection.require_not_revoked()
        return documents(connection, self._settings.service_role, connection.accepted_ids)

    def _reply(self, connection: Connection, status: int = 200) -> Reply[shapes.ConnectionRow]:
        row = connection_row(connection, self._clock())
        return Reply(row, status=status, headers={"ETag": f'"{connection.version}"'})


def _events(steps: Iterator[Step], request_id: str) -> Iterator[str]:
    try:
        for step in steps:
            match step:
                case Waiting():
                    yield _event("waiting", asdict(step))
                case Result():
                    yield _event("check", check_row(step))
                case _:
                    yield _event("report", step)
    except ServiceError as error:
        yield _event("error", envelope(error, request_id))


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _event_row(event: Event) -> AuditEvent:
    return {
        "at": event.at,
        "type": event.type,
        "actor": event.actor,
        "source_ip": event.source_ip,
        "before": event.before,
        "after": event.after,
    }


def _actor(request: Request, caller: Caller) -> Actor:
    return Actor(subject=caller.subject, source_ip=request.source_ip)


def _require_version(request: Request, connection: Connection) -> None:
    """Raise unless If-Match names the version that is stored: a change made to an older one would undo a newer."""
    match = request.header("if-match")
    if match is None:
        raise ServiceError(
            "if_match_required",
            "The change names no version.",
            param="If-Match",
            fix="Send the ETag of the connection as If-Match.",
        )
    if match.removeprefix("W/").strip('"') != str(connection.version):
        raise ServiceError(
            "connection_changed",
            f"The connection is at version {connection.version}.",
            param="If-Match",
            fix="Get the connection again and repeat the change if it is still wanted.",
        )


def _idempotency_key(request: Request) -> str | None:
    key = request.header("idempotency-key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise ServiceError(
            "invalid_value", "An Idempotency-Key has 1 to 255 visible ASCII characters.", param="Idempotency-Key"
        )
    return key


def _limit(request: Request) -> int:
    text = request.query_parameter("limit")
    if text is None:
        return PAGE
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise ServiceError("invalid_value", "limit is a whole number from 1 to 100.", param="limit")
    return int(text)
