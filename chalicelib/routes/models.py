"""Models of a connection, as callers name them: by an id, or by what the customer called a profile of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.bedrock.catalog import of_scope
from chalicelib.bedrock.catalogs import LIFE_SECONDS, Catalogs
from chalicelib.errors import ServiceError
from chalicelib.identifiers import ModelId
from chalicelib.routes.upstream import with_session

if TYPE_CHECKING:
    from chalicelib.bedrock.catalog import Catalog, Model
    from chalicelib.bedrock.profiles import FoundationModels
    from chalicelib.bedrock.sessions import Sessions
    from chalicelib.bedrock.wire import Wire
    from chalicelib.onboarding.served import Served

_LISTING_DENIED: Final = frozenset(
    {"role_permission_denied", "permissions_boundary_denied", "explicitly_denied", "scp_denied"}
)
_JUST_NOW: Final = 2.0
"""Seconds; so that a name that nobody has costs AWS no call for each time that it is asked for."""


class ConnectionModels:
    """Finds them, in catalogs that all routes share. Every method raises `ServiceError`."""

    def __init__(self, wire: Wire, sessions: Sessions, foundation_models: FoundationModels) -> None:
        self._sessions = sessions
        self._catalogs = Catalogs(wire, sessions)
        self._foundation_models = foundation_models

    def catalog(self, served: Served, *, within: float = LIFE_SECONDS) -> Catalog:
        """Return what the connection can call, no older than `within` seconds."""
        scope = served.connection.models
        try:
            return self._catalogs.of(served.grant, within=within).narrowed(scope)
        except ServiceError as refusal:
            if scope is None or refusal.code not in _LISTING_DENIED:
                raise
            # A role with the least rights may invoke and not list; what it may invoke the connection says.
            return of_scope(scope, served.connection.region)

    def find(self, name: str, served: Served) -> Model:
        """Return a model by id or name; one that is not known is looked for in a catalog of this moment."""
        known = self.catalog(served).find(name)
        return known or self.catalog(served, within=_JUST_NOW).require(name, whose="This connection")

    def named(self, name: str, served: Served) -> ModelId:
        """Return a model that may be called, by its id or by what the customer called it.

        Only a name costs a look into the catalog; ids may be free text, as listing may be denied.
        """
        return served.model(self.find(name, served).id if ModelId.is_name(name) else name)

    def foundation_model(self, model: ModelId, served: Served) -> str | None:
        """Return the id of the foundation model that answers; None where nothing tells."""
        if model.foundation_model_id is not None:
            return model.foundation_model_id
        region, connection_id = served.connection.region, str(served.connection.id)
        return with_session(
            self._sessions, served, lambda signer: self._foundation_models.of(signer, region, model, connection_id)
        )
