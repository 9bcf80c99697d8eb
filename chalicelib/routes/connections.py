"""What may be said of a connection over HTTP, and how one is shown."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, Field

from chalicelib.errors import ServiceError
from chalicelib.identifiers import parse_account_id, parse_guardrail, parse_model_scope, parse_region, partition_of
from chalicelib.onboarding.connection import Connection, Guardrail
from chalicelib.onboarding.documents import expected_role_arn
from chalicelib.onboarding.registry import NewConnection
from chalicelib.routes import bodies

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.identifiers import RoleArn
    from chalicelib.routes import shapes


def _printable(text: str) -> str:
    # Bidirectional and zero-width characters make one name look like another on the page of an administrator.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for character in text):
        raise ValueError("control and invisible characters are not allowed")
    if not text.strip():
        raise ValueError("at least one visible character is needed")
    return text.strip()


Name = Annotated[str, Field(min_length=1, max_length=100, description="What to call it."), AfterValidator(_printable)]
Region = Annotated[str, Field(max_length=64, description="The AWS region that models are called in.")]
AccountId = Annotated[str, Field(max_length=64, description="The customer's AWS account, in which the role will be.")]
Models = Annotated[
    list[Annotated[str, Field(max_length=2048)]],
    Field(min_length=1, max_length=100, description="The model scope: exact model or profile ids."),
]


class GuardrailBody(bodies.Body):
    """A guardrail by identifier or ARN, and its version."""

    identifier: Annotated[str, Field(max_length=2048, description="Its identifier or ARN.")]
    version: Annotated[str, Field(pattern=r"^(([1-9][0-9]{0,7})|(DRAFT))$", description="A number, or `DRAFT`.")]


class CreateBody(bodies.Body):
    """The body of `POST /v1/connections`."""

    name: Name
    region: Region
    models: Models | None = None
    account_id: AccountId | None = None
    guardrail: GuardrailBody | None = None

    def connection(self, service_role: RoleArn) -> NewConnection:
        """Return what is asked for. Raises `ServiceError` for what can't be."""
        region = parse_region(self.region, service_role.partition)
        account_id = None if self.account_id is None else parse_account_id(self.account_id)
        if account_id == service_role.account_id:
            raise ServiceError(
                "own_account_role", "This is the service's own AWS account. Give yours.", param="account_id"
            )
        return NewConnection(
            name=self.name,
            region=region,
            models=_models(self.models, region, account_id),
            account_id=account_id,
            guardrail=_guardrail(self.guardrail, region, account_id),
        )


class ChangeBody(bodies.Body):
    """The body of `PATCH /v1/connections/{id}`: what is named is changed; null takes scope or guardrail away."""

    name: Name | None = None
    region: Region | None = None
    models: Models | None = None
    guardrail: GuardrailBody | None = None

    def applied_to(self, before: Connection, service_role: RoleArn) -> Connection:
        """Return the connection as it would be. Raises `ServiceError` for what can't be."""
        named = self.model_fields_set
        region = before.region if self.region is None else parse_region(self.region, service_role.partition)
        # What is kept must fit the new region too: an ARN of the old one could never be called.
        models = self.models if "models" in named else before.models
        guardrail = self.guardrail if "guardrail" in named else _body_of(before.guardrail)
        return replace(
            before,
            name=self.name or before.name,
            region=region,
            models=_models(models, region, before.account_id),
            guardrail=_guardrail(guardrail, region, before.account_id),
        )


class TrustPolicyBody(bodies.Body):
    """The body of `POST /v1/connections/{id}/trust-policy`: the policy as text or as an object."""

    trust_policy: Annotated[
        Annotated[str, Field(max_length=20_000)] | dict[str, Any], Field(description="The policy, as text or as JSON.")
    ]


class VerificationBody(bodies.Body):
    """The body of `POST /v1/connections/{id}/verification`."""

    role_arn: Annotated[str, Field(max_length=4096, description="The role's ARN.")]
    invoke: Annotated[
        bool | Annotated[str, Field(min_length=1, max_length=2048)],
        Field(description="Whether to invoke a model with one token, or which."),
    ] = True


def connection_row(connection: Connection, now: datetime) -> shapes.ConnectionRow:
    """Return a connection as JSON values; what is not known is left out."""
    foretold = expected_role_arn(connection, partition_of(connection.region).id)
    optional: dict[str, object | None] = {
        "pending_external_id": _text(connection.pending_external_id),
        "role_arn": _text(connection.role_arn),
        "candidate_role_arn": _text(connection.candidate_role_arn),
        "expected_role_arn": _text(foretold),
        "account_id": connection.account_id,
        "models": None if connection.models is None else [*connection.models],
        "guardrail": None
        if connection.guardrail is None
        else {"identifier": connection.guardrail.identifier, "version": connection.guardrail.version},
        "verified_at": _time(connection.verified_at),
        "expires_at": _time(connection.expires_at),
    }
    row: dict[str, object] = {
        "id": str(connection.id),
        "name": connection.name,
        "status": connection.status_at(now).value,
        "external_id": str(connection.external_id),
        "region": connection.region,
        "usable": connection.usable,
        "version": connection.version,
        "created_at": _time(connection.created_at),
        "updated_at": _time(connection.updated_at),
        **{name: value for name, value in optional.items() if value is not None},
    }
    # mypy can't see through the spread; the tests hold every connection that is answered against the shape.
    return cast("shapes.ConnectionRow", row)


def _models(ids: list[str] | tuple[str, ...] | None, region: str, account_id: str | None) -> tuple[str, ...] | None:
    return None if ids is None else parse_model_scope(ids, region=region, account_id=account_id)


def _guardrail(body: GuardrailBody | None, region: str, account_id: str | None) -> Guardrail | None:
    if body is None:
        return None
    return Guardrail(parse_guardrail(body.identifier, region=region, account_id=account_id), body.version)


def _body_of(guardrail: Guardrail | None) -> GuardrailBody | None:
    return None if guardrail is None else GuardrailBody(identifier=guardrail.identifier, version=guardrail.version)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
