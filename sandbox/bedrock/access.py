"""Access to models that are not open to every account: AWS Marketplace agreements, and Anthropic's use-case form."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.catalog import Model, catalog
from sandbox.bedrock.listing import no_such_model

if TYPE_CHECKING:
    from sandbox.bedrock.protocol import Answer, BedrockService


def list_offers(service: BedrockService) -> Answer:
    """Answer the one offer of a model that is sold through AWS Marketplace."""
    service.require("bedrock:ListFoundationModelAgreementOffers", ["*"], {})
    model = _sold_model(service.checked_request()["modelId"])
    token = _offer_token(model)
    terms = {
        "usageBasedPricingTerm": {"rateCard": [{"dimension": "tokens", "price": "0", "unit": "1K tokens"}]},
        "legalTerm": {"url": "https://aws.amazon.com/marketplace"},
        "supportTerm": {"refundPolicyDescription": "None: the local AWS charges nothing."},
    }
    offer = {"offerId": token[:12], "offerToken": token, "termDetails": terms}
    return service.answer({"modelId": model.id, "offers": [offer]})


def create_agreement(service: BedrockService) -> Answer:
    """Subscribe the account to a model."""
    service.require("bedrock:CreateFoundationModelAgreement", ["*"], {})
    request = service.checked_request()
    model = _sold_model(request["modelId"])
    if request["offerToken"] != _offer_token(model):
        raise AwsError("ValidationException", "The provided offer token is invalid.", 400)
    service.require("aws-marketplace:Subscribe", ["*"], {})
    service.holdings.agreements.add(model.id)
    return service.answer({"modelId": model.id}, 202)


def put_use_case(service: BedrockService) -> Answer:
    """Take Anthropic's form for the whole account."""
    service.require("bedrock:PutUseCaseForModelAccess", ["*"], {})
    service.holdings.use_case_form = service.checked_request()["formData"]
    return service.answer({}, 201)


def get_use_case(service: BedrockService) -> Answer:
    """Answer the form that was handed in."""
    service.require("bedrock:GetUseCaseForModelAccess", ["*"], {})
    form = service.holdings.use_case_form
    if form is None:
        raise AwsError("ResourceNotFoundException", "No use case details have been submitted.", 404)
    return service.answer({"formData": base64.b64encode(form).decode("ascii")})


def _sold_model(model_id: str) -> Model:
    model = catalog().models.get(model_id)
    if model is None or model.access != "agreement":
        raise no_such_model()
    return model


def _offer_token(model: Model) -> str:
    return hashlib.sha256(model.id.encode()).hexdigest()
