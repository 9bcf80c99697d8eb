"""What a call is made with, where it goes, and its signature: botocore's signer, with nothing of the environment."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from botocore.auth import SigV4Auth

from chalicelib.bedrock.regions import require_endpoint
from chalicelib.identifiers import partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.bedrock.operations import Operation

# At DEBUG this logger writes canonical requests, and with them session tokens, whatever level was asked for.
logging.getLogger("botocore.auth").setLevel(logging.INFO)

LEFT_OUT: Final = "[left out]"
"""Stands for a secret in a text of somebody else's."""


class Credentials(NamedTuple):
    """What signs a call. All that botocore's signer asks for is these three names."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        """Show which key it is and nothing that signs."""
        return f"Credentials(access_key={self.access_key!r})"

    def __str__(self) -> str:
        """Show the same."""
        return repr(self)


class ApiKey(NamedTuple):
    """A Bedrock API key. It is sent as it is: whoever sees a request could use it."""

    key: str

    def __repr__(self) -> str:
        """Show nothing of it."""
        return "ApiKey(key='**********')"

    def __str__(self) -> str:
        """Show the same."""
        return repr(self)


Signer = Credentials | ApiKey
"""What a call is made with."""


def without_secrets(signer: Signer, text: str) -> str:
    """Return a text of AWS's without what signed the call, wherever it is repeated.

    What stands in front of AWS's services repeats an Authorization header that it can't read
    (github.com/cowinapi/developer.cowin/issues/129), and a Bedrock API key is one.
    """
    for secret in (signer.key,) if isinstance(signer, ApiKey) else (signer.secret_key, signer.token):
        text = text.replace(secret, LEFT_OUT) if secret else text
    return text


def address(
    operation: Operation,
    region: str,
    *,
    endpoint: str | None = None,
    fips: bool = False,
    model: str | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """Return the address of a call, encoded as it is sent and signed; `endpoint` replaces AWS's host of the region.

    With `fips` the host is the region's FIPS endpoint; raises `ServiceError` `no_fips_endpoint` where there is none.
    """
    host = _host(operation.service, region, fips=fips and endpoint is None)
    base = endpoint or f"https://{host}"
    path = operation.path if model is None else operation.path.replace("{model}", path_segment(model))
    # urlencode writes + for a space, which signs otherwise.
    pairs = "&".join(f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in (query or {}).items())
    return f"{base}{path}?{pairs}" if pairs else f"{base}{path}"


def _host(service: str, region: str, *, fips: bool) -> str:
    partition = partition_of(region)
    if not fips:
        return f"{service}.{region}.{partition.dns_suffix}"
    require_endpoint(region, fips=True)
    # In GovCloud DynamoDB's one endpoint is the FIPS endpoint (botocore's endpoint rules).
    if service == "dynamodb" and partition.id == "aws-us-gov":
        return f"{service}.{region}.{partition.dns_suffix}"
    return f"{service}-fips.{region}.{partition.dns_suffix}"


def path_segment(model: str) -> str:
    """Return a model id as one segment of a path. `.` and `..` never get here: `ModelId` has none."""
    if model in {"", ".", ".."}:
        raise ValueError("a model id can't be empty or dots")
    return quote(model, safe="-._~")


def sign(
    credentials: Signer,
    region: str,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    service: str = "bedrock",
) -> dict[str, str]:
    """Return the headers of a signed request; an API key is no signature but a bearer."""
    if isinstance(credentials, ApiKey):
        return {**headers, "Authorization": f"Bearer {credentials.key}"}
    # All that the signer asks of a request. botocore's own class prepares it for its own way of sending, and without
    # the host the signer takes the address apart: together as much work as the signature.
    signed = {**headers, "Host": url.split("/", 3)[2]}
    request = SimpleNamespace(method=method, url=url, headers=signed, params=None, body=body, context={})
    SigV4Auth(credentials, service, region).add_auth(request)  # type: ignore[arg-type]  # names are enough
    return signed
