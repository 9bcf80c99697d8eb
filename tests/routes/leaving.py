"""A client that goes away within a stream, and what is left of the stream upstream."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING

from sandbox.bedrock.stream import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping


def abandoned_by_leaving(url: str, path: str, headers: Mapping[str, str], body: object) -> int:
    """Return how many streams of Bedrock's end within fifteen seconds after a client has read one event of ours.

    Fails while a reader of ours is left behind.
    """
    before = STREAMS.counts()["abandoned"]
    address = urllib.parse.urlsplit(url)
    octets = json.dumps(body).encode()
    every = {"Host": address.netloc, "Content-Type": "application/json", "Content-Length": str(len(octets)), **headers}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in every.items()) + "\r\n"
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.sendall(head.encode() + octets)
        while b"data:" not in connection.recv(4096):
            pass
    until = time.monotonic() + 15
    while time.monotonic() < until and STREAMS.counts()["abandoned"] == before:
        time.sleep(0.05)
    while time.monotonic() < until and any(one.name == "event-stream" for one in threading.enumerate()):
        time.sleep(0.05)
    assert not any(one.name == "event-stream" for one in threading.enumerate())
    return STREAMS.counts()["abandoned"] - before
