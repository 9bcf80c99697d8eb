"""What it means when STS refuses to let us into a role; see `meanings.py`."""

from __future__ import annotations

from typing import Final

from chalicelib.bedrock.refusals import ORGANIZATION, OURS, Meaning, Row

IDENTITY_CHANGED: Final = "RoleIdentityChanged"
"""Our own code, in AWS's form: the role of this name is not the one that was verified."""

STS_ROWS: Final = (
    Row(
        IDENTITY_CHANGED,
        (),
        Meaning(
            "role_identity_changed",
            "customer",
            "The role was deleted and made anew since it was verified. Verify the connection again.",
        ),
    ),
    # Identity policies, boundaries and SCPs are the caller's account's; the role's own are its trust policy and RCPs.
    Row(
        "AccessDenied",
        ("sts:assumerole", "identity-based policy|permissions boundary|service control policy"),
        Meaning(
            "operator_may_not_assume",
            "operator",
            "Give the service's role sts:AssumeRole on customers' roles; nothing in its own account may deny it.",
        ),
        "sts",
    ),
    Row("AccessDenied", ("sts:assumerole", "resource control policy"), ORGANIZATION, "sts"),
    Row(
        "AccessDenied",
        ("sts:tagsession|sts:setsourceidentity",),
        Meaning(
            "assume_role_denied",
            "operator",
            "Leave out session tags and source identity: customers' trust policies allow neither.",
        ),
        "sts",
    ),
    Row(
        "AccessDenied",
        (),
        Meaning(
            "assume_role_denied",
            "customer",
            "Check that the role exists and that its trust policy is this connection's, as GET"
            " /v1/connections/{id}/documents/trust-policy.json has it, then verify again; a role that was just made may"
            " take minutes to be known.",
        ),
        "sts",
    ),
    Row(
        "RegionDisabledException",
        (),
        Meaning("sts_region_disabled", "customer", "Activate STS for this region: IAM console, Account settings."),
        "sts",
    ),
    Row(
        "PackedPolicyTooLarge PackedPolicyTooLargeException MalformedPolicyDocument MalformedPolicyDocumentException",
        (),
        Meaning("internal_error", "operator", OURS),
        "sts",
    ),
    Row(
        "ValidationError",
        ("maxsessionduration",),
        Meaning("session_too_long", "customer", "Set the role's maximum session duration to one hour or more."),
        "sts",
    ),
    Row("ValidationError", (), Meaning("internal_error", "operator", OURS), "sts"),
    Row(
        "ExpiredToken ExpiredTokenException InvalidClientTokenId SignatureDoesNotMatch",
        (),
        Meaning("service_credentials_invalid", "operator", "Check the credentials that the service runs with."),
        "sts",
    ),
)
