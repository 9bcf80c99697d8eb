"""Messages and the parts of their content."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from chalicelib.chat.tools import CacheControl, ToolCall
from chalicelib.errors import ServiceError


class _Part(BaseModel):
    # What is not known is kept, so that it can be named among what was ignored.
    model_config = ConfigDict(extra="allow", frozen=True)


class _CacheablePart(_Part):
    cache_control: CacheControl | None = None


class TextPart(_CacheablePart):
    """A text within a message's content."""

    type: Literal["text"]
    text: str


class RefusalPart(_Part):
    """An earlier answer in which the model refused; to the model it is text like any other."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(BaseModel):
    """Where an image is: a data URL. `detail` has no counterpart in Bedrock and changes nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: str


class ImagePart(_CacheablePart):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(_Part):
    """A file: its data as a data URL, or the id of one that was uploaded to OpenAI."""

    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class FilePart(_CacheablePart):
    """A file that the model reads."""

    type: Literal["file"]
    file: FileData


class UnreadPart(_Part):
    """A part of OpenAI's that no model here takes: known, so that it is refused as what it is."""

    type: Literal["input_audio"]


Part = Annotated[TextPart | RefusalPart | ImagePart | FilePart | UnreadPart, Field(discriminator="type")]


class Thinking(_Part):
    """What the model thought, with the signature by which it knows its own thoughts again.

    Some gateways give blocks without one; no model takes those back.
    """

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class RedactedThinking(_Part):
    """Thoughts that only the model can read, in base64."""

    type: Literal["redacted_thinking"]
    data: Annotated[str, Field(min_length=1)]


ThinkingBlock = Annotated[Thinking | RedactedThinking, Field(discriminator="type")]


class Message(_CacheablePart):
    """One message. `developer` is what OpenAI's newer models call `system`; `function` is refused.

    `reasoning_content` and `thinking_blocks` are where other gateways put what a model thought; a client that sends an
    answer back sends them with it.
    """

    # Lists are read up to their first mistake: 6 MB of mistakes take gigabytes to tell.
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[list[Part], Field(min_length=1, fail_fast=True)] | None = None
    tool_calls: Annotated[list[ToolCall], Field(fail_fast=True)] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: Annotated[list[ThinkingBlock], Field(fail_fast=True)] | None = None
    function_call: Any = None
    audio: Any = None

    @field_validator(
        "content", mode="before", json_schema_input_type=str | Annotated[list[Part], Field(min_length=1)] | None
    )
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
        found = [text for part in self.content or () if (text := text_of(part)) is not None]
        return [text for text in found if text.strip()]

    def require_readable(self, param: str) -> None:
        """Raise `unsupported_parameter` for what no model here takes, with its place below `param`."""
        if self.role == "function":
            raise unsupported(f"{param}.role", "The role function is")
        for name in ("function_call", "audio"):
            if getattr(self, name):
                raise unsupported(f"{param}.{name}", f"{name} is")
        for place, part in enumerate(self.content or ()):
            media = isinstance(part, (ImagePart, FilePart))
            if isinstance(part, UnreadPart) or (media and self.role != "user"):
                raise unsupported(f"{param}.content.{place}", f"{part.type} is")

    def ignored_fields(self) -> set[str]:
        """Return what this message holds and nobody reads, as places without numbers: `messages.name`."""
        names = {f"messages.{name}" for name, value in (self.model_extra or {}).items() if value not in _NOTHING}
        for part in self.content or ():
            names |= {f"messages.content.{name}" for name, value in (part.model_extra or {}).items() if value}
        if self.name:
            names.add("messages.name")
        if self.tool_calls and self.role != "assistant":
            names.add("messages.tool_calls")
        return names


_NOTHING: Final[tuple[object, ...]] = (None, "", [], {}, False)
"""Values of fields that clients send along when they send an answer back, such as `refusal` and `annotations`."""


def text_of(part: Part) -> str | None:
    """Return the text of a part that has one."""
    match part:
        case TextPart():
            return part.text
        case RefusalPart():
            return part.refusal
    return None


def unsupported(param: str, what: str) -> ServiceError:
    """Return the refusal of a field that asks for what is not built, or what no model does."""
    return ServiceError("unsupported_parameter", f"{what} not supported here.", param=param, fix=f"Leave {param} out.")
