"""Events of InvokeModelWithResponseStream become Anthropic's own, as lines of server-sent events.

Each of Bedrock's events holds one of Anthropic's, in base64. `message_stop` is written after the model's own alone, and
once nothing can follow it any more: Anthropic's clients take whatever stands before it for the whole answer.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.claude import intervened, without_amazons
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.operations import INVOKE_MODEL_STREAM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.bedrock.events import Event

log = logging.getLogger("rolecall")

PING: Final = 'event: ping\ndata: {"type": "ping"}\n\n'
_KIND: Final = re.compile(r"[a-z_]{1,50}", re.ASCII)
_USAGE: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class MessageEvents:
    """The events of one message. `finished` says whether it came to its end."""

    def __init__(self, model: str) -> None:
        """Prepare for a message under the model's id that was asked for."""
        self.finished = False
        self.usage: dict[str, int] = {}
        self._model = model
        self._intervened = False
        self._last: list[dict[str, Any]] = []

    def lines(self, events: Iterable[Event | None]) -> Iterator[str]:
        """Yield the lines of the events, and a ping for each silence.

        Raises what the events raise, `AwsError` for an error among Anthropic's, and `Unreachable` when the stream ends
        without `message_stop` or is none of Anthropic's.
        """
        for event in events:
            if event is None:
                yield PING
            elif event.type == "chunk":
                line = self._take(_document(event.body))
                if line:
                    yield line
        if not self.finished:
            raise _cut()
        for document in self._last:
            if self._intervened and document["type"] == "message_delta":
                document["delta"] = {**document.get("delta", {}), "stop_reason": "refusal", "stop_sequence": None}
            yield _line(document)

    def log(self, request_id: str, *, seconds: float) -> None:
        """Write what the stream came to: counts and times, nothing that was said."""
        extra: dict[str, object] = {"request_id": request_id, "finished": self.finished, **self.usage}
        log.info("stream ended", extra=extra | {"ms": round(seconds * 1000, 1)})

    def _take(self, document: dict[str, object]) -> str:
        kind = document.get("type")
        message = document.get("message")
        self._intervened = self._intervened or intervened(document)
        if kind == "error":
            raise _told(document.get("error"))
        document = without_amazons(document)
        if kind == "message_start" and isinstance(message, dict):
            self._intervened = self._intervened or intervened(message)
            self._count(message.get("usage"))
            document["message"] = {**without_amazons(message), "model": self._model}
        if kind == "message_delta":
            self._count(document.get("usage"))
        if kind in {"message_delta", "message_stop"}:
            # Which of the events tells of the guardrail is not documented; these two come last, one after the other.
            self._last.append(document)
            self.finished = kind == "message_stop"
            return ""
        return _line(document) if isinstance(kind, str) and _KIND.fullmatch(kind) else ""

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            self.usage |= {name: usage[name] for name in _USAGE if isinstance(usage.get(name), int)}


def _line(document: Mapping[str, object]) -> str:
    # Written anew in ASCII: what came could hold a line break between two tokens, or half a surrogate pair.
    return f"event: {document['type']}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n"


def _document(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(body["bytes"], validate=True))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _cut() from error
    if not isinstance(document, dict):
        raise _cut()
    return document


def _cut() -> Unreachable:
    return Unreachable(INVOKE_MODEL_STREAM.service, INVOKE_MODEL_STREAM.name, "cut", begun=True)


def _told(error: object) -> AwsError:
    text = error.get("message") if isinstance(error, dict) else None
    message = text if isinstance(text, str) else ""
    return AwsError(INVOKE_MODEL_STREAM.service, INVOKE_MODEL_STREAM.name, 0, "ModelStreamErrorException", message, "")
