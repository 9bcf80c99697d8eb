"""Images and files of a chat become Converse's blocks: decoded once to be sure of them, and sent as they came.

Bounds: Bedrock API reference, ImageBlock and DocumentBlock (20 images of 3.75 MB, 5 documents of 4.5 MB).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError

if TYPE_CHECKING:
    from chalicelib.chat.messages import FileData

MOST_IMAGES: Final = 20
MOST_DOCUMENTS: Final = 5
_LARGEST_IMAGE: Final = 3_932_160
_LARGEST_DOCUMENT: Final = 4_718_592
_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,", re.ASCII)
_MAGIC: Final = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_ENDINGS: Final = frozenset(_DOCUMENTS.values())


def image(url: str, param: str) -> dict[str, Any]:
    """Return Converse's block of an image."""
    kind, text = sniffed(url, param, _LARGEST_IMAGE)
    return {"image": {"format": kind, "source": {"bytes": text}}}


def sniffed(url: str, param: str, most: int) -> tuple[str, str]:
    """Return an image's kind and its data in base64; what it is, its first octets say, whatever its address claims.

    `most` is in octets. Raises `invalid_value`.
    """
    if not url.startswith("data:"):
        raise ServiceError(
            "invalid_value",
            "Images are not fetched: a service that fetches what it is told reaches what it should not.",
            param=param,
            fix="Send the image as a data URL: data:image/png;base64,...",
        )
    text, octets = _decoded(url, param, most)
    kind = "webp" if octets[:4] == b"RIFF" and octets[8:12] == b"WEBP" else ""
    kind = kind or next((name for magic, name in _MAGIC if octets.startswith(magic)), "")
    if not kind:
        raise ServiceError(
            "invalid_value", "The data is no PNG, JPEG, GIF or WebP.", param=param, fix="Send one of these four."
        )
    return kind, text


def document(file: FileData, number: int, param: str) -> dict[str, Any]:
    """Return Converse's block of a file. Its name is ours: the model reads names, and one could tell it what to do."""
    if file.file_data is None:
        raise ServiceError(
            "unsupported_parameter",
            "A file must come with its data: ids of files that were uploaded elsewhere mean nothing here.",
            param=f"{param}.file_id" if file.file_id else param,
            fix="Send file_data as a data URL.",
        )
    text, octets = _decoded(file.file_data, f"{param}.file_data", _LARGEST_DOCUMENT)
    kind = _document_format(file.file_data, file.filename)
    if kind is None or (kind == "pdf") != octets.startswith(b"%PDF-"):
        raise ServiceError(
            "invalid_value",
            f"The file is none of {', '.join(sorted(_ENDINGS))}, or not what it says.",
            param=f"{param}.file_data",
        )
    return {"document": {"format": kind, "name": f"document-{number}", "source": {"bytes": text}}}


def _document_format(data: str, filename: str | None) -> str | None:
    mark = _DATA_URL.match(data)
    named = _DOCUMENTS.get((mark[1] or "").lower()) if mark else None
    ending = (filename or "").rpartition(".")[2].lower()
    return named or (ending if ending in _ENDINGS else None)


def _decoded(url: str, param: str, most: int) -> tuple[str, bytes]:
    mark = _DATA_URL.match(url)
    if mark is None:
        raise ServiceError("invalid_value", "This is no data URL in base64.", param=param)
    text = url[mark.end() :]
    if len(text) > most * 4 // 3 + 4:
        raise ServiceError("invalid_value", f"The data has more than {most} octets.", param=param, fix="Send less.")
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ServiceError("invalid_value", "The data is no base64.", param=param) from None
    if not octets:
        raise ServiceError("invalid_value", "There is no data.", param=param)
    return text, octets
