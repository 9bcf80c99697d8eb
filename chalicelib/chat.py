"""The chat vocabulary of OpenAI's API: what a request may say, and what an answer looks like.

Source: OpenAI's published OpenAPI document, 2.3.0. What can't be honored is refused by name, or, where leaving it out
changes nothing that a caller could rely on, named in the answer's `Rolecall-Ignored-Fields` header. Nothing is ignored
in silence.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from chalicelib.errors import ServiceError

_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
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
_WITHOUT_EFFECT: Final[dict[str, tuple[object, ...]]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "metadata": ({},),
    "moderation": (),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0,),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "safety_identifier": (),
    "seed": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "user": (),
    "verbosity": ("medium",),
}
"""Fields of OpenAI's that Converse has nothing for, each with the values that ask for nothing: those go unmentioned."""

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


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


class UnreadPart(_Part):
    """A part of OpenAI's that is no text: known, so that it is refused as what it is."""

    type: Literal["image_url", "input_audio", "file"]


Part = Annotated[TextPart | RefusalPart | UnreadPart, Field(discriminator="type")]


class Message(_Part):
    """One message. `developer` is what OpenAI's newer models call `system`; `tool` and `function` are refused."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[list[Part], Field(min_length=1)] | None = None
    tool_calls: list[Any] | None = None
    function_call: Any = None
    audio: Any = None

    @field_validator("content", mode="before")
    @classmethod
    def _as_parts(cls, content: object) -> object:
        """Take a text for its one part. As two types of one field, each error would name the wrong one first."""
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        if content is not None and not isinstance(content, list):
            raise PydanticCustomError("content_type", "Input should be a text or a list of parts")
        return content

    def texts(self) -> list[str]:
        """Return the texts of the content, those of white space left out: models refuse them."""
        texts = [
            part.text if isinstance(part, TextPart) else part.refusal
            for part in self.content or ()
            if not isinstance(part, UnreadPart)
        ]
        return [text for text in texts if text.strip()]

    def require_text(self, param: str) -> None:
        """Raise `unsupported_parameter` for what is no text, with its place below `param`."""
        if self.role in {"tool", "function"}:
            raise _unsupported(f"{param}.role", "Results of tools are")
        for name in ("tool_calls", "function_call", "audio"):
            if getattr(self, name):
                raise _unsupported(f"{param}.{name}", f"{name} is")
        for place, part in enumerate(self.content or ()):
            if isinstance(part, UnreadPart):
                raise _unsupported(f"{param}.content.{place}", f"{part.type} is")


class StreamOptions(BaseModel):
    """What a stream has besides the answer. `include_obfuscation` and what else there may be changes nothing here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: Annotated[bool, Field(strict=True)] | None = None


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`. Unknown fields are kept, so that they can be named."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, Field(min_length=1, max_length=2100)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None
    stream_options: StreamOptions | None = None

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
        for place, message in enumerate(self.messages):
            message.require_text(f"messages.{place}")
        if self.stream_options is not None and not self.stream:
            raise ServiceError(
                "invalid_value",
                "stream_options is for streams.",
                param="stream_options",
                fix="Set stream to true, or leave stream_options out.",
            )
        extra = self.model_extra or {}
        for name, neutral in _NEUTRAL.items():
            if extra.get(name) is not None and not _among(extra[name], neutral):
                raise _unsupported(name, f"{name} is")
        return [
            name
            for name, value in extra.items()
            if name not in _NEUTRAL
            and (name not in _WITHOUT_EFFECT or (value is not None and not _among(value, _WITHOUT_EFFECT[name])))
        ]


def _among(value: object, neutral: tuple[object, ...]) -> bool:
    """Whether the value is one of these. To Python True is 1 and False 0; `n: true` asks for nothing known."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in neutral)


def _unsupported(param: str, what: str) -> ServiceError:
    return ServiceError("unsupported_parameter", f"{what} not supported here.", param=param, fix=f"Leave {param} out.")


class Usage(BaseModel):
    """Tokens: those of the question include what came from a prompt cache."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class Completion(BaseModel):
    """An answer as `chat.completion` has it; `created` is in seconds since 1970.

    `reasoning` is what a model thought aloud. OpenAI's schema has no place for it; `reasoning_content` is where
    clients of other gateways look.
    """

    id: str
    created: int
    model: str
    content: str
    finish_reason: FinishReason
    usage: Usage
    reasoning: str | None = None

    def document(self) -> dict[str, object]:
        """Return OpenAI's object, with the fields that its schema requires to be there even when they are null."""
        message = {"role": "assistant", "content": self.content, "refusal": None}
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [choice],
            "usage": self.usage.model_dump(),
        }
