"""What the routes answer, as JSON: types alone, for the views that answer it.

A view says in its return annotation which shape it answers; mypy holds the view to it, the OpenAPI document shows it,
and the tests hold every answer that they get against it. Imported for type checking and by what makes the document,
never by the service as it runs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from chalicelib.onboarding.connection import Status
from chalicelib.onboarding.shapes import (
    AuditEvent,
    ExternalIdText,
    Finding,
    RoleArnText,
    Time,
    WhoseFix,
)

_shape = with_config(ConfigDict(use_attribute_docstrings=True))

_AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


@_shape
class ErrorDetail(TypedDict):
    """What is wrong."""

    message: str
    """For people; never holds a secret. Its wording may change."""
    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "insufficient_quota",
        "api_error",
    ]
    """OpenAI's kind of error."""
    code: str
    """Stable: what programs rely on."""
    param: str | None
    """The field, header or parameter at fault, as the caller wrote it."""
    request_id: str
    """Tell it to the operator; it is in `X-Request-Id` too."""
    fix: NotRequired[str]
    """What to do about it, where that is known."""
    whose_fix: NotRequired[WhoseFix]
    """Who can change it, where that is known."""


@_shape
class Error(TypedDict):
    """Every error, on every route."""

    error: ErrorDetail
    """What is wrong."""


@_shape
class Health(TypedDict):
    """That the service is up."""

    status: Literal["ok"]
    """It is up; nothing else was looked at."""
    version: str
    """Its version."""


@_shape
class Principal(TypedDict):
    """Whom customers trust."""

    account_id: _AccountId
    """The service's AWS account."""
    role_arn: RoleArnText
    """The role that the service runs as."""


@_shape
class RequestedPermission(TypedDict):
    """One statement of the permissions policy."""

    sid: str
    """Its name in the policy."""
    actions: list[str]
    """What it allows."""
    reason: str
    """Why it is asked for."""


@_shape
class TokenBearer(TypedDict):
    """What the token says of its bearer, by this service's rules."""

    tenant: str
    """The tenant."""
    subject: str
    """The person or program."""
    scopes: list[str]
    """What it may do."""
    expires_at: Time
    """When its time is over."""


@_shape
class Setup(TypedDict):
    """What a customer may want to know before anything is created."""

    principal: Principal
    """Whom customers trust."""
    caller: TokenBearer
    """Who asks."""
    partition: str
    """The AWS partition that the service is in; roles and regions are of the same one."""
    regions: list[str]
    """Regions that a connection may have."""
    permissions: list[RequestedPermission]
    """What the role is to allow."""


@_shape
class GuardrailRow(TypedDict):
    """A Bedrock guardrail that every call passes."""

    identifier: str
    """Its identifier or ARN."""
    version: str
    """A number, or `DRAFT`."""


@_shape
class ConnectionRow(TypedDict):
    """One customer role for one tenant."""

    id: Annotated[str, Field(pattern=r"^conn-[a-z2-7]{20}$")]
    """Its id."""
    name: str
    """What the customer calls it."""
    status: Status
    """Where it stands; only `active`, `rotating` and some `degraded` ones are served."""
    external_id: ExternalIdText
    """What the role's trust policy must compare with `sts:ExternalId`. Generated here, never reused."""
    pending_external_id: NotRequired[ExternalIdText]
    """While rotating: the one that takes its place once it was verified."""
    role_arn: NotRequired[RoleArnText]
    """The verified role."""
    candidate_role_arn: NotRequired[RoleArnText]
    """The role that was named last and is not verified."""
    expected_role_arn: NotRequired[RoleArnText]
    """The ARN that the role will have when it is made from the documents; with `account_id`."""
    account_id: NotRequired[_AccountId]
    """The customer's AWS account."""
    region: str
    """The AWS region that models are called in."""
    models: NotRequired[list[str]]
    """The model scope: exact ids; absent means all."""
    guardrail: NotRequired[GuardrailRow]
    """The guardrail that every call passes."""
    usable: bool
    """Whether models could be listed and invoked when the role was last verified."""
    version: int
    """Goes up with each change; the `ETag` that `If-Match` names."""
    created_at: Time
    """When it was created."""
    updated_at: Time
    """When it was changed last."""
    verified_at: NotRequired[Time]
    """When the role was last verified."""
    expires_at: NotRequired[Time]
    """When a connection that was never verified ends."""


@_shape
class ConnectionPage(TypedDict):
    """A page of connections, in order of their ids."""

    data: list[ConnectionRow]
    """The connections."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""


@_shape
class DeletedConnection(TypedDict):
    """A deleted connection."""

    connection: ConnectionRow
    """The connection, revoked."""
    teardown: list[str]
    """What the customer does to take the role away, in order."""


@_shape
class RemovalProof(TypedDict):
    """Whether the role of a deleted connection refuses this service."""

    removed: bool | None
    """Null where AWS gave no clear answer."""
    findings: list[Finding]
    """What is left to do."""
    retry_after: int | None
    """Seconds after which to ask again; null when it is proven."""


@_shape
class ConnectionDocuments(TypedDict):
    """What the customer needs to create the role."""

    external_id: ExternalIdText
    """The external ID that the trust policy compares."""
    trust_policy: dict[str, Any]
    """Who may assume the role, and with what."""
    permissions_policy: dict[str, Any]
    """What the role may do."""
    files: dict[str, str]
    """Each document as text, by its file's name."""
    quick_create_url: NotRequired[str]
    """Opens the CloudFormation console with the template filled in; where the operator has published it."""


@_shape
class TrustPolicyLint(TypedDict):
    """What a pasted trust policy would do."""

    findings: list[Finding]
    """What is wrong with it; empty when it does what it must."""
    corrected_trust_policy: dict[str, Any]
    """The policy as it should be."""


@_shape
class EventPage(TypedDict):
    """A page of the audit record, newest first."""

    data: list[AuditEvent]
    """The events."""
    next_cursor: str | None
    """Gives the next page; null on the last one."""
