"""IAM of the local AWS: what it does not store, who may use it, and whom a stored principal means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import ANYTHING, refusal, trust

if TYPE_CHECKING:
    from tests.sandbox.conftest import Aws

NOBODY = "arn:aws:iam::111122223333:role/nobody"
RESOURCE = {"Version": "2012-10-17", "Statement": [{**trust()["Statement"][0], "Resource": "*"}]}
LONG = trust(condition={"StringEquals": {"sts:ExternalId": ["x" * 100 + str(n) for n in range(20)]}})


@pytest.mark.parametrize(
    ("document", "status", "code", "text"),
    [
        ("{", 400, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ("[]", 400, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ('{"Statement": []}', 400, "MalformedPolicyDocument", "Syntax errors in policy"),
        (json.dumps(RESOURCE), 400, "MalformedPolicyDocument", "Has prohibited field Resource"),
        (
            json.dumps(trust(condition={"StringEqual": {"sts:ExternalId": "x"}})),
            400,
            "MalformedPolicyDocument",
            "Invalid Condition type : StringEqual.",
        ),
        (
            json.dumps(trust()).replace("sts:AssumeRole", "s3:GetObject"),
            400,
            "MalformedPolicyDocument",
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            json.dumps(trust(NOBODY)),
            400,
            "MalformedPolicyDocument",
            f'Invalid principal in policy: "AWS":"{NOBODY}"',
        ),
        (
            json.dumps(trust(NOBODY)).replace("role/", "role\\/"),
            400,
            "MalformedPolicyDocument",
            f'Invalid principal in policy: "AWS":"{NOBODY}"',
        ),
        (
            json.dumps(trust(NOBODY.replace("role/nobody", "user/nobody"))),
            400,
            "MalformedPolicyDocument",
            'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/nobody"',
        ),
        (json.dumps(LONG), 409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"),
    ],
)
def test_a_trust_policy_that_aws_would_not_store_is_refused(
    aws: Aws, document: str, status: int, code: str, text: str
) -> None:
    """At CreateRole and at UpdateAssumeRolePolicy, in AWS's words; the role keeps the policy that it had."""
    iam, role = aws.client("iam"), aws.role(trust())
    name = role.rpartition("/")[2]

    refused = refusal(lambda: iam.create_role(RoleName=aws.name(), AssumeRolePolicyDocument=document))
    assert refused[:2] == (status, code)
    assert text in refused[2]
    assert refusal(lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)) == refused
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == trust()


def test_white_space_does_not_count_against_the_quota(aws: Aws) -> None:
    """A policy written with much indentation is stored."""
    document = json.dumps(trust(), indent=200)

    assert len(document) > 2048
    assert aws.client("iam").create_role(RoleName=aws.name(), AssumeRolePolicyDocument=document)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "This policy contains invalid Json"),
        (json.dumps(trust()), "Policy document should not specify a principal."),
        (json.dumps(ANYTHING).replace('"Action": "*"', '"Action": "Invoke"'), "must be prefaced by a vendor"),
    ],
)
def test_a_permissions_policy_that_aws_would_not_store_is_refused(aws: Aws, document: str, text: str) -> None:
    """Wherever one is stored."""
    iam, name = aws.client("iam"), aws.role(trust()).rpartition("/")[2]
    managed = iam.create_policy(PolicyName=aws.name(), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    calls = (
        lambda: iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document),
        lambda: iam.put_user_policy(UserName="administrator", PolicyName="p", PolicyDocument=document),
        lambda: iam.create_policy(PolicyName=aws.name(), PolicyDocument=document),
        lambda: iam.create_policy_version(PolicyArn=managed, PolicyDocument=document, SetAsDefault=True),
    )
    for call in calls:
        status, code, message = refusal(call)
        assert (status, code) == (400, "MalformedPolicyDocument")
        assert text in message


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"RoleName": "a b"}, r"'roleName' failed to satisfy constraint: Member must satisfy regular expression"),
        ({"RoleName": "x" * 65}, "Member must have length less than or equal to 64"),
        ({"MaxSessionDuration": 43201}, "Member must have value less than or equal to 43200"),
    ],
)
def test_a_roles_parameters_have_bounds(aws: Aws, more: dict[str, Any], text: str) -> None:
    """AWS refuses the role; stock moto creates it."""
    given = {"RoleName": aws.name(), "AssumeRolePolicyDocument": json.dumps(trust()), **more}
    status, code, message = refusal(lambda: aws.client("iam").create_role(**given))

    assert (status, code) == (400, "ValidationError")
    assert text in message


def test_the_service_may_not_touch_iam_anywhere(aws: Aws) -> None:
    """Its role has the operator's policy and nothing more; the refusal names the role by its whole ARN."""
    role, ours = aws.role(trust(), Path="/team/"), aws.client("iam", aws.service)
    mine = aws.role(trust(), by=aws.operator, Path="/team/")

    assert refusal(ours.list_roles)[:2] == (403, "AccessDenied")
    assert refusal(lambda: ours.get_role(RoleName=mine.rpartition("/")[2])) == (
        403,
        "AccessDenied",
        (
            "User: arn:aws:sts::111122223333:assumed-role/rolecall-local/tests is not authorized to perform:"
            f" iam:GetRole on resource: {mine} because no identity-based policy allows the iam:GetRole action"
        ),
    )
    assert refusal(lambda: ours.get_role(RoleName=role.rpartition("/")[2]))[0] == 403


def test_accounts_do_not_see_each_others_roles(aws: Aws) -> None:
    """An administrator is one of its own account."""
    name = aws.role(trust()).rpartition("/")[2]

    assert aws.client("iam").get_role(RoleName=name)
    for other in (aws.stranger, aws.other_customer):
        assert refusal(aws.client("iam", other).get_role, RoleName=name)[:2] == (
            404,
            "NoSuchEntity",
        )


def test_a_permissions_boundary_bounds_the_role(aws: Aws) -> None:
    """What the boundary does not allow, no policy of the role can."""
    listing = json.dumps(ANYTHING).replace('"Action": "*"', '"Action": "iam:ListRoles"')
    boundary = aws.client("iam").create_policy(PolicyName=aws.name(), PolicyDocument=listing)["Policy"]["Arn"]
    iam = aws.client("iam", aws.assume(aws.role(trust(), ANYTHING, PermissionsBoundary=boundary)))

    assert iam.list_roles()
    assert refusal(iam.list_users)[2].endswith("because no permissions boundary allows the iam:ListUsers action")


def test_managed_policies_count_in_their_default_version(aws: Aws) -> None:
    """Attached, changed and detached: each takes effect on a session that is already there."""
    iam, role = aws.client("iam"), aws.role(trust())
    session = aws.client("iam", aws.assume(role))
    arn = iam.create_policy(PolicyName=aws.name(), PolicyDocument=json.dumps(ANYTHING))["Policy"]["Arn"]
    name = role.rpartition("/")[2]

    assert refusal(session.list_roles)[0] == 403
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    assert session.list_roles()
    less = json.dumps(ANYTHING).replace('"Action": "*"', '"Action": "iam:ListUsers"')
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=less, SetAsDefault=True)
    assert refusal(session.list_roles)[2].endswith("because no identity-based policy allows the iam:ListRoles action")
    assert session.list_users()
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    assert refusal(session.list_users)[0] == 403


def test_a_role_made_anew_is_another_role(aws: Aws) -> None:
    """IAM stores the unique id of a principal: recreated under its old name, it is no longer meant.

    Where its ARN stands in a condition, it is meant still, and the id of the customer's role has not changed.
    """
    ours = aws.client("iam", aws.operator)
    caller = aws.role(trust(), ANYTHING, by=aws.operator)
    named = aws.role(trust(caller))
    by_condition = aws.role(trust(condition={"StringEquals": {"aws:PrincipalArn": caller}}))
    both = {"Version": "2012-10-17", "Statement": [
        trust(caller, {"StringEquals": {"sts:ExternalId": "never"}})["Statement"][0],
        trust(condition={"StringEquals": {"aws:PrincipalArn": caller}})["Statement"][0],
    ]}  # fmt: skip
    mixed = aws.role(both)
    before = aws.assume(caller, by=aws.stranger)
    assert [aws.lets_in(role, by=before) for role in (named, by_condition, mixed)] == [True, True, True]

    name = caller.rpartition("/")[2]
    ours.delete_role_policy(RoleName=name, PolicyName="p")
    ours.delete_role(RoleName=name)
    ours.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust()))
    ours.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(ANYTHING))
    after = aws.assume(caller, by=aws.stranger)

    assert [aws.lets_in(role, by=after) for role in (named, by_condition, mixed)] == [False, True, True]
    aws.client("iam").update_assume_role_policy(
        RoleName=named.rpartition("/")[2], PolicyDocument=json.dumps(trust(caller))
    )
    assert aws.lets_in(named, by=after)


def test_the_id_of_an_assumed_role_tells_one_role_from_its_successor(aws: Aws) -> None:
    """AssumedRoleId stays for a role's life and changes with the next of that name."""
    role, iam, sts = aws.role(trust()), aws.client("iam"), aws.client("sts", aws.service)

    def role_id() -> str:
        answer = sts.assume_role(RoleArn=role, RoleSessionName="xx")["AssumedRoleUser"]["AssumedRoleId"]
        return str(answer.partition(":")[0])

    first = role_id()
    assert role_id() == first
    iam.delete_role(RoleName=role.rpartition("/")[2])
    iam.create_role(RoleName=role.rpartition("/")[2], AssumeRolePolicyDocument=json.dumps(trust()))
    assert role_id() != first


def test_a_session_of_a_role_that_was_deleted_may_do_nothing(aws: Aws) -> None:
    """Not even assume a role of its own account that names it, after it was made anew under the same name."""
    arn = aws.role(trust("444455556666"), ANYTHING)
    session = aws.assume(arn, by=aws.customer)
    other = aws.role(trust(arn))
    assert aws.lets_in(other, by=session)

    iam, name = aws.client("iam"), arn.rpartition("/")[2]
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust("444455556666")))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(ANYTHING))

    assert refusal(aws.client("iam", session).list_roles)[:2] == (403, "AccessDenied")
    assert not aws.lets_in(other, by=session)
    names_the_new_one = aws.role(trust(arn))
    assert not aws.lets_in(names_the_new_one, by=session)
    assert aws.lets_in(names_the_new_one, by=aws.assume(arn, by=aws.customer))
