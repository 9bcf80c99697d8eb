"""Runs a verification of a connection's role and writes what came of it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.bedrock.sessions import Grant
from chalicelib.errors import ServiceError
from chalicelib.identifiers import LISTED_AS, ModelId, RoleArn, parse_model_scope
from chalicelib.onboarding import findings
from chalicelib.onboarding.checks import Result, is_usable, strangers_let_in, verdict
from chalicelib.onboarding.connection import Connection, Status, Verdict, after_verification
from chalicelib.onboarding.documents import session_policy
from chalicelib.onboarding.probes import Refused
from chalicelib.onboarding.report import report
from chalicelib.onboarding.verification import Subject, Verification

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import TypeAlias

    from chalicelib.bedrock.catalog import Catalog
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.wire import Wire
    from chalicelib.onboarding.connection import Routes
    from chalicelib.onboarding.patience import Waiting
    from chalicelib.onboarding.registry import Actor, Registry
    from chalicelib.onboarding.shapes import VerificationReport
    from chalicelib.onboarding.turnstile import Turnstile
    from chalicelib.services import Services

    Step: TypeAlias = Result | Waiting | VerificationReport


def grant_of(connection: Connection, role_arn: RoleArn) -> Grant:
    """Return the grant to act through `role_arn`, with the connection's own external ID and nobody else's."""
    return Grant(
        tenant=connection.tenant,
        connection_id=str(connection.id),
        version=connection.version,
        role_arn=role_arn,
        external_id=str(connection.external_id),
        region=connection.region,
        session_policy=session_policy(connection),
        role_unique_id=connection.role_unique_id if role_arn == connection.role_arn else None,
    )


MOST_ROUTES: Final = 500
"""Regions that are kept of a connection's profiles: more than fit in a policy by far, less than fill an item."""


def _profile_routes(connection: Connection, catalog: Catalog | None) -> Routes | None:
    """Return where the profiles of the model scope lead to; None when they could not be listed."""
    if catalog is None or catalog.failures:
        return None
    scope = frozenset(connection.models or ())
    routes = tuple((model.id, model.routes) for model in catalog.models if model.is_profile and model.id in scope)
    return routes if sum(len(arns) for _, arns in routes) <= MOST_ROUTES else ()


class Verifier:
    """Verifies roles: refuses requests that can't be right before any call, runs the checks, stores what came of it."""

    def __init__(
        self, services: Services, registry: Registry, turnstile: Turnstile, sessions: Sessions, wire: Wire
    ) -> None:
        self._services = services
        self._registry = registry
        self._turnstile = turnstile
        self._sessions = sessions
        self._wire = wire

    def _due_at(self, after: Connection, outcome: Verdict, now: datetime) -> datetime | None:
        """Return when the role is looked at again: sooner after an unclear run, and never all of them at once."""
        hours = self._services.settings.reverify_hours
        if not hours or after.role_arn is None or after.status not in {Status.ACTIVE, Status.ROTATING, Status.DEGRADED}:
            return None
        seconds = hours * 3600 if outcome is not Verdict.INCONCLUSIVE else min(hours, 1) * 3600
        spread = int.from_bytes(self._services.random_bytes(2)) / 2**16
        return now + timedelta(seconds=seconds * (0.9 + 0.2 * spread))

    def accept(self, connection: Connection, claimed_role_arn: str, invoke: bool | str) -> Subject:
        """Return what would be verified; raises `ServiceError`, before any call, for what is wrong with the request."""
        own = self._services.settings.service_role
        role_arn = RoleArn.parse(claimed_role_arn)
        if role_arn.partition != own.partition:
            raise ServiceError(
                "partition_mismatch",
                f"The role is in partition {role_arn.partition}; this service runs in {own.partition}, and no role"
                " reaches another partition.",
                param="role_arn",
                fix="Use a deployment of this product in the partition of your account.",
            )
        if role_arn.account_id == own.account_id:
            raise ServiceError(
                "own_account_role",
                "The role is in this service's own AWS account. Give a role of yours.",
                param="role_arn",
                whose_fix="customer",
            )
        if connection.account_id is not None and role_arn.account_id != connection.account_id:
            raise ServiceError(
                "account_mismatch",
                f"The role is in account {role_arn.account_id}; this connection is for {connection.account_id}.",
                param="role_arn",
                fix="Give a role of that account, or create another connection.",
            )
        connection.require_not_revoked()
        if connection.status_at(self._services.clock()) is Status.EXPIRED:
            raise ServiceError(
                "connection_expired",
                "This connection was not verified in 48 hours, so its external ID is no longer accepted.",
                fix="Create a new connection and give the role its trust policy.",
            )
        if connection.models is not None:
            parse_model_scope(connection.models, region=connection.region, account_id=role_arn.account_id)
        if isinstance(invoke, str):
            invoke = invoke.removeprefix(LISTED_AS)
            model = ModelId.parse(invoke, region=connection.region, account_id=role_arn.account_id, param="invoke")
            connection.require_in_scope(str(model))
        tested = replace(connection, external_id=connection.id_under_test)
        return Subject(connection, grant_of(tested, role_arn), own, invoke)

    def start(self, subject: Subject, actor: Actor, *, unasked: bool = False) -> Iterator[Step]:
        """Return the run, whose turn it now is: it yields results, a word before each pause, and last the report.

        A run that is `unasked` for is the schedule's: none of those that a tenant may start in a minute, and it takes
        no role that was made anew for the one that somebody had verified. Raises `verification_running` or
        `too_many_verifications` at once; the run itself raises `connection_changed` when another request changed the
        connection meanwhile, and has then written nothing.
        """
        ticket = self._turnstile.enter(subject.connection, counted=not unasked)
        return self._run(subject, actor, ticket, unasked=unasked)

    def _run(self, subject: Subject, actor: Actor, ticket: str, *, unasked: bool) -> Iterator[Step]:
        try:
            yield from self._verify(subject, actor, unasked=unasked)
        finally:
            self._turnstile.leave(subject.connection, ticket)

    def _verify(self, subject: Subject, actor: Actor, *, unasked: bool) -> Iterator[Step]:
        before, role_arn = subject.connection, subject.grant.role_arn
        started = time.monotonic()
        # What was remembered of this connection may be what the customer has just mended.
        self._sessions.forget(str(before.id))
        verification = Verification(subject, self._services, self._wire)
        yield from verification.run()
        results, now = verification.results, self._services.clock()
        if verdict(results) is Verdict.VERIFIED:
            verification.try_outgoing_id()
        after = after_verification(
            before,
            role_arn,
            verdict(results),
            let_strangers_in=bool(strangers_let_in(results)),
            usable=is_usable(results),
            role_unique_id=verification.role_unique_id,
            outgoing_refused=before.outgoing_id is None or isinstance(verification.outgoing, Refused),
            profile_routes=_profile_routes(before, verification.catalog),
            now=now,
        )
        if unasked and before.role_unique_id is not None and before.role_unique_id != after.role_unique_id:
            verification.more.append(findings.role_made_anew(role_arn))
            after = replace(before, status=Status.DEGRADED, usable=False, open_to_strangers=False)
        after = replace(after, due_at=self._due_at(after, verdict(results), now))
        answer = report(
            results,
            role_arn,
            after,
            checked_at=now,
            duration_ms=round((time.monotonic() - started) * 1000),
            attempts=verification.attempts,
            more=verification.more,
        )
        self._registry.save(before, after, f"verification_{verdict(results).value}", actor, answer)
        yield answer
