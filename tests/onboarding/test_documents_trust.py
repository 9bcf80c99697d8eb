"""Whom the trust policy of the documents lets in, judged by the policy evaluator."""

from __future__ import annotations

import json

import pytest

from chalicelib.identifiers import ExternalId, RoleArn
from chalicelib.onboarding.documents import templates, trust_policy
from chalicelib.trust import Request, TrustPolicy, may_assume
from tests.onboarding.document_forms import CUSTOMER, EXTERNAL_ID, SERVICE_ROLE

ROTATED = ExternalId("rolecall-" + "c3" * 16)
LONG_PATH = RoleArn("aws-us-gov", "111122223333", "/" + "p" * 510 + "/", "r" * 64)
OURS = "arn:aws:sts::111122223333:assumed-role/rolecall-prod/conn.invoke"
GOOD = str(EXTERNAL_ID)

ASSUME = {
    "our role with the ID": (OURS, GOOD, True),
    "our role without an ID": (OURS, None, False),
    "our role with a similar ID": (OURS, "rolecall-" + "d" * 32, False),
    "our role with a foreign ID": (OURS, "6f2b3f3e-8d0c-4f4c-9b53-0c6f0f7c8a11", False),
    "our role with the ID in capitals": (OURS, GOOD.upper(), False),
    "our role with the ID and a space": (OURS, GOOD + " ", False),
    "another role of our account": ("arn:aws:sts::111122223333:assumed-role/other/s", GOOD, False),
    "a role whose name begins like ours": ("arn:aws:sts::111122223333:assumed-role/rolecall-prod2/s", GOOD, False),
    "a user of our account": ("arn:aws:iam::111122223333:user/rolecall-prod", GOOD, False),
    "our account's root": ("arn:aws:iam::111122223333:root", GOOD, False),
    "a role of our name in another account": ("arn:aws:sts::999900001111:assumed-role/rolecall-prod/s", GOOD, False),
    "our role's name in another partition": ("arn:aws-cn:sts::111122223333:assumed-role/rolecall-prod/s", GOOD, False),
    "an AWS service": ("lambda.amazonaws.com", GOOD, False),
}


def _lets_in(policy: object, principal: str, external_id: str | None) -> bool:
    context = {} if external_id is None else {"sts:ExternalId": external_id}
    resource = f"arn:aws:iam::{CUSTOMER}:role/RolecallAccess-x"
    request = Request("sts:AssumeRole", resource, principal, context)
    return may_assume(TrustPolicy.parse(json.dumps(policy)), request)


@pytest.mark.parametrize(("principal", "external_id", "allowed"), ASSUME.values(), ids=ASSUME)
def test_the_trust_policy_lets_in_our_role_with_the_id_alone(
    principal: str, external_id: str | None, allowed: bool
) -> None:
    """The trust policy admits the service's role with the exact external ID, and nobody else."""
    assert _lets_in(trust_policy(SERVICE_ROLE, [EXTERNAL_ID]), principal, external_id) is allowed


def _as_iam_keeps_it(policy: object, role: RoleArn, unique_id: str) -> object:
    """Return the policy as IAM stores it: a role that is a principal becomes its unique ID, text elsewhere stays."""
    return json.loads(json.dumps(policy).replace(f'"AWS": "{role}"', f'"AWS": "{unique_id}"'))


def test_our_role_may_be_made_again() -> None:
    """When the operator deletes the service's role and makes it again under its name, customers still let it in."""
    stored = _as_iam_keeps_it(trust_policy(SERVICE_ROLE, [EXTERNAL_ID]), SERVICE_ROLE, "AROAOLDOLDOLDOLDOLD12")

    assert _lets_in(stored, OURS, GOOD)


@pytest.mark.parametrize(
    ("external_id", "allowed"), [(GOOD, True), (str(ROTATED), True), (None, False), ("rolecall-", False)]
)
def test_two_external_ids_hold_while_one_is_replaced(external_id: str | None, allowed: bool) -> None:
    """During rotation both IDs are let in, and still no other."""
    assert _lets_in(trust_policy(SERVICE_ROLE, [EXTERNAL_ID, ROTATED]), OURS, external_id) is allowed


def test_the_trust_policy_is_exactly_this() -> None:
    """The whole of what customers are asked to attach, as a reviewer would read it."""
    assert trust_policy(SERVICE_ROLE, [EXTERNAL_ID]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RolecallAssumesThisRole",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {
                        "aws:PrincipalArn": "arn:aws:iam::111122223333:role/rolecall-prod",
                        "sts:ExternalId": GOOD,
                    }
                },
            }
        ],
    }


def test_the_longest_trust_policy_fits() -> None:
    """IAM takes 2,048 characters of trust policy: enough for two IDs and the longest ARN that a role can have."""
    assert len(templates.compact(trust_policy(LONG_PATH, [EXTERNAL_ID, ROTATED]))) < 2048
