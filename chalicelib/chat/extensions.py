"""What a chat may ask for that OpenAI's API has no words for: two objects of ours, with known fields alone.

A gateway that hands unknown fields to the model lets a caller say anything to it
(github.com/BerriAI/litellm/pull/29538), so fields of models are an allow-list too.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

_MODEL_FIELDS: Final = frozenset(
    {
        "anthropic_beta",  # Claude: features in beta, by their names
        "context_management",  # Claude: what is cut from a long history
        "inferenceConfig",  # Nova: topK
        "output_config",  # Claude: effort
        "reasoningConfig",  # Nova 2
        "reasoning_config",  # Claude and DeepSeek
        "reasoning_effort",  # gpt-oss
        "thinking",  # Claude
        "top_k",  # Claude, Mistral
        "k",  # Cohere
    }
)
"""Fields of models that may be passed on. Each tunes an answer; none brings tools, prompts or a guardrail of its own.

Source: Bedrock user guide, "Inference request parameters and response fields", 2026-11.
"""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardrailFields(_Closed):
    """A guardrail for one chat, in Converse's words; where the connection has one, only `trace`."""

    guardrailIdentifier: Annotated[str, Field(pattern=r"^[a-z0-9:/-]{1,2048}$")] | None = None  # noqa: N815  AWS's name
    guardrailVersion: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,7}|DRAFT)$")] | None = None  # noqa: N815
    trace: Literal["enabled", "disabled", "enabled_full"] | None = None
    streamProcessingMode: Literal["sync", "async"] | None = None  # noqa: N815


class PerformanceFields(_Closed):
    """Whether a model's faster servers are asked for, where it has them."""

    latency: Literal["standard", "optimized"]


_MetadataText = Annotated[str, Field(pattern=r"^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$")]
_MetadataName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$")]
_Pointer = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]{0,255}$")]


class BedrockFields(_Closed):
    """Converse's own fields, under their own names."""

    guardrailConfig: GuardrailFields | None = None  # noqa: N815
    additionalModelRequestFields: dict[str, Any] | None = None  # noqa: N815
    additionalModelResponseFieldPaths: Annotated[list[_Pointer], Field(max_length=10)] | None = None  # noqa: N815
    performanceConfig: PerformanceFields | None = None  # noqa: N815
    requestMetadata: Annotated[dict[_MetadataName, _MetadataText], Field(max_length=16)] | None = None  # noqa: N815

    @field_validator("additionalModelRequestFields")
    @classmethod
    def _known(cls, fields: dict[str, object] | None) -> dict[str, Any] | None:
        unknown = sorted(set(fields or ()) - _MODEL_FIELDS)
        if unknown:
            raise PydanticCustomError(
                "model_field", "Input should hold no fields but {known}", {"known": ", ".join(sorted(_MODEL_FIELDS))}
            )
        return fields


class ContextBlock(_Closed):
    """A text that the model should know: a file, a selection. `name` says which, in one line."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\u2028\u2029`]{1,200}$")]
    text: Annotated[str, Field(min_length=1, max_length=200_000)]


class RolecallFields(_Closed):
    """What this service does with a chat before the model sees it."""

    context: Annotated[list[ContextBlock], Field(max_length=50)] | None = None
