"""Why a model can't be called: each reason, told by listing and asking, and by invoking only when that is wanted."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.wire import Wire
from chalicelib.onboarding.availability import availability
from tests.bedrock.far_side import FarSide, Step
from tests.far_customer import Api, Customer
from tests.onboarding.document_forms import connection

if TYPE_CHECKING:
    from sandbox.world import World

_numbers = itertools.count()
NOVA = "amazon.nova-lite-v1:0"


class Connected:
    """An active connection for some models, and its role."""

    def __init__(self, world: World, region: str = "us-east-1", models: list[str] | None = None) -> None:
        self.world = world
        keys = world.accounts.customer
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.tenant = f"availability-{next(_numbers)}"
        self.api = Api(world.gateway.url, world.issuer.token(self.tenant))
        scope = {} if models is None else {"models": models}
        made = self.api.post("/v1/connections", {"name": "x", "region": region, **scope}).json
        self.path = f"/v1/connections/{made['id']}"
        files = self.api.get(f"{self.path}/documents").json["files"]
        self.name = f"Availability-{next(_numbers)}"
        role = self.customer.create_role(self.name, files["trust-policy.json"], files["permissions-policy.json"])
        body = {"role_arn": role, "invoke": False}
        assert self.api.post(f"{self.path}/verification", body).json["status"] == "active"

    def rows(self, query: str = "") -> dict[str, dict[str, Any]]:
        answer = self.api.get(f"{self.path}/models{query}")
        assert answer.status == 200, answer.text
        return {row["id"]: row for row in answer.json["data"]}


REASONS = [
    pytest.param("us-east-1", NOVA, True, None, id="on demand"),
    pytest.param("us-east-1", "us.amazon.nova-pro-v1:0", True, None, id="a profile"),
    pytest.param("us-east-1", "acme.none-v1:0", False, "model_not_in_region", id="a model of nobody"),
    pytest.param(
        "us-east-1", "anthropic.claude-haiku-4-5-20251001-v1:0", False, "needs_inference_profile", id="profiles alone"
    ),
    pytest.param("us-east-1", "meta.llama3-8b-instruct-v1:0", False, "model_access_denied", id="no access"),
    pytest.param(
        "us-west-2", "us.writer.palmyra-x5-v1:0", False, "model_subscription_required", id="terms not accepted"
    ),
    pytest.param(
        "us-east-1",
        "us.anthropic.claude-opus-4-1-20250805-v1:0",
        False,
        "model_use_case_required",
        id="no use case form",
    ),
    pytest.param("us-east-1", "anthropic.claude-v2:1", False, "model_not_in_region", id="past its end"),
]


@pytest.mark.parametrize(("region", "model", "available", "reason"), REASONS)
def test_each_reason_is_told_without_a_token(
    world: World, region: str, model: str, available: bool, reason: str | None
) -> None:
    """Listing and asking tell it; no model is invoked."""
    connected = Connected(world, region, [model])
    before = world.aws.calls.count("bedrock-runtime")
    row = connected.rows()[model]

    assert (row["available"], row["reason"]) == (available, reason)
    assert (row["finding"] is None) is (reason is None)
    assert world.aws.calls.count("bedrock-runtime") == before


@pytest.mark.parametrize(
    ("agreement", "reason"),
    [
        ({"status": "ERROR", "errorMessage": "\x1b[2Jno\r\n" * 100_000}, "model_subscription_required"),
        ({"status": "ERROR", "errorMessage": {"text": "no"}}, "model_subscription_required"),
        ({"status": ["ERROR"]}, None),
        ("ERROR", None),
    ],
    ids=["a text without end", "a text that is none", "a status that is none", "no object"],
)
def test_odd_words_of_aws_are_told_as_any(agreement: object, reason: str | None) -> None:
    """Cut and cleaned where they are a text, passed over where they are not; never a failure of ours."""
    model = {"modelId": NOVA, "inferenceTypesSupported": ["ON_DEMAND"], "inputModalities": ["TEXT"]}
    answers = {
        "/foundation-models": {"modelSummaries": [{**model, "outputModalities": ["TEXT"]}]},
        f"/foundation-model-availability/{NOVA.replace(':', '%3A')}": {"agreementAvailability": agreement},
    }
    far = FarSide(choose=lambda request: Step(body=json.dumps(answers.get(request["path"], {})).encode()))
    keys = Credentials("AKIDEXAMPLE", "secret", "token")
    try:
        [row] = availability(connection(models=(NOVA,)), keys, Wire(endpoint=far.url), probe=False)
    finally:
        far.stop()

    assert row.reason == reason
    if row.finding is not None:
        assert len(row.finding.message) < 1000
        assert row.finding.message.isprintable()


def test_the_profiles_to_take_instead_are_named(world: World) -> None:
    """Who asked for a model that only profiles lead to is given their ids."""
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    finding = Connected(world, models=[model]).rows()[model]["finding"]

    assert f"us.{model}" in finding["evidence"]["profiles"].split(", ")


def test_without_a_scope_all_models_of_the_region_are_told(world: World) -> None:
    """Every model that is listed has its row, the legacy ones a warning."""
    connected = Connected(world)
    rows = connected.rows()
    listed = {model["id"].removeprefix("bedrock/"): model for model in connected.api.get("/v1/models").json["data"]}
    legacy = [model for model, row in listed.items() if row["rolecall"]["lifecycle"] == "LEGACY"]

    assert set(rows) == set(listed)
    assert legacy
    assert {rows[model]["finding"]["code"] for model in legacy if rows[model]["available"]} == {"model_legacy"}


def test_a_denied_destination_is_named_when_probed(world: World) -> None:
    """Only a call shows that a profile leads to a region whose model is not allowed; the finding names the region."""
    profile = "us.amazon.nova-pro-v1:0"
    connected = Connected(world, models=[NOVA, profile])
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "bedrock:InvokeModel*",
                "Resource": "arn:aws:bedrock:us-east-2::foundation-model/*",
            }
        ],
    }
    connected.customer.client("iam").put_role_policy(
        RoleName=connected.name, PolicyName="deny", PolicyDocument=json.dumps(deny)
    )
    assert {row["available"] for row in connected.rows().values()} == {True}

    rows = connected.rows("?probe=true")
    assert rows[NOVA]["available"] is True
    assert (rows[profile]["available"], rows[profile]["reason"]) == (False, "destination_region_denied")
    assert rows[profile]["finding"]["evidence"] == {"region": "us-east-2"}


def test_a_token_that_may_only_read_invokes_nothing(world: World) -> None:
    """Reading the table is reading; probing it is paid for, and asks for the scope of those who invoke."""
    connected = Connected(world, models=[NOVA])
    reader = Api(world.gateway.url, world.issuer.token(connected.tenant, scopes="connections:read"))
    world.aws.calls.clear()
    refused = reader.get(f"{connected.path}/models?probe=true")

    assert reader.get(f"{connected.path}/models").status == 200
    assert (refused.status, refused.error["code"]) == (403, "insufficient_scope")
    assert world.aws.calls.count("bedrock-runtime") == 0


def test_what_aws_would_not_say_is_not_guessed(world: World) -> None:
    """Where asking is denied, available is null and the finding says why."""
    connected = Connected(world, models=[NOVA])
    deny = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "bedrock:GetFoundationModelAvailability", "Resource": "*"}],
    }
    connected.customer.client("iam").put_role_policy(
        RoleName=connected.name, PolicyName="deny", PolicyDocument=json.dumps(deny)
    )
    row = connected.rows()[NOVA]

    assert (row["available"], row["reason"]) == (None, "explicitly_denied")


def test_a_probe_is_yes_or_no(world: World) -> None:
    """Anything else is refused before a token is spent."""
    answer = Connected(world, models=[NOVA]).api.get("/v1/connections/conn-aaaaaaaaaaaaaaaaaaaa/models?probe=maybe")

    assert (answer.status, answer.error["code"]) == (400, "invalid_value")
