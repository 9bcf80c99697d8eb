"""STS of the local AWS rules as AWS does: trust policies, callers' policies, limits of sessions."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.world import REGION

if TYPE_CHECKING:
    from sandbox.aws.accounts import User
    from sandbox.world import World

_numbers = itertools.count()
ID = "rolecall-agreed"
SERVICE_ROLE = "arn:aws:iam::111122223333:role/rolecall-local"


def _trust(
    condition: dict[str, Any] | None = None, principal: str = "arn:aws:iam::111122223333:root"
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


GOOD = _trust({"StringEquals": {"sts:ExternalId": ID, "aws:PrincipalArn": SERVICE_ROLE}})


def _client(world: World, user: User, service: str) -> Any:
    return user.session(REGION).client(service, endpoint_url=world.aws.url)  # type: ignore[call-overload]


def _role(world: World, trust_policy: dict[str, Any], **more: Any) -> str:
    iam = _client(world, world.accounts.customer, "iam")
    name = f"sts-{next(_numbers)}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy), **more)["Role"]
    return str(role["Arn"])


def _assume(world: World, role_arn: str, **more: Any) -> dict[str, Any]:
    sts = world.services.sts(REGION)
    answer: Any = sts.assume_role(**{"RoleArn": role_arn, "RoleSessionName": "test-session", **more})
    return dict(answer)


def _refusal(world: World, role_arn: str, **more: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as refused:
        _assume(world, role_arn, **more)
    error = refused.value.response["Error"]
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_the_right_id_is_let_in_and_every_other_is_not(world: World) -> None:
    """A role made as the documents say admits the service's role with this ID, and nothing else."""
    role = _role(world, GOOD)

    assert _assume(world, role, ExternalId=ID)["AssumedRoleUser"]["Arn"].endswith("/test-session")
    denied = (
        403,
        "AccessDenied",
        (
            "User: arn:aws:sts::111122223333:assumed-role/rolecall-local/rolecall-local is not authorized to perform:"
            f" sts:AssumeRole on resource: {role}"
        ),
    )
    assert _refusal(world, role) == denied
    for other in ("rolecall-other", ID.upper(), "00000000-0000-4000-8000-000000000000"):
        assert _refusal(world, role, ExternalId=other) == denied


def test_a_role_that_is_not_there_is_refused_in_the_same_words(world: World) -> None:
    """Strangers are not told which roles exist."""
    role = _role(world, GOOD)
    missing = role + "-missing"

    assert _refusal(world, missing, ExternalId=ID)[:2] == (403, "AccessDenied")
    assert _refusal(world, missing)[2].replace("-missing", "") == _refusal(world, role)[2]


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        pytest.param(None, [None, "rolecall-x", "other"], id="no condition"),
        pytest.param({"StringEqualsIfExists": {"sts:ExternalId": ID}}, [None], id="StringEqualsIfExists"),
        pytest.param({"ForAllValues:StringEquals": {"sts:ExternalId": [ID]}}, [None], id="ForAllValues"),
        pytest.param({"StringLike": {"sts:ExternalId": "*"}}, ["rolecall-x", "other"], id="StringLike *"),
        pytest.param({"StringLike": {"sts:ExternalId": "rolecall-*"}}, ["rolecall-x"], id="a prefix"),
        pytest.param({"Null": {"sts:ExternalId": "false"}}, ["rolecall-x", "other"], id="Null alone"),
        pytest.param({"StringEqualsIgnoreCase": {"sts:ExternalId": ID}}, [ID.upper()], id="case ignored"),
    ],
)
def test_careless_conditions_let_in_whom_they_let_in_at_aws(
    world: World, condition: dict[str, Any] | None, allowed: list[str | None]
) -> None:
    """Each known mistake opens the role exactly as far as AWS would."""
    role = _role(world, _trust(condition))
    seen = []
    for external_id in (None, "rolecall-x", "other", ID.upper()):
        try:
            _assume(world, role, **({} if external_id is None else {"ExternalId": external_id}))
        except ClientError:
            continue
        seen.append(external_id)

    assert [entry for entry in seen if entry != ID.upper() or entry in allowed] == allowed


def test_another_principal_of_our_account_is_refused_by_the_principals_arn(world: World) -> None:
    """The account is named, but the condition wants one role of it; an administrator there is somebody else."""
    sts = _client(world, world.accounts.stranger, "sts")
    role = _role(world, GOOD)
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=role, RoleSessionName="stranger", ExternalId=ID)


def test_the_callers_own_policies_count_too(world: World) -> None:
    """Across accounts both sides must allow: the service's role may not assume roles of its own account."""
    iam = _client(world, world.accounts.operator, "iam")
    name = f"own-{next(_numbers)}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_trust()))["Role"]["Arn"]

    assert _refusal(world, role)[:2] == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"RoleSessionName": "a b"}, "ValidationError", r"satisfy regular expression pattern: [\w+=,.@-]*"),
        ({"RoleSessionName": "x" * 65}, "ValidationError", "length less than or equal to 64"),
        ({"ExternalId": "a b"}, "ValidationError", r"satisfy regular expression pattern: [\w+=,.@:\/-]*"),
        ({"ExternalId": "é" * 5}, "ValidationError", "satisfy regular expression"),
        ({"ExternalId": "x" * 1225}, "ValidationError", "length less than or equal to 1224"),
        ({"DurationSeconds": 43201}, "ValidationError", "less than or equal to 43200"),
        ({"DurationSeconds": 3601}, "ValidationError", "1 hour session limit for roles assumed by role chaining"),
        ({"RoleArn": "arn:aws:iam::444455556666:user/administrator"}, "ValidationError", "is invalid"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ({"Policy": '{"Statement": []}'}, "MalformedPolicyDocument", "Syntax errors in policy"),
        ({"Policy": '{"Statement": "' + "x" * 2048 + '"}'}, "PackedPolicyTooLarge", "of allotted space"),
    ],
)
def test_parameters_out_of_bounds_are_refused(world: World, more: dict[str, Any], code: str, text: str) -> None:
    """AWS's bounds and texts, which botocore does not check on its side."""
    role = _role(world, GOOD, MaxSessionDuration=43200)
    status, seen, message = _refusal(world, **{"role_arn": role, "ExternalId": ID, **_without_arn(more)})

    assert (status, seen) == (400, code)
    assert text in message


def _without_arn(more: dict[str, Any]) -> dict[str, Any]:
    return {("role_arn" if name == "RoleArn" else name): value for name, value in more.items()}


def test_the_longest_session_is_the_roles_own(world: World) -> None:
    """A user is bound by MaxSessionDuration: over it the call fails, it is not cut short."""
    role = _role(world, _trust(), MaxSessionDuration=7200)
    sts = _client(world, world.accounts.stranger, "sts")

    session = sts.assume_role(RoleArn=role, RoleSessionName="user", DurationSeconds=7200)
    assert session["Credentials"]["SessionToken"]
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration"):
        sts.assume_role(RoleArn=role, RoleSessionName="user", DurationSeconds=7201)


def test_a_role_made_anew_is_another_role(world: World) -> None:
    """Deleted and created under its old name, a role has another unique id; policies that named it mean the old one."""
    ours = _client(world, world.accounts.operator, "iam")
    name = f"named-{next(_numbers)}"
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}

    def create() -> str:
        arn = ours.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_trust()))["Role"]["Arn"]
        ours.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow))
        return str(arn)

    def try_it(role_arn: str, caller: str) -> str:
        first = _client(world, world.accounts.stranger, "sts").assume_role(RoleArn=caller, RoleSessionName="first")
        keys = first["Credentials"]
        second = boto3.client(
            "sts",
            region_name=REGION,
            endpoint_url=world.aws.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        return str(second.assume_role(RoleArn=role_arn, RoleSessionName="second")["AssumedRoleUser"]["AssumedRoleId"])

    caller = create()
    by_name = _role(world, _trust(principal=caller))
    by_condition = _role(world, _trust({"StringEquals": {"aws:PrincipalArn": caller}}))
    assert try_it(by_name, caller)
    before = try_it(by_condition, caller)

    ours.delete_role_policy(RoleName=name, PolicyName="p")
    ours.delete_role(RoleName=name)
    create()

    with pytest.raises(ClientError, match="AccessDenied"):
        try_it(by_name, caller)
    assert try_it(by_condition, caller) == before


def test_a_session_policy_bounds_the_session(world: World) -> None:
    """What the role allows and the session policy does not, the session may not."""
    role = _role(world, GOOD)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    _client(world, world.accounts.customer, "iam").put_role_policy(
        RoleName=role.rpartition("/")[2], PolicyName="all", PolicyDocument=json.dumps(everything)
    )
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    some: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}],
    }

    def list_roles(policy: dict[str, Any] | None) -> str:
        more = {} if policy is None else {"Policy": json.dumps(policy)}
        keys = _assume(world, role, ExternalId=ID, **more)["Credentials"]
        iam = boto3.client(
            "iam",
            region_name=REGION,
            endpoint_url=world.aws.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        try:
            iam.list_roles()
        except ClientError as error:
            return error.response["Error"]["Message"].partition(" because ")[2] or "explicit deny"
        return "allowed"

    assert list_roles(None) == list_roles(some) == "allowed"
    assert list_roles(nothing) == "explicit deny"
    assert list_roles({**some, "Statement": [{**some["Statement"][0], "Action": "iam:ListUsers"}]}) == (
        "no session policy allows the iam:ListRoles action"
    )


def test_a_roles_path_is_part_of_its_arn(world: World) -> None:
    """The ARN must have the path; the session's ARN leaves it out."""
    role = _role(world, GOOD, Path="/team/access/")
    name = role.rpartition("/")[2]

    assert role == f"arn:aws:iam::444455556666:role/team/access/{name}"
    assert _assume(world, role, ExternalId=ID)["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::444455556666:assumed-role/{name}/test-session"
    )
    assert _refusal(world, f"arn:aws:iam::444455556666:role/{name}", ExternalId=ID)[1] == "AccessDenied"


def test_everyone_may_ask_who_they_are(world: World) -> None:
    """GetCallerIdentity needs no permission."""
    answer = world.services.sts(REGION).get_caller_identity()

    assert (answer["Account"], answer["Arn"]) == (
        "111122223333",
        "arn:aws:sts::111122223333:assumed-role/rolecall-local/rolecall-local",
    )
