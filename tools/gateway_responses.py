"""What API Gateway answers by itself, in the API's own envelope: Lambda never sees these requests.

Types and what they mean: API Gateway developer guide, "Gateway response types". The bodies are texts with marks for
`$context` and are not VTL (same guide), so nothing that a caller sends is put into them.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from chalicelib.errors import ServiceError
from chalicelib.routes.boundary import EXPOSED_HEADERS
from chalicelib.routes.codes import CODES, NO_ROUTE, envelope


class Own(NamedTuple):
    """An answer of API Gateway's own: `status` is None where the type stands for several of them."""

    error: ServiceError
    status: int | None = None
    retry_after: int | None = None


RESPONSES: Final[dict[str, Own]] = {
    "MISSING_AUTHENTICATION_TOKEN": Own(NO_ROUTE, 404),
    "RESOURCE_NOT_FOUND": Own(NO_ROUTE, 404),
    # No route asks for AWS's signature, so it is only missed where no route is: a bearer token is none.
    "INVALID_SIGNATURE": Own(NO_ROUTE, 404),
    "ACCESS_DENIED": Own(NO_ROUTE, 404),
    "REQUEST_TOO_LARGE": Own(
        ServiceError("body_too_large", "API Gateway takes 10 MB in one request.", fix="Send less."), 413
    ),
    "UNSUPPORTED_MEDIA_TYPE": Own(
        ServiceError("unsupported_media_type", "The body must be JSON.", fix="Send application/json."), 415
    ),
    "THROTTLED": Own(
        ServiceError("too_many_requests", "This deployment takes no more requests now.", fix="Wait, then try again."),
        429,
        retry_after=1,
    ),
    "INTEGRATION_TIMEOUT": Own(
        ServiceError(
            "request_timeout",
            "The answer took longer than this route may take.",
            fix="Try again; ask for a stream where the route has one.",
        ),
        504,
    ),
    "INTEGRATION_FAILURE": Own(ServiceError("internal_error", "Something went wrong on our side."), 500),
    "DEFAULT_4XX": Own(
        ServiceError(
            "request_refused",
            "API Gateway refused the request before the service saw it.",
            fix="See the status; look for a malformed header, path or body.",
        )
    ),
    "DEFAULT_5XX": Own(ServiceError("internal_error", "Something went wrong on our side."), None),
}
"""By response type; the two defaults stand for all that are not named."""


def definitions(origin: object) -> dict[str, Any]:
    """Return `x-amazon-apigateway-gateway-responses`.

    `origin` is the value of the CORS header, as a CloudFormation expression that ends in a quoted text or NoValue: a
    browser hides an error from a page that the answer does not name.
    """
    return {kind: _definition(own, origin) for kind, own in RESPONSES.items()}


def _definition(own: Own, origin: object) -> dict[str, Any]:
    headers: dict[str, object] = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": f"'{EXPOSED_HEADERS}'",
        "Cache-Control": "'no-store'",
        "Vary": "'Origin'",
        "X-Content-Type-Options": "'nosniff'",
    }
    if own.retry_after is not None:
        headers["Retry-After"] = f"'{own.retry_after}'"
    definition: dict[str, Any] = {
        "responseParameters": {f"gatewayresponse.header.{name}": value for name, value in headers.items()},
        "responseTemplates": {"application/json": json.dumps(envelope(own.error, "$context.requestId"))},
    }
    if own.status is not None:
        if own.status != CODES[own.error.code].status:
            raise ValueError(f"{own.error.code} is answered with {CODES[own.error.code].status}, not {own.status}")
        definition["statusCode"] = str(own.status)
    return definition
