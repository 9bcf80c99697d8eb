"""Bodies and answers of Anthropic's Messages and OpenAI's embeddings as JSON: types alone, as in `shapes`.

Sources: Anthropic's API reference, "Messages" and "Errors"; OpenAI's published OpenAPI document, 2.3.0. What stands
inside of content blocks, tools and events is Anthropic's, also what it adds tomorrow, and is left open here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from chalicelib.chat import RolecallFields
from chalicelib.onboarding.shapes import WhoseFix

_shape = with_config(ConfigDict(use_attribute_docstrings=True))
_open = with_config(ConfigDict(use_attribute_docstrings=True, extra="allow"))
_Embedded = Annotated[str, Field(min_length=1)]


@_open
class Typed(TypedDict):
    """What Anthropic knows by its `type`."""

    type: str
    """Which kind it is."""


@_open
class MessageTurn(TypedDict):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system"]
    """Whose it is."""
    content: str | list[Typed]
    """A text, or blocks that each have a `type`."""


@_open
class CountBody(TypedDict):
    """What would be asked of a Claude model."""

    model: str
    """A Claude model: its id, with or without the provider before it."""
    messages: Annotated[list[MessageTurn], Field(min_length=1)]
    """The conversation."""
    system: NotRequired[str | list[Typed]]
    """What the model is told beforehand."""
    tools: NotRequired[list[dict[str, Any]]]
    """Tools that it may call."""
    tool_choice: NotRequired[Typed]
    """Which of them, if any."""
    thinking: NotRequired[Typed]
    """Whether it thinks before it answers."""


@_open
class MessageBody(CountBody):
    """What is asked of a Claude model, in Anthropic's words."""

    max_tokens: Annotated[int, Field(ge=0)]
    """The most tokens to answer with."""
    stop_sequences: NotRequired[list[str]]
    """Texts at which it stops."""
    stream: NotRequired[bool]
    """Whether to answer as it is made."""
    temperature: NotRequired[float]
    """How freely words are chosen."""
    top_p: NotRequired[float]
    """As `temperature`, in another way."""
    top_k: NotRequired[int]
    """As `temperature`, in another way."""
    metadata: NotRequired[dict[str, Any]]
    """What Anthropic is told besides, with a key of Anthropic's."""


@_open
class MessageAnswer(TypedDict):
    """A whole answer, as Anthropic's clients read it."""

    id: str
    """The answer's id."""
    type: Literal["message"]
    """The kind of object."""
    role: Literal["assistant"]
    """Always the assistant."""
    model: str
    """The model as the request named it."""
    content: list[dict[str, Any]]
    """Blocks that each have a `type`."""
    stop_reason: str | None
    """Why it ended; `refusal` also where a guardrail answered instead."""
    usage: dict[str, Any]
    """Tokens of question and answer."""


@_shape
class TokenCount(TypedDict):
    """How many tokens a message would be."""

    input_tokens: int
    """The tokens of the question."""


@_open
class MessageEvent(TypedDict):
    """An event of a stream, as Anthropic's clients read it."""

    type: str
    """The event's name once more."""


@_shape
class ClaudeRow(TypedDict):
    """A model, as Anthropic's clients read it."""

    type: Literal["model"]
    """The kind of object."""
    id: str
    """What `/v1/messages` takes: Anthropic's own name of it, else the provider and its id."""
    display_name: str
    """Its name; at Bedrock that of the profile which calls go through, so it tells the part of the world."""
    created_at: str
    """When it was released, RFC 3339; the epoch where nobody tells it."""
    lifecycle: str
    """`active` or `deprecated`."""
    max_input_tokens: NotRequired[int]
    """Tokens that it reads, where that is known."""
    max_tokens: NotRequired[int]
    """Tokens that it answers at most, where that is known."""


@_shape
class ClaudeList(TypedDict):
    """Claude models, as Anthropic's clients read them."""

    data: list[ClaudeRow]
    """The models of this page."""
    has_more: bool
    """Whether there are others in this direction."""
    first_id: str | None
    """Send it as `before_id` for the page before."""
    last_id: str | None
    """Send it as `after_id` for the page after."""


@_shape
class AnthropicErrorCode(TypedDict):
    """Where Anthropic's clients look for a code."""

    error_code: str
    """The code."""


@_shape
class AnthropicErrorDetail(TypedDict):
    """What is wrong."""

    type: str
    """Anthropic's kind of error."""
    message: str
    """For people; never holds a secret. Its wording may change."""
    details: AnthropicErrorCode
    """The code once more."""
    code: str
    """Stable: what programs rely on."""
    param: str | None
    """The field, header or parameter at fault, as the caller wrote it."""
    fix: NotRequired[str]
    """What to do about it, where that is known."""
    whose_fix: NotRequired[WhoseFix]
    """Who can change it, where that is known."""


@_shape
class AnthropicError(TypedDict):
    """Every error of the routes that Anthropic's clients use."""

    type: Literal["error"]
    """The kind of object."""
    error: AnthropicErrorDetail
    """What is wrong."""
    request_id: str
    """Tell it to the operator; it is in `X-Request-Id` and `Request-Id` too."""


@_open
class AnyChat(TypedDict):
    """A chat for whichever provider: what else is in it, and what is wrong with it, that one says."""

    model: Annotated[str, Field(min_length=1, max_length=2100)]
    """The model."""
    messages: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """The conversation."""
    stream: NotRequired[bool | None]
    """Whether it would be answered as it is made."""
    rolecall: NotRequired[RolecallFields | None]
    """The request's material."""


@_open
class EmbeddingsBody(TypedDict):
    """Texts to make vectors of. Unknown fields are named in the answer, not refused."""

    model: Annotated[str, Field(min_length=1, max_length=2100)]
    """A model of Titan's or Cohere's for embeddings."""
    input: _Embedded | Annotated[list[_Embedded], Field(min_length=1, max_length=2048)]
    """One text, or several; none may be empty."""
    encoding_format: NotRequired[Literal["float", "base64"]]
    """Numbers, or 32-bit floats in base64, which take a quarter of the room."""
    dimensions: NotRequired[int | None]
    """The length of a vector, where the model gives several."""
    input_type: NotRequired[Literal["search_document", "search_query", "classification", "clustering"]]
    """Cohere: what the texts are for."""


@_shape
class EmbeddingRow(TypedDict):
    """One vector."""

    object: Literal["embedding"]
    """The kind of object."""
    index: int
    """The place of its text in the request."""
    embedding: list[float] | str
    """The vector, as `encoding_format` wants it."""


@_shape
class EmbeddingUsage(TypedDict):
    """What it cost."""

    prompt_tokens: int
    """Tokens of the texts."""
    total_tokens: int
    """The same."""


@_shape
class EmbeddingList(TypedDict):
    """A vector for each text, as OpenAI's clients read it."""

    object: Literal["list"]
    """The kind of object."""
    data: list[EmbeddingRow]
    """The vectors, in the order of the texts."""
    model: str
    """The model as the request named it."""
    usage: EmbeddingUsage
    """What it cost."""
