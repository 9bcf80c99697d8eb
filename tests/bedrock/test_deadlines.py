"""One deadline for a whole exchange: a far side that gives or takes an octet now and then does not get round it.

A socket's timeout is for each receive, so these are far sides that are never silent for as long as that.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import HTTPError

from chalicelib.bedrock.failures import Unreachable
from chalicelib.bedrock.operations import CONVERSE_STREAM, LIST_FOUNDATION_MODELS
from chalicelib.bedrock.signing import Credentials
from chalicelib.bedrock.transport import exchange, kind_of, pool
from chalicelib.bedrock.wire import Wire
from chalicelib.providers.outgoing import Call, FixedHost, Outgoing
from tests.bedrock.far_side import A_MINUTE_CUT_SHORT
from tests.providers.test_endpoint import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.bedrock.conftest import Start

SECONDS = 0.6
"""All that a call may take here."""
BETWEEN = 0.05
MANY = 1200
HOST = "bedrock-runtime.us-east-1.amazonaws.com"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret", "token")
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TRICKLES = [
    pytest.param(b"", [b"H", b"T", b"T", b"P", b"/", b"1"] + [b"1"] * MANY, id="the line of the status"),
    pytest.param(HEAD, [b"X-Long: "] + [b"a"] * MANY, id="one header"),
    pytest.param(HEAD, [b"X-%d: a\r\n" % number for number in range(MANY)], id="many headers"),
    pytest.param(b"", [b"HTTP/1.1 100 Continue\r\n\r\n"] * MANY, id="a head before the head"),
    pytest.param(CHUNKED, [b"0"] * MANY, id="the length of a chunk"),
    pytest.param(CHUNKED, [b"1\r\n \r\n"] * MANY, id="small chunks"),
    pytest.param(CHUNKED + b"0\r\n", [b"X-%d: a\r\n" % number for number in range(MANY)], id="trailers"),
    pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % MANY, [b" "] * MANY, id="the body"),
    pytest.param(HEAD + b"Connection: close\r\n\r\n", [b" "] * MANY, id="a body without length"),
]


class Trickle:
    """Answers at once with `begun`, and then with a piece each twentieth of a second."""

    def __init__(self, begun: bytes, pieces: list[bytes]) -> None:
        self._begun = begun
        self._pieces = pieces
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(accepted,), daemon=True).start()

    def _answer(self, accepted: socket.socket) -> None:
        with suppress(OSError), accepted:
            accepted.recv(65536)
            accepted.sendall(self._begun)
            for piece in self._pieces:
                accepted.sendall(piece)
                time.sleep(BETWEEN)

    def stop(self) -> None:
        """Take no more connections."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def trickle() -> Iterator[Callable[[bytes, list[bytes]], Trickle]]:
    """Start far sides that trickle."""
    running: list[Trickle] = []

    def start(begun: bytes, pieces: list[bytes]) -> Trickle:
        running.append(Trickle(begun, pieces))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def _failed_in_time(call: Callable[[], object]) -> Unreachable:
    started = time.monotonic()
    with pytest.raises(Unreachable) as failed:
        call()
    assert time.monotonic() - started < A_MINUTE_CUT_SHORT
    return failed.value


@pytest.mark.parametrize(("begun", "pieces"), TRICKLES)
def test_a_call_to_aws_ends_in_time_wherever_its_answer_trickles(
    trickle: Callable[[bytes, list[bytes]], Trickle], begun: bytes, pieces: list[bytes]
) -> None:
    """Whoever answers in AWS's place, or a broken proxy on the way, can't hold a call beyond its deadline."""
    wire = Wire(endpoint=trickle(begun, pieces).url)

    failure = _failed_in_time(lambda: wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS, seconds=SECONDS))

    assert failure.kind == "timeout"


@pytest.mark.parametrize(("begun", "pieces"), TRICKLES)
def test_a_stream_of_aws_begins_in_time_or_not_at_all(
    trickle: Callable[[bytes, list[bytes]], Trickle], begun: bytes, pieces: list[bytes]
) -> None:
    """Lambda ends what takes too long without a word to the caller; a stream must have said so before."""
    wire = Wire(endpoint=trickle(begun, pieces).url)

    _failed_in_time(
        lambda: wire.stream(
            CREDENTIALS, "us-east-1", CONVERSE_STREAM, model="amazon.nova-micro-v1:0", body={}, seconds=SECONDS
        )
    )


@pytest.mark.parametrize(("begun", "pieces"), TRICKLES)
def test_a_call_to_a_provider_ends_in_time_wherever_its_answer_trickles(
    trickle: Callable[[bytes, list[bytes]], Trickle], begun: bytes, pieces: list[bytes]
) -> None:
    """A provider's servers are the customer's choice, and no more to be waited for than AWS's."""
    outgoing = Outgoing(local={"api.openai.com": trickle(begun, pieces).url})
    call = Call("openai", "chat", "GET", FixedHost("api.openai.com"), "/x", {}, seconds=SECONDS)

    failure = _failed_in_time(lambda: outgoing.fetch(call))

    assert failure.kind == "timeout"


def test_a_question_that_is_taken_slowly_ends_in_time(tmp_path: Path) -> None:
    """Python's `sendall` counts the time anew for each record of TLS; the whole request has one deadline."""
    server = _SlowTaker(tmp_path, HOST)
    context = ssl.create_default_context(cafile=str(server.certificate))
    connections = pool(None).connection_from_host(
        "127.0.0.1", server.port, "https", pool_kwargs={"ssl_context": context, "server_hostname": HOST}
    )
    started = time.monotonic()
    try:
        with pytest.raises(HTTPError) as failed:
            exchange(connections, "POST", "/x", headers={}, body=b" " * 16_000_000, seconds=SECONDS)
    finally:
        server.stop()

    assert time.monotonic() - started < A_MINUTE_CUT_SHORT
    assert kind_of(failed.value) == "timeout"


class _SlowTaker(TlsServer):
    """Takes a record of TLS each twentieth of a second."""

    def _serve(self) -> None:
        with suppress(OSError):
            accepted, _ = self._socket.accept()
            with accepted, self._context.wrap_socket(accepted, server_side=True) as connection:
                while connection.recv(65536):
                    time.sleep(BETWEEN)


def test_a_connection_that_served_one_call_has_the_next_ones_time(start: Start) -> None:
    """The deadline is an exchange's, not its connection's: what is kept and used again begins anew."""
    far = start()
    wire = Wire(endpoint=far.url)
    seconds = 3.0
    wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS, seconds=seconds)
    time.sleep(seconds)

    assert wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS, seconds=seconds).body == {"fine": True}
    assert len({sent["port"] for sent in far.requests}) == 1
