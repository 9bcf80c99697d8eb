"""Bedrock's control plane. Each operation asks IAM first, on `*` or the ARN that it is about, then reads its input."""

from __future__ import annotations

from moto.bedrock.responses import BedrockResponse

from sandbox.bedrock import access, guardrails, listing, profiles
from sandbox.bedrock.protocol import BedrockService


class SandboxBedrock(BedrockService, BedrockResponse):
    """The service `bedrock`."""

    BOTO_SERVICE = "bedrock"
    OPERATIONS = {  # noqa: RUF012 - BedrockProtocol declares it a ClassVar
        "ListFoundationModels": listing.list_foundation_models,
        "GetFoundationModel": listing.get_foundation_model,
        "GetFoundationModelAvailability": listing.get_foundation_model_availability,
        "ListInferenceProfiles": profiles.list_inference_profiles,
        "GetInferenceProfile": profiles.get_inference_profile,
        "CreateInferenceProfile": profiles.create_inference_profile,
        "DeleteInferenceProfile": profiles.delete_inference_profile,
        "ListFoundationModelAgreementOffers": access.list_offers,
        "CreateFoundationModelAgreement": access.create_agreement,
        "PutUseCaseForModelAccess": access.put_use_case,
        "GetUseCaseForModelAccess": access.get_use_case,
        "CreateGuardrail": guardrails.create_guardrail,
        "GetGuardrail": guardrails.get_guardrail,
        "ListGuardrails": guardrails.list_guardrails,
        "CreateGuardrailVersion": guardrails.create_guardrail_version,
        "DeleteGuardrail": guardrails.delete_guardrail,
    }
