"""The Runtime API's connection, where Lambda's side misbehaves in ways that the emulator does not."""

from __future__ import annotations

import socket
import threading
from email.message import Message
from typing import TYPE_CHECKING

import pytest

from chalicelib.runtime_api import RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator


def _event() -> Message:
    event = Message()
    event["Lambda-Runtime-Aws-Request-Id"] = "one"
    return event


def test_a_stream_that_nobody_takes_is_given_up() -> None:
    """A reader that has stopped reading would hold an invocation until Lambda ends it, long after the stream's end."""
    kept: list[socket.socket] = []
    ended = threading.Event()

    def body() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            ended.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: kept.append(server.accept()[0]), daemon=True).start()
        pieces = body()
        api = RuntimeApi(f"127.0.0.1:{server.getsockname()[1]}", taken_within=0.2)
        with pytest.raises(TimeoutError):
            api.stream(_event(), b"{}", pieces)
        api.drop()
    for one in kept:
        one.close()
    pieces.close()  # type: ignore[attr-defined]  # a generator

    assert ended.is_set()


def test_after_a_stream_the_next_event_may_take_its_time() -> None:
    """The bound on pieces does not bind the wait for work, in which Lambda freezes the process."""
    answers = [b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
    go_on = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            read = b""
            while b"\r\n0\r\n" not in read:
                read += connection.recv(65536)
            connection.sendall(answers[0])
            connection.recv(65536)
            go_on.wait(4.0)
            connection.sendall(answers[1])

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        api = RuntimeApi(f"127.0.0.1:{server.getsockname()[1]}", taken_within=2.0)
        api.stream(_event(), b"{}", iter([b"data"]))
        _, payload = api.next()
        api.drop()

    assert payload == b"{}"
