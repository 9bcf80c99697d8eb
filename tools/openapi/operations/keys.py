"""Keys."""

from __future__ import annotations

from typing import Final

from chalicelib.routes.key_checks import KeyBody
from tools.openapi import errors
from tools.openapi.operation import Operation

OPERATIONS: Final = (
    Operation(
        "POST /v1/keys/verify",
        "verify_key",
        "Keys",
        errors.STORED
        | errors.STRICT_JSON
        | errors.REGION
        | {
            "unknown_provider",
            "provider_key_incomplete",
            "two_credentials",
            "provider_mismatch",
            "malformed_provider_key",
            "invalid_azure_endpoint",
            "too_many_key_checks",
        },
        more="Nothing of the key is stored, cached or logged. Azure takes `endpoint` as well; bedrock takes `key` and"
        " `region`, or `access_key_id`, `secret_access_key`, `region` and where there is one `session_token`.",
        body=KeyBody,
    ),
)
