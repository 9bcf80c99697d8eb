"""Messages of a chat become the content blocks of Anthropic's Messages, each with its mark for the prompt cache.

Source: Anthropic's API reference, "Messages", version 2023-06-01; its guide "Prompt caching".
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock import media
from chalicelib.bedrock.reasoning import is_signed
from chalicelib.bedrock.tools import arguments_of
from chalicelib.chat import FilePart, ImagePart, RedactedThinking, Thinking
from chalicelib.chat.messages import text_of
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from chalicelib.bedrock.tools import CallIds
    from chalicelib.chat import CacheControl, Message, ToolCall

_LARGEST_IMAGE: Final = 5 * 1024 * 1024
"""Octets (Anthropic's guide, "Vision")."""
_AS_TEXT: Final = frozenset({"txt", "md", "csv", "html"})
"""Formats of files that are texts; of the others Anthropic reads PDF alone."""


def is_system(message: Message) -> bool:
    """Whether a message is an instruction, which Messages has in a place of its own."""
    return message.role in {"system", "developer"}


def marked(block: dict[str, Any], control: CacheControl | None) -> dict[str, Any]:
    """Return a block after which the prompt is kept, if it is to be."""
    return block if control is None else {**block, "cache_control": control.model_dump(exclude_none=True)}


def blocks_of(message: Message, param: str, ids: CallIds, *, with_thoughts: bool = False) -> list[dict[str, Any]]:
    """Return the blocks of a message; `param` is its place, `ids` those of the calls so far.

    `with_thoughts`: what the model thought and signed goes back to it. Raises `ServiceError` for what can't be read.
    """
    if message.role == "tool":
        # A mark within a result is one behind it, as with Bedrock.
        marks = [message.cache_control, *(getattr(part, "cache_control", None) for part in message.content or ())]
        texts = [{"type": "text", "text": text} for text in message.texts()]
        result = {"type": "tool_result", "tool_use_id": ids.of(message.tool_call_id or ""), "content": texts}
        return [marked(result, next(filter(None, marks), None))]
    blocks = _thoughts(message) if with_thoughts and message.role == "assistant" else []
    blocks += [
        marked(block, getattr(part, "cache_control", None))
        for place, part in enumerate(message.content or ())
        if (block := _block(part, f"{param}.content.{place}")) is not None
    ]
    if message.role == "assistant":
        calls = enumerate(message.tool_calls or ())
        blocks += [_tool_use(call, ids, f"{param}.tool_calls.{place}") for place, call in calls]
    if blocks and "thinking" not in blocks[-1]["type"]:
        blocks[-1] = marked(blocks[-1], message.cache_control)
    return blocks


def _thoughts(message: Message) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for block in filter(is_signed, message.thinking_blocks or ()):
        match block:
            case Thinking():
                made.append({"type": "thinking", "thinking": block.thinking, "signature": block.signature})
            case RedactedThinking():
                made.append({"type": "redacted_thinking", "data": block.data})
    return made


def _block(part: Any, param: str) -> dict[str, Any] | None:
    if isinstance(part, ImagePart):
        kind, data = media.sniffed(part.image_url.url, f"{param}.image_url.url", _LARGEST_IMAGE)
        return {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": data}}
    if isinstance(part, FilePart):
        return {"type": "document", "source": _source(part, f"{param}.file")}
    text = text_of(part)
    return {"type": "text", "text": text} if text is not None and text.strip() else None


def _source(part: FilePart, param: str) -> dict[str, Any]:
    """Return where a file is; its name is left out, as with Bedrock: a model could take it for an instruction."""
    found = media.document(part.file, 1, param)["document"]
    data = found["source"]["bytes"]
    if found["format"] == "pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": data}
    if found["format"] in _AS_TEXT:
        try:
            return {"type": "text", "media_type": "text/plain", "data": base64.b64decode(data).decode()}
        except UnicodeDecodeError:
            pass
    raise ServiceError(
        "unsupported_parameter",
        "Anthropic reads PDF, and texts in UTF-8.",
        param=f"{param}.file_data",
        fix="Send the file as one of them.",
    )


def _tool_use(call: ToolCall, ids: CallIds, param: str) -> dict[str, Any]:
    arguments = arguments_of(call, param)
    return {"type": "tool_use", "id": ids.begin(call.id), "name": call.function.name, "input": arguments}
