"""A connection: one customer role for one tenant, and what may happen to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chalicelib.errors import ServiceError
from chalicelib.onboarding.checks import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn

PENDING_LIFE: Final = timedelta(hours=48)
"""How long an external ID that was never verified may still become active."""


class Status(StrEnum):
    """Where a connection stands. `expired` is not stored: a pending connection is expired once its time is over."""

    PENDING = "pending"
    ACTIVE = "active"
    DEGRADED = "degraded"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A Bedrock guardrail that every call of a connection must pass: identifier or ARN, and version."""

    identifier: str
    version: str

    def for_converse(self) -> dict[str, str]:
        """Return Converse's `guardrailConfig`."""
        return {"guardrailIdentifier": self.identifier, "guardrailVersion": self.version}


@dataclass(frozen=True, slots=True)
class Connection:
    """One customer role for one tenant, as stored. Times are UTC.

    `models` is the model scope; None means all. `role_arn` is the role that was verified, `candidate_role_arn` the one
    named last that has not been. `open_to_strangers` says that the role let a wrong external ID in when it was last
    looked at: such a connection is not served. `role_unique_id` is IAM's AROA... id, which a recreated role changes.
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
        return self.status is Status.ACTIVE or (self.status is Status.DEGRADED and not self.open_to_strangers)

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
    now: datetime,
) -> Connection:
    """Return the connection as a verification of `role_arn` leaves it.

    A role verified becomes the connection's role. Any other outcome leaves a role that works in place, unless the run
    was about that very role: then letting strangers in or refusing us makes it degraded. What stayed unclear changes
    nothing.
    """
    if verdict is Verdict.VERIFIED:
        return replace(
            before,
            status=Status.ACTIVE,
            role_arn=role_arn,
            candidate_role_arn=None,
            account_id=role_arn.account_id,
            role_unique_id=role_unique_id,
            verified_at=now,
            expires_at=None,
            usable=usable,
            open_to_strangers=False,
        )
    if role_arn != before.role_arn:
        return replace(before, candidate_role_arn=role_arn)
    if verdict is Verdict.REFUSED:
        return replace(before, status=Status.DEGRADED, usable=False, open_to_strangers=let_strangers_in)
    return before
