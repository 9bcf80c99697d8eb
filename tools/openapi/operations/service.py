"""The service itself."""

from __future__ import annotations

from typing import Final

from tools.openapi import errors
from tools.openapi.operation import Operation

OPERATIONS: Final = (
    Operation("GET /health", "get_health", "Service", errors.ANY),
    Operation("GET /openapi.json", "get_openapi_document", "Service", errors.ANY, answer_headers=("ETag",), kept=True),
    Operation("GET /v1/setup", "get_setup", "Service", errors.TOKEN),
)
