"""What role and session may do by the policies of the documents, judged by the policy evaluator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.onboarding.connection import Guardrail
from chalicelib.onboarding.documents import deny_everything_policy, session_policy
from chalicelib.trust import Decision, PermissionsPolicy, Request, decide
from tests.onboarding.document_forms import CUSTOMER, allowed_by, connection

BOTH, NEITHER = {"permissions", "session"}, set[str]()
INVOKE, STREAM = "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"
HERE = "arn:aws:bedrock:us-east-1"
SONNET, NOVA = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0"
PROFILE = f"{HERE}:{CUSTOMER}:inference-profile/us.{SONNET}"
OWN_PROFILE = f"{HERE}:{CUSTOMER}:application-inference-profile/abc123def456"
ALL: dict[str, Any] = {"account_id": CUSTOMER}
SCOPED = ALL | {"models": (f"us.{SONNET}", NOVA)}
OWN = ALL | {"models": (OWN_PROFILE,)}
GUARDED = ALL | {"guardrail": Guardrail("gr1abc", "1")}

PERMITTED: dict[str, tuple[dict[str, Any], str, str, str | None, set[str]]] = {
    "any model": (ALL, INVOKE, f"{HERE}::foundation-model/{NOVA}", None, BOTH),
    "any model, streamed": (ALL, STREAM, f"{HERE}::foundation-model/{NOVA}", None, BOTH),
    "any profile": (ALL, INVOKE, PROFILE, None, BOTH),
    "a model where a profile leads": (ALL, INVOKE, f"arn:aws:bedrock:us-west-2::foundation-model/{SONNET}", None, BOTH),
    "a global profile's model without a region": (
        ALL,
        INVOKE,
        f"arn:aws:bedrock:::foundation-model/{SONNET}",
        None,
        BOTH,
    ),
    "a profile of another region": (ALL, INVOKE, PROFILE.replace("us-east-1", "eu-west-1"), None, NEITHER),
    "a provisioned model": (ALL, INVOKE, f"{HERE}:{CUSTOMER}:provisioned-model/x", None, NEITHER),
    "S3": (ALL, "s3:ListBucket", "arn:aws:s3:::x", None, NEITHER),
    "training": (ALL, "bedrock:CreateModelCustomizationJob", f"{HERE}::foundation-model/{NOVA}", None, NEITHER),
    "accepting terms": (ALL, "bedrock:CreateFoundationModelAgreement", "*", None, NEITHER),
    "the marketplace": (ALL, "aws-marketplace:Subscribe", "*", None, NEITHER),
    "listing models": (ALL, "bedrock:ListFoundationModels", "*", None, BOTH),
    "listing profiles": (ALL, "bedrock:ListInferenceProfiles", f"{HERE}:{CUSTOMER}:inference-profile/*", None, BOTH),
    "reading a profile": (ALL, "bedrock:GetInferenceProfile", PROFILE, None, BOTH),
    "why a model can't be called": (ALL, "bedrock:GetFoundationModelAvailability", "*", None, BOTH),
    "counting tokens": (SCOPED, "bedrock:CountTokens", f"{HERE}::foundation-model/{SONNET}", None, BOTH),
    "a guardrail that the connection lacks": (
        ALL,
        "bedrock:ApplyGuardrail",
        f"{HERE}:{CUSTOMER}:guardrail/gr1abc",
        None,
        NEITHER,
    ),
    "the connection's guardrail": (
        GUARDED,
        "bedrock:ApplyGuardrail",
        f"{HERE}:{CUSTOMER}:guardrail/gr1abc",
        None,
        BOTH,
    ),
    "another guardrail": (GUARDED, "bedrock:ApplyGuardrail", f"{HERE}:{CUSTOMER}:guardrail/other", None, NEITHER),
    "a model in scope": (SCOPED, INVOKE, f"{HERE}::foundation-model/{NOVA}", None, BOTH),
    "a model in scope, in another region": (
        SCOPED,
        INVOKE,
        f"arn:aws:bedrock:eu-west-1::foundation-model/{NOVA}",
        None,
        NEITHER,
    ),
    "a model whose id begins like one in scope": (
        SCOPED,
        INVOKE,
        f"{HERE}::foundation-model/{NOVA}:24k",
        None,
        NEITHER,
    ),
    "a profile in scope": (SCOPED, STREAM, PROFILE, None, BOTH),
    "its model in another region": (
        SCOPED,
        STREAM,
        f"arn:aws:bedrock:us-west-2::foundation-model/{SONNET}",
        PROFILE,
        BOTH,
    ),
    "its model without the profile": (SCOPED, INVOKE, f"{HERE}::foundation-model/{SONNET}", None, NEITHER),
    "its model through another profile": (
        SCOPED,
        INVOKE,
        f"{HERE}::foundation-model/{SONNET}",
        PROFILE.replace("/us.", "/global."),
        NEITHER,
    ),
    "a profile of another geography": (SCOPED, INVOKE, PROFILE.replace("/us.", "/global."), None, NEITHER),
    "an own profile out of scope": (SCOPED, INVOKE, OWN_PROFILE, None, NEITHER),
    "an own profile in scope": (OWN, INVOKE, OWN_PROFILE, None, BOTH),
    "a model through an own profile": (OWN, INVOKE, f"{HERE}::foundation-model/{SONNET}", OWN_PROFILE, BOTH),
    "a model beside an own profile": (OWN, INVOKE, f"{HERE}::foundation-model/{SONNET}", None, NEITHER),
}


@pytest.mark.parametrize(("fields", "action", "resource", "through", "expected"), PERMITTED.values(), ids=PERMITTED)
def test_role_and_session_may_do_exactly_this(
    fields: dict[str, Any], action: str, resource: str, through: str | None, expected: set[str]
) -> None:
    """The role's policy and the session's allow the models of the scope and what listing needs, and no more."""
    assert allowed_by(connection(**fields), action, resource, through) == expected


def test_an_unknown_account_is_a_wildcard() -> None:
    """Until the customer's account is known its place in ARNs is `*`, and the policy works in whichever it is."""
    for models in (None, (f"us.{SONNET}",)):
        assert allowed_by(connection(models=models), INVOKE, PROFILE) == BOTH


def test_a_new_geography_is_a_profile_when_its_arn_says_so() -> None:
    """A profile of a geography that nobody has heard of is known by its ARN, and leads to the model behind it."""
    profile = f"{HERE}:{CUSTOMER}:inference-profile/mx.{SONNET}"
    subject = connection(account_id=CUSTOMER, models=(profile,))

    assert allowed_by(subject, INVOKE, profile) == BOTH
    assert allowed_by(subject, INVOKE, f"arn:aws:bedrock:mx-central-1::foundation-model/{SONNET}", profile) == BOTH


def test_the_deny_everything_policy_denies_everything() -> None:
    """A session that a stranger gets by accident may do nothing at all."""
    policy = PermissionsPolicy.parse(deny_everything_policy())

    for action, resource in [(INVOKE, PROFILE), ("sts:GetCallerIdentity", "*"), ("s3:GetObject", "arn:aws:s3:::a/b")]:
        request = Request(action, resource, f"arn:aws:sts::{CUSTOMER}:assumed-role/R/s")
        assert decide([policy], request) is Decision.EXPLICIT_DENY


def test_a_session_policy_is_one_line_of_json() -> None:
    """Spaces count in STS's limit, so there are none."""
    text = session_policy(connection(models=(f"us.{SONNET}",)))

    assert text == json.dumps(json.loads(text), separators=(",", ":"))
