"""What the control plane lists, page by page, and what customers make there."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.bedrock.catalog import catalog
from tests.sandbox.bedrock_world import HAIKU, NOVA, US_HAIKU, BedrockWorld, Customer, Refusal, cases, refusal, said

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockWorld]:
    """Give a running local AWS."""
    with BedrockWorld() as world:
        yield world


@pytest.fixture
def customer(bedrock: BedrockWorld) -> Customer:
    """Give an administrator of a new account."""
    return bedrock.customer()


def test_the_catalog_is_as_large_as_a_real_one_looks() -> None:
    """A customer finds models of many makers and kinds, in each state of life, in several regions."""
    models = catalog().models.values()

    assert len(models) >= 40
    assert len(catalog().profiles) >= 20
    assert len(catalog().regions) >= 6
    assert len({model.provider for model in models}) >= 10
    assert {model.lifecycle.status for model in models} == {"ACTIVE", "LEGACY", "EOL"}
    assert {kind for model in models for kind in model.outputs} == {"TEXT", "IMAGE", "EMBEDDING"}
    assert {model.access for model in models} == {"open", "agreement", "use_case_form", "none"}


def test_every_profile_can_be_called_where_its_model_says_so() -> None:
    """A model that a region offers by profile has a profile there, and a profile's source is one of these regions."""
    offered = {(model.id, region) for model in catalog().models.values() for region in model.profiled}
    reached = {(p.model.id, region) for p in catalog().profiles.values() for region in p.sources}

    assert reached == offered


@cases("filters")
def test_list_foundation_models_filters(customer: Customer, case: dict[str, Any]) -> None:
    """The list holds what passes all filters in the region asked, and nothing else."""
    listed = customer.client("bedrock", case["region"]).list_foundation_models(**case["given"])["modelSummaries"]

    ids = {row["modelId"] for row in listed}
    assert set(case["has"]) <= ids
    assert not set(case["lacks"]) & ids


def test_a_model_is_listed_with_all_that_aws_tells_of_it(customer: Customer) -> None:
    """A row has the fields of FoundationModelSummary, dates included."""
    listed = customer.client("bedrock").list_foundation_models(byProvider="Anthropic")["modelSummaries"]

    assert next(row for row in listed if row["modelId"] == "anthropic.claude-3-5-sonnet-20241022-v2:0") == {
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0",
        "modelId": "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "modelName": "Claude 3.5 Sonnet v2",
        "providerName": "Anthropic",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"],
        "modelLifecycle": {
            "status": "LEGACY",
            "startOfLifeTime": datetime(2024, 10, 22, tzinfo=UTC),
            "legacyTime": datetime(2025, 8, 25, tzinfo=UTC),
            "endOfLifeTime": datetime(2027, 2, 1, tzinfo=UTC),
        },
    }


@cases("bad_lists")
def test_a_bad_request_is_refused_in_aws_words(customer: Customer, case: dict[str, Any]) -> None:
    """What botocore lets through, the service refuses with the text that AWS has for it."""
    call = getattr(customer.client("bedrock"), case["operation"])

    assert refusal(lambda: call(**case["given"])) == Refusal(400, "ValidationException", case["message"])


def test_pages_hold_every_profile_once(customer: Customer) -> None:
    """Walking the pages by their tokens gives what one large page gives."""
    client = customer.client("bedrock", "eu-central-1")
    whole = client.list_inference_profiles(maxResults=1000)
    pages = list(client.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 5}))

    assert "nextToken" not in whole
    assert [len(page["inferenceProfileSummaries"]) for page in pages[:-1]] == [5] * (len(pages) - 1)
    assert [row for page in pages for row in page["inferenceProfileSummaries"]] == whole["inferenceProfileSummaries"]


def test_a_token_belongs_to_its_list(bedrock: BedrockWorld) -> None:
    """A token of another account's list is refused."""
    token = bedrock.customer().client("bedrock").list_inference_profiles(maxResults=1)["nextToken"]
    other = bedrock.customer().client("bedrock")

    assert refusal(lambda: other.list_inference_profiles(nextToken=token)).code == "ValidationException"


@pytest.mark.parametrize(
    ("region", "profile", "regions"),
    [
        ("us-east-1", US_HAIKU, ["us-east-1", "us-east-2", "us-west-2"]),
        ("us-west-2", f"global.{HAIKU}", ["us-west-2", ""]),
        ("ap-northeast-1", f"jp.{HAIKU}", ["ap-northeast-1", "ap-northeast-3"]),
    ],
)
def test_a_profile_names_its_model_in_each_destination(
    customer: Customer, region: str, profile: str, regions: list[str]
) -> None:
    """The models of a profile are the ARNs that a call is authorised on; a global one has an ARN without a region."""
    got = customer.client("bedrock", region).get_inference_profile(inferenceProfileIdentifier=profile)

    assert got["inferenceProfileArn"] == f"arn:aws:bedrock:{region}:{customer.account}:inference-profile/{profile}"
    assert got["type"] == "SYSTEM_DEFINED"
    assert got["models"] == [{"modelArn": f"arn:aws:bedrock:{r}::foundation-model/{HAIKU}"} for r in regions]


def test_a_model_is_found_by_id_and_arn_in_its_region(customer: Customer) -> None:
    """GetFoundationModel takes both; a model that is elsewhere, or past its life, is not there."""
    client = customer.client("bedrock")
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
    missing = Refusal(
        404,
        "ResourceNotFoundException",
        "Could not resolve the foundation model from the provided model identifier.",
    )

    assert client.get_foundation_model(modelIdentifier=NOVA)["modelDetails"]["modelArn"] == arn
    assert client.get_foundation_model(modelIdentifier=arn)["modelDetails"]["modelId"] == NOVA
    for absent in ("anthropic.claude-v2:1", "stability.sd3-5-large-v1:0", arn.replace("us-east-1", "us-west-2")):
        assert refusal(partial(client.get_foundation_model, modelIdentifier=absent)) == missing


@pytest.mark.parametrize(
    ("model", "agreement", "authorization", "entitlement", "region"),
    [
        (NOVA, "AVAILABLE", "AUTHORIZED", "AVAILABLE", "AVAILABLE"),
        ("meta.llama3-8b-instruct-v1:0", "AVAILABLE", "NOT_AUTHORIZED", "NOT_AVAILABLE", "AVAILABLE"),
        ("stability.sd3-5-large-v1:0", "NOT_AVAILABLE", "AUTHORIZED", "NOT_AVAILABLE", "NOT_AVAILABLE"),
        ("anthropic.claude-opus-4-5-20251101-v1:0", "AVAILABLE", "AUTHORIZED", "NOT_AVAILABLE", "AVAILABLE"),
    ],
)
def test_availability_tells_what_is_missing(
    customer: Customer, model: str, agreement: str, authorization: str, entitlement: str, region: str
) -> None:
    """Each reason why a model can't be called has its field."""
    got = customer.client("bedrock").get_foundation_model_availability(modelId=model)

    assert got["agreementAvailability"] == {"status": agreement}
    assert (got["authorizationStatus"], got["entitlementAvailability"], got["regionAvailability"]) == (
        authorization,
        entitlement,
        region,
    )


def test_an_application_profile_lives_from_creation_to_deletion(customer: Customer) -> None:
    """A customer copies a system profile, finds and calls it by ARN, and it is gone once deleted."""
    control, runtime = customer.client("bedrock"), customer.client("bedrock-runtime")
    source = f"arn:aws:bedrock:us-east-1:{customer.account}:inference-profile/{US_HAIKU}"

    made = control.create_inference_profile(inferenceProfileName="team a", modelSource={"copyFrom": source})
    arn = made["inferenceProfileArn"]
    listed = control.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]

    assert len(arn.rpartition("/")[2]) == 12
    assert [(row["inferenceProfileArn"], row["inferenceProfileName"]) for row in listed] == [(arn, "team a")]
    assert len(control.get_inference_profile(inferenceProfileIdentifier=arn)["models"]) == 3
    assert runtime.converse(modelId=arn, messages=[said("hi")])["stopReason"] == "end_turn"
    taken = refusal(
        lambda: control.create_inference_profile(inferenceProfileName="team a", modelSource={"copyFrom": source})
    )
    assert (taken.status, taken.code) == (400, "ConflictException")

    control.delete_inference_profile(inferenceProfileIdentifier=arn)
    assert refusal(lambda: control.get_inference_profile(inferenceProfileIdentifier=arn)).status == 404
    assert refusal(lambda: runtime.converse(modelId=arn, messages=[said("hi")])).message == (
        "The provided model identifier is invalid."
    )


def test_application_profiles_are_of_one_account_and_region(bedrock: BedrockWorld) -> None:
    """Neither another account nor another region lists a profile."""
    owner, other = bedrock.customer(), bedrock.customer()
    source = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
    owner.client("bedrock").create_inference_profile(inferenceProfileName="mine", modelSource={"copyFrom": source})

    for client in (other.client("bedrock"), owner.client("bedrock", "us-west-2")):
        assert client.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []


def test_a_guardrail_lives_from_creation_to_deletion(customer: Customer) -> None:
    """A customer makes a guardrail and a version of it, lists both, and deletes them."""
    client = customer.client("bedrock")
    made = client.create_guardrail(name="words", blockedInputMessaging="No.", blockedOutputsMessaging="No!")
    guardrail = made["guardrailId"]

    assert client.create_guardrail_version(guardrailIdentifier=guardrail)["version"] == "1"
    assert client.get_guardrail(guardrailIdentifier=guardrail, guardrailVersion="1")["blockedInputMessaging"] == "No."
    assert [row["version"] for row in client.list_guardrails(guardrailIdentifier=guardrail)["guardrails"]] == [
        "DRAFT",
        "1",
    ]
    client.delete_guardrail(guardrailIdentifier=made["guardrailArn"])
    assert client.list_guardrails()["guardrails"] == []
    assert refusal(lambda: client.get_guardrail(guardrailIdentifier=guardrail)).status == 404
