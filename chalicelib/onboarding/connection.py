"""A connection: one customer role for one tenant, and what may happen to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn

Routes: TypeAlias = "tuple[tuple[str, tuple[str, ...]], ...]"
"""Where inference profiles lead to: the id of each with the ARNs of its foundation models, one for each region."""

PENDING_LIFE: Final = timedelta(hours=48)
"""How long an external ID that was never verified may still become active."""


class Status(StrEnum):
    """Where a connection stands. `expired` is not stored: a pending connection is expired once its time is over."""

    PENDING = "pending"
    ACTIVE = "active"
    ROTATING = "rotating"
    DEGRADED = "degraded"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Verdict(StrEnum):
    """What the five deciding checks say together."""

    VERIFIED = "verified"
    REFUSED = "refused"
    INCONCLUSIVE = "inconclusive"


MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.PENDING, Status.ACTIVE, Status.REVOKED}),
    Status.ACTIVE: frozenset({Status.ACTIVE, Status.ROTATING, Status.DEGRADED, Status.REVOKED}),
    Status.ROTATING: frozenset({Status.ROTATING, Status.ACTIVE, Status.DEGRADED, Status.REVOKED}),
    Status.DEGRADED: frozenset({Status.DEGRADED, Status.ACTIVE, Status.ROTATING, Status.REVOKED}),
    Status.REVOKED: frozenset({Status.REVOKED}),
}
"""Every move that there is. Nothing leads back to pending, and nothing out of revoked: a deleted ID stays dead."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A Bedrock guardrail that every call of a connection must pass: identifier or ARN, and version."""

    identifier: str
    version: str

    def for_converse(self) -> dict[str, str]:
        """Return Converse's `guardrailConfig`."""
        return {"guardrailIdentifier": self.identifier, "guardrailVersion": self.version}

    def for_invoke(self) -> dict[str, str]:
        """Return InvokeModel's headers."""
        return {
            "X-Amzn-Bedrock-GuardrailIdentifier": self.identifier,
            "X-Amzn-Bedrock-GuardrailVersion": self.version,
        }


@dataclass(frozen=True, slots=True)
class Connection:
    """One customer role for one tenant, as stored. Times are UTC.

    `models` is the model scope; None means all. `role_arn` is the role that was verified, `candidate_role_arn` the one
    named last that has not been. `open_to_strangers` says that the role let a wrong external ID in, and that no run has
    passed since: such a connection is not served. `role_unique_id` is IAM's AROA... id, which a recreated role changes.
    `profile_routes` are those of the model scope's profiles, as AWS listed them in the last verification that passed.
    At `due_at` the role is verified anew; None: never by itself.

    While the external ID is being replaced, calls are made with `external_id`. First that is the old one, and the new
    one is `pending_external_id`; once the new one passed it takes the place, and the old one, which the role must still
    stop taking, is `retiring_external_id`.
    """

    tenant: str
    id: ConnectionId
    name: str
    external_id: ExternalId
    region: str
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    models: tuple[str, ...] | None = None
    guardrail: Guardrail | None = None
    account_id: str | None = None
    role_arn: RoleArn | None = None
    candidate_role_arn: RoleArn | None = None
    role_unique_id: str | None = None
    verified_at: datetime | None = None
    usable: bool = False
    open_to_strangers: bool = False
    pending_external_id: ExternalId | None = None
    retiring_external_id: ExternalId | None = None
    profile_routes: Routes = ()
    due_at: datetime | None = None

    @property
    def id_under_test(self) -> ExternalId:
        """The external ID that a verification tries: while one is being replaced, the new one."""
        return self.pending_external_id or self.external_id

    @property
    def outgoing_id(self) -> ExternalId | None:
        """The external ID that the role must stop taking before its replacement is complete."""
        return self.external_id if self.pending_external_id else self.retiring_external_id

    def promoted(self) -> Connection:
        """Return the connection with the external ID under test in use."""
        return replace(self, external_id=self.id_under_test, pending_external_id=None)

    @property
    def accepted_ids(self) -> tuple[ExternalId, ...]:
        """What the documents have the role take: the ID in use, and the new one beside it while both are needed."""
        return (self.external_id, *((self.pending_external_id,) if self.pending_external_id else ()))

    def status_at(self, now: datetime) -> Status:
        """Return the status as of `now`."""
        if self.status is Status.PENDING and self.expires_at is not None and now >= self.expires_at:
            return Status.EXPIRED
        return self.status

    @property
    def served(self) -> bool:
        """Whether calls may be made with this connection's role.

        A degraded role that can't be assumed is still tried, as it may heal; one that lets strangers in is not.
        """
        return self.status in {Status.ACTIVE, Status.ROTATING} or (
            self.status is Status.DEGRADED and not self.open_to_strangers
        )

    def require_not_revoked(self) -> None:
        """Raise `connection_revoked` when the connection was deleted."""
        if self.status is Status.REVOKED:
            raise ServiceError(
                "connection_revoked",
                "This connection was deleted; its external ID is never used again.",
                fix="Create a new connection.",
            )

    def require_in_scope(self, model: str) -> None:
        """Raise `model_not_in_scope` for a model that the connection's scope leaves out; exact ids alone count."""
        if self.models is not None and model not in self.models:
            raise ServiceError(
                "model_not_in_scope",
                f"{model} is not in the model scope of this connection.",
                param="model",
                fix="Use a model of the connection, or create a connection whose scope has this one.",
            )


def after_verification(
    before: Connection,
    role_arn: RoleArn,
    verdict: Verdict,
    *,
    let_strangers_in: bool,
    usable: bool,
    role_unique_id: str | None,
    outgoing_refused: bool,
    profile_routes: Routes | None,
    now: datetime,
) -> Connection:
    """Return the connection as a verification of `role_arn` leaves it.

    A role verified becomes the connection's role. Any other outcome leaves a role that works in place, unless the run
    was about that very role: then letting strangers in or refusing us makes it degraded. What stayed unclear changes
    nothing. While the external ID is being replaced, a role that does not take the new one yet is no reason to stop
    using the old one; `outgoing_refused` says that the role no longer takes the old one. `profile_routes` None: they
    could not be listed, so what is known of them stays.
    """
    if verdict is Verdict.VERIFIED:
        retiring = None if outgoing_refused else before.outgoing_id
        return replace(
            before,
            status=Status.ACTIVE if retiring is None else Status.ROTATING,
            external_id=before.id_under_test,
            pending_external_id=None,
            retiring_external_id=retiring,
            role_arn=role_arn,
            candidate_role_arn=None,
            account_id=role_arn.account_id,
            role_unique_id=role_unique_id,
            verified_at=now,
            expires_at=None,
            usable=usable,
            open_to_strangers=False,
            profile_routes=before.profile_routes if profile_routes is None else profile_routes,
        )
    if role_arn != before.role_arn:
        return replace(before, candidate_role_arn=role_arn)
    if verdict is Verdict.REFUSED and (let_strangers_in or before.pending_external_id is None):
        # A role that refuses everyone refuses strangers too: only a run that passes shows that an open one was closed.
        still_open = let_strangers_in or before.open_to_strangers
        return replace(before, status=Status.DEGRADED, usable=False, open_to_strangers=still_open)
    return before
