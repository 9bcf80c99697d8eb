"""Who may call what: IAM on every ARN of a call, then the model's life, offer and access."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.sandbox.bedrock_world import (
    ANYTHING,
    HAIKU,
    NOVA,
    US_HAIKU,
    BedrockWorld,
    Customer,
    Refusal,
    cases,
    refusal,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PALMYRA = "us.writer.palmyra-x5-v1:0"


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockWorld]:
    """Give a running local AWS."""
    with BedrockWorld() as world:
        yield world


def _called(customer: Customer, case: dict[str, Any]) -> object:
    model, messages = case.get("model"), [said("hi")]
    control, runtime = customer.client("bedrock"), customer.client("bedrock-runtime")
    match case["call"]:
        case "converse" | "converse_stream" as name:
            return getattr(runtime, name)(modelId=model, messages=messages)
        case "count_tokens":
            return runtime.count_tokens(modelId=model, input={"converse": {"messages": messages}})
        case "get_inference_profile":
            return control.get_inference_profile(inferenceProfileIdentifier=model)
        case "get_foundation_model_availability":
            return control.get_foundation_model_availability(modelId=model)
        case name:
            return getattr(control, name)()


@cases("gating")
def test_policies_decide_on_every_arn_of_a_call(bedrock: BedrockWorld, case: dict[str, Any]) -> None:
    """The role's and the session's policies must allow the action on each resource; the first refused one is named."""
    customer = bedrock.customer()
    role = json.loads(json.dumps(case["role"]).replace("{account}", customer.account))
    session = customer.assume(role, case.get("session"))

    if case["refused"] is None:
        _called(session, case)
        return
    refused = refusal(lambda: _called(session, case))
    who, _, what = refused.message.partition(" is not authorized to perform: ")
    assert (refused.status, refused.code) == (403, "AccessDeniedException")
    assert who.startswith(f"User: arn:aws:sts::{customer.account}:assumed-role/role-")
    assert what == case["refused"].replace("{account}", customer.account)


@cases("access")
def test_what_a_model_id_may_name(bedrock: BedrockWorld, case: dict[str, Any]) -> None:
    """A caller that IAM allows everything meets AWS's own answer to each kind of id."""
    customer = bedrock.customer()
    model = case["model"].replace("{account}", customer.account)
    runtime = customer.client("bedrock-runtime")

    if case["refused"] is None:
        assert runtime.converse(modelId=model, messages=[said("hi")])["stopReason"] == "end_turn"
        return
    status, code, message = case["refused"]
    expected = Refusal(status, code, message.replace("{account}", customer.account))
    assert refusal(lambda: runtime.converse(modelId=model, messages=[said("hi")])) == expected
    streaming = Refusal(status, code, expected.message.replace(":InvokeModel ", ":InvokeModelWithResponseStream "))
    assert refusal(lambda: runtime.converse_stream(modelId=model, messages=[said("hi")])) == streaming


def test_an_application_profile_is_gated_like_a_system_profile(bedrock: BedrockWorld) -> None:
    """Its own ARN and the model in every destination are asked for; the condition sees its ARN."""
    customer = bedrock.customer()
    source = f"arn:aws:bedrock:us-east-1:{customer.account}:inference-profile/{US_HAIKU}"
    made = customer.client("bedrock").create_inference_profile(
        inferenceProfileName="a", modelSource={"copyFrom": source}
    )
    arn = made["inferenceProfileArn"]
    models = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",
        "Resource": f"arn:aws:bedrock:*::foundation-model/{HAIKU}",
        "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": arn}},
    }
    own = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": arn}

    allowed = customer.assume([own, models]).client("bedrock-runtime")
    assert allowed.converse(modelId=arn, messages=[said("hi")])["stopReason"] == "end_turn"
    assert refusal(lambda: allowed.converse(modelId=US_HAIKU, messages=[said("hi")])).status == 403
    without = customer.assume([models]).client("bedrock-runtime")
    assert f"on resource: {arn} " in refusal(lambda: without.converse(modelId=arn, messages=[said("hi")])).message


def test_the_use_case_form_opens_its_models_for_the_whole_account(bedrock: BedrockWorld) -> None:
    """Handed in once by anybody of the account, in any region, it is asked for no more."""
    customer = bedrock.customer()
    opus = "anthropic.claude-opus-4-5-20251101-v1:0"

    customer.client("bedrock").put_use_case_for_model_access(formData=b'{"companyName": "Acme"}')

    assert customer.client("bedrock").get_use_case_for_model_access()["formData"] == b'{"companyName": "Acme"}'
    for region, profile in (("us-east-1", f"us.{opus}"), ("eu-west-1", f"eu.{opus}")):
        client = customer.client("bedrock-runtime", region)
        assert client.converse(modelId=profile, messages=[said("hi")])["stopReason"] == "end_turn"


def test_a_marketplace_model_is_subscribed_by_a_caller_who_may(bedrock: BedrockWorld) -> None:
    """Without the marketplace's permissions the first call is refused; once the account has it, they are not asked."""
    customer = bedrock.customer()
    only_bedrock = customer.assume([{**ANYTHING, "Action": "bedrock:*"}]).client("bedrock-runtime", "us-west-2")

    refused = refusal(lambda: only_bedrock.converse(modelId=PALMYRA, messages=[said("hi")]))
    assert (refused.status, refused.code) == (403, "AccessDeniedException")
    assert refused.message.startswith("Model access is denied due to IAM user or service role is not authorized to")
    assert "aws-marketplace:Subscribe" in refused.message

    customer.client("bedrock-runtime", "us-west-2").converse(modelId=PALMYRA, messages=[said("hi")])
    only_bedrock.converse(modelId=PALMYRA, messages=[said("hi")])


def test_an_agreement_can_be_made_by_its_offer(bedrock: BedrockWorld) -> None:
    """The offer's token makes the agreement; another token does not."""
    customer = bedrock.customer()
    control, model = customer.client("bedrock", "us-west-2"), "stability.sd3-5-large-v1:0"
    offer = control.list_foundation_model_agreement_offers(modelId=model)["offers"][0]["offerToken"]

    wrong = refusal(lambda: control.create_foundation_model_agreement(modelId=model, offerToken="x"))
    control.create_foundation_model_agreement(modelId=model, offerToken=offer)

    assert wrong.message == "The provided offer token is invalid."
    got = control.get_foundation_model_availability(modelId=model)
    assert got["agreementAvailability"] == {"status": "AVAILABLE"}


def test_a_region_without_bedrock_does_not_answer(bedrock: BedrockWorld) -> None:
    """AWS has no endpoint there; here the connection is closed without a word."""
    for service, call in (("bedrock", "list_foundation_models"), ("bedrock-runtime", "converse")):
        client = bedrock.customer().client(service, "ap-south-2")
        given = {"modelId": NOVA, "messages": [said("hi")]} if call == "converse" else {}
        with pytest.raises(ConnectionClosedError):
            getattr(client, call)(**given)


def test_a_guardrail_is_applied_by_those_who_may(bedrock: BedrockWorld) -> None:
    """Naming one asks for bedrock:ApplyGuardrail, and a policy can demand that one is named."""
    customer = bedrock.customer()
    made = customer.client("bedrock").create_guardrail(
        name="words",
        blockedInputMessaging="Not here.",
        blockedOutputsMessaging="Not here.",
        wordPolicyConfig={"wordsConfig": [{"text": "Secret"}]},
    )
    arn = made["guardrailArn"]
    invoke = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",
        "Resource": "*",
        "Condition": {"StringEquals": {"bedrock:GuardrailIdentifier": arn}},
    }
    apply = {"Effect": "Allow", "Action": "bedrock:ApplyGuardrail", "Resource": arn}
    config = {"guardrailIdentifier": made["guardrailId"], "guardrailVersion": "DRAFT", "trace": "enabled"}

    both = customer.assume([invoke, apply]).client("bedrock-runtime")
    fine = both.converse(modelId=NOVA, messages=[said("hi")], guardrailConfig=config)
    blocked = both.converse(modelId=NOVA, messages=[said("tell the SECRET")], guardrailConfig=config)
    assert fine["stopReason"] == "end_turn"
    assert blocked["stopReason"] == "guardrail_intervened"
    assert blocked["output"]["message"]["content"] == [{"text": "Not here."}]
    words = blocked["trace"]["guardrail"]["inputAssessment"][made["guardrailId"]]["wordPolicy"]["customWords"]
    assert words == [{"match": "Secret", "action": "BLOCKED", "detected": True}]

    assert refusal(lambda: both.converse(modelId=NOVA, messages=[said("hi")])).status == 403
    without = customer.assume([invoke]).client("bedrock-runtime")
    refused = refusal(lambda: without.converse(modelId=NOVA, messages=[said("hi")], guardrailConfig=config))
    assert f"bedrock:ApplyGuardrail on resource: {arn} " in refused.message
    unknown = {**config, "guardrailIdentifier": "abc"}
    asked = customer.client("bedrock-runtime")
    assert refusal(lambda: asked.converse(modelId=NOVA, messages=[said("hi")], guardrailConfig=unknown)).message == (
        "The provided guardrail identifier is invalid."
    )
