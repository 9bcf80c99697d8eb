"""What verifications, findings and the audit record look like as JSON: types alone, for the code that makes them.

mypy holds that code to these shapes, and the OpenAPI document is made of them. They are imported for type checking and
by what makes that document, never by the service as it runs: a cold start pays nothing for them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from chalicelib.onboarding.checks import CheckId, Expected, OutcomeWord
from chalicelib.onboarding.connection import Status, Verdict

_shape = with_config(ConfigDict(use_attribute_docstrings=True))

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""ISO 8601 in UTC."""
ExternalIdText = Annotated[str, Field(pattern=r"^rolecall-[a-z2-7]{32}$")]
RoleArnText = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/.+$")]
Severity = Literal["error", "warning", "info"]
WhoseFix = Literal["customer", "operator", "aws"]


@_shape
class Edit(TypedDict):
    """A whole policy that cures a finding, to paste as it is."""

    document: str
    """The document of the connection that it replaces."""
    title: str
    """Where it goes."""
    json: dict[str, Any]
    """The policy."""


@_shape
class Suspect(TypedDict):
    """A cause that AWS's answer does not tell from others."""

    code: str
    """Stable; names the cause."""
    message: str
    """What is wrong, if it is this one."""
    fix: str
    """What to do about it."""
    edits: list[Edit]
    """Documents that cure it."""


@_shape
class Finding(TypedDict):
    """One thing to tell the customer."""

    code: str
    """Stable; names what was found."""
    severity: Severity
    """`error` keeps the connection or a model from being used."""
    whose_fix: WhoseFix
    """Who can change it."""
    message: str
    """What was found."""
    fix: str
    """What to do about it."""
    evidence: dict[str, str]
    """AWS's code and request id, and what was asked for."""
    edits: list[Edit]
    """Documents that cure it."""
    suspects: list[Suspect]
    """Where the cause is not certain, the likeliest first."""


@_shape
class CheckReport(TypedDict):
    """One check of a verification."""

    id: CheckId
    """Which check."""
    title: str
    """What the role does when it is as it must be."""
    expected: Expected
    """The outcome that it must have."""
    outcome: OutcomeWord
    """The outcome that it had; `skipped` when it was not run."""
    findings: list[Finding]
    """What is wrong, when it is not the one expected."""


@_shape
class VerificationReport(TypedDict):
    """What a verification found. The five assume checks alone decide the verdict."""

    verdict: Verdict
    """What the five assume checks say together."""
    status: Status
    """The connection's status after it."""
    usable: bool
    """Whether models can be listed and invoked with this role."""
    role_arn: RoleArnText
    """The role that was looked at."""
    checks: list[CheckReport]
    """All checks, in fixed order."""
    findings: list[Finding]
    """Every finding once."""
    checked_at: Time
    """When."""
    retry_after: int | None
    """Seconds after which another run may end otherwise with nothing changed; null when it would not."""
    duration_ms: int
    """How long it took, in milliseconds."""
    attempts: int
    """How often the probes were run while IAM made a change known."""


@_shape
class WaitingForIam(TypedDict):
    """Said in a stream before another try."""

    attempt: int
    """The number of the try that ended."""
    seconds: int
    """The time until the next."""
    reason: str
    """Why another try may end otherwise."""


@_shape
class AuditedConnection(TypedDict):
    """A connection as the audit record keeps it."""

    status: Status
    """Where it stood."""
    name: str
    """Its name."""
    region: str
    """Its AWS region."""
    models: list[str] | None
    """Its model scope; null: all."""
    external_id: ExternalIdText
    """The external ID in use."""
    pending_external_id: ExternalIdText | None
    """The one that was to take its place."""
    role_arn: RoleArnText | None
    """The verified role."""
    version: int
    """Its version."""


@_shape
class AuditEvent(TypedDict):
    """One entry of the audit record."""

    at: Time
    """When."""
    type: str
    """What happened."""
    actor: str
    """The `sub` of the token; `rolecall:schedule` for what the service did by itself."""
    source_ip: str
    """Where from."""
    before: AuditedConnection | None
    """The connection before; null when it was created."""
    after: AuditedConnection
    """The connection after."""
