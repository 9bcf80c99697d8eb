"""Frames of `application/vnd.amazon.eventstream`, taken apart as octets come in.

Smithy's specification, "Amazon event stream": a prelude of two lengths and their CRC-32, headers, payload, and a CRC-32
over all. botocore's decoder lets a stream end in the middle of a frame without a word; this one does not.
"""

from __future__ import annotations

import struct
from binascii import crc32
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_FRAME: Final = 16 * 1024 * 1024
"""Octets of one frame; AWS's own bound for a message (Smithy: 16 MiB of payload, 128 KiB of headers)."""
LARGEST_HEADERS: Final = 128 * 1024
_OVERHEAD: Final = 16
_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
_FIXED: Final = {2: (">b", 1), 3: (">h", 2), 4: (">i", 4), 5: (">q", 8), 8: (">q", 8)}
_OCTETS, _TEXT, _UUID = 6, 7, 9

HeaderValue = bool | int | bytes | str


class FrameError(Exception):
    """What came is no event stream, or ends within a frame."""


class Frame(NamedTuple):
    """One message: headers by name, and the payload. A time is in milliseconds since 1970, a UUID sixteen octets."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class Decoder:
    """Takes octets as they come and gives whole frames; raises `FrameError`, and is then of no more use."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, octets: bytes) -> list[Frame]:
        """Return the frames that are complete with these octets."""
        # As good as always a piece holds whole frames, and nothing need be put together.
        waiting = bool(self._buffer)
        self._buffer += octets if waiting else b""
        data = self._buffer if waiting else octets
        found = []
        at, size = 0, len(data)
        while size - at >= _PRELUDE.size:
            total, in_headers, prelude_crc = _PRELUDE.unpack_from(data, at)
            if crc32(data[at : at + 8]) != prelude_crc:
                raise FrameError("the checksum of a prelude is wrong")
            if not in_headers + _OVERHEAD <= total <= LARGEST_FRAME + LARGEST_HEADERS or in_headers > LARGEST_HEADERS:
                raise FrameError(f"a frame of {total} octets with {in_headers} of headers")
            if size - at < total:
                break
            end = at + total - _CRC.size
            message = bytes(data[at:end])
            if crc32(message) != _CRC.unpack_from(data, end)[0]:
                raise FrameError("the checksum of a frame is wrong")
            payload_at = _PRELUDE.size + in_headers
            found.append(Frame(_headers(message[_PRELUDE.size : payload_at]), message[payload_at:]))
            at += total
        if waiting:
            del self._buffer[:at]
        else:
            self._buffer += data[at:]
        return found

    def end(self) -> None:
        """Say that no more will come. Raises `FrameError` within a frame."""
        if self._buffer:
            raise FrameError(f"the stream ended within a frame, after {len(self._buffer)} octets of it")


@lru_cache(maxsize=64)
def _headers(message: bytes) -> Mapping[str, HeaderValue]:
    """Return the headers of a frame. A stream has about five kinds of events, each with the same octets every time."""
    headers: dict[str, HeaderValue] = {}
    at, end = 0, len(message)
    try:
        while at < end:
            name_end = at + 1 + message[at]
            name = message[at + 1 : name_end].decode()
            kind = message[name_end]
            at = name_end + 1
            value: HeaderValue
            if kind in {_TEXT, _OCTETS}:
                start = at + _LENGTH.size
                at = start + _LENGTH.unpack_from(message, at)[0]
                value = message[start:at].decode() if kind == _TEXT else message[start:at]
            elif kind <= 1:
                value = kind == 0
            elif kind == _UUID:
                value = message[at : at + 16]
                at += 16
            else:
                form, length = _FIXED[kind]
                value = struct.unpack_from(form, message, at)[0]
                at += length
            if at > end or name in headers:
                raise FrameError("a header is longer than the headers, or there twice")
            headers[name] = value
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise FrameError("the headers of a frame can't be read") from error
    return headers
