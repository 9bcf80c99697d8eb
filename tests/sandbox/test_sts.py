"""STS of the local AWS rules as AWS does: trust policies, callers' policies, limits of sessions."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.conftest import ANYTHING, refusal, trust

if TYPE_CHECKING:
    from tests.sandbox.conftest import Aws

ID = "rolecall-agreed"
SERVICE_ROLE = "arn:aws:iam::111122223333:role/rolecall-local"
SESSION = "arn:aws:sts::111122223333:assumed-role/rolecall-local/tests"
GOOD = trust(condition={"StringEquals": {"sts:ExternalId": ID, "aws:PrincipalArn": SERVICE_ROLE}})
TRIES = {"right": ID, "none": None, "similar": "rolecall-x", "foreign": "f7a1", "case": ID.upper()}
EVERYONE = {"Version": "2012-10-17", "Statement": [{**GOOD["Statement"][0], "Principal": {"AWS": "*"}}]}
TWO_STATEMENTS = {"Version": "2012-10-17", "Statement": [*GOOD["Statement"], *trust()["Statement"]]}
DENIED_OTHERWISE = {
    "Version": "2012-10-17",
    "Statement": [
        *trust()["Statement"],
        {**trust(condition={"StringNotEquals": {"sts:ExternalId": ID}})["Statement"][0], "Effect": "Deny"},
    ],
}


def _external_id(operator: str, value: object) -> dict[str, Any]:
    return trust(condition={operator: {"sts:ExternalId": value}})


@pytest.mark.parametrize(
    ("policy", "admitted"),
    [
        pytest.param(GOOD, "right", id="as the documents say"),
        pytest.param(_external_id("StringEquals", ID), "right", id="without the principal's ARN"),
        pytest.param(trust(), "right none similar foreign case", id="no condition"),
        pytest.param(_external_id("StringEqualsIfExists", ID), "right none", id="StringEqualsIfExists"),
        pytest.param(_external_id("ForAllValues:StringEquals", [ID]), "right none", id="ForAllValues"),
        pytest.param(_external_id("ForAnyValue:StringEquals", [ID]), "right", id="ForAnyValue"),
        pytest.param(_external_id("StringLike", "*"), "right similar foreign case", id="StringLike *"),
        pytest.param(_external_id("StringLike", "rolecall-*"), "right similar", id="StringLike with our prefix"),
        pytest.param(_external_id("StringEqualsIgnoreCase", ID), "right case", id="StringEqualsIgnoreCase"),
        pytest.param(_external_id("Null", "false"), "right similar foreign case", id="Null alone"),
        pytest.param(TWO_STATEMENTS, "right none similar foreign case", id="a second statement is open"),
        pytest.param(_external_id("StringEquals", [ID, "f7a1"]), "right foreign", id="another vendor's ID too"),
        pytest.param(EVERYONE, "right", id="everyone with our condition"),
        pytest.param(DENIED_OTHERWISE, "right", id="open, with a Deny of every other ID"),
        pytest.param(_external_id("StringNotEquals", ID), "none similar foreign case", id="StringNotEquals"),
        pytest.param(trust("444455556666", GOOD["Statement"][0]["Condition"]), "", id="the customer's own account"),
        pytest.param(trust(condition={"StringEquals": {"aws:SourceAccount": "111122223333"}}), "", id="SourceAccount"),
        pytest.param(trust(condition={"Bool": {"aws:SecureTransport": "true"}}), " ".join(TRIES), id="HTTPS asked for"),
    ],
)
def test_a_trust_policy_lets_in_whom_it_lets_in_at_aws(aws: Aws, policy: dict[str, Any], admitted: str) -> None:
    """The right external ID, none, a similar and a foreign one and one in other case: each mistake opens its doors."""
    role = aws.role(policy)
    given: dict[str, dict[str, Any]] = {
        name: {} if text is None else {"ExternalId": text} for name, text in TRIES.items()
    }

    assert [name for name, more in given.items() if aws.lets_in(role, **more)] == admitted.split()


def test_a_refusal_has_one_text_whatever_its_cause(aws: Aws) -> None:
    """No such role, a wrong ID, no trust, no permission of one's own: strangers learn nothing from the answer."""
    sts = aws.client("sts", aws.service)
    roles = [
        aws.role(GOOD),
        aws.role(trust("444455556666")),
        aws.role(trust(), by=aws.operator),
        "arn:aws:iam::444455556666:role/missing",
        "arn:aws:iam::999999999999:role/in-no-account",
    ]
    for role in roles:
        assert refusal(sts.assume_role, RoleArn=role, RoleSessionName="xx") == (
            403,
            "AccessDenied",
            f"User: {SESSION} is not authorized to perform: sts:AssumeRole on resource: {role}",
        )


@pytest.mark.parametrize(
    ("more", "action"),
    [
        ({"Tags": [{"Key": "team", "Value": "a"}]}, "sts:TagSession"),
        ({"SourceIdentity": "alice"}, "sts:SetSourceIdentity"),
    ],
)
def test_tags_and_source_identity_need_permissions_of_their_own(aws: Aws, more: dict[str, Any], action: str) -> None:
    """Both sides must allow them; the refusal names what is missing."""
    allowed = json.loads(json.dumps(trust("444455556666")))
    allowed["Statement"][0]["Action"] = ["sts:AssumeRole", action]
    sts, plain, role = aws.client("sts"), aws.role(trust("444455556666")), aws.role(allowed)

    assert refusal(lambda: sts.assume_role(RoleArn=plain, RoleSessionName="xx", **more)) == (
        403,
        "AccessDenied",
        (
            f"User: arn:aws:iam::444455556666:user/administrator is not authorized to perform: {action} on resource:"
            f" {plain}"
        ),
    )
    answer = sts.assume_role(RoleArn=role, RoleSessionName="xx", **more)
    assert answer.get("SourceIdentity") == more.get("SourceIdentity")


def test_tags_of_the_request_can_be_asked_for(aws: Aws) -> None:
    """A trust policy may want certain session tags."""
    policy = trust("444455556666", {"StringEquals": {"aws:RequestTag/team": "a"}})
    policy["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    role = aws.role(policy)

    assert aws.lets_in(role, by=aws.customer, Tags=[{"Key": "team", "Value": "a"}])
    assert not aws.lets_in(role, by=aws.customer, Tags=[{"Key": "team", "Value": "b"}])
    assert not aws.lets_in(role, by=aws.customer)


def test_another_principal_of_our_account_is_refused_by_the_principals_arn(aws: Aws) -> None:
    """The account is named, but the condition wants one role of it; an administrator there is somebody else."""
    role = aws.role(GOOD)

    assert aws.lets_in(role, ExternalId=ID)
    assert not aws.lets_in(role, by=aws.stranger, ExternalId=ID)
    assert not aws.lets_in(role, by=aws.other_customer, ExternalId=ID)


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"RoleSessionName": "a b"}, "ValidationError", r"regular expression pattern: [\w+=,.@-]*"),
        ({"RoleSessionName": "x" * 65}, "ValidationError", "length less than or equal to 64"),
        ({"ExternalId": "a b"}, "ValidationError", r"regular expression pattern: [\w+=,.@:\/-]*"),
        ({"ExternalId": "é" * 5}, "ValidationError", "Value 'ééééé' at 'externalId' failed to satisfy"),
        ({"ExternalId": "x" * 1225}, "ValidationError", "length less than or equal to 1224"),
        ({"SourceIdentity": "x" * 65}, "ValidationError", "length less than or equal to 64"),
        ({"DurationSeconds": 43201}, "ValidationError", "value less than or equal to 43200"),
        ({"DurationSeconds": 3601}, "ValidationError", "1 hour session limit for roles assumed by role chaining."),
        ({"RoleArn": "arn:aws:iam::444455556666:user/administrator"}, "ValidationError", "administrator is invalid"),
        ({"RoleArn": "arn:aws:iam::444455556666:role/" + "x" * 2048}, "ValidationError", "less than or equal to 2048"),
        ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "ValidationError", "less than or equal to 50"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ({"Policy": '{"Statement": []}'}, "MalformedPolicyDocument", "Syntax errors in policy"),
        ({"Policy": '{"Statement": "' + "x" * 2048 + '"}'}, "PackedPolicyTooLarge", "% of allotted space"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::444455556666:policy/none"}]}, "MalformedPolicyDocument", "PolicyArns"),
    ],
)
def test_parameters_out_of_bounds_are_refused(aws: Aws, more: dict[str, Any], code: str, text: str) -> None:
    """AWS's bounds and texts, which botocore does not check on its side."""
    policy = json.loads(json.dumps(GOOD))
    policy["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    role = aws.role(policy, MaxSessionDuration=43200)
    given = {"RoleArn": role, "RoleSessionName": "tests", "ExternalId": ID, **more}

    status, seen, message = refusal(lambda: aws.client("sts", aws.service).assume_role(**given))
    assert (status, seen) == (400, code)
    assert text in message


def test_the_longest_session_is_the_roles_own_and_an_hour_from_a_session(aws: Aws) -> None:
    """Over MaxSessionDuration the call fails, it is not cut short; role chaining has an hour whatever the role says."""
    role = aws.role(trust(), MaxSessionDuration=7200)
    as_user, as_session = aws.client("sts", aws.stranger), aws.client("sts", aws.service)

    def seconds(sts: Any, wanted: int) -> float:
        answer = sts.assume_role(RoleArn=role, RoleSessionName="xx", DurationSeconds=wanted)
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return float((answer["Credentials"]["Expiration"] - parsedate_to_datetime(date)).total_seconds())

    assert seconds(as_user, 7200) == pytest.approx(7200, abs=3)
    assert seconds(as_session, 900) == pytest.approx(900, abs=3)
    assert refusal(lambda: seconds(as_user, 7201))[2] == (
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )
    assert "role chaining" in refusal(lambda: seconds(as_session, 3601))[2]


def test_a_session_policy_bounds_the_session(aws: Aws) -> None:
    """What the role allows and the session policy does not, the session may not; nor what the policy alone allows."""
    role = aws.role(GOOD, json.loads(_allow("iam:List*")))
    managed = aws.client("iam").create_policy(PolicyName=aws.name(), PolicyDocument=_allow("iam:ListUsers"))

    def seen(**more: Any) -> tuple[str, str]:
        iam = aws.client("iam", aws.assume(role, ExternalId=ID, **more))
        calls = (iam.list_roles, iam.list_users)
        return tuple(_ending(call) for call in calls)  # type: ignore[return-value]  # of two

    no_session_policy = "because no session policy allows the iam:"
    assert seen() == ("allowed", "allowed")
    assert seen(Policy=json.dumps(ANYTHING)) == ("allowed", "allowed")
    assert seen(Policy=_allow("iam:ListRoles")) == ("allowed", f"{no_session_policy}ListUsers action")
    assert seen(PolicyArns=[{"arn": managed["Policy"]["Arn"]}]) == (f"{no_session_policy}ListRoles action", "allowed")
    assert seen(Policy=_allow("iam:ListRoles"), PolicyArns=[{"arn": managed["Policy"]["Arn"]}]) == ("allowed",) * 2
    assert seen(Policy=_allow("*").replace("Allow", "Deny")) == ("with an explicit deny in a session policy",) * 2
    get_user = aws.client("iam", aws.assume(role, ExternalId=ID, Policy=json.dumps(ANYTHING))).get_user
    assert "because no identity-based policy allows" in refusal(lambda: get_user(UserName="administrator"))[2]


def _allow(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def _ending(call: Any) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001  any refusal is looked at
        text = str(error)
        return text[max(text.find("because"), text.find("with an")) :]
    return "allowed"


def test_a_session_is_bounded_when_it_assumes_another_role_too(aws: Aws) -> None:
    """A session policy that allows nothing of STS ends the chain."""
    middle, last = aws.role(trust("444455556666"), ANYTHING), aws.role(trust("444455556666"))

    assert aws.lets_in(last, by=aws.assume(middle, by=aws.customer))
    assert not aws.lets_in(last, by=aws.assume(middle, by=aws.customer, Policy=_allow("bedrock:*")))


def test_a_roles_path_is_part_of_its_arn_and_case_counts(aws: Aws) -> None:
    """The ARN must be exact; the session's ARN leaves the path out."""
    role = aws.role(GOOD, Path="/team/access/")
    name = role.rpartition("/")[2]
    sts = aws.client("sts", aws.service)

    answer = sts.assume_role(RoleArn=role, RoleSessionName="tests", ExternalId=ID)["AssumedRoleUser"]
    assert role == f"arn:aws:iam::444455556666:role/team/access/{name}"
    assert answer["Arn"] == f"arn:aws:sts::444455556666:assumed-role/{name}/tests"
    for other in (f"arn:aws:iam::444455556666:role/{name}", role.replace(name, name.upper())):
        assert not aws.lets_in(other, ExternalId=ID)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-2"])
def test_everyone_may_ask_who_they_are_in_every_region(aws: Aws, region: str) -> None:
    """GetCallerIdentity needs no permission, and a session is good everywhere."""
    answer = aws.client("sts", aws.service, region).get_caller_identity()

    assert (answer["Account"], answer["Arn"]) == ("111122223333", SESSION)
    assert answer["UserId"].startswith("AROA")
    assert answer["UserId"].endswith(":tests")


@pytest.mark.parametrize("operation", ["get_session_token", "get_federation_token", "assume_role_with_web_identity"])
def test_stss_other_ways_to_a_session_are_closed(aws: Aws, operation: str) -> None:
    """Those of moto give anybody anything; one that needs no signature is not answered at all."""
    more: dict[str, dict[str, str]] = {
        "get_federation_token": {"Name": "xx"},
        "assume_role_with_web_identity": {
            "RoleArn": aws.role(trust()),
            "RoleSessionName": "xx",
            "WebIdentityToken": "x" * 20,
        },
    }
    call = getattr(aws.client("sts"), operation)
    expected = (
        (403, "MissingAuthenticationToken") if operation.startswith("assume_role_with") else (400, "InvalidAction")
    )

    assert refusal(lambda: call(**more.get(operation, {})))[:2] == expected
