"""One message of `application/vnd.amazon.eventstream`: prelude, headers, payload, each part under its checksum.

Smithy's specification, "Amazon event stream": lengths as big-endian 32 bits, CRC-32 over the prelude and over all.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_STRING: Final = 7
_PADDING: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _encoded(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(
        bytes((len(name),)) + name.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack("!I", zlib.crc32(body))


def event_frame(name: str, body: dict[str, object]) -> bytes:
    """Return an event; like Bedrock, it is padded by a field `p`, against guesses from the lengths of frames."""
    padded = {**body, "p": _PADDING[: 4 + zlib.crc32(name.encode() + repr(body).encode()) % 40]}
    payload = json.dumps(padded, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return _encoded(headers, payload)


def exception_frame(code: str, message: str) -> bytes:
    """Return an exception, which ends a stream; `code` as in the service model, in lower camel case."""
    headers = {":exception-type": code, ":content-type": "application/json", ":message-type": "exception"}
    return _encoded(headers, json.dumps({"message": message}).encode())
