"""What an answer looks like in OpenAI's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.chat import shapes
    from chalicelib.chat.tools import ToolCall


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer as `chat.completion` has it; `created` is in seconds since 1970.

    `reasoning` is what a model thought aloud. OpenAI's schema has no place for it; `reasoning_content` is where
    clients of other gateways look, and `thinking_blocks` where they find the signatures. `bedrock` holds what was asked
    for beyond OpenAI's answer.
    """

    id: str
    created: int
    model: str
    content: str
    finish_reason: shapes.FinishReason
    usage: shapes.TokenUsage
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    thinking_blocks: tuple[dict[str, str], ...] = ()
    service_tier: str | None = None
    bedrock: dict[str, object] | None = None

    def document(self) -> shapes.ChatCompletion:
        """Return OpenAI's object, with the fields that its schema requires to be there even when they are null."""
        # Null where the model only calls tools: clients tell by it that nothing was said.
        content = None if self.tool_calls and not self.content else self.content
        message: shapes.ChatMessage = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": [],
        }
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
        document: shapes.ChatCompletion = {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}],
            "usage": self.usage,
        }
        if self.service_tier is not None:
            document["service_tier"] = self.service_tier
        if self.bedrock is not None:
            document["bedrock"] = self.bedrock
        return document
