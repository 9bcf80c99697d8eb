"""From `modelId` to a model that may answer: what it names, who may call it, and whether the account has it.

The order is AWS's: the ARNs are authorised first, so that a caller without permission learns nothing else; then the
identifier, the model's life, the way it is offered, and the account's access to it. Texts and statuses as reported by
AWS's users; an ARN of another region, partition or kind is "invalid", like an unknown id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.catalog import Model, catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.bedrock.account import BedrockAccount, Place

    Require = Callable[[str, Sequence[str], Mapping[str, str]], None]

_PROVIDER_MODEL: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-zA-Z0-9_-]{1,63})+(?::[a-zA-Z0-9.]{1,63}){0,2}", re.ASCII)
_ARN: Final = re.compile(
    r"arn:(?P<partition>[^:]+):bedrock:(?P<region>[^:]*):(?P<account>[^:]*):(?P<kind>[a-z-]+)/(?P<id>.+)"
)
UNSPECIFIED: Final = "unspecified"
"""What `aws:RequestedRegion` holds while a global profile's model is authorised."""


class Resource(NamedTuple):
    """One ARN to authorise, and the region that a condition sees."""

    arn: str
    region: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a request names. `model` is None when there is no such thing here; that is said only after IAM."""

    given: str
    model: Model | None
    resources: tuple[Resource, ...]
    profile_arn: str | None = None
    foreign: bool = False

    def authorise(self, action: str, require: Require, context: Mapping[str, str]) -> None:
        """Ask IAM about the profile and about the model in every region that it routes to. Raises AwsError."""
        profile = {"bedrock:InferenceProfileArn": self.profile_arn} if self.profile_arn else {}
        for resource in self.resources:
            require(
                action, [resource.arn], {**context, **profile, "aws:RequestedRegion": resource.region or UNSPECIFIED}
            )


def invalid_identifier() -> AwsError:
    """Return the answer to an id that is unknown, malformed or of another region."""
    return AwsError("ValidationException", "The provided model identifier is invalid.", 400)


def find_target(given: str, place: Place, account: BedrockAccount) -> Target:
    """Find what an id or ARN names for a caller at this place. Raises AwsError for what names no model at all."""
    if given.startswith("arn:"):
        return _by_arn(given, place, account)
    profile = catalog().profiles.get(given)
    if profile and place.region in profile.sources:
        return _profile_target(
            given, place, f"inference-profile/{given}", profile.model, profile.model_regions(place.region)
        )
    if not _PROVIDER_MODEL.fullmatch(given):
        raise invalid_identifier()
    return _model_target(given, given, place)


def _by_arn(given: str, place: Place, account: BedrockAccount) -> Target:
    match = _ARN.fullmatch(given)
    if not match or (match["partition"], match["region"]) != (place.partition, place.region):
        raise invalid_identifier()
    kind, name = match["kind"], match["id"]
    if kind == "foundation-model" and not match["account"]:
        return _model_target(given, name, place)
    here = Resource(given, place.region)
    if match["account"] != place.account:
        return Target(given, None, (here,), foreign=True)
    if kind == "inference-profile":
        profile = catalog().profiles.get(name)
        if profile and place.region in profile.sources:
            return _profile_target(given, place, f"{kind}/{name}", profile.model, profile.model_regions(place.region))
    own = account.profiles.get(given)
    if own:
        return _profile_target(given, place, f"{kind}/{name}", own.model, own.model_regions)
    return Target(given, None, (here,))


def _model_target(given: str, model_id: str, place: Place) -> Target:
    model = catalog().models.get(model_id)
    if model and not model.inference_types(place.region):
        model = None
    arn = f"arn:{place.partition}:bedrock:{place.region}::foundation-model/{model_id}"
    return Target(given, model, (Resource(arn, place.region),))


def _profile_target(given: str, place: Place, resource: str, model: Model, regions: tuple[str, ...]) -> Target:
    arn = place.arn(resource)
    models = [Resource(model.arn(place.partition, region), region) for region in regions]
    return Target(given, model, (Resource(arn, place.region), *models), arn)


def admitted(
    target: Target, action: str, caller_arn: str, place: Place, account: BedrockAccount, require: Require
) -> Model:
    """Return the model once the account may use it. Call it after `authorise`. Raises AwsError."""
    model = target.model
    if target.foreign:
        # No resource of Bedrock's is shared with other accounts here, and without that the owner's side is silent.
        raise AwsError(
            "AccessDeniedException",
            f"User: {caller_arn} is not authorized to perform: {action} on resource: {target.given} because no "
            f"resource-based policy allows the {action} action",
            403,
        )
    if model is None:
        raise invalid_identifier()
    _check_life(model)
    if target.profile_arn is None and "ON_DEMAND" not in model.inference_types(place.region):
        raise AwsError(
            "ValidationException",
            f"Invocation of model ID {target.given} with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t "
            "supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            400,
        )
    check_access(model, account, require)
    return model


def _check_life(model: Model) -> None:
    if model.lifecycle.status == "EOL":
        raise AwsError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. Please refer to the AWS documentation for more "
            "details.",
            404,
        )
    if model.closed_to_new_use:
        raise AwsError(
            "ResourceNotFoundException",
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model "
            "in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
            404,
        )


def check_access(model: Model, account: BedrockAccount, require: Require) -> None:
    """Raise AwsError unless the model lives and the account has access to it."""
    _check_life(model)
    if model.access == "none":
        raise AwsError("AccessDeniedException", "You don't have access to the model with the specified model ID.", 403)
    if model.access == "use_case_form" and account.use_case_form is None:
        raise AwsError(
            "ResourceNotFoundException",
            "Model use case details have not been submitted for this account. Fill out the Anthropic use case details "
            "form before using the model. If you have already filled out the form, try again in 15 minutes.",
            404,
        )
    if model.access == "agreement" and model.id not in account.agreements:
        # The first call subscribes the account, when the caller may subscribe.
        try:
            require("aws-marketplace:ViewSubscriptions", ["*"], {})
            require("aws-marketplace:Subscribe", ["*"], {})
        except AwsError as refusal:
            _refuse_marketplace(refusal)
        account.agreements.add(model.id)


def _refuse_marketplace(refusal: AwsError) -> NoReturn:
    raise AwsError(
        "AccessDeniedException",
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
        "Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this "
        "model. Refer to the Amazon Bedrock documentation for further details. Your AWS Marketplace subscription for "
        "this model cannot be completed at this time. If you recently fixed this issue, try again after 2 minutes.",
        403,
    ) from refusal
