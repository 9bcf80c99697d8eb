"""Which of the five services a request is for, told by what it asks for and not by who claims to have signed it.

At AWS each service has an address of its own; here one address stands for all of them. moto's own dispatcher goes by
the signature's scope, and so opens everything that moto has: S3 and SQS to nobody in particular, its reset to anybody.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from botocore.loaders import Loader

from sandbox.aws.errors import WORDS

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

QUERY_VERSIONS: Final = {"2011-06-15": "sts", "2010-05-08": "iam"}
"""The query services by the version of their API, which every request of theirs holds."""
_DYNAMODB_TARGET: Final = "DynamoDB_20120810."
_FORM: Final = "application/x-www-form-urlencoded"


class UnreadableError(Exception):
    """The body is not what the service takes; `service` names whose words to answer in."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(reason)
        self.service = service


def service_of(environ: WSGIEnvironment, body: bytes) -> str | None:
    """Return sts, iam, dynamodb, bedrock or bedrock-runtime, or None. Raises `UnreadableError`."""
    target, path = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", "")
    if target:
        if not target.startswith(_DYNAMODB_TARGET):
            return None
        _require_object("dynamodb", body)
        return "dynamodb"
    if path in {"", "/"}:
        return _query_service(environ, body)
    return _bedrock_paths().get(path.split("/")[1])


def _query_service(environ: WSGIEnvironment, body: bytes) -> str | None:
    text = body if environ.get("CONTENT_TYPE", "").startswith(_FORM) else environ.get("QUERY_STRING", "").encode()
    try:
        version = parse_qs(text.decode(), errors="strict").get("Version", [""])[-1]
    except ValueError:
        raise UnreadableError("sts", "The request is not in UTF-8.") from None
    return QUERY_VERSIONS.get(version)


def _require_object(service: str, body: bytes) -> None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnreadableError(service, "The body is not a JSON object in UTF-8.")


@lru_cache(maxsize=1)
def _bedrock_paths() -> dict[str, str]:
    """Return Bedrock's services by the first segment of their paths; no segment belongs to both."""
    return {
        operation["http"]["requestUri"].split("?")[0].split("/")[1]: service
        for service in ("bedrock", "bedrock-runtime")
        for operation in Loader().load_service_model(service, "service-2")["operations"].values()
    }


def unreadable(error: UnreadableError) -> tuple[int, str, bytes, str]:
    """Return status, content type, body and error code of the answer to what nobody can read."""
    code = WORDS[error.service].unreadable
    if error.service in QUERY_VERSIONS.values():
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{error}</Message></Error>"
            "</ErrorResponse>"
        )
        return 400, "text/xml", text.encode(), code
    return 400, "application/x-amz-json-1.0", json.dumps({"__type": code, "message": str(error)}).encode(), code
