"""Messages become Converse's turns: user and assistant by turns, texts before calls, results before texts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock import media
from chalicelib.bedrock.offer import cache_point
from chalicelib.bedrock.quirks import Quirk
from chalicelib.bedrock.reasoning import is_signed, thoughts
from chalicelib.bedrock.tools import call_ids, tool_result, tool_use
from chalicelib.chat import FilePart, ImagePart, TextPart
from chalicelib.chat.messages import text_of
from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.bedrock.tools import Names
    from chalicelib.chat import CacheControl, Message

_FILLER: Final = "."
"""Stands for a turn that Converse wants and nobody took: the user's before the first answer, say."""
_BESIDE_DOCUMENT: Final = "Read the document."
"""Converse wants a text beside a document."""


def is_system(message: Message) -> bool:
    """Whether a message is an instruction, which Converse has in a place of its own."""
    return message.role in {"system", "developer"}


def system_blocks(messages: Sequence[Message], quirks: frozenset[Quirk]) -> list[dict[str, Any]]:
    """Return the blocks of the system's texts, cache points among them where the model takes those."""
    made: list[dict[str, Any]] = []
    for message in messages:
        if is_system(message):
            for part in message.content or ():
                text = text_of(part)
                if text is not None and text.strip():
                    made += [{"text": text}, *_kept(part.cache_control if isinstance(part, TextPart) else None, quirks)]
            made += _kept(message.cache_control, quirks) if made else []
    return made


def turns(
    messages: Sequence[Message], names: Names, quirks: frozenset[Quirk], *, with_thoughts: bool
) -> list[dict[str, Any]]:
    """Return the turns: system texts elsewhere, empty messages dropped, neighbors of one role merged.

    `with_thoughts`: the model wants to see again what it thought. Raises `invalid_value` when nothing is left to send.
    """
    blocks = _Blocks(messages, names, quirks, with_thoughts=with_thoughts)
    spoken = [
        ("assistant" if message.role == "assistant" else "user", blocks.of(place, message))
        for place, message in enumerate(messages)
        if not is_system(message)
    ]
    made: list[dict[str, Any]] = [
        {"role": role, "content": [block for _, content in group for block in content]}
        for role, group in groupby([turn for turn in spoken if turn[1]], key=lambda turn: turn[0])
    ]
    made = [turn for long in made for turn in _parted(long, quirks)]
    if not made:
        raise ServiceError(
            "invalid_value",
            "The chat has no message of the user or the assistant with text in it.",
            param="messages",
            fix="Send at least one user message with text.",
        )
    if made[0]["role"] == "assistant":
        made.insert(0, {"role": "user", "content": [{"text": _FILLER}]})
    last = [block for block in made[-1]["content"] if "cachePoint" not in block][-1]
    if made[-1]["role"] == "assistant" and "text" in last:
        # A last message of the assistant is continued; models refuse one that ends with white space.
        last["text"] = last["text"].rstrip()
    return made


def not_sent(messages: Sequence[Message], quirks: frozenset[Quirk], *, with_thoughts: bool) -> list[str]:
    """Return what of the messages this model is not sent, as places without numbers."""
    names: set[str] = set()
    for message in messages:
        if message.thinking_blocks and not (with_thoughts and all(map(is_signed, message.thinking_blocks))):
            names.add("messages.thinking_blocks")
        elif message.reasoning_content and not message.thinking_blocks:
            # Without its signature a thought can't be given back.
            names.add("messages.reasoning_content")
        if Quirk.CACHE_POINTS not in quirks:
            marked = [message.cache_control, *(getattr(part, "cache_control", None) for part in message.content or ())]
            names |= {"messages.cache_control"} if any(marked) else set()
    return sorted(names)


def _kept(control: CacheControl | None, quirks: frozenset[Quirk]) -> list[dict[str, Any]]:
    return [cache_point(control)] if control is not None and Quirk.CACHE_POINTS in quirks else []


def _parted(turn: dict[str, Any], quirks: frozenset[Quirk]) -> list[dict[str, Any]]:
    """Return a turn, or its results and the rest apart where the model refuses them together."""
    content = turn["content"]
    # Results stand first, each with the cache point that belongs to it: `require_results` holds chats to that.
    ends = next((at for at, block in enumerate(content) if not _is_of_results(block)), len(content))
    results, rest = content[:ends], content[ends:]
    apart = Quirk.RESULTS_ALONE in quirks or (
        Quirk.NO_DOCUMENT_BESIDE_RESULTS in quirks and any("document" in block for block in rest)
    )
    if not apart or not rest or not any("toolResult" in block for block in results):
        return [turn]
    filler = {"role": "assistant", "content": [{"text": _FILLER}]}
    return [{"role": "user", "content": results}, filler, {"role": "user", "content": rest}]


def _is_of_results(block: dict[str, object]) -> bool:
    return "toolResult" in block or "cachePoint" in block


class _Blocks:
    """Makes the blocks of one request's messages, and counts what Converse bounds."""

    def __init__(
        self, messages: Sequence[Message], names: Names, quirks: frozenset[Quirk], *, with_thoughts: bool
    ) -> None:
        self._names = names
        self._quirks = quirks
        self._with_thoughts = with_thoughts
        self._ids = call_ids(messages, nine=Quirk.NINE_CHARACTER_IDS in quirks)
        self._images = 0
        self._documents = 0

    def of(self, place: int, message: Message) -> list[dict[str, Any]]:
        """Return the content blocks of a message."""
        if message.role == "tool":
            marks = [message.cache_control, *(getattr(part, "cache_control", None) for part in message.content or ())]
            return [tool_result(message, self._ids), *_kept(next(filter(None, marks), None), self._quirks)]
        blocks = thoughts(message) if self._with_thoughts and message.role == "assistant" else []
        for at, part in enumerate(message.content or ()):
            block = self._block(place, at, part)
            if block:
                blocks += [block, *_kept(getattr(part, "cache_control", None), self._quirks)]
        if message.role == "assistant":
            calls = enumerate(message.tool_calls or ())
            param = f"messages.{place}.tool_calls"
            blocks += [tool_use(call, self._names, self._ids, f"{param}.{number}") for number, call in calls]
        elif any("document" in block for block in blocks) and not any("text" in block for block in blocks):
            blocks.append({"text": _BESIDE_DOCUMENT})
        return blocks + (_kept(message.cache_control, self._quirks) if blocks else [])

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
