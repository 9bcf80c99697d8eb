"""A WSGI app on a port of the loopback, a thread for each request: what both of the sandbox's servers are."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


class QuietHandler(WSGIRequestHandler):
    """Speaks HTTP/1.1 without delay, and writes no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's name
        """Write nothing: an access log would repeat addresses that the app's own log leaves out."""


class LoopbackServer:
    """Serves from `start` to `stop`; port 0 takes any free one."""

    def __init__(self, app: WSGIApplication, port: int, handler: type[QuietHandler]) -> None:
        self._server = ThreadedWSGIServer("127.0.0.1", port, app, handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="loopback", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until no new request is taken."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
