"""The rest of the sixty attacks: faults of AWS, what the environment holds, and one tenant against another."""

from __future__ import annotations

import html
import json
import logging
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.attack_tables import attack
from tests.far_customer import Api, Onboarding

if TYPE_CHECKING:
    from sandbox.world import World

NEGATIVE = [
    "refused_without_external_id",
    "refused_with_similar_external_id",
    "refused_with_foreign_external_id",
    "refused_with_other_case",
]


def _codes(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"]]


@attack(41, 42)
@pytest.mark.parametrize("fault", [{"kind": "error", "code": "Throttling"}, {"kind": "cut"}], ids=["throttled", "cut"])
def test_a_probe_without_a_clear_answer_activates_nothing(world: World, fault: dict[str, str]) -> None:
    """Throttled or cut is no refusal: inconclusive, pending, and try again."""
    tenant = Onboarding(world)
    tenant.make_role()
    world.aws.faults.add({"service": "sts", "operation": "AssumeRole", "times": None, **fault})
    report = tenant.verify()
    outcomes = {check["id"]: check["outcome"] for check in report["checks"]}

    assert (report["verdict"], report["status"]) == ("inconclusive", "pending")
    assert {outcomes[name] for name in NEGATIVE} == {"inconclusive"}
    assert report["retry_after"] > 0


@attack(43)
def test_every_permission_there_is_gives_us_bedrock_alone(world: World) -> None:
    """The report warns of the role; what the sessions called besides is the one question of the warning."""
    tenant = Onboarding(world)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    tenant.make_role(permissions_policy=everything)
    world.aws.calls.clear()
    report = tenant.verify()

    assert (report["status"], _codes(report)) == ("active", ["over_privileged"])
    theirs = [call for call in world.aws.calls.rows() if call["account"] == tenant.customer.account]
    assert {call["service"] for call in theirs} == {"bedrock", "bedrock-runtime", "dynamodb"}
    assert [call["operation"] for call in theirs if call["service"] == "dynamodb"] == ["DescribeLimits"]


@attack(45)
@pytest.mark.parametrize("field", ["duration_seconds", "DurationSeconds", "session_policy", "tags"])
def test_no_request_shapes_a_session(world: World, field: str) -> None:
    """How long and how wide a session is, is nobody's choice but ours."""
    tenant = Onboarding(world)
    answer = tenant.api.post(f"{tenant.path}/verification", {"role_arn": tenant.role_arn, field: 43200})

    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unknown_field", field)


@attack(48, 49)
def test_variables_of_the_environment_lead_nothing_astray(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bearer token, endpoints, profile and external ID of the environment: the whole journey goes on as if unset."""
    for name in ("STS", "BEDROCK", "BEDROCK_RUNTIME", "DYNAMODB"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "canary-bearer")
    monkeypatch.setenv("AWS_EXTERNAL_ID", "canary-id")
    monkeypatch.setenv("AWS_ROLE_NAME", "canary-role")
    tenant = Onboarding(world)
    iam = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=world.aws.url,
        aws_access_key_id=tenant.customer.access_key_id,
        aws_secret_access_key=tenant.customer.secret_access_key,
    )
    made = iam.create_role(RoleName=tenant.role_name, AssumeRolePolicyDocument=json.dumps(tenant.trust_policy))
    iam.put_role_policy(
        RoleName=tenant.role_name, PolicyName="Rolecall", PolicyDocument=json.dumps(tenant.permissions_policy)
    )
    world.aws.calls.clear()

    assert tenant.verify(made["Role"]["Arn"])["usable"]
    bedrock = [call for call in world.aws.calls.rows() if call["service"].startswith("bedrock")]
    assert {call["principal"] for call in bedrock} == {
        f"arn:aws:sts::444455556666:assumed-role/{tenant.role_name}/{tenant.connection['id']}.verify"
    }


@attack(50)
def test_no_session_of_a_role_is_in_log_answer_or_table(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor token of any session is found in what is kept or shown, with everything logged."""
    tenant = Onboarding(world)
    tenant.make_role()
    with caplog.at_level(logging.DEBUG):
        report = tenant.verify()
        tenant.api.get("/v1/models")
        world.aws.faults.add(
            {"service": "bedrock", "operation": "*", "kind": "error", "code": "InternalServerException"}
        )
        refused = tenant.api.get("/v1/models")
    events = tenant.api.get(f"{tenant.path}/events").text
    ours = [
        record.getMessage() + str(record.__dict__) for record in caplog.records if record.name.startswith("rolecall")
    ]
    seen = "".join(ours) + json.dumps(report) + refused.text + events

    assert ours
    assert "ASIA" not in seen
    assert "SessionToken" not in seen


@attack(51)
def test_another_tenants_connection_is_like_none(world: World) -> None:
    """Every verb on it answers 404 with the very body of an unknown id, request id apart."""
    victim, thief = Onboarding(world), Onboarding(world)
    unknown = "/v1/connections/conn-" + "a" * 20
    verbs: list[tuple[str, str, object, dict[str, str]]] = [
        ("GET", "", None, {}),
        ("GET", "/documents", None, {}),
        ("GET", "/events", None, {}),
        ("GET", "/verification", None, {}),
        ("GET", "/models", None, {}),
        ("POST", "/verification", {"role_arn": victim.role_arn}, {}),
        ("POST", "/rotation", {}, {}),
        ("DELETE", "/rotation", None, {}),
        ("POST", "/removal", {}, {}),
        ("POST", "/trust-policy", {"trust_policy": {}}, {}),
        ("PATCH", "", {"name": "x"}, {"If-Match": '"1"'}),
        ("DELETE", "", None, {}),
    ]
    for method, path, body, headers in verbs:
        theirs = thief.api.call(method, victim.path + path, body, headers=headers)
        nobodys = thief.api.call(method, unknown + path, body, headers=headers)
        assert theirs.status == nobodys.status == 404, (method, path)
        assert theirs.error | {"request_id": ""} == nobodys.error | {"request_id": ""}

    listed = [connection["id"] for connection in thief.api.get("/v1/connections").json["data"]]
    assert listed == [thief.connection["id"]]
    assert victim.shown()["version"] == 1


@attack(52)
@pytest.mark.parametrize("trick", ["..%2F", "%00", "a" * 4000, "%2e%2e", "conn-%2F", "CONN-AAAAAAAAAAAAAAAAAAAA"])
def test_an_id_is_no_path(world: World, trick: str) -> None:
    """Ids are parsed; what is none is not found."""
    api = Api(world.gateway.url, world.issuer.token("attack-paths"))
    answer = api.get(f"/v1/connections/{trick}")

    assert (answer.status, answer.error["code"]) == (404, "connection_not_found")


@attack(53)
@pytest.mark.parametrize(
    "name", ["&param_ExternalId=evil", '"><script>', "${AWS::AccountId}", '${file("x")}', "!Ref x", "x'; rm -rf /; '"]
)
def test_a_name_reaches_no_document(world: World, name: str) -> None:
    """What the customer calls the connection is in none of the files; they all hold our ID."""
    tenant = Onboarding(world, name=name)
    documents = tenant.api.get(f"{tenant.path}/documents").json

    assert documents["external_id"] == tenant.connection["external_id"]
    for file in documents["files"].values():
        assert name not in file
        if "Action" in file and "sts:AssumeRole" in file:
            assert tenant.connection["external_id"] in file


def test_nothing_is_called_with_a_role_that_may_be_anybodys(world: World) -> None:
    """An open role lets in whoever names it. Listing and invoking there would be done, and paid for, by its owner."""
    victim, thief = Onboarding(world), Onboarding(world)
    policy = victim.trust_policy
    del policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    victim.make_role(policy)
    world.aws.calls.clear()
    report = thief.verify(victim.role_arn, invoke="amazon.nova-micro-v1:0")

    assert {check["outcome"] for check in report["checks"][:5]} == {"passed"}
    assert [check["outcome"] for check in report["checks"][5:]] == ["skipped", "skipped"]
    assert not [call for call in world.aws.calls.rows() if call["account"] == victim.customer.account]


@attack(54)
def test_a_foreign_text_is_data(world: World) -> None:
    """AWS's words come as JSON of type JSON, never as HTML, and with nothing that a terminal would obey."""
    tenant = Onboarding(world)
    tenant.make_role()
    tenant.verify()
    world.aws.faults.add(
        {"service": "bedrock", "operation": "*", "kind": "error", "code": "ScriptAlert", "times": None}
    )
    refused = tenant.api.get("/v1/models")

    assert refused.headers["Content-Type"] == "application/json"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert html.escape(refused.error["message"], quote=False) == refused.error["message"]
    assert refused.error["message"].isprintable()


MARKETPLACE = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace"
    " actions (aws-marketplace:ViewSubscriptions) to enable access to this model. If you recently fixed this issue, try"
    " again after 15 minutes."
)


@attack(57, 59)
@pytest.mark.parametrize(
    ("text", "code", "wait"),
    [
        (MARKETPLACE, "model_subscription_required", 900),
        ("Guardrail must be specified for this account: missing guardrailIdentifier", "guardrail_required", None),
    ],
    ids=["57: marketplace", "59: guardrail"],
)
def test_what_aws_says_of_an_account_is_understood(text: str, code: str, wait: int | None) -> None:
    """The wait that AWS names is passed on; a guardrail is named as what is lacking."""
    from chalicelib.bedrock.failures import AwsError, explain

    refusal = explain(AwsError("bedrock-runtime", "Converse", 403, "AccessDeniedException", text, "r"))

    assert (refusal.code, refusal.retry_after) == (code, wait)
