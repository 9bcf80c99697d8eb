"""Row 14: chats through the local server, beside one slow stream."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bench.child import started
from bench.measuring import Reading, interleaved, milliseconds, ours_of_theirs, percentile, ratios
from bench.rows.row import Row, Target
from bench.service import chat_event

if TYPE_CHECKING:
    from bench.service import Event
    from bench.stage import Stage

_CHATS: Final = 120
_SLOW_MODEL: Final = "bench.paced-40-50-v1:0"
"""Two seconds."""


class _Client:
    """A client that keeps its connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)

    def send(self, event: Event) -> http.client.HTTPResponse:
        """Send a request; the answer is yet to be read."""
        headers = {name: event["headers"][name] for name in ("Authorization", "Content-Type")}
        self._connection.request("POST", event["path"], event["body"].encode(), headers)
        response = self._connection.getresponse()
        if response.status != 200:
            raise AssertionError(response.read())
        return response

    def chat(self, event: Event) -> None:
        """Have a chat answered."""
        json.loads(self.send(event).read())

    def close(self) -> None:
        """Go away."""
        self._connection.close()


def _beside_a_slow_stream(stage: Stage) -> list[Reading]:
    token = stage.token()
    chat, slow = chat_event(token), chat_event(token, model=_SLOW_MODEL, stream=True)
    with started("serve", {"address": stage.address.fields(), "rules": asdict(stage.rules)}) as served:
        client = _Client(served["url"])

        def p95() -> float:
            return percentile([milliseconds(lambda: client.chat(chat)) for _ in range(_CHATS)], 0.95)

        def beside() -> float:
            other = _Client(served["url"])
            response = other.send(slow)
            response.readline()
            rest = threading.Thread(target=response.read)
            rest.start()
            found = p95()
            if not rest.is_alive():
                raise AssertionError("the stream ended before the chats did")
            rest.join()
            other.close()
            return found

        figures = interleaved({"alone": p95, "beside": beside})
        client.close()
    note = ours_of_theirs(figures["beside"], figures["alone"], "ms").replace("boto3's", "alone")
    return [Reading.of(ratios(figures["beside"], figures["alone"]), note)]


BESIDE_A_SLOW_STREAM: Final = Row(
    14,
    (Target("chats beside one slow stream, local server: p95 ÷ p95 alone", must=1.5, goal=1.1),),
    f"{_CHATS} chats a block over one kept connection, beside a stream of 40 events with 50 ms before each.",
    _beside_a_slow_stream,
)
