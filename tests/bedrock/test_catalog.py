"""The catalog: what AWS's two lists say together, one rule a case."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.bedrock.catalog import join
from chalicelib.bedrock.failures import Unreachable

ACCOUNT = "arn:aws:bedrock:us-east-1:444455556666"


def _model(model_id: str, *types: str, **more: Any) -> dict[str, Any]:
    return {
        "modelId": model_id,
        "modelName": "A model",
        "providerName": "Maker",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
        "modelLifecycle": {"status": "ACTIVE"},
        **more,
    }


def _profile(profile_id: str, model_id: str, *regions: str, **more: Any) -> dict[str, Any]:
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"{ACCOUNT}:inference-profile/{profile_id}",
        "inferenceProfileName": f"Name of {profile_id}",
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}"} for region in regions],
        **more,
    }


OWN = {"type": "APPLICATION", "inferenceProfileArn": f"{ACCOUNT}:application-inference-profile/a1b2c3"}
CASES = [
    pytest.param([_model("a.one", "ON_DEMAND")], [], ["a.one"], id="on demand"),
    pytest.param([_model("a.one", "INFERENCE_PROFILE")], [], [], id="a model that only profiles lead to"),
    pytest.param(
        [_model("a.one", "INFERENCE_PROFILE")],
        [_profile("us.a.one", "a.one", "us-east-1", "us-west-2")],
        ["us.a.one"],
        id="such a model is shown as its profile",
    ),
    pytest.param(
        [_model("a.one", "ON_DEMAND", "INFERENCE_PROFILE")],
        [_profile("us.a.one", "a.one", "us-east-1"), _profile("global.a.one", "a.one", "us-east-1")],
        ["a.one", "global.a.one", "us.a.one"],
        id="a model both ways is shown both ways",
    ),
    pytest.param([_model("a.one", "PROVISIONED")], [], [], id="provisioned capacity alone"),
    pytest.param([_model("a.one", "ON_DEMAND", outputModalities=["IMAGE"])], [], [], id="an image model"),
    pytest.param([_model("a.one", "ON_DEMAND", outputModalities=["EMBEDDING"])], [], [], id="an embedding model"),
    pytest.param([_model("a.rerank-v1", "ON_DEMAND")], [], [], id="a model that ranks and does not converse"),
    pytest.param([_model("a.one", "ON_DEMAND", modelLifecycle={"status": "EOL"})], [], [], id="past its end"),
    pytest.param([_model("a.one", "ON_DEMAND", modelLifecycle={"status": "LEGACY"})], [], ["a.one"], id="legacy"),
    pytest.param(
        [_model("a.one", "ON_DEMAND")],
        [_profile("x1", "a.one", "us-east-1", **OWN)],
        ["a.one", f"{ACCOUNT}:application-inference-profile/a1b2c3"],
        id="a profile of the customer's goes by its ARN",
    ),
    pytest.param(
        [_model("a.one", "ON_DEMAND")],
        [_profile("us.b.two", "b.two", "us-east-1")],
        ["a.one"],
        id="a profile of no model here",
    ),
    pytest.param(
        [_model("a.one", "INFERENCE_PROFILE")],
        [_profile("us.a.one", "a.one", "us-east-1", status="CREATING")],
        [],
        id="a profile that is not ready",
    ),
    pytest.param([{"modelId": "a.one"}], [{}], [], id="rows that lack everything"),
    pytest.param([_model("a.one", "ON_DEMAND", somethingNew={"x": 1})], [], ["a.one"], id="a field that nobody knows"),
    pytest.param([_model("a.one", "ON_DEMAND"), _model("a.one", "ON_DEMAND")], [], ["a.one"], id="listed twice"),
]


@pytest.mark.parametrize(("models", "profiles", "ids"), CASES)
def test_the_catalog_holds_what_can_be_called(
    models: list[dict[str, Any]], profiles: list[dict[str, Any]], ids: list[str]
) -> None:
    """Each id once, in order, and nothing that Converse would refuse for its kind."""
    assert [model.id for model in join(models, profiles, region="us-east-1").models] == ids


def test_what_is_known_of_a_profile() -> None:
    """A profile has its model's abilities, its own name, and the regions that it leads to."""
    [model] = join(
        [_model("a.one", "INFERENCE_PROFILE", inputModalities=["TEXT", "IMAGE"])],
        [_profile("us.a.one", "a.one", "us-west-2", "us-east-1")],
        region="us-east-1",
    ).models

    assert (model.name, model.provider, model.foundation_model, model.is_profile) == (
        "Name of us.a.one",
        "Maker",
        "a.one",
        True,
    )
    assert (model.input_modalities, model.streaming, model.lifecycle) == (("TEXT", "IMAGE"), True, "ACTIVE")
    assert model.regions == ("us-east-1", "us-west-2")


def test_a_scope_narrows_by_exact_ids_and_keeps_what_failed() -> None:
    """A scope is no pattern; a half that could not be listed stays known."""
    failure = Unreachable("bedrock", "ListInferenceProfiles", "timeout")
    catalog = join(
        [_model("a.one", "ON_DEMAND"), _model("a.one-plus", "ON_DEMAND")], [], region="us-east-1", failures=(failure,)
    )

    assert [model.id for model in catalog.narrowed(["a.one"]).models] == ["a.one"]
    assert catalog.narrowed(["a.one"]).failures == (failure,)
    assert catalog.narrowed(None) is catalog
