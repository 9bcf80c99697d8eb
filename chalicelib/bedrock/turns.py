"""Messages become Converse's turns: user and assistant by turns, texts before calls, results before texts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock import media
from chalicelib.bedrock.tools import call_ids, tool_result, tool_use
from chalicelib.chat import FilePart, ImagePart
from chalicelib.chat.messages import text_of
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.bedrock.tools import Names
    from chalicelib.chat import Message

_STARTS_WITH_ASSISTANT: Final = "."
"""Stands for the user's turn when a chat begins with the assistant's: Converse wants the user to begin."""
_BESIDE_DOCUMENT: Final = "Read the document."
"""Converse wants a text beside a document."""


def is_system(message: Message) -> bool:
    """Whether a message is an instruction, which Converse has in a place of its own."""
    return message.role in {"system", "developer"}


def turns(messages: Sequence[Message], names: Names) -> list[dict[str, Any]]:
    """Return the turns: system texts elsewhere, empty messages dropped, neighbors of one role merged.

    Raises `invalid_value` when nothing is left to send.
    """
    blocks = _Blocks(messages, names)
    spoken = [
        ("assistant" if message.role == "assistant" else "user", blocks.of(place, message))
        for place, message in enumerate(messages)
        if not is_system(message)
    ]
    made: list[dict[str, Any]] = [
        {"role": role, "content": [block for _, content in group for block in content]}
        for role, group in groupby([turn for turn in spoken if turn[1]], key=lambda turn: turn[0])
    ]
    if not made:
        raise ServiceError(
            "invalid_value",
            "The chat has no message of the user or the assistant with text in it.",
            param="messages",
            fix="Send at least one user message with text.",
        )
    if made[0]["role"] == "assistant":
        made.insert(0, {"role": "user", "content": [{"text": _STARTS_WITH_ASSISTANT}]})
    last = made[-1]["content"][-1]
    if made[-1]["role"] == "assistant" and "text" in last:
        # A last message of the assistant is continued; models refuse one that ends with white space.
        last["text"] = last["text"].rstrip()
    return made


class _Blocks:
    """Makes the blocks of one request's messages, and counts what Converse bounds."""

    def __init__(self, messages: Sequence[Message], names: Names) -> None:
        self._names = names
        self._ids = call_ids(messages)
        self._images = 0
        self._documents = 0

    def of(self, place: int, message: Message) -> list[dict[str, Any]]:
        """Return the content blocks of a message."""
        if message.role == "tool":
            return [tool_result(message, self._ids)]
        blocks = [block for at, part in enumerate(message.content or ()) if (block := self._block(place, at, part))]
        if message.role == "assistant":
            calls = enumerate(message.tool_calls or ())
            param = f"messages.{place}.tool_calls"
            blocks += [tool_use(call, self._names, self._ids, f"{param}.{number}") for number, call in calls]
        elif any("document" in block for block in blocks) and not any("text" in block for block in blocks):
            blocks.append({"text": _BESIDE_DOCUMENT})
        return blocks

    def _block(self, place: int, at: int, part: Any) -> dict[str, Any] | None:
        param = f"messages.{place}.content.{at}"
        if isinstance(part, ImagePart):
            self._images = _counted(self._images, media.MOST_IMAGES, "images", param)
            return media.image(part.image_url.url, f"{param}.image_url.url")
        if isinstance(part, FilePart):
            self._documents = _counted(self._documents, media.MOST_DOCUMENTS, "files", param)
            return media.document(part.file, self._documents, f"{param}.file")
        text = text_of(part)
        return {"text": text} if text is not None and text.strip() else None


def _counted(count: int, most: int, what: str, param: str) -> int:
    if count == most:
        raise ServiceError("invalid_value", f"A chat has at most {most} {what}.", param=param)
    return count + 1
