"""Chats over a connection: whole, or as server-sent events whose status is sent once the first event is there."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from chalicelib.bedrock.converse import from_converse, to_converse
from chalicelib.bedrock.failures import AwsError, Unreachable, explain
from chalicelib.bedrock.operations import CONVERSE, CONVERSE_STREAM
from chalicelib.bedrock.stream import Chunks
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError
from chalicelib.routes.codes import envelope
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.upstream import PING_SECONDS, aws_request_id, ignored_header, stream_seconds, with_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from chalicelib.bedrock.converse import Translation
    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.wire import Wire
    from chalicelib.chat import ChatRequest
    from chalicelib.chat.shapes import ChatCompletion
    from chalicelib.identifiers import ModelId
    from chalicelib.onboarding.served import Served
    from chalicelib.routes.exchange import Request
    from chalicelib.routes.models import ConnectionModels
    from chalicelib.settings import Settings


class _Asked(NamedTuple):
    """A chat on its way: its body as it came and as Bedrock takes it, and what the answer's head says so far."""

    body: ChatRequest
    model: str
    translation: Translation
    served: Served
    request: Request
    headers: dict[str, str]


class Chat:
    """Answers chats with the session of a connection's role."""

    def __init__(
        self,
        sessions: Sessions,
        wire: Wire,
        models: ConnectionModels,
        clock: Callable[[], datetime],
        settings: Settings,
    ) -> None:
        self._sessions = sessions
        self._wire = wire
        self._models = models
        self._clock = clock
        self._most_seconds = float(settings.stream_max_seconds)
        self._system_prompt = settings.system_prompt

    def answer(
        self, body: ChatRequest, model: ModelId, served: Served, request: Request
    ) -> Reply[ChatCompletion] | EventStream:
        """Answer a chat; `model` is one that the connection may call."""
        ignored, guardrail = body.ignored_fields(), served.connection.guardrail
        context = (body.rolecall.context if body.rolecall is not None else None) or ()
        translation = to_converse(
            body,
            None if guardrail is None else guardrail.for_converse(),
            preamble=preamble(self._system_prompt, context),
            known_as=self._known_as(model, served),
        )
        headers = ignored_header([*ignored, *translation.changed])
        asked = _Asked(body, str(model), translation, served, request, headers)
        try:
            return self._streamed(asked) if body.stream else self._whole(asked)
        except ServiceError as refusal:
            raise translation.told(refusal) from refusal.__cause__

    def _known_as(self, model: ModelId, served: Served) -> str:
        """Return the id that tells what the model can do."""
        try:
            return self._models.foundation_model(model, served) or str(model)
        except ServiceError:
            # A profile that can't be read is asked as a model of which nothing is known; what else is wrong, of the
            # role or on the way to AWS, the chat itself meets and tells.
            return str(model)

    def _whole(self, asked: _Asked) -> Reply[ChatCompletion]:
        # A whole answer may take as long as a streamed one: the route's integration is the same.
        region, seconds = asked.served.connection.region, stream_seconds(asked.request, self._most_seconds)
        answer = with_session(
            self._sessions,
            asked.served,
            lambda credentials: self._wire.call(
                credentials, region, CONVERSE, model=asked.model, body=asked.translation.body, seconds=seconds
            ),
        )
        completion = from_converse(
            answer.body,
            completion_id=f"chatcmpl-{asked.request.id}",
            created=int(self._clock().timestamp()),
            model=asked.body.model,
            translation=asked.translation,
        )
        return Reply(completion.document(), headers=asked.headers | aws_request_id(answer.request_id))

    def _streamed(self, asked: _Asked) -> EventStream:
        region, seconds = asked.served.connection.region, stream_seconds(asked.request, self._most_seconds)
        events = with_session(
            self._sessions,
            asked.served,
            lambda credentials: self._wire.stream(
                credentials, region, CONVERSE_STREAM, model=asked.model, body=asked.translation.body, seconds=seconds
            ),
        )
        options, translation = asked.body.stream_options, asked.translation
        chunks = Chunks(
            completion_id=f"chatcmpl-{asked.request.id}",
            created=int(self._clock().timestamp()),
            model=asked.body.model,
            include_usage=options is not None and options.include_usage is True,
            tool_names=translation.tool_names,
            answer_tool=translation.answer_tool,
            extended=translation.extended,
        )
        headers = {**asked.headers, **aws_request_id(events.request_id), "Cache-Control": "no-store"}
        return EventStream(_lines(chunks, events, asked.request), headers, live=asked.request.can_stream)


def _lines(chunks: Chunks, events: Events, request: Request) -> Iterator[str]:
    """Yield the lines of a stream; whatever ends it early is an error event, and no `[DONE]`."""
    started = time.monotonic()
    try:
        yield from chunks.lines(events.within(PING_SECONDS))
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
