"""The Verify button: what a pasted key is good for. Nothing of the key is stored, cached or logged, not even a hash."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, SecretStr

from chalicelib.errors import ServiceError
from chalicelib.identifiers.providers import PROVIDERS
from chalicelib.onboarding.findings import Finding
from chalicelib.onboarding.limits import DAY, MINUTE
from chalicelib.onboarding.report import finding_row
from chalicelib.routes import bodies
from chalicelib.routes.exchange import Reply
from chalicelib.routes.provider_models import model_rows

if TYPE_CHECKING:
    from chalicelib.identifiers.providers import Provider as ProviderName
    from chalicelib.onboarding.findings import Severity
    from chalicelib.onboarding.limits import Limits
    from chalicelib.providers.base import KeyCheck
    from chalicelib.routes import model_shapes
    from chalicelib.routes.auth import Caller
    from chalicelib.routes.boundary import Boundary
    from chalicelib.routes.credential import OwnKeys
    from chalicelib.routes.exchange import Request

audit = logging.getLogger("rolecall.audit")

CHECKS_A_MINUTE: Final = 60
CHECKS_A_DAY: Final = 1000
"""Whoever has stolen keys would like to know which of them work; an administrator verifies a handful."""
_Text = Annotated[str, Field(max_length=512)]
_Secret = Annotated[SecretStr, Field(max_length=16_384)]


class KeyBody(bodies.Body):
    """The body of `POST /v1/keys/verify`: the parts of a credential, under the names of its provider."""

    # The document lists them; the refusal of another is the domain's, in words of its own.
    provider: Annotated[_Text, Field(description="Whose key it is.", json_schema_extra={"enum": [*PROVIDERS]})]
    key: Annotated[_Secret | None, Field(description="The API key; of bedrock, a Bedrock API key.")] = None
    endpoint: Annotated[_Secret | None, Field(description="Azure: the resource's address.")] = None
    access_key_id: Annotated[_Secret | None, Field(description="Bedrock with AWS keys.")] = None
    secret_access_key: Annotated[_Secret | None, Field(description="Bedrock with AWS keys.")] = None
    session_token: Annotated[_Secret | None, Field(description="Bedrock with temporary AWS keys.")] = None
    region: Annotated[_Secret | None, Field(description="Bedrock: the AWS region.")] = None


class KeyRoutes:
    """The view."""

    def __init__(self, keys: OwnKeys, limits: Limits) -> None:
        self._keys = keys
        self._limits = limits

    def register(self, boundary: Boundary) -> None:
        """Add the route."""
        boundary.protected("POST", "/v1/keys/verify", "connections:write", self.verify)

    def verify(self, request: Request, caller: Caller) -> Reply[model_shapes.KeyVerification]:
        """Say what a key is good for, and list its models. What can't be a key at all is refused and not counted."""
        body = bodies.parse(request, KeyBody)
        names = {name: name for name in KeyBody.model_fields}
        sent = {name: getattr(body, name) for name in names if name != "provider"}
        credential = self._keys.credential(
            body.provider, {name: value for name, value in sent.items() if value is not None}, names
        )
        who = {
            "tenant": caller.tenant,
            "subject": caller.subject,
            "source_ip": request.source_ip,
            "provider": credential.provider,
            "request_id": request.id,
        }
        self._count(caller, who)
        check = self._keys.connect(credential).verify()
        audit.info("key verified", extra={**who, "verdict": check.verdict})
        return Reply(check_row(credential.provider, check))

    def _count(self, caller: Caller, who: dict[str, str]) -> None:
        for what, most, period in (("KEYS-MINUTE", CHECKS_A_MINUTE, MINUTE), ("KEYS-DAY", CHECKS_A_DAY, DAY)):
            wait = self._limits.take(caller.tenant, what, most, period)
            if wait is not None:
                audit.warning("key verification limited", extra={**who, "limit": what})
                raise ServiceError(
                    "too_many_key_checks",
                    f"This tenant has verified {most} keys in this {'minute' if period is MINUTE else 'day'}.",
                    fix="Wait, and verify again.",
                    retry_after=wait,
                )


def check_row(provider: ProviderName, check: KeyCheck) -> model_shapes.KeyVerification:
    """Return the outcome as JSON values; the finding is left out where there is nothing to say."""
    row: model_shapes.KeyVerification = {
        "status": check.verdict,
        "provider": provider,
        "models": model_rows(provider, check.models),
    }
    if check.problem is not None:
        row["finding"] = finding_row(_finding(check, check.problem))
    return row


def _finding(check: KeyCheck, problem: ServiceError) -> Finding:
    severity: Severity = "error"
    if check.verdict in {"valid", "limited"}:
        severity = "info" if check.verdict == "valid" else "warning"
    return Finding(
        problem.code, severity, problem.whose_fix or "customer", problem.message, problem.fix or "Try again later."
    )
