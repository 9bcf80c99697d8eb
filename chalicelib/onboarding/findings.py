"""Findings: what to tell the customer, one thing each, in words that say whose change it is and what to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chalicelib.bedrock.failures import AwsRefusal
    from chalicelib.errors import WhoseFix
    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.edits import Edit

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A cause that AWS's answer does not tell from others, and what to do if it is this one."""

    code: str
    message: str
    fix: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell the customer. `evidence` holds AWS's code and request id, and what was asked for.

    `edits` are documents that cure it, to paste as they are. Where the cause is not certain, `suspects` are in the
    order of how likely they are.
    """

    code: str
    severity: Severity
    whose_fix: WhoseFix
    message: str
    fix: str
    evidence: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    suspects: tuple[Suspect, ...] = ()


_STRANGERS = {
    "refused_without_external_id": "no external ID at all",
    "refused_with_similar_external_id": "another external ID that begins like ours",
    "refused_with_foreign_external_id": "an external ID of another form",
    "refused_with_other_case": "the external ID in other case",
}


def external_id_not_enforced(role_arn: RoleArn, let_in: Sequence[str], *edits: Edit) -> Finding:
    """Say that the role let probes in that it must refuse; `let_in` holds the ids of those checks."""
    ways = [_STRANGERS[check] for check in let_in]
    return Finding(
        "external_id_not_enforced",
        "error",
        "customer",
        f"{role_arn} can be assumed with {', with '.join(ways)}. Anyone who learns the role's ARN could make us use it"
        " on their behalf, so this connection stays closed.",
        "Replace the role's whole trust policy by this connection's. Its condition must be StringEquals on"
        " sts:ExternalId, without IfExists, ForAllValues, StringLike or IgnoreCase, and no second statement may allow"
        " sts:AssumeRole without it. Then verify again.",
        {"role_arn": str(role_arn), "let_in": ", ".join(let_in)},
        edits,
    )


def outgoing_id_still_taken(role_arn: RoleArn, outgoing: str, *edits: Edit) -> Finding:
    """Say that the role takes the new external ID and the one that it replaces."""
    return Finding(
        "old_external_id_still_accepted",
        "warning",
        "customer",
        f"{role_arn} takes the new external ID, which is in use from now on, and still takes the old one, {outgoing}.",
        "Replace the trust policy by this connection's, which now names the new ID alone, and verify again.",
        {"role_arn": str(role_arn), "old_external_id": outgoing},
        edits,
    )


def role_made_anew(role_arn: RoleArn) -> Finding:
    """Say that the role is good, and not the one that somebody had verified: IAM's unique id of it is another."""
    return Finding(
        "role_identity_changed",
        "error",
        "customer",
        f"{role_arn} was deleted and made anew since it was verified. Who can do that in the account may not be who had"
        " it verified, so it is not used.",
        "Verify the connection again if the new role is meant.",
        {"role_arn": str(role_arn)},
    )


def role_still_lets_us_in(role_arn: RoleArn) -> Finding:
    """Say that the role of a deleted connection can still be assumed with its external ID."""
    return Finding(
        "role_still_admits_us",
        "warning",
        "customer",
        f"{role_arn} can still be assumed with this connection's external ID. Rolecall does not use it any more.",
        "Delete the role, or take this connection's statement out of its trust policy, and ask again in a minute.",
        {"role_arn": str(role_arn)},
    )


def probe_inconclusive(check_title: str, refusal: AwsRefusal) -> Finding:
    """Say that AWS's answer to a probe was neither yes nor no, so it proves nothing."""
    return Finding(
        refusal.code,
        "error",
        refusal.whose_fix or "aws",
        f"The check “{check_title}” got no clear answer: {refusal.message}",
        refusal.fix or "Verify again in a minute.",
        evidence_of(refusal),
    )


def bedrock_refused(code: str, refusal: AwsRefusal, *edits: Edit, **asked: str) -> Finding:
    """Say that Bedrock refused a call that the role's permissions should allow, or that a model can't be called."""
    return Finding(
        code,
        "error",
        refusal.whose_fix or "customer",
        refusal.message,
        refusal.fix or "Attach this connection's permissions policy to the role, then verify again.",
        evidence_of(refusal, **asked),
        edits,
    )


def no_bedrock_in(region: str) -> Finding:
    """Say that the connection's region has no Bedrock, which from outside is a host that does not answer."""
    return Finding(
        "bedrock_not_in_region",
        "error",
        "customer",
        f"Amazon Bedrock is not offered in {region}, so nothing answered there.",
        "Create a connection for a region that has Bedrock, such as us-east-1 or eu-central-1.",
        {"region": region},
    )


def nothing_to_invoke() -> Finding:
    """Say that no model could be chosen for the invocation."""
    return Finding(
        "no_model_to_invoke",
        "warning",
        "customer",
        "No text model of the connection's scope is offered in its region, so no model was invoked.",
        "Choose models that the region has, or leave the model scope open; GET /v1/models lists them.",
    )


def sts_off_at_home(home: str, used: str) -> Finding:
    """Say that the account has STS off in our region, and that another region's was used instead."""
    return Finding(
        "sts_region_disabled",
        "warning",
        "customer",
        f"STS is not active for {home} in your account, so the role is assumed in {used} instead; each session costs"
        " one call more.",
        f"Activate STS for {home}: IAM console, Account settings, Security Token Service.",
        {"region": home, "used": used},
    )


def over_privileged(role_arn: RoleArn, *edits: Edit) -> Finding:
    """Say that the role may do more than Bedrock. What we do with it is bound by our session policy all the same."""
    return Finding(
        "over_privileged",
        "warning",
        "customer",
        f"{role_arn} allows more than Amazon Bedrock: a session of it could ask DynamoDB for the account's limits."
        " Every session that Rolecall takes is held to Bedrock by its session policy, whatever the role allows.",
        "Give the role this connection's permissions policy alone, and take every other policy off it.",
        {"role_arn": str(role_arn), "allowed": "dynamodb:DescribeLimits"},
        edits,
    )


def evidence_of(refusal: AwsRefusal, **more: str) -> dict[str, str]:
    """Return AWS's code and request id, and what was asked for."""
    evidence = {"aws_code": refusal.aws_code, "aws_request_id": refusal.aws_request_id, **more}
    return {name: value for name, value in evidence.items() if value}
