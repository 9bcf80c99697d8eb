"""The chat vocabulary of OpenAI's API: what a request may say, and what an answer looks like.

Source: OpenAI's published OpenAPI document, 2.3.0. What can't be honored is refused by name, or, where leaving it out
changes nothing that a caller could rely on, named in the answer's `Rolecall-Ignored-Fields` header. Nothing is ignored
in silence.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chalicelib.chat.extensions import BedrockFields, RolecallFields
from chalicelib.chat.messages import Message, unsupported
from chalicelib.chat.tools import ResponseFormat, Tool, ToolChoice
from chalicelib.errors import ServiceError

_NEUTRAL: Final[dict[str, tuple[object, ...]]] = {
    "n": (1,),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""Fields that change the answer and are not built: refused unless they ask for what happens anyway."""
_WITHOUT_EFFECT: Final[dict[str, tuple[object, ...]]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "metadata": ({},),
    "moderation": (),
    "presence_penalty": (0,),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "safety_identifier": (),
    "seed": (),
    "store": (False,),
    "user": (),
    "verbosity": ("medium",),
}
"""Fields of OpenAI's that Converse has nothing for, each with the values that ask for nothing: those go unmentioned."""


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
"""How much a model is to think before it answers."""


def _as_list(stop: object) -> object:
    """Take one text for a list of it. As two types of one field, the error of the one would hide the other's."""
    return [stop] if isinstance(stop, str) else stop


Stops = Annotated[list[str], BeforeValidator(_as_list), Field(max_length=4)]
"""One stop sequence, or up to four."""


def _as_whole(count: object) -> object:
    """Take 12.0 for 12, as JSON Schema does and languages with one kind of number write it; a text stays a text."""
    return int(count) if isinstance(count, float) and count.is_integer() else count


Whole = Annotated[int, BeforeValidator(_as_whole)]
"""A whole number, however it is written."""


class StreamOptions(BaseModel):
    """What a stream has besides the answer. `include_obfuscation` and what else there may be changes nothing here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: Annotated[bool, Field(strict=True)] | None = None


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`. Unknown fields are kept, so that they can be named."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Annotated[str, Field(min_length=1, max_length=2100)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=2000)]
    max_completion_tokens: Annotated[Whole, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    max_tokens: Annotated[Whole, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    stop: Stops | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Annotated[bool, Field(strict=True)] | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    service_tier: str | None = None
    bedrock: BedrockFields | None = None
    rolecall: RolecallFields | None = None

    @property
    def token_limit(self) -> int | None:
        """The most tokens to answer with: clients use either name, the newer one wins."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    def stop_sequences(self) -> list[str]:
        """Return the stop sequences; empty ones mean nothing."""
        return [stop for stop in self.stop or () if stop]

    def ignored_fields(self) -> list[str]:
        """Return the names of what is left out. Raises `unsupported_parameter` for what can't be."""
        for place, message in enumerate(self.messages):
            message.require_readable(f"messages.{place}")
        require_stream(self.stream_options, stream=self.stream is True)
        places = set().union(*(message.ignored_fields() for message in self.messages))
        extra = self.model_extra or {}
        for name, neutral in _NEUTRAL.items():
            if extra.get(name) is not None and not _among(extra[name], neutral):
                raise unsupported(name, f"{name} is")
        return [
            *(
                name
                for name, value in extra.items()
                if name not in _NEUTRAL
                and (name not in _WITHOUT_EFFECT or (value is not None and not _among(value, _WITHOUT_EFFECT[name])))
            ),
            *sorted(places),
        ]


def require_stream(options: StreamOptions | None, *, stream: bool) -> None:
    """Raise `invalid_value` for options of a stream that nobody asked for."""
    if options is not None and not stream:
        raise ServiceError(
            "invalid_value",
            "stream_options is for streams.",
            param="stream_options",
            fix="Set stream to true, or leave stream_options out.",
        )


def _among(value: object, neutral: tuple[object, ...]) -> bool:
    """Whether the value is one of these. To Python True is 1 and False 0; `n: true` asks for nothing known."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in neutral)
