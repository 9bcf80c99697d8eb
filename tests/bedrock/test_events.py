"""The events of a stream: each as soon as it is there, none lost, and no more ahead of a slow client than fits."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.operations import CONVERSE_STREAM
from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.wire import Wire
from tests.bedrock.test_eventstream import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chalicelib.bedrock.events import Events

CREDENTIALS = Credentials("AKIDEXAMPLE", "secret", "token")
CHUNKED = "Transfer-Encoding: chunked"
UNTIL_CLOSE = "Connection: close"


def event(name: str, body: object) -> bytes:
    """Return the frame of an event."""
    return frame({":message-type": "event", ":event-type": name}, json.dumps(body).encode())


@pytest.fixture
def stream() -> Iterator[Callable[..., Events]]:
    """Give a function that has a far side send pieces, under a header that says how, and returns the stream of them.

    Pieces that raise `ConnectionResetError` have the far side break off; `over` is set once it has let go.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    begun: list[Events] = []

    def send(framing: str, pieces: Iterable[bytes], over: threading.Event) -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
                for piece in pieces:
                    connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == CHUNKED else piece)
                connection.sendall(b"0\r\n\r\n" if framing == CHUNKED else b"")
            except ConnectionError:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        over.set()

    def start(
        framing: str, pieces: Iterable[bytes], seconds: float = 100.0, over: threading.Event | None = None
    ) -> Events:
        threading.Thread(target=send, args=(framing, pieces, over or threading.Event()), daemon=True).start()
        wire = Wire(endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}")
        arguments: dict[str, Any] = {"model": "m", "body": {"messages": []}, "seconds": seconds}
        begun.append(wire.stream(CREDENTIALS, "us-east-1", CONVERSE_STREAM, **arguments))
        return begun[-1]

    yield start
    for events in begun:
        events.close()
    listening.close()


@pytest.mark.parametrize("framing", [CHUNKED, UNTIL_CLOSE])
def test_an_event_is_there_before_the_next_one_is_sent(stream: Callable[..., Events], framing: str) -> None:
    """A first word must not wait for the second, however the far side marks the end of its body."""
    seen = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield event("messageStart", {"role": "assistant"})
        assert seen.wait(60)
        yield event("messageStop", {})

    types = []
    for found in stream(framing, pieces()).within(100):
        assert found is not None
        types.append(found.type)
        seen.set()

    assert types == ["messageStart", "messageStop"]


def test_a_slow_client_makes_the_far_side_wait(stream: Callable[..., Events]) -> None:
    """A client that reads nothing costs a bounded memory, and finds every event once it reads again."""
    whole, sent = 1500, 0
    large = event("contentBlockDelta", {"delta": {"text": "x" * 65000}})

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(whole):
            yield large
            sent += 1

    events = stream(CHUNKED, pieces())
    before = -1
    while before < sent:
        before = sent
        time.sleep(0.3)
    assert sent < 800  # what is read ahead, and what lies in the buffers of both sockets

    assert sum(1 for _ in events.within(100)) == whole


def test_a_stream_that_the_far_side_broke_off_is_closed_as_any(stream: Callable[..., Events]) -> None:
    """Closing is the last thing that is done, whatever happened: an error of its own would take that one's place."""
    over = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield from itertools.repeat(event("contentBlockDelta", {"delta": {"text": "x"}}), 1000)
        raise ConnectionResetError

    events = stream(CHUNKED, pieces(), over=over)
    events.first()
    # The reader is waiting for room by now, and has not seen that the connection is gone.
    assert over.wait(60)

    events.close()


def test_a_stream_that_nobody_fetches_ends_with_its_time(stream: Callable[..., Events]) -> None:
    """A client that goes before the first line leaves a generator that never began: closing it closes nothing."""
    before = {thread for thread in threading.enumerate() if thread.name == "event-stream"}
    large = event("contentBlockDelta", {"delta": {"text": "x" * 65000}})
    events = stream(CHUNKED, itertools.repeat(large, 5000), seconds=2.0)
    events.first()
    [reader] = {thread for thread in threading.enumerate() if thread.name == "event-stream"} - before
    reader.join(60)

    assert not reader.is_alive()


@pytest.mark.parametrize("payload", [b'{"a": 1} {}', b'{"a": 1}x', b"[1]", b'"text"', b" ", b"{", b"\xff"])
def test_an_event_that_is_no_json_object_breaks_the_stream(stream: Callable[..., Events], payload: bytes) -> None:
    """What can't be read whole is not guessed at."""
    headers = {":message-type": "event", ":event-type": "contentBlockDelta"}

    with pytest.raises(Unreachable):
        stream(CHUNKED, [frame(headers, payload)])


JSON = "application/json"
UNKNOWN: dict[str, tuple[dict[str, str], bytes]] = {
    "no payload": ({":content-type": JSON}, b""),
    "no payload and no type": ({}, b""),
    "octets": ({":content-type": "application/octet-stream"}, b"\x00\xff"),
    "a text": ({":content-type": "text/plain"}, b"still here"),
}


@pytest.mark.parametrize(("headers", "payload"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_event_that_is_to_come_breaks_no_stream(
    stream: Callable[..., Events], headers: dict[str, str], payload: bytes
) -> None:
    """AWS may send new ones: one without a payload, or whose payload says that it is no JSON, has no members."""
    new = frame({":message-type": "event", ":event-type": "keepAlive", **headers}, payload)
    found = list(stream(CHUNKED, [new, event("messageStop", {"stopReason": "end_turn"})]).within(100))

    assert [(one.type, one.body) for one in found if one] == [
        ("keepAlive", {}),
        ("messageStop", {"stopReason": "end_turn"}),
    ]


@pytest.mark.parametrize("name", ["message", "Message"])
def test_an_exceptions_text_is_read_in_both_spellings(stream: Callable[..., Events], name: str) -> None:
    """As botocore reads it."""
    headers = {":message-type": "exception", ":exception-type": "validationException", ":content-type": JSON}
    with pytest.raises(AwsError) as raised:
        stream(CHUNKED, [frame(headers, json.dumps({name: "Too long."}).encode())]).first()

    assert (raised.value.code, raised.value.message) == ("validationException", "Too long.")


def test_an_error_that_is_no_exception_of_the_model_is_told_by_its_headers(stream: Callable[..., Events]) -> None:
    """The event stream's own kind of error has no payload (Smithy, "Amazon Event Stream specification")."""
    headers = {":message-type": "error", ":error-code": "ModelError", ":error-message": "It broke."}
    with pytest.raises(AwsError) as raised:
        stream(CHUNKED, [frame(headers, b"")]).first()

    assert (raised.value.code, raised.value.message, raised.value.request_id) == ("ModelError", "It broke.", "")


def test_a_stream_of_nothing_is_no_answer(stream: Callable[..., Events]) -> None:
    """It ended as streams end, and before it began."""
    with pytest.raises(Unreachable) as raised:
        stream(CHUNKED, [])

    assert raised.value.kind == "cut"


@pytest.mark.parametrize("framing", [CHUNKED, UNTIL_CLOSE])
def test_half_an_event_at_the_end_is_no_end(stream: Callable[..., Events], framing: str) -> None:
    """Though HTTP ended as it does, and the events before it look like a whole answer: what it cost was in the half."""
    usage = event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}})
    pieces = [event("messageStart", {"role": "assistant"}), event("messageStop", {"stopReason": "end_turn"})]
    with pytest.raises(Unreachable) as raised:
        list(stream(framing, [*pieces, usage[: len(usage) // 2]]).within(60))

    assert raised.value.kind == "cut"


@pytest.mark.parametrize("framing", [CHUNKED, UNTIL_CLOSE])
def test_silence_is_told_and_breaks_nothing(stream: Callable[..., Events], framing: str) -> None:
    """None for each while in which nothing came, and then what came after all."""
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield event("messageStart", {"role": "assistant"})
        assert go_on.wait(60)
        yield event("messageStop", {})

    events = stream(framing, pieces()).within(0.02)
    before = [next(events), next(events), next(events)]
    go_on.set()
    after = [found.type for found in events if found is not None]

    assert [found.type if found else None for found in before] == ["messageStart", None, None]
    assert after == ["messageStop"]


def test_a_stream_that_falls_silent_ends_with_its_time(stream: Callable[..., Events]) -> None:
    """However often silence was told before: the seconds bound the whole stream."""
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield event("messageStart", {"role": "assistant"})
        assert go_on.wait(60)

    events = stream(CHUNKED, pieces(), 0.5)
    try:
        with pytest.raises(Unreachable) as raised:
            list(events.within(0.05))
    finally:
        go_on.set()

    assert raised.value.kind == "timeout"


def test_white_space_around_an_event_is_json_too(stream: Callable[..., Events]) -> None:
    """RFC 8259 allows it."""
    headers = {":message-type": "event", ":event-type": "contentBlockDelta"}

    assert stream(CHUNKED, [frame(headers, b' \r\n{"a": 1}\n')]).first().body == {"a": 1}
