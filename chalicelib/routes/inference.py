"""Chats over HTTP, in OpenAI's shape, with the tenant's connection and nobody else's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.chat import ChatRequest
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import bare_model
from chalicelib.routes import bodies, own_key
from chalicelib.routes.exchange import Reply
from chalicelib.routes.upstream import chosen

if TYPE_CHECKING:
    from chalicelib.chat.shapes import AssembledChat, ChatCompletion
    from chalicelib.onboarding.served import ServedConnections
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.chat import Chat
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import EventStream, Request
    from chalicelib.routes.models import ConnectionModels
    from chalicelib.settings import Settings


class ChatRoutes:
    """The views."""

    def __init__(
        self, settings: Settings, served: ServedConnections, models: ConnectionModels, chat: Chat, own_keys: OwnKeys
    ) -> None:
        self._settings = settings
        self._served = served
        self._models = models
        self._chat = chat
        self._own_keys = own_keys

    def register(self, boundary: Boundary) -> None:
        """Add the routes."""
        boundary.protected("POST", "/v1/chat/completions", "models:invoke", self.chat)
        boundary.protected("POST", "/v1/chat/completions/assembled", "operator", self.assembled)

    def chat(self, request: Request, caller: Caller) -> Reply[ChatCompletion] | EventStream:
        """Answer a chat through Converse, or with the key that came with the request."""
        own = self._own_keys.provider(request, caller)
        if own is not None:
            prompt, most = self._settings.system_prompt, float(self._settings.stream_max_seconds)
            return own_key.chat(*own, request, system_prompt=prompt, most_seconds=most)
        body = _chat_of(request)
        bare = bare_model(body.model, "bedrock")
        served = chosen(self._served, request, caller)
        return self._chat.answer(body, self._models.named(bare, served), served, request)

    def assembled(self, request: Request, _: Caller) -> Reply[AssembledChat]:
        """Show what a chat becomes before any model sees it: the operator's prompt, the material, the messages."""
        body = bodies.parse_chat(request)
        own_key.checked(body)
        before = preamble(self._settings.system_prompt, bodies.context_of(body))
        placed = [{"role": "system", "content": text} for text in before]
        return Reply({"messages": [*placed, *body["messages"]]})


def _chat_of(request: Request) -> ChatRequest:
    """Return the body of a chat; one of the Responses API, which some editors send to this address, is told as such."""
    try:
        return bodies.parse_large(request, ChatRequest)
    except ServiceError as error:
        if (error.code, error.param) == ("missing_field", "messages") and b'"input"' in request.body(bodies.LARGE):
            raise ServiceError(
                "missing_field",
                "The body has input and no messages: it is one of OpenAI's Responses API, which is not served here.",
                param="messages",
                fix="Send messages, as the Chat Completions API has them.",
            ) from None
        raise
