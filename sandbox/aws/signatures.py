"""A request's SigV4 signature, checked with botocore's own signer over the octets that arrived."""

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

from chalicelib.identifiers import partitions
from sandbox.aws.errors import WORDS, AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.callers import Callers, Keys

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/"
    r"aws4_request,\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_SKEW: Final = timedelta(minutes=5)
_REGIONS: Final = next(partition.regions for partition in partitions() if partition.id == "aws")


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
    """The request as it arrived; names of headers in lower case."""

    method: str
    host: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def read(service: str, headers: Mapping[str, str]) -> Signed:
    """Return what the Authorization header claims. Raises `AwsError` when there is none that can be read."""
    words = WORDS[service]
    text = headers.get("authorization")
    if text is None:
        raise AwsError(words.missing, "Request is missing Authentication Token", words.status)
    found = _AUTHORIZATION.fullmatch(text.strip())
    if found is None:
        raise AwsError(
            words.incomplete, "The Authorization header can't be read as AWS Signature Version 4.", words.status
        )
    names = tuple(found["headers"].split(";"))
    return Signed(found["key"], found["date"], found["region"], found["service"], names, found["signature"])


def check(service: str, sent: Sent, callers: Callers) -> tuple[str, Signed]:
    """Return the account of the key that signed, and what was signed. Raises `AwsError` in the service's words.

    Any region of the partition will do: one address stands for all of them, and for IAM too, whose requests AWS wants
    signed for us-east-1 while boto3 signs for the client's region once it is given an address.
    """
    signed, words = read(service, sent.headers), WORDS[service]
    found = callers.keys(signed.access_key_id)
    if found is None or not _token_fits(found[1], sent.headers.get("x-amz-security-token")):
        raise AwsError(words.unknown, "The security token included in the request is invalid.", words.status)
    account, keys = found
    if keys.expires_at is not None and keys.expires_at <= datetime.now(UTC):
        raise AwsError(words.expired, "The security token included in the request is expired", words.status)
    if signed.service != service:
        raise AwsError(words.signature, f"Credential should be scoped to correct service: '{service}'.", words.status)
    if signed.region not in _REGIONS:
        raise AwsError(words.signature, "Credential should be scoped to a valid region.", words.status)
    wrong_time = _wrong_time(signed, sent.headers.get("x-amz-date", ""))
    if wrong_time is not None:
        raise AwsError(words.signature, wrong_time, words.status)
    signature = _signature(signed, sent, Credentials(keys.access_key_id, keys.secret_access_key))
    if signature is None or not hmac.compare_digest(signature, signed.signature):
        raise AwsError(
            words.signature,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
            " Access Key and signing method. Consult the service documentation for details.",
            words.status,
        )
    return account, signed


def _token_fits(keys: Keys, token: str | None) -> bool:
    """Whether the token is the session's own, or absent for a user's key: AWS refuses a user who sends one."""
    if keys.session_token is None:
        return token is None
    return hmac.compare_digest(keys.session_token.encode(), (token or "").encode())


def _wrong_time(signed: Signed, stamp: str) -> str | None:
    """Return what is wrong with the time of signing, or None."""
    form = "%Y%m%dT%H%M%SZ"
    try:
        at = datetime.strptime(stamp, form).replace(tzinfo=UTC)
    except ValueError:
        return f"Date must be in ISO-8601 'basic format'. Got '{stamp}'."
    if not stamp.startswith(signed.date):
        return (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP:"
            f" '{signed.date}' != '{stamp[:8]}', from '{stamp}'."
        )
    now = datetime.now(UTC)
    if at < now - _SKEW:
        return f"Signature expired: {stamp} is now earlier than {now - _SKEW:{form}} ({now:{form}} - 5 min.)"
    if at > now + _SKEW:
        return f"Signature not yet current: {stamp} is still later than {now + _SKEW:{form}} ({now:{form}} + 5 min.)"
    return None


def _signature(signed: Signed, sent: Sent, credentials: Credentials) -> str | None:
    """Return the signature that this request must have, or None when it leaves unsigned what must be signed."""
    # X-Amz-Target names DynamoDB's operation: left unsigned, one request could be replayed as another.
    required = {"host"} | {name for name in sent.headers if name.startswith("x-amz-")}
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
