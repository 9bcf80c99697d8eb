"""The door: a request's SigV4 signature, checked with botocore's own signer over the octets that arrived."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.callers import Callers

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/"
    r"aws4_request,\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW: Final = timedelta(minutes=5)
QUERY_SERVICES: Final = frozenset({"sts", "iam"})
"""Services of the query protocol, whose codes differ from those of the JSON services."""
SERVICES: Final = ("sts", "iam", "dynamodb", "bedrock")
"""Names of the credential scope; Bedrock Runtime signs as `bedrock`."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What an Authorization header claims, before anything is checked."""

    access_key_id: str
    date: str
    region: str
    service: str
    header_names: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The request as it arrived."""

    method: str
    host: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def read(headers: Mapping[str, str]) -> Signed:
    """Return what the Authorization header claims. Raises `AwsError` when there is none that can be read."""
    text = headers.get("authorization")
    if text is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    found = _AUTHORIZATION.fullmatch(text.strip())
    if found is None or found["service"] not in SERVICES:
        raise AwsError("IncompleteSignature", "The Authorization header can't be read as AWS Signature Version 4.", 403)
    names = tuple(found["headers"].split(";"))
    return Signed(found["key"], found["date"], found["region"], found["service"], names, found["signature"])


def check(signed: Signed, sent: Sent, callers: Callers) -> str:
    """Return the account of the key that signed. Raises `AwsError` in the words of the service asked."""
    by_query = signed.service in QUERY_SERVICES
    unknown = AwsError(
        "InvalidClientTokenId" if by_query else "UnrecognizedClientException",
        "The security token included in the request is invalid" + ("." if not by_query else ""),
        403,
    )
    found = callers.keys(signed.access_key_id)
    if found is None:
        raise unknown
    account, keys = found
    if keys.session_token is not None and not hmac.compare_digest(
        keys.session_token.encode(), sent.headers.get("x-amz-security-token", "").encode()
    ):
        raise unknown
    if keys.expires_at is not None and keys.expires_at <= datetime.now(UTC):
        code = "ExpiredToken" if by_query else "ExpiredTokenException"
        raise AwsError(code, "The security token included in the request is expired", 403)
    wrong = "SignatureDoesNotMatch" if by_query else "InvalidSignatureException"
    _check_time(signed, sent, wrong)
    signature = _signature(signed, sent, Credentials(keys.access_key_id, keys.secret_access_key))
    if signature is None or not hmac.compare_digest(signature, signed.signature):
        raise AwsError(
            wrong,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details.",
            403,
        )
    return account


def _check_time(signed: Signed, sent: Sent, code: str) -> None:
    stamp = sent.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AwsError(
            code, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date", 403
        ) from None
    now = datetime.now(UTC)
    if abs(now - at) > _SKEW or not stamp.startswith(signed.date):
        limit = now - _SKEW
        raise AwsError(
            code,
            f"Signature expired: {stamp} is now earlier than {limit:%Y%m%dT%H%M%SZ} ({now:%Y%m%dT%H%M%SZ} - 5 min.)",
            403,
        )


def _signature(signed: Signed, sent: Sent, credentials: Credentials) -> str | None:
    """Return the signature that this request must have, or None when it leaves unsigned what must be signed."""
    required = {"host", "x-amz-date"} | ({"x-amz-security-token"} & set(sent.headers))
    if not required <= set(signed.header_names):
        return None
    digest = hashlib.sha256(sent.body).hexdigest()
    if sent.headers.get("x-amz-content-sha256", digest) != digest:
        return None
    request = AWSRequest(
        method=sent.method,
        url=f"http://{sent.host}{sent.raw_path}" + (f"?{sent.query}" if sent.query else ""),
        data=sent.body,
        headers={name: sent.headers[name] for name in signed.header_names if name in sent.headers},
    )
    request.context["timestamp"] = sent.headers["x-amz-date"]
    signer = SigV4Auth(credentials, signed.service, signed.region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signature: str = signer.signature(text, request)
    return signature
