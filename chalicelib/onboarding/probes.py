"""Probes: one AWS call each, made to learn something. An outcome is a value; nothing here raises for what AWS says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import DESCRIBE_LIMITS
from chalicelib.bedrock.sessions import PROBE_SECONDS, assume
from chalicelib.identifiers import ExternalId
from chalicelib.onboarding.documents import deny_everything_policy, excess_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.failures import AwsRefusal
    from chalicelib.bedrock.sessions import Grant, Session, StsClients
    from chalicelib.bedrock.wire import Wire
    from chalicelib.identifiers import RoleArn


@dataclass(frozen=True, slots=True)
class Passed:
    """AWS did what was asked."""

    word: ClassVar[Literal["passed"]] = "passed"


@dataclass(frozen=True, slots=True)
class Refused:
    """AWS said no, and meant it: access denied, not a fault on the way."""

    refusal: AwsRefusal
    word: ClassVar[Literal["refused"]] = "refused"


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Neither yes nor no: throttled, unreachable, or an error that says nothing about the role."""

    refusal: AwsRefusal
    word: ClassVar[Literal["inconclusive"]] = "inconclusive"


Outcome = Passed | Refused | Inconclusive

_ALIKE: Final = 12
"""Characters at either end of an external ID that a similar one has too: 60 bits, more than anybody meets by trying."""
_ACCESS_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})


def assume_as_agreed(sts: StsClients, grant: Grant) -> Session | Refused | Inconclusive:
    """Assume the role with the external ID of the connection, under the session policy that calls will have."""
    try:
        return assume(
            sts,
            grant.role_arn,
            grant.external_id,
            session_policy=grant.session_policy,
            name=f"{grant.connection_id}.verify",
            seconds=PROBE_SECONDS,
        )
    except (AwsError, Unreachable) as failure:
        return outcome_of(failure)


def assume_as_stranger(sts: StsClients, role_arn: RoleArn, external_id: str | None, connection_id: str) -> Outcome:
    """Try to get in as someone who does not have the external ID.

    If AWS lets us in, the credentials go no further than this function, and a policy that denies everything binds them.
    A denial by the operator's own policies (one that asks for an external ID, say) tells nothing of the role.
    """
    try:
        assume(
            sts,
            role_arn,
            external_id,
            session_policy=deny_everything_policy(),
            name=f"{connection_id}.negprobe",
            seconds=PROBE_SECONDS,
        )
    except (AwsError, Unreachable) as failure:
        outcome = outcome_of(failure)
        return Inconclusive(outcome.refusal) if outcome.refusal.code == "operator_may_not_assume" else outcome
    return Passed()


def may_do_more(sts: StsClients, grant: Grant, wire: Wire) -> bool:
    """Whether the role allows more than Bedrock, as far as one harmless call tells: False where the answer is unclear.

    The session's own policy allows that one call and nothing else, not even Bedrock.
    """
    try:
        session = assume(
            sts,
            grant.role_arn,
            grant.external_id,
            session_policy=excess_policy(),
            name=f"{grant.connection_id}.excess",
            seconds=PROBE_SECONDS,
        )
        wire.call(session.credentials, grant.region, DESCRIBE_LIMITS, body={})
    except (AwsError, Unreachable):
        return False
    return True


def runs_as(sts: StsClients, service_role: RoleArn) -> bool:
    """Whether this service runs as its role; True where STS does not tell. A session's ARN leaves the role's path out.

    GetCallerIdentity needs no permission.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  loaded with the client, not before

    try:
        arn = sts[0]().get_caller_identity()["Arn"]
    except (BotoCoreError, ClientError):
        return True
    account, kind = arn.split(":", 5)[4:]
    return account == service_role.account_id and kind.split("/")[:2] in (
        ["assumed-role", service_role.name],
        ["role", service_role.name],
    )


def outcome_of(failure: AwsError | Unreachable) -> Refused | Inconclusive:
    """Only AccessDenied is a refusal: a timeout taken for one would call an open role safe."""
    if isinstance(failure, AwsError) and failure.code in _ACCESS_DENIED:
        return Refused(explain(failure))
    return Inconclusive(explain(failure))


def similar_external_id(external_id: str, random_bytes: Callable[[int], bytes]) -> str:
    """Return a fresh one of our own form that begins and ends as `external_id` does: patterns of either let it in.

    `StringLike: rolecall-a*` lets every 32nd of other tenants' IDs in, and whoever makes some dozen connections has
    one; an ID that is random from end to end would find that out as seldom. The middle is 40 fresh bits.
    """
    kept = len(ExternalId.PREFIX) + _ALIKE
    fresh = str(ExternalId.generate(random_bytes))
    return external_id[:kept] + fresh[kept:-_ALIKE] + external_id[-_ALIKE:]


def foreign_external_id(random_bytes: Callable[[int], bytes]) -> str:
    """Return a fresh one of another form: `StringLike: *` lets it in."""
    return str(uuid.UUID(bytes=random_bytes(16), version=4))


def other_case(external_id: str) -> str:
    """Return the same ID in capitals: `StringEqualsIgnoreCase` lets it in."""
    return external_id.upper()
