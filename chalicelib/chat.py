"""The chat vocabulary of OpenAI's API: what a request may say, and what an answer looks like.

Source: OpenAI's published OpenAPI document, 2.3.0. What can't be honored is refused by name, or, where leaving it out
changes nothing that a caller could rely on, named in the answer's `Rolecall-Ignored-Fields` header. Nothing is ignored
in silence.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.errors import ServiceError

_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
    "stream": (False,),
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "reasoning_effort": (),
    "web_search_options": (),
}
"""Fields that change the answer and are not built: refused unless they ask for what happens anyway."""
_WITHOUT_EFFECT: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "stream_options",
        "user",
        "verbosity",
    }
)
"""Fields of OpenAI's that Converse has nothing for; an answer without them is still an answer."""
_NOTHING: Final[tuple[object, ...]] = (None, 0, 0.0, False, {}, "auto", "default")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TextPart(_Part):
    """A text within a message's content."""

    type: Literal["text"]
    text: str


class RefusalPart(_Part):
    """An earlier answer in which the model refused; to the model it is text like any other."""

    type: Literal["refusal"]
    refusal: str


Parts = Annotated[list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]], Field(min_length=1)]


class Message(_Part):
    """One message. `developer` is what OpenAI's newer models call `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Parts | None = None
    tool_calls: Annotated[list[Any], Field(max_length=0)] | None = None

    def texts(self) -> list[str]:
        """Return the texts of the content, those of white space left out: models refuse them."""
        if self.content is None:
            return []
        if isinstance(self.content, str):
            texts = [self.content]
        else:
            texts = [part.text if isinstance(part, TextPart) else part.refusal for part in self.content]
        return [text for text in texts if text.strip()]


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`. Unknown fields are kept, so that they can be named."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, Field(min_length=1, max_length=2100)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None

    @property
    def token_limit(self) -> int | None:
        """The most tokens to answer with: clients use either name, the newer one wins."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    def stop_sequences(self) -> list[str]:
        """Return the stop sequences; empty ones mean nothing."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in stops if stop]

    def ignored_fields(self) -> list[str]:
        """Return the names of what is left out. Raises `unsupported_parameter` for what can't be."""
        ignored = []
        for name, value in (self.model_extra or {}).items():
            if name in _NEUTRAL:
                if value is not None and value not in _NEUTRAL[name]:
                    raise ServiceError(
                        "unsupported_parameter", f"{name} is not supported here.", param=name, fix=f"Leave {name} out."
                    )
            elif name not in _WITHOUT_EFFECT or value not in _NOTHING:
                ignored.append(name)
        return ignored


class Usage(BaseModel):
    """Tokens: those of the question include what came from a prompt cache."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class Completion(BaseModel):
    """An answer as `chat.completion` has it; `created` is in seconds since 1970."""

    id: str
    created: int
    model: str
    content: str
    finish_reason: Literal["stop", "length", "content_filter"]
    usage: Usage

    def document(self) -> dict[str, object]:
        """Return OpenAI's object, with the fields that its schema requires to be there even when they are null."""
        message = {"role": "assistant", "content": self.content, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [choice],
            "usage": self.usage.model_dump(),
        }
