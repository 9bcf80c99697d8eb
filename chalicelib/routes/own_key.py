"""Models and chats with a key that came in the request's headers: the same routes, other credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from chalicelib.bedrock.stream import DONE, PING
from chalicelib.chat import ChatRequest
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes import bodies
from chalicelib.routes.codes import envelope
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.provider_models import model_rows
from chalicelib.routes.upstream import PING_SECONDS, ignored_header, stream_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.chat.shapes import ChatCompletion
    from chalicelib.identifiers.providers import Provider as ProviderName
    from chalicelib.providers.ahead import ReadAhead
    from chalicelib.providers.base import Provider, Question
    from chalicelib.routes import model_shapes
    from chalicelib.routes.exchange import Request


def list_models(name: ProviderName, provider: Provider) -> Reply[model_shapes.ModelList]:
    """List what the key can call."""
    return Reply({"object": "list", "data": model_rows(name, provider.models())})


def get_model(name: ProviderName, provider: Provider, wanted: str) -> Reply[model_shapes.ModelRow]:
    """Show one model."""
    model_id = f"{name}/{bare_model(wanted, name)}"
    for row in model_rows(name, provider.models()):
        if row["id"] == model_id:
            return Reply(row)
    raise ServiceError(
        "model_not_found",
        "This key has no such model.",
        param="model",
        fix="GET /v1/models with the same key lists its models.",
    )


def chat(
    name: ProviderName, provider: Provider, request: Request, *, system_prompt: str | None, most_seconds: float
) -> Reply[ChatCompletion] | EventStream:
    """Answer a chat, whole or as it is made; `most_seconds` is all that it may take."""
    from chalicelib.providers.base import Question  # noqa: PLC0415  as the provider, loaded when a key has come

    request.notes["provider"] = name
    body = bodies.parse_chat(request)
    model = checked(body)
    before = preamble(system_prompt, bodies.context_of(body))
    if name in {"bedrock", "anthropic"}:
        # These two are spoken to in other words than OpenAI's: what can't be put in them is told at its place.
        bodies.parse_large(request, ChatRequest)
    body.pop("rolecall", None)
    question = Question(bare_model(model, name), body, tuple(before), stream_seconds(request, most_seconds))
    if body.get("stream") is True:
        return _stream(provider, question, model, request)
    answer = provider.chat(question)
    # A provider's own document: the tests hold those of the fakes against the shape.
    document = cast("ChatCompletion", {**answer.document, "model": model})
    return Reply(document, headers=_headers(answer.changed, answer.request_id))


def checked(body: dict[str, object]) -> str:
    """Return the model's name of a chat. What else is wrong with it, the provider says at its place."""
    model, messages = body.get("model"), body.get("messages")
    for field, value in (("model", model), ("messages", messages)):
        if value is None:
            raise ServiceError("missing_field", f"{field}: This field is required.", param=field)
    if not isinstance(model, str) or not 0 < len(model) <= 2100:
        raise ServiceError("invalid_type", "It must be the id of a model.", param="model")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ServiceError("invalid_type", "It must be a list of messages.", param="messages")
    if not messages:
        raise ServiceError("invalid_value", "There is no message.", param="messages", fix="Send at least one.")
    if not isinstance(body.get("stream"), bool | None):
        raise ServiceError("invalid_type", "It must be true or false.", param="stream")
    return model


def _stream(provider: Provider, question: Question, model: str, request: Request) -> EventStream:
    """Return the stream, its first chunk already there: what goes wrong before it keeps its status."""
    from chalicelib.providers.ahead import ReadAhead  # noqa: PLC0415  see above

    answer = provider.stream(question)
    ahead = ReadAhead(answer)
    ahead.first()
    headers = {**_headers(answer.changed, answer.request_id), "Cache-Control": "no-store"}
    return EventStream(_events(ahead, model, request), headers, live=request.can_stream)


def _events(ahead: ReadAhead, model: str, request: Request) -> Iterator[str]:
    try:
        for chunk in ahead.within(PING_SECONDS):
            yield PING if chunk is None else _event({**chunk, "model": model})
        yield DONE
    except ServiceError as error:
        request.notes["code"] = error.code
        yield _event(envelope(error, request.id))
    finally:
        # Also when the client has gone: the generator is closed, and with it the call at the provider.
        ahead.close()


def _event(document: dict[str, object]) -> str:
    # Escaped: a provider may cut a character in two, and half a surrogate pair has no UTF-8.
    return f"data: {json.dumps(document)}\n\n"


def _headers(changed: tuple[str, ...], request_id: str) -> dict[str, str]:
    headers = {"Rolecall-Provider-Request-Id": request_id} if request_id else {}
    return headers | ignored_header(changed)
