"""The chat vocabulary of OpenAI's API: what a request may say, and what an answer looks like."""

from chalicelib.chat.answer import Completion, FinishReason, Usage
from chalicelib.chat.messages import FilePart, ImagePart, Message, RefusalPart, TextPart
from chalicelib.chat.request import ChatRequest, StreamOptions
from chalicelib.chat.tools import CalledFunction, NamedTool, ResponseFormat, Tool, ToolCall

__all__ = [
    "CalledFunction",
    "ChatRequest",
    "Completion",
    "FilePart",
    "FinishReason",
    "ImagePart",
    "Message",
    "NamedTool",
    "RefusalPart",
    "ResponseFormat",
    "StreamOptions",
    "TextPart",
    "Tool",
    "ToolCall",
    "Usage",
]
