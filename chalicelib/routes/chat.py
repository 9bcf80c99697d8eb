"""Chats over a connection: whole, or as server-sent events whose status is sent once the first event is there."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM
from chalicelib.bedrock.stream import Chunks
from chalicelib.errors import ServiceError
from chalicelib.identifiers import ModelId
from chalicelib.routes.codes import envelope
from chalicelib.routes.exchange import EventStream, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from chalicelib.bedrock.converse import Translation
    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.signing import Credentials
    from chalicelib.bedrock.wire import Wire
    from chalicelib.chat import ChatRequest
    from chalicelib.onboarding.served import Served
    from chalicelib.routes.exchange import Request

_T = TypeVar("_T")
_SESSION_REJECTED: Final = frozenset({"expired_credentials", "invalid_aws_credentials"})
_PING_SECONDS: Final = 15.0
_TO_SAY_SO: Final = 5.0
"""Seconds before Lambda's own deadline that are kept to end a stream with an error that clients see."""


class Chat:
    """Answers chats with the session of a connection's role."""

    def __init__(
        self, sessions: Sessions, wire: Wire, clock: Callable[[], datetime], *, stream_max_seconds: int
    ) -> None:
        self._sessions = sessions
        self._wire = wire
        self._clock = clock
        self._stream_max_seconds = stream_max_seconds

    def answer(self, body: ChatRequest, model: str, served: Served, request: Request) -> Reply | EventStream:
        """Answer a chat; `model` is the id that Bedrock knows, in the connection's scope or refused here."""
        ignored = body.ignored_fields()
        connection = served.connection
        parsed = str(ModelId.parse(model, region=connection.region, account_id=served.grant.role_arn.account_id))
        connection.require_in_scope(parsed)
        guardrail = None if connection.guardrail is None else connection.guardrail.for_converse()
        translation = to_converse(body, guardrail)
        left_out = [*ignored, *translation.changed]
        names = ", ".join(_printable(name) for name in left_out)[:1000]
        headers = {"Rolecall-Ignored-Fields": names} if names else {}
        if body.stream:
            return self._streamed(body, parsed, translation, served, request, headers)
        return self._whole(body, parsed, translation, served, request, headers)

    def _whole(
        self,
        body: ChatRequest,
        model: str,
        translation: Translation,
        served: Served,
        request: Request,
        headers: dict[str, str],
    ) -> Reply:
        region = served.connection.region
        answer = self._with_session(
            served,
            lambda credentials: self._wire.call(credentials, region, CONVERSE, model=model, body=translation.body),
        )
        completion = from_converse(
            answer.body,
            completion_id=f"chatcmpl-{request.id}",
            created=int(self._clock().timestamp()),
            model=body.model,
            translation=translation,
        )
        return Reply(completion.document(), headers=headers | _aws_request_id(answer.request_id))

    def _streamed(
        self,
        body: ChatRequest,
        model: str,
        translation: Translation,
        served: Served,
        request: Request,
        headers: dict[str, str],
    ) -> EventStream:
        region, seconds = served.connection.region, self._seconds(request)
        events = self._with_session(
            served,
            lambda credentials: self._wire.stream(
                credentials, region, CONVERSE_STREAM, model=model, body=translation.body, seconds=seconds
            ),
        )
        options = body.stream_options
        chunks = Chunks(
            completion_id=f"chatcmpl-{request.id}",
            created=int(self._clock().timestamp()),
            model=body.model,
            include_usage=options is not None and options.include_usage is True,
            tool_names=translation.tool_names,
            answer_tool=translation.answer_tool,
        )
        headers = {**headers, **_aws_request_id(events.request_id), "Cache-Control": "no-store"}
        return EventStream(_lines(chunks, events, request), headers, live=request.can_stream)

    def _seconds(self, request: Request) -> float:
        """Return how long a stream may be: Lambda never learns that a client has gone, and kills what is too long."""
        left = request.seconds_left()
        most = float(self._stream_max_seconds)
        return most if left is None else max(1.0, min(most, left - _TO_SAY_SO))

    def _with_session(self, served: Served, call: Callable[[Credentials], _T]) -> _T:
        """Call with the connection's session; one that AWS no longer takes is dropped, and another fetched, once."""
        for last in (False, True):
            credentials = self._sessions.credentials(served.grant)
            try:
                return call(credentials)
            except (AwsError, Unreachable) as failure:
                refusal = explain(failure)
                if refusal.code not in _SESSION_REJECTED:
                    raise refusal from failure
                if last:
                    # It is not the caller's key that AWS refuses, so 401 would send them looking for a fault of theirs.
                    raise ServiceError(
                        "expired_credentials",
                        f"AWS does not take the session that it gave: {refusal.message}",
                        fix="Try again; if it lasts, verify the connection.",
                        retry_after=5,
                    ) from failure
                self._sessions.forget(str(served.connection.id))
        raise AssertionError("unreachable")  # pragma: no cover  the last turn returns or raises


def _lines(chunks: Chunks, events: Events, request: Request) -> Iterator[str]:
    """Yield the lines of a stream; whatever ends it early is an error event, and no `[DONE]`."""
    started = time.monotonic()
    try:
        yield from chunks.lines(events.within(_PING_SECONDS))
        if not chunks.finished:
            early = Unreachable("bedrock-runtime", CONVERSE_STREAM.name, "cut", begun=True)
            yield _error(explain(early), request)
    except (AwsError, Unreachable) as failure:
        yield _error(explain(failure), request)
    except ServiceError as error:
        yield _error(error, request)
    finally:
        # Also when the client has gone: the generator is closed, and with it the call upstream.
        events.close()
        chunks.log(request.id, seconds=time.monotonic() - started)


def _error(error: ServiceError, request: Request) -> str:
    request.notes["code"] = error.code
    return f"data: {json.dumps(envelope(error, request.id))}\n\n"


def _aws_request_id(request_id: str) -> dict[str, str]:
    return {"Rolecall-AWS-Request-Id": request_id} if request_id else {}


def _printable(name: str) -> Any:
    return "".join(character for character in name if " " <= character <= "~")[:64]
