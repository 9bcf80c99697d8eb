"""Foundation models as the control plane shows them: the list with its filters, one model, and its availability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.catalog import Model, catalog

if TYPE_CHECKING:
    from sandbox.bedrock.account import Place
    from sandbox.bedrock.protocol import Answer, BedrockService


def summary(model: Model, place: Place) -> dict[str, Any]:
    """Return a FoundationModelSummary."""
    return {
        "modelArn": model.arn(place.partition, place.region),
        "modelId": model.id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": list(model.inputs),
        "outputModalities": list(model.outputs),
        "responseStreamingSupported": model.streams,
        "customizationsSupported": list(model.customizations),
        "inferenceTypesSupported": model.inference_types(place.region),
        "modelLifecycle": {
            "status": model.lifecycle.status,
            **{name: f"{day}T00:00:00Z" for name, day in model.lifecycle.dates},
        },
    }


def list_foundation_models(service: BedrockService) -> Answer:
    """Answer all models of the region that pass the filters; the list has no pages."""
    service.require("bedrock:ListFoundationModels", ["*"], {})
    request = service.checked_request()
    provider = request.get("byProvider", "").lower()
    wanted = [
        (request.get("byCustomizationType"), "customizationsSupported"),
        (request.get("byOutputModality"), "outputModalities"),
        (request.get("byInferenceType"), "inferenceTypesSupported"),
    ]
    rows = [summary(model, service.place) for model in catalog().models_in(service.region)]
    kept = [
        row
        for row in rows
        if provider in row["providerName"].lower() and all(not value or value in row[key] for value, key in wanted)
    ]
    return service.answer({"modelSummaries": kept})


def get_foundation_model(service: BedrockService) -> Answer:
    """Answer one model, by id or ARN."""
    given = service.path_labels["modelIdentifier"]
    model_id = given.rpartition("/")[2]
    arn = f"arn:{service.partition}:bedrock:{service.region}::foundation-model/{model_id}"
    service.require("bedrock:GetFoundationModel", [arn], {})
    service.checked_request()
    model = next((m for m in catalog().models_in(service.region) if m.id == model_id), None)
    if model is None or given not in (model_id, arn):
        raise no_such_model()
    return service.answer({"modelDetails": summary(model, service.place)})


def get_foundation_model_availability(service: BedrockService) -> Answer:
    """Answer why a model can or can't be called: agreement, grant, entitlement and region."""
    service.require("bedrock:GetFoundationModelAvailability", ["*"], {})
    model = catalog().models.get(service.checked_request()["modelId"])
    if model is None or model.lifecycle.status == "EOL":
        raise no_such_model()
    account = service.holdings
    agreed = model.access != "agreement" or model.id in account.agreements
    formed = model.access != "use_case_form" or account.use_case_form is not None
    granted = model.access != "none"
    return service.answer(
        {
            "modelId": model.id,
            "agreementAvailability": {"status": _availability(agreed)},
            "authorizationStatus": "AUTHORIZED" if granted else "NOT_AUTHORIZED",
            "entitlementAvailability": _availability(agreed and formed and granted),
            "regionAvailability": _availability(bool(model.inference_types(service.region))),
        }
    )


def _availability(there: bool) -> str:
    return "AVAILABLE" if there else "NOT_AVAILABLE"


def no_such_model() -> AwsError:
    """Return the control plane's answer to an unknown model."""
    text = "Could not resolve the foundation model from the provided model identifier."
    return AwsError("ResourceNotFoundException", text, 404)
