"""What AWS answers to a document that it would not store, and that no document can hurt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.trust import MalformedPolicyError, PermissionsPolicy, Request, TrustPolicy, decide, stored_length

TRUST = {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "sts:AssumeRole"}
OWN = {"Effect": "Allow", "Action": "bedrock:*", "Resource": "*"}
OURS = Request(
    "sts:AssumeRole",
    "arn:aws:iam::111111111111:role/BedrockAccess",
    "arn:aws:sts::222222222222:assumed-role/onboarder/run1",
    {"sts:ExternalId": "a" * 1224},
)
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."


def _answer(kind: type[TrustPolicy | PermissionsPolicy], document: Any) -> str:
    with pytest.raises(MalformedPolicyError) as refused:
        kind.parse(document)
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        pytest.param({"Resource": "*"}, "Has prohibited field Resource", id="a resource"),
        pytest.param({"Principal": {"AWS": "x"}}, 'Invalid principal in policy: "AWS":"x"', id="a principal"),
        pytest.param({"Principal": {"Service": "x"}}, 'Invalid principal in policy: "SERVICE":"x"', id="a service"),
        pytest.param(
            {"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions.", id="an action"
        ),
        pytest.param(
            {"Condition": {"StringEqual": {"sts:ExternalId": "a"}}},
            "Invalid Condition type : StringEqual.",
            id="an operator",
        ),
        pytest.param({"Condition": {"StringEquals": {"ExternalId": "a"}}}, VENDOR, id="a condition key"),
        pytest.param(
            {"Sid": "a-b"},
            "Statement IDs (SID) must be alpha-numeric."
            " Check that your input satisfies the regular expression [0-9A-Za-z]*",
            id="a statement's id",
        ),
    ],
)
def test_a_trust_policy_is_refused_in_aws_words(changes: dict[str, Any], answer: str) -> None:
    """The text is what IAM answers with MalformedPolicyDocument."""
    assert _answer(TrustPolicy, {"Version": "2012-10-17", "Statement": [{**TRUST, **changes}]}) == answer


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        pytest.param({"Principal": "*"}, "Policy document should not specify a principal.", id="a principal"),
        pytest.param({"Action": "InvokeModel"}, VENDOR, id="an action without its service"),
        pytest.param({"Resource": "bucket"}, 'Resource bucket must be in ARN format or "*".', id="a name as resource"),
    ],
)
def test_a_permissions_policy_is_refused_in_aws_words(changes: dict[str, Any], answer: str) -> None:
    """An identity or session policy has resources and no principals."""
    assert _answer(PermissionsPolicy, {"Version": "2012-10-17", "Statement": [{**OWN, **changes}]}) == answer


def test_a_documents_own_id_is_a_text() -> None:
    """IAM stores none that is something else."""
    answer = _answer(TrustPolicy, {"Version": "2012-10-17", "Id": 5, "Statement": [TRUST]})

    assert answer == "Syntax errors in policy: Id must be a string."


@pytest.mark.parametrize("missing", ["Action", "Resource"])
def test_a_missing_field_is_named(missing: str) -> None:
    """A permissions policy names what it allows and on what."""
    statement = {name: value for name, value in OWN.items() if name != missing}

    assert _answer(PermissionsPolicy, {"Statement": [statement]}) == f"Missing required field {missing}"


def test_two_statements_with_one_id_are_refused() -> None:
    """Statement ids are unique in a policy."""
    twice = {"Statement": [{**TRUST, "Sid": "A"}, {**TRUST, "Sid": "A"}]}

    assert _answer(TrustPolicy, twice) == "Statement IDs (SID) in a single policy must be unique."


@pytest.mark.parametrize("document", ["", "{", "[]", "null", "5", '"a"', '{"a": 1, "a": 2}', "\ufeff{}", "{'a': 1}"])
def test_what_is_no_object_in_json_is_refused(document: str) -> None:
    """A key that stands twice is refused too: which of the two counts is nobody's guess."""
    assert _answer(TrustPolicy, document) == "This policy contains invalid Json"


@pytest.mark.parametrize(
    "value", [10**5000, float("inf"), float("nan"), "\ud800", "\x00"], ids=["huge", "inf", "nan", "surrogate", "null"]
)
def test_odd_values_in_an_object_are_judged_or_refused(value: object) -> None:
    """An object that was never text can hold what JSON can't, and harms as little."""
    document = {"Statement": [{**TRUST, "Condition": {"NumericLessThan": {"sts:ExternalId": value}}}]}
    try:
        policy = TrustPolicy.parse(document)
    except MalformedPolicyError:
        return
    assert decide([policy], OURS) == "implicit_deny"


@pytest.mark.parametrize(
    "pattern",
    ["*" + "a" * 1000 + "b", "*" + "a?" * 500 + "b", "*" + "?a" * 500 + "b", "*a" * 2000 + "b", "*?" * 2000 + "b"],
    ids=["a long run", "runs and question marks", "question marks and runs", "stars and runs", "stars"],
)
def test_a_hostile_pattern_is_answered_at_once(pattern: str) -> None:
    """Twenty patterns made to be tried again and again cost seconds at most, not years."""
    condition = {"StringLike": {"sts:ExternalId": [pattern] * 20}}
    policy = TrustPolicy.parse({"Version": "2012-10-17", "Statement": [{**TRUST, "Condition": condition}]})

    # What takes years is ended by the limit that each test has.
    assert decide([policy], OURS) == "implicit_deny"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"Version": "2012-10-17", "Statement": []}, id="an object"),
        pytest.param(json.dumps({"Version": "2012-10-17", "Statement": []}, indent=4), id="text with white space"),
    ],
)
def test_white_space_does_not_count_in_a_length(document: Any) -> None:
    """IAM's quota of a trust policy counts visible characters."""
    assert stored_length(document) == len('{"Version":"2012-10-17","Statement":[]}')


@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_depth_runs_nobody_out_of_stack(depth: int) -> None:
    """Brackets within brackets are refused, as text and as what json made of it."""
    text = json.dumps({"Statement": [TRUST]}).replace('"sts:AssumeRole"', "[" * depth + "]" * depth)
    assert _answer(TrustPolicy, text).startswith(("Syntax errors in policy", "This policy contains invalid Json"))

    nested: Any = "sts:AssumeRole"
    for _ in range(depth):
        nested = [nested]
    assert _answer(TrustPolicy, {"Statement": [{**TRUST, "Action": nested}]}).startswith("Syntax errors in policy")
