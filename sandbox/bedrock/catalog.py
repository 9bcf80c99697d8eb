"""What the sandbox's Bedrock has: models, system-defined inference profiles and the regions where they are.

The rows live in `catalog.json`, in the words of ListFoundationModels and ListInferenceProfiles; here they become typed
values. A model is offered differently from region to region, as at AWS: on demand in one, through a profile in another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypedDict, cast, get_args

Access = Literal["open", "agreement", "use_case_form", "none"]
"""What an account needs before it may call a model: nothing, a Marketplace agreement, Anthropic's form, or a grant."""

Status = Literal["ACTIVE", "LEGACY", "EOL"]

GLOBAL: Final = "global"
"""The destination of a `global.` profile: its requests are authorised on a model ARN without a region."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A model's dates (ISO 8601 days). Status `EOL` is the sandbox's: such a model is listed nowhere."""

    status: Status
    dates: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chat:
    """What Converse may be asked of a model: context and answer in tokens, features by name, kinds of tool choice."""

    context: int
    max_tokens: int
    has: frozenset[str]
    tool_choice: frozenset[str]


@dataclass(frozen=True, slots=True)
class Model:
    """A foundation model; `chat` is None for embedding, image and reranking models."""

    id: str
    name: str
    provider: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    streams: bool
    customizations: tuple[str, ...]
    lifecycle: Lifecycle
    on_demand: frozenset[str]
    profiled: frozenset[str]
    provisioned: frozenset[str]
    access: Access
    closed_to_new_use: bool
    chat: Chat | None

    @property
    def is_claude(self) -> bool:
        """Whether Anthropic's own rules and wordings apply."""
        return self.provider == "Anthropic"

    def inference_types(self, region: str) -> list[str]:
        """Return how the region offers the model, in the words of ListFoundationModels; empty: not there."""
        kinds = (
            ("ON_DEMAND", self.on_demand),
            ("INFERENCE_PROFILE", self.profiled),
            ("PROVISIONED", self.provisioned),
        )
        return [name for name, regions in kinds if region in regions]

    def arn(self, partition: str, region: str) -> str:
        """Return the ARN in a region; an empty region is what a global profile asks for."""
        return f"arn:{partition}:bedrock:{region}::foundation-model/{self.id}"


@dataclass(frozen=True, slots=True)
class SystemProfile:
    """An inference profile that AWS defines: the regions that offer it and those that it routes to."""

    id: str
    name: str
    description: str
    model: Model
    sources: frozenset[str]
    destinations: tuple[str, ...]
    created: str

    def model_regions(self, source: str) -> tuple[str, ...]:
        """Return the regions of the model ARNs that a request from `source` is authorised on."""
        return (source, "") if self.destinations == (GLOBAL,) else self.destinations


@dataclass(frozen=True)
class Catalog:
    """All of it, by id."""

    regions: frozenset[str]
    models: dict[str, Model]
    profiles: dict[str, SystemProfile]

    def models_in(self, region: str) -> list[Model]:
        """Return what the region lists; models past their end of life are listed nowhere."""
        return [m for m in self.models.values() if m.lifecycle.status != "EOL" and m.inference_types(region)]

    def profiles_in(self, region: str) -> list[SystemProfile]:
        """Return the system profiles that can be called from the region."""
        return [p for p in self.profiles.values() if region in p.sources]


class _ChatRow(TypedDict, total=False):
    context: int
    maxTokens: int
    has: list[str]
    toolChoice: list[str]


class _ModelRow(TypedDict, total=False):
    modelId: str
    modelName: str
    providerName: str
    inputModalities: list[str]
    outputModalities: list[str]
    responseStreamingSupported: bool
    customizationsSupported: list[str]
    lifecycle: dict[str, str]
    onDemandRegions: list[str]
    profileRegions: list[str]
    provisionedRegions: list[str]
    access: Access
    closedToNewUse: bool
    chat: _ChatRow


class _ProfileRow(TypedDict):
    id: str
    name: str
    description: str
    modelId: str
    sources: list[str]
    destinations: list[str]
    createdAt: str


def _lifecycle(row: dict[str, str]) -> Lifecycle:
    if row["status"] not in get_args(Status):
        raise ValueError(f"no such lifecycle status: {row['status']}")
    dates = tuple((name, day) for name, day in row.items() if name != "status")
    return Lifecycle(cast("Status", row["status"]), dates)


def _chat(row: _ChatRow | None) -> Chat | None:
    if row is None:
        return None
    return Chat(row["context"], row["maxTokens"], frozenset(row["has"]), frozenset(row.get("toolChoice", ())))


def _model(row: _ModelRow) -> Model:
    return Model(
        id=row["modelId"],
        name=row["modelName"],
        provider=row["providerName"],
        inputs=tuple(row["inputModalities"]),
        outputs=tuple(row["outputModalities"]),
        streams=row["responseStreamingSupported"],
        customizations=tuple(row["customizationsSupported"]),
        lifecycle=_lifecycle(row["lifecycle"]),
        on_demand=frozenset(row["onDemandRegions"]),
        profiled=frozenset(row["profileRegions"]),
        provisioned=frozenset(row["provisionedRegions"]),
        access=row["access"],
        closed_to_new_use=row.get("closedToNewUse", False),
        chat=_chat(row.get("chat")),
    )


def _profile(row: _ProfileRow, models: dict[str, Model]) -> SystemProfile:
    return SystemProfile(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        model=models[row["modelId"]],
        sources=frozenset(row["sources"]),
        destinations=tuple(row["destinations"]),
        created=row["createdAt"],
    )


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """Return the catalog, read once. Raises ValueError or KeyError when the file is not as the types say."""
    data = json.loads((Path(__file__).parent / "catalog.json").read_text(encoding="utf-8"))
    models = {row["modelId"]: _model(row) for row in data["models"]}
    profiles = {row["id"]: _profile(row, models) for row in data["profiles"]}
    return Catalog(frozenset(data["regions"]), models, profiles)
