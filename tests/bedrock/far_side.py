"""A far side that misbehaves as told, one step for each request: what networks and AWS do on their bad days."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = b'{"fine": true}'


@dataclass
class Step:
    """What to do with one request."""

    status: int = 200
    body: bytes = OK
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "answer"
    seconds: float = 0.0


def error(status: int, code: str, message: str = "no") -> Step:
    """Return an error as Bedrock answers it."""
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return Step(status, json.dumps({"message": message}).encode(), headers)


class FarSide:
    """Serves the steps in order, then answers well; keeps what it was sent."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append(
                    {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
                )
                outer._play(self, outer._steps.pop(0) if outer._steps else Step())

            do_GET = do_POST = _serve  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def _play(self, handler: BaseHTTPRequestHandler, step: Step) -> None:
        if step.kind == "hang":
            time.sleep(step.seconds)
            handler.close_connection = True
            return
        if step.kind == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        handler.send_response(step.status)
        for name, value in {"x-amzn-requestid": "request-1", **step.headers}.items():
            handler.send_header(name, value)
        missing = 10 if step.kind == "cut" else 0
        if step.kind == "until_close":
            handler.send_header("Connection", "close")
        else:
            handler.send_header("Content-Length", str(len(step.body) + missing))
        handler.end_headers()
        if step.kind == "trickle":
            for octet in step.body:
                handler.wfile.write(bytes([octet]))
                handler.wfile.flush()
                time.sleep(step.seconds)
        else:
            handler.wfile.write(step.body)
        handler.close_connection = step.kind in {"cut", "until_close"}
