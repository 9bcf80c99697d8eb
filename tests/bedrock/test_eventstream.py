"""The decoder of event frames, held against botocore's, and against whatever a network may do to them."""

from __future__ import annotations

import json
import struct
import uuid
from binascii import crc32
from typing import TYPE_CHECKING, Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.bedrock.eventstream import Decoder, FrameError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: 0 < len(name.encode()) < 256)
VALUES = st.one_of(
    st.booleans(),
    st.tuples(st.just(2), st.integers(-128, 127)),
    st.tuples(st.just(3), st.integers(-(2**15), 2**15 - 1)),
    st.tuples(st.just(4), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(5), st.integers(-(2**63), 2**63 - 1)),
    st.binary(max_size=50),
    st.text(max_size=50),
    st.tuples(st.just(8), st.integers(-(2**63), 2**63 - 1)),
    st.uuids(),
)
FRAMES = st.tuples(st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=200))


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case (int(kind), int(number)):
            return bytes((kind,)) + struct.pack({2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}[kind], number)
        case bytes():
            return b"\x06" + struct.pack(">H", len(value)) + value
        case str():
            return b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        case uuid.UUID():
            return b"\x09" + value.bytes
    raise TypeError(value)


def frame(headers: dict[str, Any], payload: bytes) -> bytes:
    """Return one frame, as Smithy's specification has it."""
    head = b"".join(bytes((len(name.encode()),)) + name.encode() + _value(value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return message + struct.pack(">I", crc32(message))


def _decoded(pieces: Sequence[bytes]) -> list[tuple[Any, bytes]]:
    decoder = Decoder()
    found = [(one.headers, one.payload) for piece in pieces for one in decoder.feed(piece)]
    decoder.end()
    return found


def _botocores(octets: bytes) -> list[tuple[Any, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(octets)
    return [(message.headers, message.payload) for message in buffer]


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, max_size=6), st.integers(1, 40))
def test_frames_are_botocores_in_whatever_pieces_they_come(frames: list[Any], size: int) -> None:
    """All ten types of header, any payload, cut anywhere: what botocore reads from the whole."""
    octets = b"".join(frame(headers, payload) for headers, payload in frames)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]

    assert _decoded(pieces) == _botocores(octets)


@settings(max_examples=200, deadline=None)
@given(FRAMES, st.data())
def test_a_stream_that_ends_within_a_frame_is_an_error(one: Any, data: st.DataObject) -> None:
    """Botocore says nothing of it; half an answer must not pass for one."""
    octets = frame(*one)
    cut = data.draw(st.integers(1, len(octets) - 1))

    with pytest.raises(FrameError):
        _decoded([octets[:cut]])


@settings(max_examples=300, deadline=None)
@given(FRAMES, st.data())
def test_a_bit_that_flipped_is_an_error(one: Any, data: st.DataObject) -> None:
    """Wherever it is, one of the checksums or lengths tells; nothing wrong is ever given out."""
    octets = bytearray(frame(*one))
    at = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[at // 8] ^= 1 << at % 8

    with pytest.raises(FrameError):
        _decoded([bytes(octets)])


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_noise_is_an_error(noise: bytes) -> None:
    """What is no event stream is told as such, at once or at its end."""
    with pytest.raises(FrameError):
        _decoded([noise])


BAD_HEADERS = {
    "a value beyond the headers": b"\x01a\x07\x00\x09x",
    "a name beyond the headers": b"\x09a",
    "an unknown type": b"\x01a\x0a",
    "a header twice": b"\x01a\x00\x01a\x00",
    "no UTF-8": b"\x01a\x07\x00\x01\xff",
    "a number cut short": b"\x01a\x05\x00",
}


@pytest.mark.parametrize("head", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_headers_that_cannot_be_read_are_an_error(head: bytes) -> None:
    """Checksums fit, and the headers do not."""
    prelude = struct.pack(">II", 16 + len(head), len(head))
    message = prelude + struct.pack(">I", crc32(prelude)) + head

    with pytest.raises(FrameError):
        _decoded([message + struct.pack(">I", crc32(message))])


def test_a_length_that_nobody_sends_is_refused_before_it_is_waited_for() -> None:
    """Four gigabytes announced are not collected."""
    prelude = struct.pack(">II", 0xFFFFFFFF, 0)

    with pytest.raises(FrameError, match="octets"):
        Decoder().feed(prelude + struct.pack(">I", crc32(prelude)))


def test_many_small_pieces_cost_no_more_than_few() -> None:
    """A frame of a megabyte in pieces of a kilobyte is put together once."""
    payload = bytes(range(256)) * 4000
    octets = frame({":message-type": "event"}, payload)

    [(headers, found)] = _decoded([octets[at : at + 1024] for at in range(0, len(octets), 1024)])
    assert (headers, found) == ({":message-type": "event"}, payload)
    assert json.dumps(headers)
