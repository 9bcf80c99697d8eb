"""An HTTP request as the event that a REST API of API Gateway makes of it (proxy integration, payload format 1.0)."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STAGE: Final = "emulator"


def proxy_event(
    method: str,
    path: str,
    query: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    resource: str,
    parameters: Mapping[str, str],
    request_id: str,
    source_ip: str,
    binary_types: frozenset[str],
) -> dict[str, Any]:
    """Return the event. Path and parameters are as they were sent: REST APIs decode neither, the query alone.

    A body is base64 when its media type is one of the API's binary types; else it is text, and octets that are no
    UTF-8 are replaced.
    """
    several: dict[str, list[str]] = {}
    for name, value in [*headers, ("X-Forwarded-For", source_ip), ("X-Forwarded-Proto", "https")]:
        several.setdefault(name, []).append(value)
    last = {name: values[-1] for name, values in several.items()}
    folded = {name.lower(): value for name, value in last.items()}
    values = parse_qs(query, keep_blank_values=True)
    media_type = folded.get("content-type", "").partition(";")[0].strip().lower()
    encoded = is_binary(media_type, binary_types)
    now = time.time()
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": last,
        "multiValueHeaders": several,
        "queryStringParameters": {name: entries[-1] for name, entries in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "emulator",
            "domainName": folded.get("host", ""),
            "extendedRequestId": request_id[:16],
            "httpMethod": method,
            "identity": {"sourceIp": source_ip, "userAgent": folded.get("user-agent")},
            "path": f"/{STAGE}{path}",
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": "emulator",
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": (base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")) if body else None,
        "isBase64Encoded": encoded and bool(body),
    }


def is_binary(media_type: str, binary_types: frozenset[str]) -> bool:
    """Tell whether a media type is one of the API's binary types, which may be `*/*` but not `image/*`."""
    return media_type in binary_types or "*/*" in binary_types
