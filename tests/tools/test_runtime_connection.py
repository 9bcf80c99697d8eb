"""Our runtime loop when the other side of its one connection hangs up, or refuses."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


def _event(body: Mapping[str, object]) -> bytes:
    context = {"resourcePath": "/v1/chat/completions", "httpMethod": "POST"}
    return json.dumps({"requestContext": context, "body": json.dumps(body)}).encode()


class Lambda:
    """The Runtime API, played by hand: each step is a request that must come, and what is done with it."""

    def __init__(self, root: Path) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(60)
        self._connection = self._server  # until one is taken
        self.log = root.parent / "log"
        environ = {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.getsockname()[1]}",
            "LAMBDA_TASK_ROOT": str(root),
            "_HANDLER": "handlers.answer",
        }
        command = [str(root / "rolecall-runtime"), sys.executable, "/var/runtime/bootstrap.py"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)

    def take(self) -> Self:
        """Wait for a new connection."""
        self._connection = self._server.accept()[0]
        self._connection.settimeout(60)
        return self

    def read(self, until: bytes) -> bytes:
        """Read from the connection until these octets have come."""
        seen = b""
        while until not in seen:
            piece = self._connection.recv(65536)
            if not piece:
                raise AssertionError(f"closed after {seen!r}")
            seen += piece
        return seen

    def give(self, event: bytes) -> None:
        """Await the question for the next event, and answer with one."""
        assert self.read(b"\r\n\r\n").startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
        head = f"Lambda-Runtime-Aws-Request-Id: {ID}\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n"
        self.send(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(event)}\r\n\r\n".encode() + event)

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._connection.sendall(octets)

    def status(self, status: int, *, close: bool = False) -> None:
        """Answer with a status and no body."""
        self.send(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        if close:
            self._connection.close()

    def reset(self) -> None:
        """Cut the connection."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        """End everything."""
        self.process.kill()
        self.process.wait()
        self._server.close()
        if self._connection is not self._server:
            self._connection.close()


@contextmanager
def _played(root: Path) -> Iterator[Lambda]:
    played = Lambda(root)
    try:
        yield played
    finally:
        played.close()


def test_a_stream_that_is_not_taken_is_closed(root: Path) -> None:
    """When Lambda hangs up in the middle of a stream, the call upstream ends with it, and the loop serves on."""
    with _played(root) as played:
        played.take().give(_event({"break": "not", "seconds": 0.5}))
        played.read(b"data: first\n\n\r\n")
        played.reset()
        played.take().give(_event({"size": 3}))
        played.read(b"0\r\n\r\n")

        assert "the iterator was closed" in played.log.read_text()
        assert "a streamed answer was not taken" in played.log.read_text()


def test_a_closed_connection_is_noticed_before_an_answer_is_lost(root: Path) -> None:
    """Between two requests Lambda may close the connection: nothing is sent into it."""
    with _played(root) as played:
        for body in ({"size": 3}, {"break": "not"}):
            played.take().give(_event(body))
            played.read(b"0\r\n\r\n")
            played.status(202, close=True)
        played.take().give(_event({"size": 3}))
        played.read(b"0\r\n\r\n")
        played.status(202)
        played.read(b"invocation/next")
        played.process.send_signal(signal.SIGTERM)

        assert played.process.wait(30) == 0
        assert played.log.read_text() == "the iterator was closed\n"


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_answer_is_noted(root: Path, status: int) -> None:
    """Lambda refuses what comes late or is too large; the next event is served."""
    with _played(root) as played:
        played.take().give(_event({"size": 3}))
        played.read(b"0\r\n\r\n")
        played.status(status)
        played.read(b"invocation/next")

        assert f"Lambda refused a streamed answer: {status}" in played.log.read_text()


@pytest.mark.parametrize("step", ["next", "response"])
def test_what_can_not_be_recovered_from_ends_the_process(root: Path, step: str) -> None:
    """After a 500 the runtime should exit promptly, says Lambda's guide; one line of the log says why."""
    with _played(root) as played:
        played.take()
        if step == "next":
            played.read(b"\r\n\r\n")
        else:
            played.give(_event({"size": 3}))
            played.read(b"0\r\n\r\n")
        played.status(500)

        assert played.process.wait(30) == 1
        assert json.loads(played.log.read_text())["message"].startswith("the Runtime API is lost: RuntimeApiError")
