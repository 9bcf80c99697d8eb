"""The catalog: what a grant can call in a region, foundation models and inference profiles joined.

ListFoundationModels says how each model may be called, and pages nothing; ListInferenceProfiles pages, and tells AWS's
profiles and the customer's own apart. A model that is offered on demand is called by its own id; one that is not is
called through a profile, so it is shown as its profiles.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.wire import LIST_FOUNDATION_MODELS, LIST_INFERENCE_PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.bedrock.wire import Credentials, Wire

_PAGE: Final = "1000"
_MOST_PAGES: Final = 20
_PROFILE_TYPES: Final = ("SYSTEM_DEFINED", "APPLICATION")
"""Without a type AWS lists its own profiles alone."""
_NOT_FOR_CHATS: Final = ("rerank",)
"""Parts of the ids of models that take and give text and still do not converse (Bedrock user guide, 2026-11)."""


@dataclass(frozen=True, slots=True)
class Model:
    """Something that can be called: a foundation model, or an inference profile.

    `id` is what Converse takes; `foundation_model` the model behind a profile, else the same; `regions` where a call
    may be answered. An application profile's id is its ARN, and `name` what the customer called it.
    """

    id: str
    name: str
    provider: str
    foundation_model: str
    is_profile: bool
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    streaming: bool
    lifecycle: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models in order of their ids, and what could not be listed: one half denied does not hide the other."""

    models: tuple[Model, ...]
    failures: tuple[AwsError | Unreachable, ...] = ()

    def narrowed(self, scope: Iterable[str] | None) -> Catalog:
        """Return the models of a model scope; None leaves all."""
        if scope is None:
            return self
        wanted = frozenset(scope)
        return replace(self, models=tuple(model for model in self.models if model.id in wanted))


def list_models(wire: Wire, credentials: Credentials, region: str) -> Catalog:
    """Ask for the lists side by side and join them; failures come with the catalog instead of being raised."""
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="catalog") as pool:
        asked = (
            pool.submit(_foundation_models, wire, credentials, region),
            *(pool.submit(_inference_profiles, wire, credentials, region, kind) for kind in _PROFILE_TYPES),
        )
    failures: list[AwsError | Unreachable] = []
    answers: list[list[dict[str, Any]]] = []
    for future in asked:
        try:
            answers.append(future.result())
        except (AwsError, Unreachable) as failure:
            failures.append(failure)
            answers.append([])
    models, *profiles = answers
    return join(models, chain(*profiles), region=region, failures=tuple(failures))


def join(
    models: Iterable[Mapping[str, Any]],
    profiles: Iterable[Mapping[str, Any]],
    *,
    region: str,
    failures: tuple[AwsError | Unreachable, ...] = (),
) -> Catalog:
    """Return the catalog of the two lists as AWS answers them. Models that give no text are left out."""
    by_id = {str(row["modelId"]): row for row in models if "modelId" in row}
    found = {model.id: model for model in _on_demand(by_id.values(), region)}
    found |= {model.id: model for model in _through_profiles(profiles, by_id)}
    return Catalog(tuple(found[name] for name in sorted(found)), failures)


def _foundation_models(wire: Wire, credentials: Credentials, region: str) -> list[dict[str, Any]]:
    answer = wire.call(credentials, region, LIST_FOUNDATION_MODELS)
    rows: list[dict[str, Any]] = answer.body.get("modelSummaries") or []
    return rows


def _inference_profiles(wire: Wire, credentials: Credentials, region: str, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    query = {"maxResults": _PAGE, "type": kind}
    for _ in range(_MOST_PAGES):
        answer = wire.call(credentials, region, LIST_INFERENCE_PROFILES, query=query).body
        rows += answer.get("inferenceProfileSummaries") or []
        token = answer.get("nextToken")
        if not token:
            break
        query = {**query, "nextToken": str(token)}
    return rows


def _on_demand(rows: Iterable[Mapping[str, Any]], region: str) -> Iterator[Model]:
    for row in rows:
        if "ON_DEMAND" in row.get("inferenceTypesSupported", ()) and _converses(row) and _lifecycle(row) != "EOL":
            model_id = str(row["modelId"])
            yield _model(row, model_id, str(row.get("modelName") or model_id), is_profile=False, regions=(region,))


def _through_profiles(
    profiles: Iterable[Mapping[str, Any]], models: Mapping[str, Mapping[str, Any]]
) -> Iterator[Model]:
    for profile in profiles:
        if profile.get("status", "ACTIVE") != "ACTIVE":
            continue
        arns = [str(entry.get("modelArn", "")) for entry in profile.get("models") or []]
        names = {arn.rpartition("/")[2] for arn in arns}
        row = next((models[name] for name in sorted(names) if name in models), None)
        # The region's own list says what a model can do; without its row nothing is known of the profile's.
        if row is None or not _converses(row) or _lifecycle(row) == "EOL":
            continue
        own = profile.get("type") == "APPLICATION"
        profile_id = str(profile.get("inferenceProfileArn" if own else "inferenceProfileId"))
        regions = tuple(sorted({arn.split(":", 5)[3] for arn in arns if arn.count(":") >= 5} - {""}))
        name = str(profile.get("inferenceProfileName") or profile_id)
        yield _model(row, profile_id, name, is_profile=True, regions=regions)


def _model(row: Mapping[str, Any], model_id: str, name: str, *, is_profile: bool, regions: tuple[str, ...]) -> Model:
    return Model(
        id=model_id,
        name=name,
        provider=str(row.get("providerName") or row["modelId"].partition(".")[0]),
        foundation_model=str(row["modelId"]),
        is_profile=is_profile,
        input_modalities=tuple(row.get("inputModalities") or ()),
        output_modalities=tuple(row.get("outputModalities") or ()),
        streaming=bool(row.get("responseStreamingSupported")),
        lifecycle=_lifecycle(row),
        regions=regions,
    )


def _converses(row: Mapping[str, Any]) -> bool:
    if any(part in str(row["modelId"]) for part in _NOT_FOR_CHATS):
        return False
    return "TEXT" in (row.get("outputModalities") or ()) and "TEXT" in (row.get("inputModalities") or ())


def _lifecycle(row: Mapping[str, Any]) -> str:
    return str((row.get("modelLifecycle") or {}).get("status") or "ACTIVE")
