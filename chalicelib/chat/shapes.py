"""OpenAI's answers to a chat as JSON: types alone, for the OpenAPI document and for the code that makes them.

Source: OpenAI's published OpenAPI document, 2.3.0, as far as it is filled here. Imported for type checking and by what
makes that document, never by the service as it runs.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

_shape = with_config(ConfigDict(use_attribute_docstrings=True))

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@_shape
class FunctionCall(TypedDict):
    """A function that the model calls."""

    name: str
    """Which."""
    arguments: str
    """A JSON object as text, as the model wrote it."""


@_shape
class ChatToolCall(TypedDict):
    """A call of a tool by the model."""

    id: str
    """What its result refers to, as `tool_call_id`."""
    type: Literal["function"]
    """The kind of tool."""
    function: FunctionCall
    """The call."""


@_shape
class ChatMessage(TypedDict):
    """What the model answered."""

    role: Literal["assistant"]
    """Always the assistant."""
    content: str | None
    """The text; null where the model only calls tools."""
    refusal: NotRequired[str | None]
    """The model's own refusal, where the provider tells it apart."""
    tool_calls: NotRequired[list[ChatToolCall]]
    """The tools that it calls."""
    reasoning_content: NotRequired[str]
    """What it thought aloud. OpenAI's schema has no place for it; clients of other gateways look here."""
    thinking_blocks: NotRequired[list[dict[str, str]]]
    """The same with its signatures, for models that want it back with the next question."""
    annotations: NotRequired[list[Any]]
    """Sources that the answer cites; empty without a search."""


@_shape
class ChatChoice(TypedDict):
    """One answer."""

    index: int
    """Its number."""
    message: ChatMessage
    """The answer."""
    content_filter_results: NotRequired[dict[str, Any]]
    """Azure: what its content filter saw in the answer."""
    finish_reason: FinishReason
    """Why it ended."""
    logprobs: NotRequired[Any]
    """Null: no provider here is asked for them."""


@_shape
class TokenUsage(TypedDict):
    """Tokens, as the provider counts them."""

    prompt_tokens: int
    """Of the question, those that came from a prompt cache included."""
    completion_tokens: int
    """Of the answer."""
    total_tokens: int
    """Together."""
    prompt_tokens_details: NotRequired[dict[str, Any]]
    """How many of the question came from a cache, and how many were written to it."""
    completion_tokens_details: NotRequired[dict[str, Any]]
    """What the provider tells of the answer's."""


@_shape
class ChatCompletion(TypedDict):
    """A whole answer, as OpenAI's clients read it."""

    id: str
    """The answer's id."""
    object: Literal["chat.completion"]
    """The kind of object."""
    created: int
    """When, in seconds since 1970."""
    model: str
    """The model as the request named it."""
    choices: list[ChatChoice]
    """One choice."""
    usage: TokenUsage
    """What it cost."""
    prompt_filter_results: NotRequired[list[Any]]
    """Azure: what its content filter saw in the question."""
    system_fingerprint: NotRequired[str | None]
    """The provider's, where it gives one."""
    service_tier: NotRequired[str | None]
    """The provider's, where it gives one."""
    bedrock: NotRequired[dict[str, Any]]
    """What Bedrock tells besides."""


@_shape
class ChatDelta(TypedDict):
    """What a chunk adds to the answer."""

    role: NotRequired[Literal["assistant"]]
    """In the first chunk."""
    content: NotRequired[str | None]
    """More of the text."""
    refusal: NotRequired[str | None]
    """More of a refusal."""
    tool_calls: NotRequired[list[dict[str, Any]]]
    """More of the calls: `index`, and in the first part of a call `id`, `type` and the function's name."""
    reasoning_content: NotRequired[str]
    """More of what the model thinks aloud."""
    thinking_blocks: NotRequired[list[dict[str, str]]]
    """The same with its signature, once a block of it is whole."""


@_shape
class ChunkChoice(TypedDict):
    """The choice that a chunk adds to."""

    index: int
    """Its number."""
    delta: ChatDelta
    """What is added."""
    content_filter_results: NotRequired[dict[str, Any]]
    """Azure: what its content filter saw in the answer."""
    finish_reason: FinishReason | None
    """Why the answer ended, in the last chunk of a choice."""
    logprobs: NotRequired[Any]
    """Null: no provider here is asked for them."""


@_shape
class ChatChunk(TypedDict):
    """One event of a stream. The last one is the text `[DONE]`, and it follows a whole answer alone."""

    id: str
    """The answer's id, the same in every chunk."""
    object: Literal["chat.completion.chunk", ""]
    """The kind of object; empty in the first chunk of Azure's, which holds its filter's results alone."""
    prompt_filter_results: NotRequired[list[Any]]
    """Azure: what its content filter saw in the question."""
    created: int
    """When, in seconds since 1970."""
    model: str
    """The model as the request named it."""
    choices: list[ChunkChoice]
    """One choice; none in the chunk that holds the usage."""
    usage: NotRequired[TokenUsage | None]
    """With `stream_options.include_usage`: null, and in the last chunk the tokens."""
    bedrock: NotRequired[dict[str, Any]]
    """What Bedrock tells besides."""
    system_fingerprint: NotRequired[str | None]
    """The provider's, where it gives one."""
    service_tier: NotRequired[str | None]
    """The provider's, where it gives one."""


@_shape
class AssembledChat(TypedDict):
    """A chat as a model would see it."""

    messages: list[dict[str, Any]]
    """The operator's prompt, the material under its names, and the chat's own messages."""


@_shape
class CompletionChoice(TypedDict):
    """What fills the gap, or more of it."""

    text: str
    """The text."""
    index: int
    """Its number."""
    finish_reason: FinishReason | None
    """Why it ended; null in a stream that goes on."""
    logprobs: None
    """Not told."""


@_shape
class TextCompletion(TypedDict):
    """A text whose gap is filled, as OpenAI's older API has it."""

    id: str
    """The answer's id."""
    object: Literal["text_completion"]
    """The kind of object."""
    created: int
    """When, in seconds since 1970."""
    model: str
    """The operator's model."""
    choices: list[CompletionChoice]
    """One choice."""
    usage: TokenUsage
    """What it cost of the tenant's tokens of this day."""


@_shape
class TextCompletionChunk(TypedDict):
    """One event of a stream. The last one is the text `[DONE]`, and it follows a whole answer alone."""

    id: str
    """The answer's id, the same in every chunk."""
    object: Literal["text_completion"]
    """The kind of object."""
    created: int
    """When, in seconds since 1970."""
    model: str
    """The operator's model."""
    choices: list[CompletionChoice]
    """One choice; none in the chunk that holds the usage."""
    usage: NotRequired[TokenUsage]
    """With `stream_options.include_usage`, in the last chunk."""
