"""The chat vocabulary of OpenAI's API: what a request may say, and what an answer looks like."""

from chalicelib.chat.answer import Completion
from chalicelib.chat.extensions import BedrockFields, ContextBlock, RolecallFields
from chalicelib.chat.messages import FilePart, ImagePart, Message, RedactedThinking, RefusalPart, TextPart, Thinking
from chalicelib.chat.request import ChatRequest, Effort, Stops, StreamOptions, Whole
from chalicelib.chat.tools import CacheControl, CalledFunction, JsonSchema, NamedTool, ResponseFormat, Tool, ToolCall

__all__ = [
    "BedrockFields",
    "CacheControl",
    "CalledFunction",
    "ChatRequest",
    "Completion",
    "ContextBlock",
    "Effort",
    "FilePart",
    "ImagePart",
    "JsonSchema",
    "Message",
    "NamedTool",
    "RedactedThinking",
    "RefusalPart",
    "ResponseFormat",
    "RolecallFields",
    "Stops",
    "StreamOptions",
    "TextPart",
    "Thinking",
    "Tool",
    "ToolCall",
    "Whole",
]
