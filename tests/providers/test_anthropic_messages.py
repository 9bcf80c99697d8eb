"""Streams of Anthropic's own, passed on: what may stand in them, and how they may end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from urllib3 import HTTPResponse

from chalicelib.errors import ServiceError
from chalicelib.providers.anthropic_messages import documents
from chalicelib.providers.outgoing import Pieces

if TYPE_CHECKING:
    from collections.abc import Generator

KEY = "no-form-of-a-key-4711"
START = b'event: message_start\ndata: {"type": "message_start", "message": {"id": "1"}}\n\n'
NEW = b'event: something_new\ndata: {"type": "something_new", "a": "\\ud83d"}\n\n'
STOP = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'


class Octets(Pieces):
    """Octets as they come, which know whether their connection was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.closed = False
        super().__init__(self._given(pieces), HTTPResponse())

    def _given(self, pieces: tuple[bytes, ...]) -> Generator[bytes, None, None]:
        try:
            yield from pieces
        finally:
            self.closed = True


def test_events_go_on_as_they_came_and_end_with_the_last() -> None:
    """Also those that nobody knows today, torn anywhere; what comes after the end is nobody's."""
    octets = START + NEW + STOP + START
    pieces = Octets(*(octets[at : at + 7] for at in range(0, len(octets), 7)))
    told = list(documents(pieces, KEY))

    assert [event["type"] for event in told] == ["message_start", "something_new", "message_stop"]
    assert (told[0]["message"], told[1]["a"]) == ({"id": "1"}, "\ud83d")
    assert pieces.closed


BROKEN = {
    "nothing": b"",
    "no end": START,
    "an end in half": START + STOP[:-1],
    "no JSON": b"event: message_start\ndata: {\n\n",
    "an event without end": b"event: x\ndata: " + b"a" * (5 * 1024 * 1024),
}


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_a_stream_without_its_end_is_an_error(octets: bytes) -> None:
    """Whoever listens is told, and the connection is closed."""
    pieces = Octets(octets)
    with pytest.raises(ServiceError):
        list(documents(pieces, KEY))

    assert pieces.closed


def test_an_error_is_ours_and_without_the_key() -> None:
    """Anthropic's kind of error becomes a code of ours; a key that it repeats is left out."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": f"{KEY} is too busy"}}
    octets = f"event: error\ndata: {json.dumps(error)}\n\n".encode()
    with pytest.raises(ServiceError) as raised:
        list(documents(Octets(START, octets), KEY))

    assert raised.value.code == "service_unavailable"
    assert "too busy" in raised.value.message
    assert KEY not in raised.value.message


def test_no_name_of_an_event_can_begin_another() -> None:
    """A name that is none is not passed on."""
    octets = b"event: a b\ndata: {}\n\nevent: error\x00\ndata: {}\n\n"

    assert list(documents(Octets(octets, STOP), KEY)) == [{"type": "message_stop"}]


def test_who_stops_listening_closes_the_connection() -> None:
    """Between two events."""
    pieces = Octets(START, STOP)
    told = documents(pieces, KEY)
    next(told)
    told.close()

    assert pieces.closed
