"""Anthropic's Messages over HTTP, for Claude models: through a connection, or with a key that came with the request."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from chalicelib.bedrock.claude import from_invoke, to_count, to_invoke
from chalicelib.bedrock.claude_fields import check_fields
from chalicelib.bedrock.claude_names import CLAUDE
from chalicelib.bedrock.claude_stream import MessageEvents
from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.operations import COUNT_TOKENS
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes import bodies, own_messages
from chalicelib.routes.claude_models import FOR_CLAUDE
from chalicelib.routes.exchange import EventStream, Reply
from chalicelib.routes.manners import ANTHROPIC
from chalicelib.routes.own_messages import with_errors
from chalicelib.routes.upstream import (
    PING_SECONDS,
    aws_request_id,
    ignored_header,
    stream_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.bedrock.events import Events
    from chalicelib.bedrock.invoke import Invoker
    from chalicelib.identifiers import ModelId
    from chalicelib.providers.base import Question
    from chalicelib.routes import native_shapes
    from chalicelib.routes.accounts import Accounts, KeyAccount, RoleAccount
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request
    from chalicelib.settings import Settings

_LONGEST_MODEL: Final = 2100


class MessagesRoutes:
    """The views."""

    def __init__(self, settings: Settings, accounts: Accounts, invoker: Invoker, own_keys: OwnKeys) -> None:
        self._system_prompt = settings.system_prompt
        self._most_seconds = float(settings.stream_max_seconds)
        self._accounts = accounts
        self._invoker = invoker
        self._own_keys = own_keys

    def register(self, boundary: Boundary) -> None:
        """Add the routes, in the manner of Anthropic's API."""
        boundary.protected("POST", "/v1/messages", "models:invoke", self.message, ANTHROPIC)
        boundary.protected("POST", "/v1/messages/count_tokens", "models:invoke", self.count, ANTHROPIC)

    def message(self, request: Request, caller: Caller) -> Reply[native_shapes.MessageAnswer] | EventStream:
        """Answer a message, whole or as it is made."""
        document, name, before = self._read(request)
        seconds = stream_seconds(request, self._most_seconds)
        key = self._own_keys.sent(request, caller)
        if key is not None and key.provider == "anthropic":
            check_fields(document, required=("messages", "max_tokens"))
            question = self._question(document, name, before, seconds)
            return own_messages.message(self._own_keys.anthropic(key), question, name, request)
        account = self._accounts.of(request, caller, route=FOR_CLAUDE)
        native = to_invoke(document, request.headers("anthropic-beta"), before)
        model = self._claude(account, bare_model(name, "bedrock"))
        headers = ignored_header(native.ignored)
        if document.get("stream") is True:
            events = account.run(
                lambda signer: self._invoker.stream(signer, account.place, model, native.body, seconds)
            )
            headers |= {**aws_request_id(events.request_id), "Cache-Control": "no-store"}
            lines = _lines(MessageEvents(name), events, account, request)
            return EventStream(with_errors(lines, request), headers, live=request.can_stream)
        answer = account.run(lambda signer: self._invoker.whole(signer, account.place, model, native.body, seconds))
        # ASCII: a model that was cut off within a character leaves half of one, which UTF-8 can't hold.
        text: Any = json.dumps(from_invoke(answer.body, name))
        return Reply(text, headers=headers | aws_request_id(answer.request_id))

    def count(self, request: Request, caller: Caller) -> Reply[native_shapes.TokenCount]:
        """Answer how many tokens a message would be."""
        document, name, before = self._read(request)
        key = self._own_keys.sent(request, caller)
        if key is not None and key.provider == "anthropic":
            check_fields(document, required=("messages",))
            question = self._question(document, name, before, COUNT_TOKENS.seconds)
            return own_messages.count(self._own_keys.anthropic(key), question, request)
        account = self._accounts.of(request, caller, route=FOR_CLAUDE)
        native = to_count(document, request.headers("anthropic-beta"), before)
        model = self._claude(account, bare_model(name, "bedrock"))
        behind = account.foundation_model(model)
        answer = account.run(lambda signer: self._invoker.count(signer, account.place, behind, native.body))
        tokens = answer.body.get("inputTokens")
        if not isinstance(tokens, int):
            raise ServiceError("upstream_error", "Bedrock's answer holds no count.", fix="Try again.")
        headers = ignored_header(native.ignored) | aws_request_id(answer.request_id)
        return Reply({"input_tokens": tokens}, headers=headers)

    def _read(self, request: Request) -> tuple[dict[str, Any], str, list[str]]:
        """Return body, model as it is named, and the texts to be placed before all others, as for every chat."""
        document = bodies.parse_chat(request)
        model = document.get("model")
        if model is None:
            raise ServiceError("missing_field", "model: This field is required.", param="model")
        if not isinstance(model, str) or not 0 < len(model) <= _LONGEST_MODEL:
            raise ServiceError("invalid_type", "model: It must be the id of a model.", param="model")
        before = preamble(self._system_prompt, bodies.context_of(document))
        document.pop("rolecall", None)
        return document, model, before

    def _question(self, document: dict[str, object], name: str, before: list[str], seconds: float) -> Question:
        from chalicelib.providers.base import Question  # noqa: PLC0415  loaded when a key has come

        return Question(bare_model(name, "anthropic"), document, tuple(before), seconds)

    def _claude(self, account: RoleAccount | KeyAccount, name: str) -> ModelId:
        """Return the model, once it is known to be a Claude: of a customer's own profile AWS is asked."""
        model = account.chat_model(name)
        if CLAUDE not in account.foundation_model(model):
            raise ServiceError(
                "model_not_supported",
                "This route is for Claude models alone.",
                param="model",
                fix="POST /v1/chat/completions takes every model of the connection.",
            )
        return model


def _lines(
    message: MessageEvents, events: Events, account: RoleAccount | KeyAccount, request: Request
) -> Iterator[str]:
    """Yield the lines of a stream. Raises `ServiceError` for whatever ends it early."""
    started = time.monotonic()
    try:
        yield from message.lines(events.within(PING_SECONDS))
    except (AwsError, Unreachable) as failure:
        raise account.told(failure) from failure
    finally:
        # Also when the client has gone: the generator is closed, and with it the call upstream.
        events.close()
        message.log(request.id, seconds=time.monotonic() - started)
