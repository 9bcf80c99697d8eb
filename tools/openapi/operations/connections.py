"""Connections, their documents and their record."""

from __future__ import annotations

from typing import Final

from chalicelib.routes.connections import ChangeBody, CreateBody
from tools.openapi import errors
from tools.openapi.operation import Operation, Parameter
from tools.openapi.parameters import CONNECTION_ID, CURSOR, IDEMPOTENCY_KEY, IF_MATCH, LIMIT

_ONE: Final = "/v1/connections/{connection_id}"
_TAG: Final = "Connections"
_FILE: Final = Parameter(
    "file",
    "path",
    "The document.",
    {
        "type": "string",
        "enum": [
            "trust-policy.json",
            "permissions-policy.json",
            "customer-role.cfn.yaml",
            "customer-role.tf",
            "create-role.sh",
        ],
    },
    required=True,
    example="trust-policy.json",
)

OPERATIONS: Final = (
    Operation(
        "POST /v1/connections",
        "create_connection",
        _TAG,
        errors.STORED
        | errors.STRICT_JSON
        | errors.NO_ID
        | errors.SCOPE
        | {"invalid_account_id", "placeholder", "own_account_role", "idempotency_key_reused", "too_many_connections"},
        more="It is pending, and ends after 48 hours if it is never verified. With `account_id` the documents name the"
        " role's ARN beforehand.",
        parameters=(IDEMPOTENCY_KEY,),
        body=CreateBody,
        status=201,
        answer_headers=("ETag",),
    ),
    Operation("GET /v1/connections", "list_connections", _TAG, errors.STORED | errors.PAGE, parameters=(LIMIT, CURSOR)),
    Operation(
        f"GET {_ONE}",
        "get_connection",
        _TAG,
        errors.STORED | errors.ONE,
        parameters=(CONNECTION_ID,),
        answer_headers=("ETag",),
    ),
    Operation(
        f"PATCH {_ONE}",
        "change_connection",
        _TAG,
        errors.STORED
        | errors.ONE
        | errors.STRICT_JSON
        | errors.NO_ID
        | errors.SCOPE
        | errors.WRITE
        | {"if_match_required", "connection_revoked"},
        more="What is not named stays; null takes model scope or guardrail away. After a change of region, scope or"
        " guardrail the connection is usable only once it was verified again.",
        parameters=(CONNECTION_ID, IF_MATCH),
        body=ChangeBody,
        answer_headers=("ETag",),
    ),
    Operation(
        f"DELETE {_ONE}",
        "delete_connection",
        _TAG,
        errors.STORED | errors.ONE | errors.WRITE,
        more="Calls with it are refused at once; its external IDs are never used again. Deleting twice is no error.",
        parameters=(CONNECTION_ID,),
    ),
    Operation(
        f"POST {_ONE}/removal",
        "prove_removal",
        _TAG,
        errors.STORED | errors.ONE | {"connection_not_revoked", "too_many_verifications"},
        parameters=(CONNECTION_ID,),
    ),
    Operation(
        f"POST {_ONE}/rotation",
        "start_rotation",
        _TAG,
        errors.STORED
        | errors.ONE
        | errors.NO_ID
        | errors.WRITE
        | {"connection_revoked", "rotation_not_possible", "too_many_connections"},
        more="The documents then name both; the old one is in use until a verification has passed with the new one.",
        parameters=(CONNECTION_ID,),
        answer_headers=("ETag",),
    ),
    Operation(
        f"DELETE {_ONE}/rotation",
        "cancel_rotation",
        _TAG,
        errors.STORED | errors.ONE | errors.WRITE | {"connection_revoked", "rotation_not_under_way"},
        parameters=(CONNECTION_ID,),
        answer_headers=("ETag",),
    ),
    Operation(
        f"GET {_ONE}/documents",
        "get_documents",
        _TAG,
        errors.STORED | errors.ONE | {"connection_revoked"},
        parameters=(CONNECTION_ID,),
    ),
    Operation(
        f"GET {_ONE}/documents/{{file}}",
        "get_document",
        _TAG,
        errors.STORED | errors.ONE | {"connection_revoked", "document_not_found"},
        parameters=(CONNECTION_ID, _FILE),
        answer_headers=("Content-Disposition",),
        media_types=("application/json", "text/plain"),
    ),
    Operation(
        f"GET {_ONE}/events",
        "list_events",
        _TAG,
        errors.STORED | errors.ONE | errors.PAGE,
        parameters=(CONNECTION_ID, LIMIT, CURSOR),
    ),
)
