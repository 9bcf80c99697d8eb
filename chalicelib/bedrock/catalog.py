"""The catalog: what a grant can call in a region, foundation models and inference profiles joined.

ListFoundationModels says how each model may be called, and pages nothing; ListInferenceProfiles pages, and tells AWS's
profiles and the customer's own apart. A model that is offered on demand is called by its own id; one that is not is
called through a profile, so it is shown as its profiles.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from chalicelib.bedrock.claude_names import claude_called
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.operations import LIST_FOUNDATION_MODELS, LIST_INFERENCE_PROFILES
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.bedrock.signing import Signer
    from chalicelib.bedrock.wire import Wire

_PAGE: Final = "1000"
_MOST_PAGES: Final = 20
_SECONDS: Final = 20.0
_PROFILE_TYPES: Final = ("SYSTEM_DEFINED", "APPLICATION")
"""Without a type AWS lists its own profiles alone."""
_NOT_FOR_CHATS: Final = ("rerank",)
"""Parts of the ids of models that take and give text and still do not converse (Bedrock user guide, 2026-11)."""
_NOT_FOR_TEXT: Final = ("embed", "stability.", "canvas", "reel", "sonic", "twelvelabs.", "luma.")
"""Parts of the ids of models that give no text. Only asked where the list that says so was denied (as above)."""


@dataclass(frozen=True, slots=True)
class Model:
    """Something that can be called: a foundation model, or an inference profile.

    `id` is what Converse takes; `foundation_model` the model behind a profile, else the same; `regions` where a call
    may be answered. An application profile's id is its ARN, and `name` what the customer called it. Modalities are
    empty and `streaming` is None where AWS did not say; `lifecycle` is ACTIVE or LEGACY.
    """

    id: str
    name: str
    provider: str
    foundation_model: str
    is_profile: bool
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    streaming: bool | None
    lifecycle: str
    regions: tuple[str, ...]
    routes: tuple[str, ...] = ()
    """The ARNs of the foundation models that a profile leads to, one for each region, as AWS lists them."""

    @property
    def is_own(self) -> bool:
        """Whether it is an application profile, which the customer made and named."""
        return self.is_profile and self.id.startswith("arn:")

    def details(self) -> dict[str, object]:
        """Return as JSON values what OpenAI's object of a model has no field for."""
        return {
            "profile": self.is_profile,
            "foundation_model": self.foundation_model,
            "input_modalities": [*self.input_modalities],
            "output_modalities": [*self.output_modalities],
            "streaming": self.streaming,
            "lifecycle": self.lifecycle,
            "regions": [*self.regions],
        }


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

    def find(self, name: str) -> Model | None:
        """Return the model of this id; else the customer's profile of this name or short id, if there is one alone.

        Else the Claude that Anthropic's own API calls so, as coding agents do.
        """
        for model in self.models:
            if model.id == name:
                return model
        named = [model for model in self.models if model.is_own and name in {model.name, model.id.rpartition("/")[2]}]
        return named[0] if len(named) == 1 else claude_called(name, self.models)

    def require(self, name: str, *, whose: str) -> Model:
        """Return the same. Raises `model_not_found`; `whose` begins the sentence that says so."""
        model = self.find(name)
        if model is None:
            fix = "GET /v1/models with the same credentials lists what there is."
            raise ServiceError("model_not_found", f"{whose} has no such model.", param="model", fix=fix)
        return model


class _Listed(NamedTuple):
    """What one list gave: its rows, up to the page that failed if one did."""

    rows: list[Mapping[str, Any]]
    failure: AwsError | Unreachable | None = None


def list_models(
    wire: Wire,
    credentials: Signer,
    region: str,
    *,
    with_application_profiles: bool = True,
    seconds: float = _SECONDS,
) -> Catalog:
    """Ask for the lists side by side and join them; failures come with the catalog instead of being raised.

    `seconds` bounds the whole, however many pages there are.
    """
    end = time.monotonic() + seconds
    kinds = _PROFILE_TYPES if with_application_profiles else _PROFILE_TYPES[:1]
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="catalog") as pool:
        asked_models = pool.submit(_foundation_models, wire, credentials, region, end)
        asked_profiles = [pool.submit(_inference_profiles, wire, credentials, region, kind, end) for kind in kinds]
    models, profiles = asked_models.result(), [asked.result() for asked in asked_profiles]
    return join(
        models.rows if models.failure is None else None,
        [row for listed in profiles for row in listed.rows],
        region=region,
        failures=tuple(listed.failure for listed in (models, *profiles) if listed.failure is not None),
    )


def of_scope(scope: Iterable[str], region: str) -> Catalog:
    """Return the models of a scope that nothing could be listed of: their ids are all that is known."""
    rows = ({"modelId": name} for name in scope)
    return Catalog(
        tuple(_model(row, row["modelId"], row["modelId"], is_profile=False, regions=(region,)) for row in rows)
    )


def join(
    models: Iterable[Mapping[str, object]] | None,
    profiles: Iterable[Mapping[str, object]],
    *,
    region: str,
    failures: tuple[AwsError | Unreachable, ...] = (),
) -> Catalog:
    """Return the catalog of the two lists as AWS answers them. Models that give no text are left out.

    `models` None means that they could not be listed: then profiles are shown with what they say of themselves.
    """
    by_id = None if models is None else {_text(row, "modelId"): row for row in models if _text(row, "modelId")}
    found = {model.id: model for model in _on_demand((by_id or {}).values(), region)}
    found |= {model.id: model for model in _through_profiles(profiles, by_id)}
    return Catalog(tuple(found[name] for name in sorted(found)), failures)


def _foundation_models(wire: Wire, credentials: Signer, region: str, end: float) -> _Listed:
    try:
        answer = wire.call(credentials, region, LIST_FOUNDATION_MODELS, seconds=_left(end)).body
        return _Listed(_objects(answer.get("modelSummaries")))
    except (AwsError, Unreachable) as failure:
        return _Listed([], failure)


def _inference_profiles(wire: Wire, credentials: Signer, region: str, kind: str, end: float) -> _Listed:
    rows: list[Mapping[str, Any]] = []
    query = {"maxResults": _PAGE, "type": kind}
    for _ in range(_MOST_PAGES):
        try:
            answer = wire.call(credentials, region, LIST_INFERENCE_PROFILES, query=query, seconds=_left(end)).body
        except (AwsError, Unreachable) as failure:
            return _Listed(rows, failure)
        rows += _objects(answer.get("inferenceProfileSummaries"))
        token = _text(answer, "nextToken")
        if not token:
            break
        query = {**query, "nextToken": token}
    return _Listed(rows)


def _left(end: float) -> float:
    return max(0.1, end - time.monotonic())


def _on_demand(rows: Iterable[Mapping[str, object]], region: str) -> Iterator[Model]:
    for row in rows:
        if "ON_DEMAND" in _texts(row, "inferenceTypesSupported") and _converses(row):
            model_id = _text(row, "modelId")
            yield _model(row, model_id, _text(row, "modelName") or model_id, is_profile=False, regions=(region,))


def _through_profiles(
    profiles: Iterable[Mapping[str, object]], models: Mapping[str, Mapping[str, object]] | None
) -> Iterator[Model]:
    for profile in profiles:
        own = _text(profile, "type") == "APPLICATION"
        profile_id = _text(profile, "inferenceProfileArn" if own else "inferenceProfileId")
        arns = [_text(entry, "modelArn") for entry in _objects(profile.get("models"))]
        names = sorted({arn.rpartition("/")[2] for arn in arns} - {""})
        if not profile_id or _text(profile, "status") not in {"", "ACTIVE"}:
            continue
        if models is None:
            row = _guessed(names)
        else:
            # The region's own list says what a model can do; without its row nothing is known of the profile's.
            row = next((models[name] for name in names if name in models and _converses(models[name])), None)
        if row is not None:
            regions = tuple(sorted({arn.split(":", 5)[3] for arn in arns if arn.count(":") >= 5} - {""}))
            name = _text(profile, "inferenceProfileName") or profile_id
            routes = tuple(sorted(arn for arn in arns if arn))
            yield _model(row, profile_id, name, is_profile=True, regions=regions, routes=routes)


def _guessed(names: list[str]) -> Mapping[str, Any] | None:
    """Return the row of a model whose list was denied: its id tells the maker, and whether it may give text."""
    for name in names:
        if not any(part in name for part in (*_NOT_FOR_CHATS, *_NOT_FOR_TEXT)):
            return {"modelId": name}
    return None


def _model(
    row: Mapping[str, object],
    model_id: str,
    name: str,
    *,
    is_profile: bool,
    regions: tuple[str, ...],
    routes: tuple[str, ...] = (),
) -> Model:
    foundation_model = _text(row, "modelId")
    streaming = row.get("responseStreamingSupported")
    return Model(
        id=model_id,
        name=name,
        provider=_text(row, "providerName") or foundation_model.partition(".")[0],
        foundation_model=foundation_model,
        is_profile=is_profile,
        input_modalities=_texts(row, "inputModalities"),
        output_modalities=_texts(row, "outputModalities"),
        streaming=streaming if isinstance(streaming, bool) else None,
        lifecycle=_lifecycle(row),
        regions=regions,
        routes=routes,
    )


def _converses(row: Mapping[str, object]) -> bool:
    if _lifecycle(row) == "EOL" or any(part in _text(row, "modelId") for part in _NOT_FOR_CHATS):
        return False
    return "TEXT" in _texts(row, "outputModalities") and "TEXT" in _texts(row, "inputModalities")


def _lifecycle(row: Mapping[str, object]) -> str:
    lifecycle = row.get("modelLifecycle")
    return (_text(lifecycle, "status") if isinstance(lifecycle, dict) else "") or "ACTIVE"


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _texts(row: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = row.get(name)
    return tuple([text for text in value if isinstance(text, str)]) if isinstance(value, list) else ()
