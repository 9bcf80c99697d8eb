"""What the routes that list models and verify keys answer, as JSON: types alone, as in `shapes.py`."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from chalicelib.identifiers.providers import Provider
from chalicelib.onboarding.shapes import Finding

_shape = with_config(ConfigDict(use_attribute_docstrings=True))


@_shape
class ModelAvailability(TypedDict):
    """One model of a connection, and why it can't be called."""

    id: str
    """Model or inference profile id, as Bedrock has it."""
    name: str
    """Its name."""
    provider: str
    """Who made it; empty where that is not known."""
    available: bool | None
    """Whether it can be called; null where AWS would not say."""
    reason: str | None
    """The code of the finding that keeps it from being called."""
    finding: Finding | None
    """What is wrong, and what to do; also a remark on a model that can be called."""
    regions: list[str]
    """Regions that calls of it may be answered in."""


@_shape
class AvailabilityTable(TypedDict):
    """Each model of the scope, or of the region where there is no scope; in order of their ids."""

    data: list[ModelAvailability]
    """The models."""


@_shape
class ModelDetails(TypedDict):
    """What OpenAI's object of a model has no field for. Which fields there are depends on the provider."""

    provider: Provider
    """Where a chat with it goes."""
    name: str
    """Its name."""
    profile: NotRequired[bool]
    """Bedrock: whether it is an inference profile."""
    foundation_model: NotRequired[str]
    """Bedrock: the model behind a profile; else the model itself."""
    input_modalities: NotRequired[list[str]]
    """Bedrock: what it reads."""
    output_modalities: NotRequired[list[str]]
    """Bedrock: what it answers."""
    streaming: NotRequired[bool | None]
    """Bedrock: whether it answers in streams; null where AWS does not let that be asked."""
    lifecycle: NotRequired[str]
    """Bedrock: `ACTIVE` or `LEGACY`."""
    regions: NotRequired[list[str]]
    """Bedrock: regions that calls of it may be answered in."""
    context_tokens: NotRequired[int]
    """Anthropic and Google: tokens that it reads."""
    max_output_tokens: NotRequired[int]
    """Anthropic and Google: tokens that it answers at most."""
    thinking: NotRequired[bool]
    """Google: whether it thinks before it answers."""
    capabilities: NotRequired[list[str]]
    """Anthropic: what it can do besides."""
    shutdown_date: NotRequired[str]
    """OpenAI: when it ends."""
    model: NotRequired[str]
    """Azure: the model that is deployed under this name."""


@_shape
class ModelRow(TypedDict):
    """A model, as OpenAI's clients read it."""

    id: str
    """The provider and its id of the model: `bedrock/amazon.nova-lite-v1:0`."""
    object: Literal["model"]
    """The kind of object."""
    created: int
    """In seconds since 1970; a fixed time where nobody tells it."""
    owned_by: str
    """Who made it."""
    rolecall: ModelDetails
    """What is known besides."""


@_shape
class ModelList(TypedDict):
    """The models that the connection's role, or the key, can call."""

    object: Literal["list"]
    """The kind of object."""
    data: list[ModelRow]
    """The models."""


@_shape
class KeyVerification(TypedDict):
    """What a key is good for."""

    status: Literal["valid", "invalid", "limited", "no_credit", "unreachable", "unknown"]
    """`invalid` is said only where the provider refuses the key itself."""
    provider: Provider
    """Whose key it is."""
    models: list[ModelRow]
    """The models that it can call."""
    finding: NotRequired[Finding]
    """What is wrong, and what to do; absent where there is nothing to say."""
