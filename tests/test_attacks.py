"""Sixty attacks and bad inputs, each by its number in `tests/cases/attacks.json`, against the whole service."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.attack_tables import attack
from tests.far_customer import Api, Onboarding

if TYPE_CHECKING:
    from sandbox.world import World

ROLE = "arn:aws:iam::444455556666:role/"
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def _codes(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"]]


SPELLINGS = ["external_id", "externalId", "ExternalId", "EXTERNAL-ID", "sts:ExternalId", "ｅxternal_id"]


@attack(1, 2)
@pytest.mark.parametrize("name", SPELLINGS)
def test_no_request_sets_an_external_id(world: World, name: str) -> None:
    """In body, nested, query and header of every write: 400, and the stored ID is as it was."""
    tenant = Onboarding(world)
    before = tenant.shown()
    body = {"name": "x", "region": "us-east-1"}
    query = urllib.parse.quote(name)
    answers = [
        tenant.api.post("/v1/connections", body | {name: "rolecall-x"}),
        tenant.api.post("/v1/connections", body | {"guardrail": {name: "x"}}),
        tenant.api.post(f"/v1/connections?{query}=x", body),
        tenant.api.call("PATCH", tenant.path, {name: "x"}, headers={"If-Match": '"1"'}),
        tenant.api.post(f"{tenant.path}/verification", {"role_arn": tenant.role_arn, name: "x"}),
        tenant.api.post(f"{tenant.path}/rotation", {name: "x"}),
    ]
    if name.isascii() and ":" not in name and "_" not in name:
        answers.append(tenant.api.call("POST", "/v1/connections", body, headers={f"X-{name}": "x"}))

    assert {(answer.status, answer.error["code"]) for answer in answers} == {(400, "external_id_not_settable")}
    assert tenant.shown() == before


@attack(3, 4)
def test_another_tenants_role_is_of_no_use(world: World) -> None:
    """With a victim's ARN, and even knowing its ID, a tenant gets what everybody gets, and learns nothing."""
    victim, thief = Onboarding(world), Onboarding(world)
    victim.make_role()
    assert victim.verify()["status"] == "active"
    world.aws.calls.clear()
    report = thief.verify(victim.role_arn)

    assert (report["verdict"], report["status"], _codes(report)) == ("refused", "pending", ["assume_role_denied"])
    text = json.dumps(report)
    assert victim.connection["external_id"] not in text
    assert victim.connection["id"] not in text
    assert world.aws.calls.count("bedrock") == world.aws.calls.count("bedrock-runtime") == 0


def _with_condition(condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/rolecall-local"}, **condition}
    }


IDS = "sts:ExternalId"
POLICIES = {
    "5: no condition": (lambda _: {}, "refused"),
    "6: IfExists": (lambda own: _with_condition({"StringEqualsIfExists": {IDS: own}}), "refused"),
    "7: ForAllValues": (lambda own: _with_condition({"ForAllValues:StringEquals": {IDS: own}}), "refused"),
    "8: StringLike *": (lambda _: _with_condition({"StringLike": {IDS: "*"}}), "refused"),
    "9: StringLike with our prefix": (lambda _: _with_condition({"StringLike": {IDS: "rolecall-*"}}), "refused"),
    "10: case ignored": (lambda own: _with_condition({"StringEqualsIgnoreCase": {IDS: own}}), "refused"),
    "11: Null alone": (lambda _: _with_condition({"Null": {IDS: "false"}}), "refused"),
    "13: our ID and another": (lambda own: _with_condition({"StringEquals": {IDS: [own, "other-4711"]}}), "verified"),
    "14: everyone with our ID": (
        lambda own: {"Principal": {"AWS": "*"}, "Condition": {"StringEquals": {IDS: own}}},
        "verified",
    ),
    "exactly ours": (lambda own: _with_condition({"StringEquals": {IDS: own}}), "verified"),
}


@attack(5, 6, 7, 8, 9, 10, 11, 13, 14)
@pytest.mark.parametrize(("make", "verdict"), POLICIES.values(), ids=POLICIES)
def test_a_condition_that_only_looks_right_is_found(world: World, make: Any, verdict: str) -> None:
    """What any probe can see is refused; what none can see is accepted, and the documents say so."""
    tenant = Onboarding(world)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
    policy = {"Version": "2012-10-17", "Statement": [statement | make(tenant.connection["external_id"])]}
    tenant.make_role(policy)
    report = tenant.verify()

    assert report["verdict"] == verdict
    assert report["status"] == ("active" if verdict == "verified" else "pending")
    if verdict == "refused":
        assert "external_id_not_enforced" in _codes(report)


@attack(12)
def test_one_open_statement_beside_a_good_one_is_found(world: World) -> None:
    """Statements add up: the good one protects nothing."""
    tenant = Onboarding(world)
    policy = tenant.trust_policy
    policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"})
    tenant.make_role(policy)

    assert _codes(tenant.verify()) == ["external_id_not_enforced"]


@attack(14)
def test_the_linter_sees_what_no_probe_can(world: World) -> None:
    """`Principal: *` with our condition passes every probe; pasted, it is named."""
    tenant = Onboarding(world)
    policy = tenant.trust_policy
    policy["Statement"][0]["Principal"] = {"AWS": "*"}
    del policy["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalArn"]
    answer = tenant.api.post(f"{tenant.path}/trust-policy", {"trust_policy": policy}).json

    assert "trusts_everyone" in _codes(answer)


ARNS = {
    "15: a role of ours": ("arn:aws:iam::111122223333:role/x", "own_account_role"),
    "16: the role that we run as": ("arn:aws:iam::111122223333:role/rolecall-local", "own_account_role"),
    "17: a user": ("arn:aws:iam::444455556666:user/x", "not_a_role_arn"),
    "17: the root user": ("arn:aws:iam::444455556666:root", "not_a_role_arn"),
    "17: a session": ("arn:aws:sts::444455556666:assumed-role/r/s", "not_a_role_arn"),
    "18: GovCloud": ("arn:aws-us-gov:iam::444455556666:role/x", "partition_mismatch"),
    "18: China": ("arn:aws-cn:iam::444455556666:role/x", "partition_mismatch"),
    "18: a secret region": ("arn:aws-iso:iam::444455556666:role/x", "partition_mismatch"),
    "18: the European cloud": ("arn:aws-eusc:iam::444455556666:role/x", "partition_mismatch"),
    "19: a zero-width space": (f"{ROLE}x\u200b", "invalid_character"),
    "19: a no-break space": (f"{ROLE}x\u00a0y", "invalid_character"),
    "19: a line break within": (f"{ROLE}x\ny", "invalid_character"),
    "19: smart quotes": (f"“{ROLE}x”", "invalid_character"),
    "20: eleven digits": ("arn:aws:iam::44445555666:role/x", "not_a_role_arn"),
    "20: thirteen digits": ("arn:aws:iam::4444555566667:role/x", "not_a_role_arn"),
    "20: nobody's account": ("arn:aws:iam::000000000000:role/x", "placeholder"),
    "20: letters": ("arn:aws:iam::44445555666a:role/x", "not_a_role_arn"),
    "20: dashes in an ARN": ("arn:aws:iam::4444-5555-6666:role/x", "not_a_role_arn"),
    "22: a name of 65": (ROLE + "x" * 65, "not_a_role_arn"),
    "22: a path of over 512": (ROLE + "p" * 520 + "/x", "not_a_role_arn"),
    "23: a parameter behind it": (f"{ROLE}x&DurationSeconds=43200", "not_a_role_arn"),
    "24: any role": (f"{ROLE}*", "not_a_role_arn"),
    "25: a service-linked role": (f"{ROLE}aws-service-role/a.amazonaws.com/x", "service_linked_role"),
    "26: a look-alike": (f"{ROLE}Bеdrock", "invalid_character"),
    "26: percent-encoded": (urllib.parse.quote(f"{ROLE}x", safe=""), "not_a_role_arn"),
    "26: three thousand characters": (ROLE + "x" * 3000, "not_a_role_arn"),
    "27: a placeholder": ("YOUR_ROLE_ARN", "placeholder"),
    "27: a placeholder in brackets": ("<your-role-arn>", "placeholder"),
    "27: the account of examples": ("arn:aws:iam::123456789012:role/x", "placeholder"),
}


@attack(15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 27)
@pytest.mark.parametrize(("arn", "code"), ARNS.values(), ids=ARNS)
def test_what_is_no_role_of_the_customer_is_refused_before_any_call(world: World, arn: str, code: str) -> None:
    """422 with its own code; STS is not asked, nothing is stored."""
    tenant = Onboarding(world, tenant="attack-arns")
    version = tenant.shown()["version"]
    before = world.aws.calls.count("sts")
    answer = tenant.api.post(f"{tenant.path}/verification", {"role_arn": arn})

    assert (answer.status, answer.error["code"], answer.error["param"]) == (422, code, "role_arn")
    assert world.aws.calls.count("sts") == before
    assert tenant.shown()["version"] == version


@attack(19, 21)
def test_a_path_and_case_are_kept_and_spaces_around_are_not(world: World) -> None:
    """The role is assumed under exactly the name that it has."""
    tenant = Onboarding(world)
    iam = tenant.customer.client("iam")
    name = f"Mixed-{tenant.role_name}"
    role = iam.create_role(RoleName=name, Path="/Team/a/", AssumeRolePolicyDocument=json.dumps(tenant.trust_policy))
    report = tenant.verify(f" \t{role['Role']['Arn']}\n", invoke=False)

    assert report["verdict"] == "verified"
    assert tenant.shown()["role_arn"] == f"{ROLE}Team/a/{name}"


BODIES = {
    "28: a key twice": (b'{"name": "a", "name": "b", "region": "us-east-1"}', "application/json", 400),
    "28: null": (b"null", "application/json", 400),
    "28: a list": (b"[]", "application/json", 400),
    "28: a number for a text": (b'{"name": 1, "region": "us-east-1"}', "application/json", 400),
    "28: one megabyte": (b'{"name": "' + b"x" * 1_000_000 + b'"}', "application/json", 413),
    "28: another type": (b"<x/>", "text/xml", 415),
}


@attack(28)
@pytest.mark.parametrize(("raw", "kind", "status"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_none_gets_an_error_and_no_stack_trace(world: World, raw: bytes, kind: str, status: int) -> None:
    """Each is told what it is."""
    api = Api(world.gateway.url, world.issuer.token("attack-bodies"))
    answer = api.call("POST", "/v1/connections", raw=raw, headers={"Content-Type": kind})

    assert answer.status == status
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text


REGIONS = ["us-east-1.evil.com", "us-east-1@evil", "US-EAST-1", " us-east-1", "xx-nowhere-9", "cn-north-1", ""]


@attack(29)
@pytest.mark.parametrize("region", REGIONS)
def test_what_is_no_region_of_ours_is_never_called(world: World, region: str) -> None:
    """A region becomes a host name, so it is on a list or refused."""
    api = Api(world.gateway.url, world.issuer.token("attack-regions"))
    before = len(world.aws.calls.rows())
    answer = api.post("/v1/connections", {"name": "x", "region": region})

    assert answer.status == 422
    assert answer.error["param"] == "region"
    assert [call for call in world.aws.calls.rows()[before:] if call["service"] != "dynamodb"] == []


@attack(30)
def test_sts_off_in_our_region_is_tried_elsewhere(world: World) -> None:
    """The finding has the fix, and the connection is active through the other region."""
    tenant = Onboarding(world)
    tenant.make_role()
    fault = {"service": "sts", "operation": "AssumeRole", "kind": "error", "code": "RegionDisabledException"}
    world.aws.faults.add(fault | {"region": "us-east-1", "times": None})
    report = tenant.verify()

    assert (report["status"], _codes(report)) == ("active", ["sts_region_disabled"])
    assert "Activate STS" in report["findings"][0]["fix"]


MODELS = {
    "31: a path": "../../x",
    "31: a query": "anthropic.claude?b=c",
    "31: too long": "a." + "b" * 2048,
    "31: a prompt": "arn:aws:bedrock:us-east-1:444455556666:prompt/ABCDEFGHIJ",
    "31: a prompt router": "arn:aws:bedrock:us-east-1:444455556666:default-prompt-router/x:1",
    "31: an endpoint of SageMaker": "arn:aws:sagemaker:us-east-1:444455556666:endpoint/x",
    "31: a profile of another account": f"arn:aws:bedrock:us-east-1:555566667777:inference-profile/{PROFILE}",
    "31: a model of another region": "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
}


@attack(31)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_what_is_no_model_of_the_customer_is_never_signed(world: World, model: str) -> None:
    """In the scope, in a verification and in a chat: 422 (400 for length) before a call is made."""
    tenant = Onboarding(world, tenant="attack-models")
    before = len(world.aws.calls.rows())
    body = {"name": "x", "region": "us-east-1", "account_id": "444455556666", "models": [model]}
    answers = [
        tenant.api.post("/v1/connections", body),
        tenant.api.post(f"{tenant.path}/verification", {"role_arn": tenant.role_arn, "invoke": model}),
    ]

    assert {answer.status for answer in answers} <= {422, 400}
    assert [call for call in world.aws.calls.rows()[before:] if call["service"] != "dynamodb"] == []


@attack(32, 60)
def test_a_model_that_needs_a_profile_names_it_and_a_legacy_one_warns(world: World) -> None:
    """Nothing is switched silently; a model that is about to end is still callable."""
    bare = PROFILE.removeprefix("us.")
    tenant = Onboarding(world)
    tenant.make_role()
    tenant.verify(invoke=False)
    rows = {row["id"]: row for row in tenant.api.get(f"{tenant.path}/models").json["data"]}
    narrow = Onboarding(world, models=[bare])
    narrow.make_role()
    narrow.verify(invoke=False)
    [row] = narrow.api.get(f"{narrow.path}/models").json["data"]
    legacy = [one for one in rows.values() if one["finding"] and one["finding"]["code"] == "model_legacy"]

    assert (row["available"], row["reason"]) == (False, "needs_inference_profile")
    assert PROFILE in row["finding"]["evidence"]["profiles"]
    assert legacy
    assert {(one["available"], one["finding"]["severity"]) for one in legacy} == {(True, "warning")}


@attack(33, 34)
def test_a_destination_region_that_is_denied_is_named(world: World) -> None:
    """The role may call the model at home and not where the profile leads."""
    tenant = Onboarding(world, models=[PROFILE])
    text = json.dumps(tenant.permissions_policy).replace("arn:aws:bedrock:*::", "arn:aws:bedrock:us-east-1::")
    tenant.make_role(permissions_policy=json.loads(text))
    [finding] = tenant.verify()["findings"]

    assert finding["code"] == "destination_region_denied"
    assert finding["evidence"]["region"] in {"us-east-2", "us-west-2"}


@attack(34)
def test_a_boundary_is_told_from_a_missing_permission(world: World) -> None:
    """Where AWS names the kind of policy, so do we; where it says nothing there are suspects in order."""
    tenant = Onboarding(world)
    [finding] = tenant.verify()["findings"]
    tenant.make_role()
    iam = tenant.customer.client("iam")
    narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    made = iam.create_policy(PolicyName=f"b-{tenant.role_name}", PolicyDocument=json.dumps(narrow))
    iam.put_role_permissions_boundary(RoleName=tenant.role_name, PermissionsBoundary=made["Policy"]["Arn"])

    assert _codes(tenant.verify())[0] == "permissions_boundary_denied"
    suspects = [suspect["code"] for suspect in finding["suspects"]]
    assert suspects[-2:] == ["organization_denies", "operator_may_not_assume"]


@attack(35)
def test_a_hundred_verifications_at_once_are_one(world: World) -> None:
    """One runs, the rest are told to wait or that the minute is used up; the connection changes once."""
    tenant = Onboarding(world)
    tenant.make_role()
    fault = {"service": "bedrock", "operation": "ListFoundationModels", "kind": "slow", "seconds": 3, "times": None}
    world.aws.faults.add(fault)
    # More at once and, on a machine with other work, the local DynamoDB's one lock outlasts the service's time limit.
    at_once = 12
    barrier = threading.Barrier(at_once)
    begun = time.monotonic()

    def run(number: int) -> int:
        if number < at_once:
            barrier.wait()
        body = {"role_arn": tenant.role_arn, "invoke": False}
        return tenant.api.post(f"{tenant.path}/verification", body).status

    try:
        with ThreadPoolExecutor(at_once) as pool:
            statuses = list(pool.map(run, range(100)))
    finally:
        world.aws.faults.clear()
    seconds = time.monotonic() - begun

    assert set(statuses) <= {200, 409, 429}
    assert statuses.count(200) + statuses.count(409) >= 50
    assert tenant.shown()["version"] == 1 + statuses.count(200)
    # Each run takes three seconds, and they never overlap.
    assert 1 <= statuses.count(200) <= seconds / 3
