"""Verification and the linter."""

from __future__ import annotations

from typing import Final

from chalicelib.onboarding.shapes import CheckReport, VerificationReport, WaitingForIam
from chalicelib.routes.connections import TrustPolicyBody, VerificationBody
from chalicelib.routes.shapes import Error
from tools.openapi import errors
from tools.openapi.operation import Operation, StreamEvent
from tools.openapi.parameters import CONNECTION_ID

_ONE: Final = "/v1/connections/{connection_id}"
_TAG: Final = "Verification"

OPERATIONS: Final = (
    Operation(
        f"POST {_ONE}/verification",
        "verify_connection",
        _TAG,
        errors.STORED
        | errors.ONE
        | errors.STRICT_JSON
        | errors.NO_ID
        | errors.ROLE
        | errors.SCOPE
        | errors.WRITE
        | {
            "connection_revoked",
            "connection_expired",
            "verification_running",
            "too_many_verifications",
            "model_not_in_scope",
        },
        more="What AWS answered is 200 with a report, whatever it was; what is wrong with the ARN itself is 422, and"
        " AWS is not asked. `invoke` is true, false or a model id; one token at most is asked for. A new role replaces"
        " the old one only when it was verified. With `Accept: text/event-stream` each check is an event.",
        parameters=(CONNECTION_ID,),
        body=VerificationBody,
        events=(
            StreamEvent("check", "A check is done.", CheckReport),
            StreamEvent("waiting", "IAM may need time: the probes run again after a pause.", WaitingForIam),
            StreamEvent("report", "The last event of a run that came to its end.", VerificationReport),
            StreamEvent("error", "The last event of a run that did not.", Error),
        ),
    ),
    Operation(
        f"GET {_ONE}/verification",
        "get_report",
        _TAG,
        errors.STORED | errors.ONE | {"report_not_found"},
        parameters=(CONNECTION_ID,),
    ),
    Operation(
        f"POST {_ONE}/trust-policy",
        "lint_trust_policy",
        _TAG,
        errors.STORED | errors.ONE | errors.STRICT_JSON,
        parameters=(CONNECTION_ID,),
        body=TrustPolicyBody,
    ),
)
