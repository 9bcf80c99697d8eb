"""What an answer looks like in OpenAI's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from chalicelib.chat.tools import ToolCall

if TYPE_CHECKING:
    from chalicelib.chat import shapes

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


class Usage(BaseModel):
    """Tokens: those of the question include what came from a prompt cache."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class Completion(BaseModel):
    """An answer as `chat.completion` has it; `created` is in seconds since 1970.

    `reasoning` is what a model thought aloud. OpenAI's schema has no place for it; `reasoning_content` is where
    clients of other gateways look, and `thinking_blocks` where they find the signatures. `bedrock` holds what was asked
    for beyond OpenAI's answer.
    """

    id: str
    created: int
    model: str
    content: str
    finish_reason: FinishReason
    usage: Usage
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    thinking_blocks: tuple[dict[str, str], ...] = ()
    service_tier: str | None = None
    bedrock: dict[str, object] | None = None

    def document(self) -> shapes.ChatCompletion:
        """Return OpenAI's object, with the fields that its schema requires to be there even when they are null."""
        # Null where the model only calls tools: clients tell by it that nothing was said.
        content = None if self.tool_calls and not self.content else self.content
        message: shapes.ChatMessage = {"role": "assistant", "content": content, "refusal": None}
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": call.type,
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
                for call in self.tool_calls
            ]
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        if self.thinking_blocks:
            message["thinking_blocks"] = [*self.thinking_blocks]
        usage = self.usage
        document: shapes.ChatCompletion = {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "prompt_tokens_details": dict(usage.prompt_tokens_details),
            },
        }
        if self.service_tier is not None:
            document["service_tier"] = self.service_tier
        if self.bedrock is not None:
            document["bedrock"] = self.bedrock
        return document
