"""The rules of what a message carries: text, images, documents, tool calls and their results.

Limits are those of the API reference (ImageBlock, DocumentBlock); texts as reported: botocore#3525 (blank), boto3#4415
(image format), generative-ai-use-cases#1685 and #1671, bifrost#5817, #7003 and #7072 (documents).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sandbox.bedrock.refusals import model_refused, refused, unsupported

if TYPE_CHECKING:
    from sandbox.bedrock.catalog import Chat

Block = dict[str, Any]

MOST_IMAGES: Final = 20
MOST_DOCUMENTS: Final = 5
_IMAGE_BYTES: Final = 3_932_160
_DOCUMENT_BYTES: Final = 4_718_592
_DOCUMENT_NAME: Final = re.compile(r"[A-Za-z0-9()\[\]_-]*(?: [A-Za-z0-9()\[\]_-]+)* ?| ?", re.ASCII)
"""Underscores are not in the reference, but taken (generative-ai-use-cases#1671)."""

_MEDIA: Final = {"image": "images", "document": "documents", "video": "video", "audio": "audio"}


@dataclass
class _Seen:
    images: int = 0
    documents: list[str] = field(default_factory=list)


def check_content(messages: list[dict[str, Any]], chat: Chat, *, with_text: bool = True) -> None:
    """Raise AwsError for a block that Converse, or this model, does not take.

    `with_text`: a document needs a text beside it, as Converse wants it.
    """
    seen = _Seen()
    for m, message in enumerate(messages):
        for b, block in enumerate(message["content"]):
            _block(block, f"messages.{m}.content.{b}", chat, seen)
        if with_text:
            _document_has_text(message)
    if seen.images > MOST_IMAGES:
        raise refused(f"You can't include more than {MOST_IMAGES} images in a request.")
    if len(seen.documents) > MOST_DOCUMENTS:
        raise refused(f"You can't include more than {MOST_DOCUMENTS} documents in a request.")
    if len(set(seen.documents)) < len(seen.documents):
        raise refused("Messages can't contain duplicate document names. Rename the document and retry your request.")


def _block(block: Block, path: str, chat: Chat, seen: _Seen) -> None:
    for kind, feature in _MEDIA.items():
        if kind in block and feature not in chat.has:
            raise unsupported(kind)
    if "text" in block:
        _not_blank(block["text"], path, "ContentBlock")
    elif "image" in block:
        seen.images += 1
        _image(block["image"], path)
    elif "document" in block:
        seen.documents.append(block["document"]["name"])
        _document(block["document"], path)
    elif "toolUse" in block:
        must_be_object(block["toolUse"]["input"], f"{path}.toolUse.input")
    elif "toolResult" in block:
        _tool_result(block["toolResult"], f"{path}.toolResult", chat, seen)
    elif "toolAddition" in block or "toolRemoval" in block:
        raise unsupported(next(iter(block)))


def _not_blank(text: str, path: str, kind: str) -> None:
    if not text.strip():
        raise refused(
            f"The text field in the {kind} object at {path} is blank. Add text to the text field, and try again."
        )


def check_system(blocks: list[Block]) -> None:
    """Raise AwsError for a blank system text."""
    for n, block in enumerate(blocks):
        if "text" in block:
            _not_blank(block["text"], f"system.{n}", "SystemContentBlock")


def must_be_object(value: object, path: str) -> None:
    """Raise AwsError unless a free JSON value is an object."""
    if not isinstance(value, dict):
        raise refused(
            f"The format of the value at {path} is invalid. Provide a json object for the field and try again."
        )


def _tool_result(result: dict[str, Any], path: str, chat: Chat, seen: _Seen) -> None:
    if not result["content"] and result.get("status") == "error":
        raise refused(f"The content field at {path} cannot be empty when status value is error.")
    for n, part in enumerate(result["content"]):
        if "json" in part:
            must_be_object(part["json"], f"{path}.content.{n}.json")
        else:
            _block(part, f"{path}.content.{n}", chat, seen)


def _image(image: dict[str, Any], path: str) -> None:
    octets = image["source"].get("bytes")
    if octets is None:
        raise refused(f"The S3 object at {path}.image.source.s3Location could not be read.")
    if len(octets) > _IMAGE_BYTES:
        raise model_refused(
            f"{path}.image.source: image exceeds 3.75 MB maximum: {len(octets)} bytes > {_IMAGE_BYTES} bytes"
        )
    if image_format(octets) != image["format"]:
        raise model_refused("The provided image does not match the specified image format.")


def image_format(octets: bytes) -> str | None:
    """Return the format that the first bytes tell, in Converse's words."""
    if octets.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if octets.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if octets.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if octets[:4] == b"RIFF" and octets[8:12] == b"WEBP" else None


def _document(document: dict[str, Any], path: str) -> None:
    if not _DOCUMENT_NAME.fullmatch(document["name"]):
        raise refused(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, "
            "parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. "
            "Check that the file name conforms to these restrictions and retry your request."
        )
    source = document["source"]
    if "s3Location" in source:
        raise refused(f"The S3 object at {path}.document.source.s3Location could not be read.")
    if "bytes" not in source and not document.get("citations", {}).get("enabled"):
        raise refused(
            f"DocumentSource object at {path}.document.source must set one of the following keys: bytes, s3Location."
        )
    if len(source.get("bytes", b"")) > _DOCUMENT_BYTES:
        raise refused(f"The document at {path} is larger than 4.5 MB.")
    if document.get("format") == "pdf" and not source.get("bytes", b"%PDF").startswith(b"%PDF"):
        raise model_refused("The PDF specified was not valid.")


def _document_has_text(message: dict[str, Any]) -> None:
    kinds = {kind for block in message["content"] for kind in block}
    if "document" in kinds and "text" not in kinds:
        raise refused("A text block must be included when using documents.")
