"""Inference profiles: AWS's own, and application profiles, which customers copy from a model or from one of those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.aws.authentication import AwsError
from sandbox.bedrock.account import ApplicationProfile, now, timestamp
from sandbox.bedrock.catalog import Model, SystemProfile, catalog
from sandbox.bedrock.paging import page_start, page_token
from sandbox.bedrock.targets import invalid_identifier

if TYPE_CHECKING:
    from sandbox.bedrock.account import Place
    from sandbox.bedrock.protocol import Answer, BedrockService

_PAGE: Final = 100


@dataclass(frozen=True)
class _Row:
    """A profile, AWS's or the customer's, as the list shows it."""

    arn: str
    name: str
    description: str | None
    model: Model
    regions: tuple[str, ...]
    created: str
    type: str

    def shown(self, place: Place) -> dict[str, Any]:
        return {
            "inferenceProfileName": self.name,
            **({"description": self.description} if self.description else {}),
            "createdAt": self.created,
            "updatedAt": self.created,
            "inferenceProfileArn": self.arn,
            "models": [{"modelArn": self.model.arn(place.partition, region)} for region in self.regions],
            "inferenceProfileId": self.arn.rpartition("/")[2],
            "status": "ACTIVE",
            "type": self.type,
        }


def _system_row(profile: SystemProfile, place: Place) -> _Row:
    arn, regions = place.arn(f"inference-profile/{profile.id}"), profile.model_regions(place.region)
    created = f"{profile.created}T00:00:00Z"
    return _Row(arn, profile.name, profile.description, profile.model, regions, created, "SYSTEM_DEFINED")


def _own_row(profile: ApplicationProfile) -> _Row:
    created = timestamp(profile.created)
    return _Row(
        profile.arn, profile.name, profile.description, profile.model, profile.model_regions, created, "APPLICATION"
    )


def _rows(service: BedrockService, kind: str) -> list[_Row]:
    if kind == "SYSTEM_DEFINED":
        return [_system_row(profile, service.place) for profile in catalog().profiles_in(service.region)]
    prefix = service.place.arn("application-inference-profile/")
    return [_own_row(p) for p in list(service.holdings.profiles.values()) if p.arn.startswith(prefix)]


def _arn_asked_for(service: BedrockService) -> str:
    given = service.path_labels["inferenceProfileIdentifier"]
    if given.startswith("arn:"):
        return given
    kind = "inference-profile" if given in catalog().profiles else "application-inference-profile"
    return service.place.arn(f"{kind}/{given}")


def list_inference_profiles(service: BedrockService) -> Answer:
    """Answer one page of the region's profiles of one type: AWS's own when none is named."""
    service.require("bedrock:ListInferenceProfiles", ["*"], {})
    request = service.checked_request()
    kind = request.get("typeEquals", "SYSTEM_DEFINED")
    rows = _rows(service, kind)
    scope = service.place.arn(kind)
    start = page_start(scope, request.get("nextToken"), len(rows))
    end = start + request.get("maxResults", _PAGE)
    body: dict[str, Any] = {"inferenceProfileSummaries": [row.shown(service.place) for row in rows[start:end]]}
    if end < len(rows):
        body["nextToken"] = page_token(scope, end)
    return service.answer(body)


def get_inference_profile(service: BedrockService) -> Answer:
    """Answer one profile, by id or ARN."""
    arn = _arn_asked_for(service)
    service.require("bedrock:GetInferenceProfile", [arn], {})
    service.checked_request()
    rows = _rows(service, "SYSTEM_DEFINED") + _rows(service, "APPLICATION")
    found = next((row for row in rows if row.arn == arn), None)
    if found is None:
        raise _no_such_profile()
    return service.answer(found.shown(service.place))


def create_inference_profile(service: BedrockService) -> Answer:
    """Make an application profile of an on-demand model of this region, or of a system profile."""
    place, account = service.place, service.holdings
    service.require("bedrock:CreateInferenceProfile", [place.arn("application-inference-profile/*")], {})
    request = service.checked_request()
    source = request["modelSource"]["copyFrom"]
    service.require("bedrock:CreateInferenceProfile", [source], {})
    model, regions = _copied(source, place)
    name = request["inferenceProfileName"]
    if any(row.name == name for row in _rows(service, "APPLICATION")):
        raise AwsError("ConflictException", f"The inference profile name {name} is already in use.", 400)
    arn = place.arn(f"application-inference-profile/{account.next_id()}")
    account.profiles[arn] = ApplicationProfile(arn, name, request.get("description"), model, regions, now())
    return service.answer({"inferenceProfileArn": arn, "status": "ACTIVE"}, 201)


def _copied(source: str, place: Place) -> tuple[Model, tuple[str, ...]]:
    for profile in catalog().profiles_in(place.region):
        if source == place.arn(f"inference-profile/{profile.id}"):
            return profile.model, profile.model_regions(place.region)
    for model in catalog().models_in(place.region):
        if source == model.arn(place.partition, place.region) and place.region in model.on_demand:
            return model, (place.region,)
    raise invalid_identifier()


def delete_inference_profile(service: BedrockService) -> Answer:
    """Delete an application profile; those that AWS defines can't be."""
    arn = _arn_asked_for(service)
    service.require("bedrock:DeleteInferenceProfile", [arn], {})
    service.checked_request()
    if not arn.startswith(service.place.arn("")) or service.holdings.profiles.pop(arn, None) is None:
        raise _no_such_profile()
    return service.answer({})


def _no_such_profile() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified inference profile could not be found.", 404)
