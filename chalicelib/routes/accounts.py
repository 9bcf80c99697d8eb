"""Whose account a request goes to: that of a connection's role, or that of AWS keys which came with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.bedrock.claude_names import claudes
from chalicelib.bedrock.failures import explain
from chalicelib.bedrock.invoke import Place
from chalicelib.errors import ServiceError
from chalicelib.identifiers import ModelId
from chalicelib.routes.credential import PROVIDER
from chalicelib.routes.upstream import chosen, with_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.bedrock.catalog import Model
    from chalicelib.bedrock.failures import AwsError, Unreachable
    from chalicelib.bedrock.profiles import FoundationModels
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.signing import Signer
    from chalicelib.onboarding.served import Served, ServedConnections
    from chalicelib.providers.bedrock import Bedrock
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request
    from chalicelib.routes.models import ConnectionModels

_T = TypeVar("_T")


class RoleAccount:
    """The account of a connection, by its role: which region, which guardrail, whose session."""

    def __init__(self, sessions: Sessions, models: ConnectionModels, served: Served) -> None:
        connection = served.connection
        guardrail = {} if connection.guardrail is None else connection.guardrail.for_invoke()
        self.place: Final = Place(connection.region, guardrail, str(connection.id))
        self._sessions = sessions
        self._models = models
        self._served = served

    def model(self, text: str) -> ModelId:
        """Return a model by its id. Raises `ServiceError` for no model's id, and for one out of scope."""
        return self._served.model(text)

    def chat_model(self, name: str) -> ModelId:
        """Return the same of a model that chats, which the customer's own name for it finds too."""
        return self._models.named(name, self._served)

    def foundation_model(self, model: ModelId) -> str:
        """Return the id of the foundation model that answers. Raises `ServiceError` where it can't be told."""
        return _told(self._models.foundation_model(model, self._served))

    def listed(self, name: str) -> Model:
        """Return what the catalog has of a model, by any name that finds it. Raises `model_not_found`."""
        return self._models.find(name, self._served)

    def claudes(self, within: float) -> dict[str, Model]:
        """Return each Claude by the name that `chat_model` knows it by, as listed `within` these seconds."""
        return claudes(self._models.catalog(self._served, within=within).models)

    def run(self, call: Callable[[Signer], _T]) -> _T:
        """Make a call with the role's session. Raises `ServiceError`."""
        return with_session(self._sessions, self._served, call)

    def told(self, failure: AwsError | Unreachable) -> ServiceError:
        """Return what a caller is told of a failure."""
        return explain(failure)


class KeyAccount:
    """The account of AWS keys that came with a request. It has no connection, so neither scope nor guardrail."""

    def __init__(self, keys: Bedrock, foundation_models: FoundationModels) -> None:
        self.place: Final = Place(keys.region, {}, "")
        self.run = keys.run
        self.told = keys.told
        self._keys = keys
        self._foundation_models = foundation_models

    def model(self, text: str) -> ModelId:
        """Return a model. Raises `ServiceError` for no model's id."""
        return ModelId.parse(text, region=self.place.region)

    def chat_model(self, name: str) -> ModelId:
        """Return the same of a model that chats, which names that are no ids find too."""
        return self._keys.model(name)

    def listed(self, name: str) -> Model:
        """Return what the catalog has of a model, by any name that finds it. Raises `model_not_found`."""
        return self._keys.listed(name)

    def claudes(self, _: float) -> dict[str, Model]:
        """Return each Claude by the name that `chat_model` knows it by."""
        return claudes(self._keys.catalog().models)

    def foundation_model(self, model: ModelId) -> str:
        """Return the id of the foundation model that answers. Raises `ServiceError` where it can't be told."""
        return _told(self.run(lambda signer: self._foundation_models.of(signer, self.place.region, model, "")))


class Accounts:
    """Tells whose account a request goes to: the connection's that it names, or that of keys in its headers."""

    def __init__(
        self,
        served: ServedConnections,
        sessions: Sessions,
        models: ConnectionModels,
        foundation_models: FoundationModels,
        own_keys: OwnKeys,
    ) -> None:
        self._served = served
        self._sessions = sessions
        self._models = models
        self._foundation_models = foundation_models
        self._own_keys = own_keys

    def of(self, request: Request, caller: Caller, *, route: str) -> RoleAccount | KeyAccount:
        """Return the account. Raises `ServiceError`; `route` says for which models the route is."""
        key = self._own_keys.sent(request, caller)
        if key is None:
            served = chosen(self._served, request, caller)
            return RoleAccount(self._sessions, self._models, served)
        request.notes["provider"] = key.provider
        if key.provider != "bedrock":
            raise ServiceError(
                "provider_not_supported",
                f"This route goes to {route}; the key is one of {key.provider}. Nothing was sent to anyone.",
                param=PROVIDER,
                fix="Use a connection or keys of AWS. POST /v1/chat/completions takes keys of every provider.",
            )
        return KeyAccount(self._own_keys.bedrock(key), self._foundation_models)


def _told(foundation_model: str | None) -> str:
    if foundation_model is None:
        raise ServiceError(
            "model_not_supported",
            "It can't be told which foundation model is behind this one.",
            param="model",
            fix="Name a foundation model or an inference profile.",
        )
    return foundation_model
