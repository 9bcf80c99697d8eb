"""The catalog: what AWS's two lists say together, one rule a case."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.bedrock.catalog import Catalog, join, list_models
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.wire import Wire
from tests.bedrock.far_side import Step, error

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bedrock.conftest import Start

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
    pytest.param([{}, {"modelId": None}, _model("a.one", "ON_DEMAND")], [], ["a.one"], id="a row without an id"),
    pytest.param(
        [_model("a.one", "ON_DEMAND", inputModalities=None, modelLifecycle="x"), _model("a.two", "ON_DEMAND")],
        [{"models": [None, {"modelArn": 5}], "inferenceProfileId": "us.a.one"}, {"models": "x"}],
        ["a.two"],
        id="values of other types",
    ),
    pytest.param(
        [_model("a.one", "INFERENCE_PROFILE")],
        [_profile("us.a.one", "a.one", "us-east-1", inferenceProfileId=None)],
        [],
        id="a profile without an id",
    ),
    pytest.param(
        [_model("a.one", "INFERENCE_PROFILE", modelLifecycle={"status": "EOL"})],
        [_profile("us.a.one", "a.one", "us-east-1")],
        [],
        id="a profile of a model past its end",
    ),
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
        [_profile("us.a.one", "a.one", "us-west-2", "us-east-1", "")],
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


def test_profiles_are_shown_when_models_could_not_be_listed() -> None:
    """What a profile says of itself is shown; what only the models' list knows is left open, not made up."""
    profiles = [
        _profile("us.a.one", "a.one", "us-east-1", "us-west-2"),
        _profile("us.stability.image-v1", "stability.image-v1", "us-east-1"),
        _profile("x1", "a.two", "us-east-1", **OWN),
        {"inferenceProfileId": "us.nameless", "models": [{"modelArn": 5}]},
    ]
    own, one = join(None, profiles, region="us-east-1").models

    assert own.id == OWN["inferenceProfileArn"]
    assert (one.id, one.name, one.provider, one.foundation_model) == ("us.a.one", "Name of us.a.one", "a", "a.one")
    assert (one.input_modalities, one.output_modalities, one.streaming) == ((), (), None)
    assert (one.lifecycle, one.regions) == ("ACTIVE", ("us-east-1", "us-west-2"))


DENIED = error(403, "AccessDeniedException", "not authorized to perform: bedrock:List")


def _answered(rows: dict[str, Any], **more: Any) -> Step:
    return Step(body=json.dumps({**rows, **more}).encode())


def _aws(request: dict[str, Any]) -> Step:
    """Answer as Bedrock does: one list of models, profiles by type and in pages."""
    path = request["path"]
    if path == "/foundation-models":
        return _answered({"modelSummaries": [_model("a.one", "ON_DEMAND", "INFERENCE_PROFILE")]})
    if "type=APPLICATION" in path:
        return _answered({"inferenceProfileSummaries": [_profile("x1", "a.one", "us-east-1", **OWN)]})
    if "nextToken=p%202%2B" in path:
        return _answered({"inferenceProfileSummaries": [_profile("us.a.one", "a.one", "us-east-1")]})
    return _answered({"inferenceProfileSummaries": [_profile("eu.a.one", "a.one", "eu-west-1")]}, nextToken="p 2+")


def _denying(part: str) -> Callable[[dict[str, Any]], Step]:
    return lambda request: DENIED if part in request["path"] else _aws(request)


def _list(start: Start, answers: Callable[[dict[str, Any]], Step]) -> tuple[Catalog, list[str]]:
    far = start(choose=answers)
    catalog = list_models(Wire(endpoint=far.url), Credentials("a", "b", "c"), "us-east-1")
    return catalog, sorted(request["path"] for request in far.requests)


def test_the_lists_are_asked_for_with_all_their_pages(start: Start) -> None:
    """One call for the models, one for each page of AWS's profiles and of the customer's own."""
    catalog, paths = _list(start, _aws)

    assert [model.id for model in catalog.models] == ["a.one", OWN["inferenceProfileArn"], "eu.a.one", "us.a.one"]
    assert catalog.failures == ()
    assert paths == [
        "/foundation-models",
        "/inference-profiles?maxResults=1000&type=APPLICATION",
        "/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED",
        "/inference-profiles?maxResults=1000&type=SYSTEM_DEFINED&nextToken=p%202%2B",
    ]


@pytest.mark.parametrize(
    ("part", "ids", "operations"),
    [
        pytest.param(
            "foundation-models",
            [OWN["inferenceProfileArn"], "eu.a.one", "us.a.one"],
            ["ListFoundationModels"],
            id="the models",
        ),
        pytest.param("profiles", ["a.one"], ["ListInferenceProfiles"] * 2, id="the profiles"),
        pytest.param(
            "APPLICATION", ["a.one", "eu.a.one", "us.a.one"], ["ListInferenceProfiles"], id="the customer's profiles"
        ),
        pytest.param(
            "nextToken",
            ["a.one", OWN["inferenceProfileArn"], "eu.a.one"],
            ["ListInferenceProfiles"],
            id="the second page of profiles",
        ),
        pytest.param("/", [], ["ListFoundationModels", *["ListInferenceProfiles"] * 2], id="everything"),
    ],
)
def test_a_denied_half_does_not_hide_the_other(start: Start, part: str, ids: list[str], operations: list[str]) -> None:
    """What could be listed is there, with each failure beside it."""
    catalog, _ = _list(start, _denying(part))

    assert [model.id for model in catalog.models] == ids
    assert [failure.operation for failure in catalog.failures] == operations
    assert all(isinstance(failure, AwsError) and failure.status == 403 for failure in catalog.failures)


def test_pages_without_an_end_end(start: Start) -> None:
    """A token that leads to itself costs twenty calls and no more."""
    endless = _answered({"inferenceProfileSummaries": [_profile("us.a.one", "a.one", "us-east-1")]}, nextToken="again")
    catalog, paths = _list(start, lambda request: endless if "profiles" in request["path"] else _aws(request))

    assert [model.id for model in catalog.models] == ["a.one", "us.a.one"]
    assert len(paths) == 1 + 2 * 20


def test_the_lists_are_asked_for_side_by_side(start: Start) -> None:
    """None of the three is answered before all of them were asked for."""
    all_asked = threading.Barrier(3, timeout=30)

    def together(request: dict[str, Any]) -> Step:
        all_asked.wait()
        return _answered({"modelSummaries": [], "inferenceProfileSummaries": []})

    catalog, paths = _list(start, together)
    assert (catalog.failures, len(paths)) == ((), 3)
