"""Models over HTTP: those of a connection's role, or those of the key that came with a request.

In OpenAI's shape; for Anthropic's clients, which ask at the same address, in theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from chalicelib.bedrock.catalogs import LIFE_SECONDS
from chalicelib.errors import ServiceError
from chalicelib.identifiers import LISTED_AS
from chalicelib.onboarding.availability import availability
from chalicelib.onboarding.report import finding_row
from chalicelib.routes import own_key
from chalicelib.routes.exchange import Reply
from chalicelib.routes.manners import OPENAI_OR_ANTHROPIC, is_of_anthropics_client
from chalicelib.routes.provider_models import CREATED
from chalicelib.routes.upstream import chosen

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.catalog import Model
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.wire import Wire
    from chalicelib.onboarding.availability import Availability
    from chalicelib.onboarding.served import ServedConnections
    from chalicelib.routes import model_shapes, native_shapes
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.claude_models import ClaudeModels
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request
    from chalicelib.routes.models import ConnectionModels


class ModelRoutes:
    """The views."""

    def __init__(
        self,
        served: ServedConnections,
        sessions: Sessions,
        wire: Wire,
        models: ConnectionModels,
        own_keys: OwnKeys,
        claude_models: ClaudeModels,
        admit: Callable[[Caller, str], None],
    ) -> None:
        """`admit` raises `ServiceError` for a caller who lacks a scope that a request needs besides the route's."""
        self._admit = admit
        self._served = served
        self._sessions = sessions
        self._wire = wire
        self._models = models
        self._own_keys = own_keys
        self._claude_models = claude_models

    def register(self, boundary: Boundary) -> None:
        """Add the routes. Ids hold slashes, which API Gateway does not match in one parameter: one route each."""
        boundary.protected("GET", "/v1/models", "models:invoke", self.list, OPENAI_OR_ANTHROPIC)
        for parts in ("{a}", "{a}/{b}", "{a}/{b}/{c}"):
            boundary.protected("GET", f"/v1/models/{parts}", "models:invoke", self.get, OPENAI_OR_ANTHROPIC)
        boundary.protected("GET", "/v1/connections/{connection_id}/models", "connections:read", self.availability)

    def list(self, request: Request, caller: Caller) -> Reply[model_shapes.ModelList | native_shapes.ClaudeList]:
        """List what the connection's role can call, or the key that came with the request."""
        if is_of_anthropics_client(request):
            return self._claude_models.page(request, caller, _age(request))
        own = self._own_keys.provider(request, caller)
        if own is not None:
            return own_key.list_models(*own)
        served = chosen(self._served, request, caller)
        catalog = self._models.catalog(served, within=_age(request))
        return Reply({"object": "list", "data": [model_row(model) for model in catalog.models]})

    def get(self, request: Request, caller: Caller) -> Reply[model_shapes.ModelRow | native_shapes.ClaudeRow]:
        """Show one model."""
        wanted = "/".join(filter(None, (request.path_parameter(name) for name in "abc")))
        if is_of_anthropics_client(request):
            return self._claude_models.one(request, caller, wanted)
        own = self._own_keys.provider(request, caller)
        if own is not None:
            return own_key.get_model(*own, wanted)
        wanted = wanted.removeprefix(LISTED_AS)
        served = chosen(self._served, request, caller)
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


def _age(request: Request) -> float:
    """Return how old a catalog may be, in seconds: HTTP's own word asks for one of this moment."""
    asked = ",".join(request.headers("cache-control"))
    return 0.0 if "no-cache" in asked else LIFE_SECONDS


def model_row(model: Model) -> model_shapes.ModelRow:
    """Return a model as OpenAI's object, and what is known besides under `rolecall`."""
    return {
        "id": LISTED_AS + model.id,
        "object": "model",
        "created": CREATED,
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
