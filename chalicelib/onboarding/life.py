"""What happens to a connection between its creation and its end, besides verification: changes, rotation, deletion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.identifiers import ExternalId
from chalicelib.onboarding import findings, probes
from chalicelib.onboarding.connection import Connection, Status
from chalicelib.onboarding.probes import Inconclusive, Passed

if TYPE_CHECKING:
    from chalicelib.onboarding.findings import Finding
    from chalicelib.onboarding.registry import Actor, Registry
    from chalicelib.onboarding.turnstile import Turnstile
    from chalicelib.services import Services

REMOVAL_TITLE: Final = "The role refuses us after the connection was deleted"


@dataclass(frozen=True, slots=True)
class Removal:
    """Whether a role refuses us: True, False, or None where AWS gave no clear answer; and what to do about it."""

    removed: bool | None
    findings: tuple[Finding, ...] = ()


class Life:
    """Makes the changes; each is one transaction with its audit event."""

    def __init__(self, services: Services, registry: Registry, turnstile: Turnstile) -> None:
        self._services = services
        self._registry = registry
        self._turnstile = turnstile

    def change(self, before: Connection, after: Connection, actor: Actor) -> Connection:
        """Store what a tenant changed. What decides which models can be called is usable only once verified again.

        What changes nothing is not stored: neither a version nor an event comes of it.
        """
        before.require_not_revoked()
        if after == before:
            return before
        if (before.region, before.models, before.guardrail) != (after.region, after.models, after.guardrail):
            after = replace(after, usable=False)
        if before.region != after.region:
            after = replace(after, profile_routes=())
        return self._registry.save(before, after, "connection_changed", actor)

    def start_rotation(self, before: Connection, actor: Actor) -> Connection:
        """Make a second external ID. The old one stays in use until a verification has passed with the new one."""
        before.require_not_revoked()
        if before.status is not Status.ACTIVE:
            raise ServiceError(
                "rotation_not_possible",
                f"The connection is {before.status_at(self._services.clock()).value}; only an active one can rotate.",
                fix="Verify the connection first, or end the rotation that is under way.",
            )
        pending = ExternalId.generate(self._services.random_bytes)
        after = replace(before, status=Status.ROTATING, pending_external_id=pending)
        return self._registry.save(before, after, "rotation_started", actor)

    def cancel_rotation(self, before: Connection, actor: Actor) -> Connection:
        """Call a rotation off while the new external ID is not in use yet."""
        before.require_not_revoked()
        if before.pending_external_id is None:
            raise ServiceError(
                "rotation_not_under_way",
                "There is no new external ID to call off"
                + (": it is in use already." if before.retiring_external_id else "."),
                fix="Start a rotation, or verify the connection to complete the one that is under way.",
            )
        status = Status.ACTIVE if before.status is Status.ROTATING else before.status
        after = replace(before, status=status, pending_external_id=None)
        return self._registry.save(before, after, "rotation_cancelled", actor)

    def revoke(self, before: Connection, actor: Actor) -> Connection:
        """End a connection. Its sessions are dropped at once, and its external IDs stay reserved for ever."""
        if before.status is Status.REVOKED:
            return before
        after = replace(before, status=Status.REVOKED, usable=False, expires_at=None, due_at=None)
        return self._registry.save(before, after, "connection_revoked", actor)

    def prove_removal(self, connection: Connection) -> Removal:
        """Find out whether the role refuses us now, with every external ID that it may have been told to take.

        It asks STS about a role as a verification does, and waits for its turn and counts as one.
        """
        if connection.status is not Status.REVOKED:
            raise ServiceError(
                "connection_not_revoked",
                "The connection is still in use.",
                fix="Delete it first: DELETE /v1/connections/{id}.",
            )
        ticket = self._turnstile.enter(connection)
        try:
            return self._tried(connection)
        finally:
            self._turnstile.leave(connection, ticket)

    def _tried(self, connection: Connection) -> Removal:
        roles = [role for role in (connection.role_arn, connection.candidate_role_arn) if role is not None]
        ids = {str(one) for one in (connection.external_id, connection.outgoing_id, connection.id_under_test) if one}
        found: list[Finding] = []
        removed: bool | None = True
        sts = self._services.sts_clients
        for role in roles:
            for external_id in sorted(ids):
                match probes.assume_as_stranger(sts, role, external_id, str(connection.id)):
                    case Passed():
                        removed = False
                        found.append(findings.role_still_lets_us_in(role))
                        break
                    case Inconclusive(refusal):
                        removed = None if removed else removed
                        found.append(findings.probe_inconclusive(REMOVAL_TITLE, refusal))
        return Removal(removed, tuple(found))


def teardown_steps(connection: Connection) -> list[str]:
    """Return what the customer does to take the role away, in order."""
    role = connection.role_arn or connection.candidate_role_arn
    name = role.name if role is not None else connection.id.role_name
    return [
        f"If the role came from CloudFormation or Terraform, delete that stack or resource; it removes {name}.",
        f"Else delete the role {name} in the IAM console, or with the AWS CLI: delete its policies, then the role.",
        "To keep the role for something else, take the statement with this external ID out of its trust policy.",
        "Sessions given before end within an hour. To end them at once: IAM console, the role, Revoke active sessions.",
        f"POST /v1/connections/{connection.id}/removal proves that the role refuses this service.",
    ]
