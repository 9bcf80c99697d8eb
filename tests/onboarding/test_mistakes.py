"""Mistakes that customers make, one at a time: the finding that names it, and the edit in it that cures it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.far_customer import Onboarding

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World

    Policy = dict[str, Any]

TRUST, PERMISSIONS = "trust-policy.json", "permissions-policy.json"
DENIED, OPEN = "assume_role_denied", "external_id_not_enforced"
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def _condition(policy: Policy) -> Policy:
    condition: Policy = policy["Statement"][0]["Condition"]
    return condition


def _no_condition(policy: Policy) -> None:
    del policy["Statement"][0]["Condition"]


def _compared_by(operator: str, value: str | None = None, key: str = "sts:ExternalId") -> Callable[[Policy], None]:
    """Compare the external ID by another operator, or with another value."""

    def change(policy: Policy) -> None:
        own = _condition(policy)["StringEquals"].pop(key)
        _condition(policy).setdefault(operator, {})[key] = own if value is None else value

    return change


def _id_in_capitals(policy: Policy) -> None:
    equal = _condition(policy)["StringEquals"]
    equal["sts:ExternalId"] = equal["sts:ExternalId"].upper()


def _also_asked(operator: str, key: str, value: str) -> Callable[[Policy], None]:
    return lambda policy: _condition(policy).setdefault(operator, {}).update({key: value})


def _principal(arn: str) -> Callable[[Policy], None]:
    return lambda policy: policy["Statement"][0].update(Principal={"AWS": arn})


def _open_statement(policy: Policy) -> None:
    open_one = {name: value for name, value in policy["Statement"][0].items() if name not in {"Sid", "Condition"}}
    policy["Statement"].append(open_one)


def _denied(policy: Policy) -> None:
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    policy["Statement"].append(deny | {"Condition": {"StringNotEquals": {"aws:PrincipalAccount": "444455556666"}}})


def _action(action: str) -> Callable[[Policy], None]:
    return lambda policy: policy["Statement"][0].update(Action=action)


IN_THE_TRUST_POLICY = {
    "the condition is left out": (_no_condition, OPEN),
    "the external ID is left out of the condition": (
        lambda policy: _condition(policy)["StringEquals"].pop("sts:ExternalId"),
        OPEN,
    ),
    "the external ID of another product": (_compared_by("StringEquals", "d1b2c3-other-product"), DENIED),
    "a placeholder in place of the external ID": (_compared_by("StringEquals", "<EXTERNAL_ID>"), DENIED),
    "a space behind the external ID": (_compared_by("StringEquals", "rolecall-x "), DENIED),
    "the external ID in capitals": (_id_in_capitals, DENIED),
    "IfExists": (_compared_by("StringEqualsIfExists"), OPEN),
    "ForAllValues": (_compared_by("ForAllValues:StringEquals"), OPEN),
    "StringLike with a star": (_compared_by("StringLike", "*"), OPEN),
    "StringLike with our prefix": (_compared_by("StringLike", "rolecall-*"), OPEN),
    "a comparison that ignores case": (_compared_by("StringEqualsIgnoreCase"), OPEN),
    "Null asks for any ID": (_compared_by("Null", "false"), OPEN),
    "the comparison is inverted": (_compared_by("StringNotEquals"), OPEN),
    "a second statement without the condition": (_open_statement, OPEN),
    "another account is the principal": (_principal("arn:aws:iam::999999999999:root"), DENIED),
    "the customer's own account is the principal": (_principal("arn:aws:iam::444455556666:root"), DENIED),
    "another role of ours is named": (
        _compared_by("StringEquals", "arn:aws:iam::111122223333:role/rolecall-staging", "aws:PrincipalArn"),
        DENIED,
    ),
    "the session's ARN is named in place of the role's": (
        _compared_by("StringEquals", "arn:aws:sts::111122223333:assumed-role/rolecall-local/x", "aws:PrincipalArn"),
        DENIED,
    ),
    "aws:SourceArn, which only services have": (_also_asked("ArnLike", "aws:SourceArn", "arn:aws:lambda:*"), DENIED),
    "aws:SourceAccount, which only services have": (
        _also_asked("StringEquals", "aws:SourceAccount", "111122223333"),
        DENIED,
    ),
    "an organization of which we are no part": (
        _also_asked("StringEquals", "aws:PrincipalOrgID", "o-customer123"),
        DENIED,
    ),
    "the office's addresses": (_also_asked("IpAddress", "aws:SourceIp", "203.0.113.0/24"), DENIED),
    "a second factor, which no service has": (_also_asked("Bool", "aws:MultiFactorAuthPresent", "true"), DENIED),
    "a date that has passed": (_also_asked("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z"), DENIED),
    "a tag that our sessions do not have": (
        _also_asked("StringEquals", "aws:PrincipalTag/team", "platform"),
        DENIED,
    ),
    "a Deny for every other account": (_denied, DENIED),
    "another action is allowed": (_action("sts:TagSession"), DENIED),
}


@pytest.mark.parametrize(("mistake", "finding"), IN_THE_TRUST_POLICY.values(), ids=IN_THE_TRUST_POLICY)
def test_a_mistake_in_the_trust_policy_is_named_and_cured(
    world: World, mistake: Callable[[Policy], object], finding: str
) -> None:
    """The report carries the policy to paste; pasted as it is, the next verification passes."""
    customer = Onboarding(world)
    policy = customer.trust_policy
    mistake(policy)
    customer.make_role(policy)

    report = customer.verify()

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    assert finding in [found["code"] for found in report["findings"]]
    assert {found["whose_fix"] for found in report["findings"]} == {"customer"}
    customer.paste(_cure(report, TRUST))
    cured = customer.verify()
    assert (cured["status"], cured["usable"], cured["findings"]) == ("active", True, [])


def _without(*sids: str) -> Callable[[Policy], Policy]:
    return lambda policy: policy | {"Statement": [row for row in policy["Statement"] if row["Sid"] not in sids]}


def _replaced(old: str, new: str) -> Callable[[Policy], Policy]:
    return lambda policy: dict(json.loads(json.dumps(policy).replace(old, new)))


def _nothing(_: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}


IN_THE_PERMISSIONS = {
    "a policy of something else": ({}, _nothing, "list_models_denied"),
    "listing is left out": ({}, _without("ListModels"), "list_models_denied"),
    "invoking is left out": ({}, _without("InvokeModels"), "invoke_model_denied"),
    "only profiles may be listed": (
        {},
        _replaced('"bedrock:ListFoundationModels", ', ""),
        "list_models_denied",
    ),
    "the policy of another region": (
        {"models": [PROFILE]},
        _replaced(":us-east-1:", ":eu-west-1:"),
        "invoke_model_denied",
    ),
    "a profile without its model": (
        {"models": [PROFILE]},
        _without("InvokeModelsBehindSystemProfiles"),
        "invoke_model_denied",
    ),
    "a model without its profile": ({"models": [PROFILE]}, _without("InvokeModels"), "invoke_model_denied"),
    "a profile without one of its regions": (
        {"models": [PROFILE]},
        lambda policy: _only_in(policy, "us-east-1"),
        "destination_region_denied",
    ),
    "another profile than that in use": (
        {"models": [PROFILE]},
        _replaced("inference-profile/us.", "inference-profile/eu."),
        "invoke_model_denied",
    ),
}


def _only_in(policy: Policy, region: str) -> Policy:
    text = json.dumps(policy).replace("arn:aws:bedrock:*::", f"arn:aws:bedrock:{region}::")
    return dict(json.loads(text))


@pytest.mark.parametrize(("scope", "mistake", "finding"), IN_THE_PERMISSIONS.values(), ids=IN_THE_PERMISSIONS)
def test_a_mistake_in_the_permissions_is_named_and_cured(
    world: World, scope: dict[str, Any], mistake: Callable[[Policy], Policy], finding: str
) -> None:
    """The role is safe and not usable; the policy to paste is in the finding, and makes it usable."""
    customer = Onboarding(world, **scope)
    customer.make_role(permissions_policy=mistake(customer.permissions_policy))

    report = customer.verify()

    assert (report["verdict"], report["usable"]) == ("verified", False)
    assert finding in [found["code"] for found in report["findings"]]
    customer.paste(_cure(report, PERMISSIONS))
    cured = customer.verify()
    assert (cured["usable"], cured["findings"]) == (True, [])


def test_a_role_that_was_never_made(world: World) -> None:
    """Its name and account are told, which is all there is to make it."""
    customer = Onboarding(world)
    [finding] = customer.verify()["findings"]

    assert (finding["code"], finding["suspects"][0]["code"]) == (DENIED, "role_missing")
    assert customer.role_name in finding["suspects"][0]["fix"]
    customer.make_role()
    assert customer.verify()["status"] == "active"


@pytest.mark.parametrize("mistyped", ["lower case", "a path", "one letter"])
def test_a_role_arn_that_is_not_the_roles(world: World, mistyped: str) -> None:
    """The ARN that the documents foretold is in the first suspect, and it is the right one."""
    customer = Onboarding(world)
    customer.make_role()
    right = customer.role_arn
    wrong = {"lower case": right.replace("Access", "access"), "a path": right.replace("role/", "role/team/")}
    [finding] = customer.verify(wrong.get(mistyped, right + "x"))["findings"]

    assert (finding["code"], finding["suspects"][0]["code"]) == (DENIED, "role_name_differs")
    assert right in finding["suspects"][0]["fix"]
    assert customer.verify(right)["status"] == "active"


def test_a_rotation_without_the_new_policy(world: World) -> None:
    """The old ID is found to be taken still, and both IDs are in the policy to paste."""
    customer = Onboarding(world)
    customer.make_role()
    customer.verify()
    customer.api.post(f"{customer.path}/rotation", {})
    report = customer.verify()

    assert [found["code"] for found in report["findings"]] == ["role_has_old_external_id"]
    customer.paste(_cure(report, TRUST))
    assert customer.verify()["verdict"] == "verified"


def test_a_role_with_every_permission(world: World) -> None:
    """It is active with a warning; the narrower policy is in it, and ends the warning."""
    customer = Onboarding(world)
    customer.make_role(permissions_policy=EVERYTHING)
    report = customer.verify()

    assert [(found["code"], found["severity"]) for found in report["findings"]] == [("over_privileged", "warning")]
    customer.paste(_cure(report, PERMISSIONS))
    assert customer.verify()["findings"] == []


def test_a_statement_that_denies(world: World) -> None:
    """No policy of ours undoes another's Deny: the finding says to take it out, and then it works."""
    customer = Onboarding(world)
    customer.make_role()
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "bedrock:Invoke*", "Resource": "*"}]}
    customer.put_permissions(deny, "guardrails-of-the-company")
    report = customer.verify()

    assert [found["code"] for found in report["findings"]] == ["explicitly_denied"]
    customer.customer.client("iam").delete_role_policy(
        RoleName=customer.role_name, PolicyName="guardrails-of-the-company"
    )
    assert customer.verify()["usable"]


def test_a_boundary_that_leaves_bedrock_out(world: World) -> None:
    """Told apart from the role's own policy, which is right; without the boundary it works."""
    customer = Onboarding(world)
    customer.make_role()
    iam = customer.customer.client("iam")
    made = iam.create_policy(PolicyName=f"boundary-{customer.role_name}", PolicyDocument=json.dumps(_nothing({})))
    iam.put_role_permissions_boundary(RoleName=customer.role_name, PermissionsBoundary=made["Policy"]["Arn"])
    report = customer.verify()

    assert report["findings"][0]["code"] == "permissions_boundary_denied"
    iam.delete_role_permissions_boundary(RoleName=customer.role_name)
    assert customer.verify()["usable"]


def test_a_permissions_policy_pasted_as_the_trust_policy(world: World) -> None:
    """IAM would not store it; the linter says so before, and gives the right one."""
    customer = Onboarding(world)
    customer.make_role()
    answer = customer.api.post(f"{customer.path}/trust-policy", {"trust_policy": customer.permissions_policy}).json

    assert [found["code"] for found in answer["findings"]] == ["trust_policy_malformed"]
    customer.replace_trust_policy(answer["corrected_trust_policy"])
    assert customer.verify()["status"] == "active"


def _cure(report: dict[str, Any], document: str) -> dict[str, Any]:
    """Return the first edit of a document that the report's findings hold, suspects included."""
    for finding in report["findings"]:
        for place in (finding, *finding["suspects"]):
            for edit in place["edits"]:
                if edit["document"] == document:
                    found: dict[str, Any] = edit
                    return found
    raise AssertionError(f"no {document} among the edits of {report['findings']}")
