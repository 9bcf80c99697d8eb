"""What the wire sends through: a request leaves in one piece, with and without TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from chalicelib.bedrock.transport import encoded, pool
from chalicelib.errors import ServiceError
from tests.providers.test_endpoint import TlsServer

if TYPE_CHECKING:
    from pathlib import Path

HOST = "bedrock-runtime.us-east-1.amazonaws.com"


def test_a_request_leaves_in_one_piece() -> None:
    """Head and body sent apart are two packets, and the far side wakes for half a request."""
    received: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            received.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        assert pool(None).urlopen("POST", url, body=b"the body", redirect=False).data == b"{}"

    assert received[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert received[0].endswith(b"\r\n\r\nthe body")


def _nested(levels: int) -> dict[str, object]:
    body: dict[str, object] = {}
    for _ in range(levels):
        body = {"a": body}
    return body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"x": float("inf")}, id="no end"),
        pytest.param({"x": [float("nan")]}, id="no number"),
        pytest.param(_nested(100_000), id="no bottom"),
    ],
)
def test_what_json_cannot_say_is_the_callers_fault(body: dict[str, object]) -> None:
    """Schemas and arguments of tools are the caller's: Python would write words into them that are no JSON."""
    with pytest.raises(ServiceError) as refused:
        encoded(body)

    assert refused.value.code == "invalid_value"


def test_over_tls_as_well(tmp_path: Path) -> None:
    """One record of TLS, read at once on the other side; the certificate is still asked for the host's name."""
    server = TlsServer(tmp_path, HOST)
    context = ssl.create_default_context(cafile=str(server.certificate))
    connections = pool(None).connection_from_host(
        "127.0.0.1", server.port, "https", pool_kwargs={"ssl_context": context, "server_hostname": HOST}
    )
    try:
        answer = connections.urlopen("POST", "/x", body=b"the body", redirect=False)
    finally:
        server.stop()

    assert answer.data == b"{}"
    assert server.requests[0].endswith(b"\r\n\r\nthe body")
    assert server.names == [HOST]
