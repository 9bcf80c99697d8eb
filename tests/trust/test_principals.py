"""Who the caller is: what follows from its ARN, from the role behind a session and from its unique id."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.trust import Decision, PermissionsPolicy, Request, TrustPolicy, decide, may_assume

SESSION = "arn:aws:sts::222222222222:assumed-role/onboarder/run1"
ROLE = "arn:aws:iam::111111111111:role/BedrockAccess"
WITH_PATH = "arn:aws:iam::222222222222:role/team/onboarder"
WITHOUT_PATH = "arn:aws:iam::222222222222:role/onboarder"


def _trusting(principal: object, **more: object) -> TrustPolicy:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return TrustPolicy.parse({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("named", "role_arn", "decision"),
    [
        (WITH_PATH, WITH_PATH, Decision.ALLOWED),
        (WITH_PATH, None, Decision.ALLOWED),
        (WITHOUT_PATH, None, Decision.ALLOWED),
        (WITHOUT_PATH, WITH_PATH, Decision.IMPLICIT_DENY),
        (WITH_PATH, WITHOUT_PATH, Decision.IMPLICIT_DENY),
    ],
)
def test_a_known_path_must_be_the_one_named(named: str, role_arn: str | None, decision: Decision) -> None:
    """The path counts when it is known; a session's ARN alone leaves it out."""
    request = Request("sts:AssumeRole", ROLE, SESSION, {}, role_arn)

    assert decide([_trusting({"AWS": named})], request) is decision


def test_the_principal_arn_of_a_session_has_its_roles_path() -> None:
    """`aws:PrincipalArn` is the role's ARN as it is, not as the session's ARN shows it."""
    condition = {"ArnEquals": {"aws:PrincipalArn": WITH_PATH}}
    policy = _trusting("*", Condition=condition)

    decisions = [decide([policy], Request("sts:AssumeRole", ROLE, SESSION, {}, role)) for role in (WITH_PATH, None)]

    assert decisions == [Decision.ALLOWED, Decision.IMPLICIT_DENY]


@pytest.mark.parametrize(
    ("principal", "keys"),
    [
        pytest.param(
            SESSION,
            {
                "aws:principalaccount": ("222222222222",),
                "aws:principalarn": (WITHOUT_PATH,),
                "aws:principaltype": ("AssumedRole",),
            },
            id="a session",
        ),
        pytest.param(
            "arn:aws:iam::222222222222:user/team/alice",
            {
                "aws:principalaccount": ("222222222222",),
                "aws:principalarn": ("arn:aws:iam::222222222222:user/team/alice",),
                "aws:principaltype": ("User",),
                "aws:username": ("alice",),
            },
            id="a user",
        ),
        pytest.param(
            "arn:aws:iam::222222222222:root",
            {
                "aws:principalaccount": ("222222222222",),
                "aws:principalarn": ("arn:aws:iam::222222222222:root",),
                "aws:principaltype": ("Account",),
                "aws:userid": ("222222222222",),
            },
            id="an account's root",
        ),
        pytest.param(
            "arn:aws:sts::222222222222:federated-user/bob",
            {
                "aws:principalaccount": ("222222222222",),
                "aws:principalarn": ("arn:aws:sts::222222222222:federated-user/bob",),
                "aws:principaltype": ("FederatedUser",),
                "aws:userid": ("222222222222:bob",),
            },
            id="a federated user",
        ),
        pytest.param("lambda.amazonaws.com", {}, id="a service"),
    ],
)
def test_keys_follow_from_the_principal(principal: str, keys: dict[str, tuple[str, ...]]) -> None:
    """What AWS knows of every caller need not be given."""
    assert Request("sts:AssumeRole", ROLE, principal).keys == keys


def test_a_given_key_wins_and_an_empty_one_is_absent() -> None:
    """The context has the last word, whatever the case of its names."""
    given = {"AWS:PrincipalType": "Other", "aws:PrincipalAccount": []}

    assert Request("sts:AssumeRole", ROLE, SESSION, given).keys == {
        "aws:principalarn": (WITHOUT_PATH,),
        "aws:principaltype": ("Other",),
    }


def test_a_federated_users_id_is_no_account() -> None:
    """The number before the colon of a federated user's id does not name it directly."""
    bob = Request("sts:AssumeRole", "arn:aws:iam::222222222222:role/x", "arn:aws:sts::222222222222:federated-user/bob")

    assert not may_assume(_trusting({"AWS": "222222222222"}), bob, [])


def test_an_explicit_deny_is_told_from_no_allow() -> None:
    """A Deny in any policy wins, in whatever order the policies come."""
    statement = {"Action": "bedrock:*", "Resource": "*"}
    allow, deny = (
        PermissionsPolicy.parse({"Statement": {**statement, "Effect": effect}}) for effect in ("Allow", "Deny")
    )
    request = Request("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/m", SESSION)

    decisions = [decide(policies, request) for policies in ([allow, deny], [deny, allow], [allow], [])]

    assert decisions == [
        Decision.EXPLICIT_DENY,
        Decision.EXPLICIT_DENY,
        Decision.ALLOWED,
        Decision.IMPLICIT_DENY,
    ]
