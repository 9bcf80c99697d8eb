"""Models and chats over HTTP, in OpenAI's shape, with the tenant's connection and nobody else's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from chalicelib.bedrock.catalogs import LIFE_SECONDS
from chalicelib.chat import ChatRequest
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError
from chalicelib.identifiers import LISTED_AS
from chalicelib.identifiers.providers import bare_model
from chalicelib.onboarding.availability import availability
from chalicelib.onboarding.report import finding_row
from chalicelib.routes import bodies, own_key
from chalicelib.routes.exchange import Reply
from chalicelib.routes.upstream import chosen

if TYPE_CHECKING:
    from chalicelib.bedrock.catalog import Model
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.wire import Wire
    from chalicelib.chat.shapes import AssembledChat, ChatCompletion
    from chalicelib.onboarding.availability import Availability
    from chalicelib.onboarding.served import Served, ServedConnections
    from chalicelib.routes import model_shapes
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.chat import Chat
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import EventStream, Request
    from chalicelib.routes.models import ConnectionModels
    from chalicelib.settings import Settings

_CREATED: Final = 1_700_000_000
"""OpenAI's `created` of a model, in seconds since 1970. Bedrock does not tell it; a fixed time is in the past."""


class InferenceRoutes:
    """The views."""

    def __init__(
        self,
        settings: Settings,
        served: ServedConnections,
        sessions: Sessions,
        wire: Wire,
        models: ConnectionModels,
        chat: Chat,
        own_keys: OwnKeys,
    ) -> None:
        self._settings = settings
        self._served = served
        self._sessions = sessions
        self._wire = wire
        self._models = models
        self._chat = chat
        self._own_keys = own_keys

    def register(self, boundary: Boundary) -> None:
        """Add the routes. Ids hold slashes, which API Gateway does not match in one parameter: one route each."""
        self._admit = boundary.admit
        boundary.protected("GET", "/v1/models", "models:invoke", self.list)
        for parts in ("{a}", "{a}/{b}", "{a}/{b}/{c}"):
            boundary.protected("GET", f"/v1/models/{parts}", "models:invoke", self.get)
        boundary.protected("GET", "/v1/connections/{connection_id}/models", "connections:read", self.availability)
        boundary.protected("POST", "/v1/chat/completions", "models:invoke", self.chat)
        boundary.protected("POST", "/v1/chat/completions/assembled", "operator", self.assembled)

    def list(self, request: Request, caller: Caller) -> Reply[model_shapes.ModelList]:
        """List what the connection's role can call, or the key that came with the request."""
        own = self._own_keys.provider(request, caller)
        if own is not None:
            return own_key.list_models(*own)
        served = self._choose(request, caller)
        catalog = self._models.catalog(served, within=_age(request))
        return Reply({"object": "list", "data": [model_row(model) for model in catalog.models]})

    def get(self, request: Request, caller: Caller) -> Reply[model_shapes.ModelRow]:
        """Show one model."""
        wanted = "/".join(filter(None, (request.path_parameter(name) for name in "abc")))
        own = self._own_keys.provider(request, caller)
        if own is not None:
            return own_key.get_model(*own, wanted)
        wanted = wanted.removeprefix(LISTED_AS)
        served = self._choose(request, caller)
        return Reply(model_row(self._models.find(wanted, served)))

    def availability(self, request: Request, caller: Caller) -> Reply[model_shapes.AvailabilityTable]:
        """Say of each model of a connection whether it can be called, and if not, why.

        `?probe=true` invokes them, on the customer's bill, which a token that may only read must not.
        """
        probe = request.query_parameter("probe")
        if probe not in {None, "true", "false"}:
            raise ServiceError("invalid_value", "probe is true or false.", param="probe")
        if probe == "true":
            self._admit(caller, "models:invoke")
        served = chosen(self._served, request, caller, request.path_parameter("connection_id"))
        credentials = self._sessions.credentials(served.grant)
        rows = availability(served.connection, credentials, self._wire, probe=probe == "true")
        return Reply({"data": [availability_row(row) for row in rows]})

    def chat(self, request: Request, caller: Caller) -> Reply[ChatCompletion] | EventStream:
        """Answer a chat through Converse, or with the key that came with the request."""
        own = self._own_keys.provider(request, caller)
        if own is not None:
            prompt, most = self._settings.system_prompt, float(self._settings.stream_max_seconds)
            return own_key.chat(*own, request, system_prompt=prompt, most_seconds=most)
        body = _chat_of(request)
        bare = bare_model(body.model, "bedrock")
        served = self._choose(request, caller)
        return self._chat.answer(body, self._models.named(bare, served), served, request)

    def assembled(self, request: Request, _: Caller) -> Reply[AssembledChat]:
        """Show what a chat becomes before any model sees it: the operator's prompt, the material, the messages."""
        body = bodies.parse_chat(request)
        own_key.checked(body)
        before = preamble(self._settings.system_prompt, bodies.context_of(body))
        placed = [{"role": "system", "content": text} for text in before]
        return Reply({"messages": [*placed, *body["messages"]]})

    def _choose(self, request: Request, caller: Caller) -> Served:
        return chosen(self._served, request, caller, request.header("rolecall-connection"))


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


def _age(request: Request) -> float:
    """Return how old a catalog may be, in seconds: HTTP's own word asks for one of this moment."""
    asked = ",".join(request.headers("cache-control"))
    return 0.0 if "no-cache" in asked else LIFE_SECONDS


def model_row(model: Model) -> model_shapes.ModelRow:
    """Return a model as OpenAI's object, and what is known besides under `rolecall`."""
    return {
        "id": LISTED_AS + model.id,
        "object": "model",
        "created": _CREATED,
        "owned_by": model.provider,
        "rolecall": cast("model_shapes.ModelDetails", {"provider": "bedrock", "name": model.name, **model.details()}),
    }


def availability_row(row: Availability) -> model_shapes.ModelAvailability:
    """Return a row of the availability table as JSON values."""
    return {
        "id": row.id,
        "name": row.name,
        "provider": row.provider,
        "available": row.available,
        "reason": row.reason,
        "finding": None if row.finding is None else finding_row(row.finding),
        "regions": [*row.regions],
    }
