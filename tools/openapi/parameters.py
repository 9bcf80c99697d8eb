"""Parameters and answer headers that several routes share."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.routes.credential import CONNECTION, HEADERS
from tools.openapi.operation import Parameter

CONNECTION_ID: Final = Parameter(
    "connection_id",
    "path",
    "The connection. Another tenant's answers like one that never was: 404.",
    {"type": "string", "pattern": "^conn-[a-z2-7]{20}$"},
    required=True,
    example="conn-q7r2m5k3v6xw4t2nbd3f",
)
LIMIT: Final = Parameter(
    "limit", "query", "How many to answer.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}
)
CURSOR: Final = Parameter(
    "cursor", "query", "`next_cursor` of the page before; left out, the first page is answered.", {"type": "string"}
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "The same key with the same body, within 24 hours, answers the connection that was made first.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    example="order-20931",
)
IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "The `ETag` of the connection that the change is made to.",
    {"type": "string"},
    required=True,
    example='"3"',
)
_OF_A_KEY: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "provider": (
        "Whose key comes with the request. With a key, no connection is used.",
        {"type": "string", "enum": ["bedrock", "openai", "anthropic", "google", "azure"]},
    ),
    "key": ("The provider's API key, or a Bedrock API key. Used for this request and forgotten.", {"type": "string"}),
    "endpoint": ("Azure: `https://<resource>.openai.azure.com`.", {"type": "string"}),
    "access_key_id": ("Bedrock with AWS keys: the access key id.", {"type": "string"}),
    "secret_access_key": ("Bedrock with AWS keys: the secret access key.", {"type": "string"}),
    "session_token": ("Bedrock with AWS keys: the session token of temporary ones.", {"type": "string"}),
    "region": ("Bedrock: the AWS region.", {"type": "string"}),
}
CREDENTIAL: Final = (
    Parameter(
        CONNECTION,
        "header",
        "The connection to use; may be left out when the tenant has one active connection alone.",
        {"type": "string"},
    ),
    *(Parameter(name, "header", *_OF_A_KEY[part]) for part, name in HEADERS.items()),
)
"""Whose credentials a call goes out with: a connection's, or those that come with it."""

ANSWER_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-Id": ("The id of this request; errors repeat it, and the operator's log has it.", {"type": "string"}),
    "ETag": ("The version of what is answered: for `If-Match`, or `If-None-Match`.", {"type": "string"}),
    "Retry-After": ("Seconds to wait, where waiting helps.", {"type": "integer"}),
    "X-Should-Retry": (
        "Whether another company's refusal is worth another try; OpenAI's clients obey it.",
        {"type": "string", "enum": ["true", "false"]},
    ),
    "Rolecall-AWS-Request-Id": ("AWS's id of the call that was made.", {"type": "string"}),
    "Rolecall-Provider-Request-Id": ("The provider's id of the call that was made.", {"type": "string"}),
    "Rolecall-Ignored-Fields": ("Fields of the body that were left out or changed, by name.", {"type": "string"}),
    "Rolecall-Credential": ("Whose credentials were used: `operator`.", {"type": "string", "enum": ["operator"]}),
    "Content-Disposition": ("Names the file to save it as.", {"type": "string"}),
}
