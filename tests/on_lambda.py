"""Rolecall as Lambda calls it: API Gateway's event goes in, with a context whose time ends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Context:
    """Lambda's context without a runtime that streams: nothing can be passed on before all is there."""

    def __init__(self, seconds: float = 900) -> None:
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the time."""
        return int((self._until - time.monotonic()) * 1000)


def proxy_event(method: str, path: str, headers: Mapping[str, str], body: object | None = None) -> dict[str, Any]:
    """Return the event of a request to a path without parameters."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "path": path,
            "requestId": "r-1",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
