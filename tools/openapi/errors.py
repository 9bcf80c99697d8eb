"""Which error codes a route may answer, in groups that belong together."""

from __future__ import annotations

from typing import Final

from chalicelib.bedrock import meanings as aws
from chalicelib.providers import meanings as providers
from chalicelib.routes.codes import UNEXPECTED

GATEWAY: Final = frozenset({"too_many_requests", "request_timeout", "request_refused"})
"""What API Gateway answers by itself."""
ANY: Final = GATEWAY | {UNEXPECTED}
TOKEN: Final = ANY | {
    "missing_token",
    "invalid_token",
    "token_expired",
    "token_not_yet_valid",
    "token_too_large",
    "several_authorization_headers",
    "tenant_missing",
    "insufficient_scope",
    "keys_unavailable",
}
STORED: Final = TOKEN | {"storage_unavailable"}
"""Routes that read or write the service's table."""
MODELS: Final = STORED | {"tenant_rate_limited"}
"""Routes that ask models, which the operator may limit."""
PAGE: Final = frozenset({"invalid_value", "invalid_cursor"})
ONE: Final = frozenset({"connection_not_found"})
JSON: Final = frozenset(
    {
        "invalid_json",
        "missing_field",
        "invalid_type",
        "invalid_value",
        "unsupported_media_type",
        "body_too_large",
        "repeated_header",
    }
)
"""Bodies of chats: unknown fields are named in the answer, not refused."""
STRICT_JSON: Final = JSON | {"duplicate_key", "unknown_field"}
NO_ID: Final = frozenset(
    {
        "external_id_not_settable",
        "invalid_json",
        "duplicate_key",
        "unsupported_media_type",
        "body_too_large",
        "repeated_header",
    }
)
"""Writes to connections, which refuse an external ID in any spelling."""
WRITE: Final = frozenset({"connection_changed"})
REGION: Final = frozenset({"unknown_region", "partition_mismatch", "no_fips_endpoint"})
SCOPE: Final = REGION | {"invalid_model_id", "invalid_guardrail"}
ROLE: Final = frozenset(
    {
        "not_a_role_arn",
        "placeholder",
        "invalid_character",
        "invalid_account_id",
        "service_linked_role",
        "own_account_role",
        "partition_mismatch",
        "account_mismatch",
    }
)
CREDENTIAL: Final = frozenset(
    {
        "repeated_header",
        "unknown_field",
        "two_credentials",
        "provider_required",
        "unknown_provider",
        "provider_key_incomplete",
        "provider_mismatch",
        "malformed_provider_key",
        "invalid_azure_endpoint",
        "unknown_region",
        "partition_mismatch",
        "no_fips_endpoint",
        "too_many_key_checks",
        "connection_required",
        "connection_ambiguous",
        "connection_not_active",
        "connection_not_found",
        "connection_revoked",
        "connection_expired",
    }
)
"""Finding out whose credentials a call goes out with."""
_UNREACHABLE: Final = frozenset({"upstream_unreachable", "upstream_timeout", "upstream_error", "unrecognised"})
AWS: Final = (
    frozenset(row.meaning.code for row in aws.ROWS)
    | {meaning.code for meaning in (aws.FAILED, aws.UNKNOWN, aws.THROTTLED, aws.TOO_LARGE)}
    | _UNREACHABLE
    | {"no_fips_endpoint"}
)
PROVIDER: Final = (
    frozenset(row.meaning.code for row in providers.ROWS)
    | _UNREACHABLE
    | {"deployments_not_listed", "invalid_aws_credentials"}
)
UPSTREAM: Final = AWS | PROVIDER
"""What another company answered: those errors come with `X-Should-Retry`."""
