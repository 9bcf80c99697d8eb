"""Long model scopes: the policies keep to AWS's limits, and stay as narrow as these allow."""

from __future__ import annotations

import json

import pytest

from chalicelib.onboarding.connection import Guardrail
from chalicelib.onboarding.documents import permissions_policy, session_policy, templates
from tests.onboarding.document_forms import CUSTOMER, allowed_by, connection

INVOKE = "bedrock:InvokeModel"
HERE = "arn:aws:bedrock:us-east-1"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
OWN_PROFILE = f"{HERE}:{CUSTOMER}:application-inference-profile/abc123def456"
BOTH = {"permissions", "session"}
FAMILIES = [
    f"{provider}.{family}"
    for provider, family in [
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("anthropic", "claude-opus-4-1-20250805"),
        ("anthropic", "claude-haiku-4-5-20251001"),
        ("meta", "llama4-maverick-17b-instruct"),
        ("stability", "stable-image-style-transfer"),
        ("mistral", "mistral-large-2411-instruct"),
        ("nvidia", "nemotron-nano-12b-instruct"),
        ("qwen", "qwen3-coder-480b-a35b-instruct"),
        ("twelvelabs", "marengo-embed-3-0-longest"),
        ("amazon", "titan-embed-image-generator"),
    ]
]
LONG_IDS = [f"{family}-v{version}:0" for family in FAMILIES for version in range(1, 11)]
LONG = {
    "models": ("us-east-1", LONG_IDS),
    "profiles": ("us-east-1", [f"global.{model}" for model in LONG_IDS]),
    "profiles in GovCloud": ("us-gov-west-1", [f"us-gov.{model}" for model in LONG_IDS]),
    "own profiles": (
        "us-east-1",
        [f"{HERE}:{CUSTOMER}:application-inference-profile/abcdefghij{n:02}" for n in range(100)],
    ),
    "provisioned models": ("us-east-1", [f"{HERE}:{CUSTOMER}:provisioned-model/abcdefghij{n:02}" for n in range(100)]),
    "ids as long as they may be": ("us-east-1", [f"p{n:02}.{'m' * 252}" for n in range(100)]),
    "some of each": (
        "us-east-1",
        [*LONG_IDS[:40], *(f"us.{model}" for model in LONG_IDS[40:80]), OWN_PROFILE],
    ),
}


def _needed(model: str, region: str, partition: str) -> list[tuple[str, str | None]]:
    """Return what AWS asks for when this model is called: resources, and the profile that leads to them."""
    here = f"arn:{partition}:bedrock:{region}"
    if model.startswith("arn:"):
        behind = [(f"{HERE}::foundation-model/{SONNET}", model)] if "application" in model else []
        return [(model, None), *behind]
    geography, _, behind_profile = model.partition(".")
    if geography in {"us", "us-gov", "global"}:
        profile = f"{here}:{CUSTOMER}:inference-profile/{model}"
        other = f"arn:{partition}:bedrock:us-west-2::foundation-model/{behind_profile}"
        return [(profile, None), (other, profile)]
    return [(f"{here}::foundation-model/{model}", None)]


@pytest.mark.parametrize("count", [1, 15, 25, 50, 100])
@pytest.mark.parametrize(("region", "models"), LONG.values(), ids=LONG)
def test_a_long_scope_fits_and_all_of_it_is_allowed(region: str, models: list[str], count: int) -> None:
    """With up to a hundred long ids both policies keep to their limits, and every model in scope can be called."""
    subject = connection(region=region, models=tuple(models[:count]), guardrail=Guardrail("gr1abcdefghi", "1"))
    partition = "aws" if region == "us-east-1" else "aws-us-gov"

    assert len(templates.compact(permissions_policy(subject))) <= 6144
    assert len(session_policy(subject)) <= 1800
    for model in subject.models or ():
        for resource, through in _needed(model, region, partition):
            assert allowed_by(subject, INVOKE, resource, through) == BOTH


@pytest.mark.parametrize(
    ("models", "outside"),
    [
        (LONG_IDS, "cohere.command-r-plus-v1:0"),
        (LONG_IDS, "anthropic.claude-3-haiku-20240307-v1:0"),
        ([f"us.{model}" for model in LONG_IDS], "cohere.command-r-plus-v1:0"),
    ],
)
def test_a_long_scope_is_widened_to_families_at_most(models: list[str], outside: str) -> None:
    """A hundred long ids still leave other families of models out of the role's policy."""
    subject = connection(account_id=CUSTOMER, models=tuple(models))
    profile = f"{HERE}:{CUSTOMER}:inference-profile/us.{outside}"

    assert "permissions" not in allowed_by(subject, INVOKE, f"{HERE}::foundation-model/{outside}")
    assert "permissions" not in allowed_by(subject, INVOKE, f"{HERE}::foundation-model/{outside}", profile)
    assert "permissions" not in allowed_by(subject, INVOKE, profile)


@pytest.mark.parametrize("count", [1, 10, 15])
def test_a_usual_scope_is_exact(count: int) -> None:
    """Up to fifteen profiles no id is shortened, and each model is bound to its profiles."""
    text = json.dumps(permissions_policy(connection(models=tuple(f"us.{model}" for model in LONG_IDS[:count]))))

    assert text.count("inference-profile/us.") == 2 * count
    assert "-*" not in text
