"""What the operator decides, read once from the environment and frozen. No other module reads `os.environ`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.errors import ServiceError
from chalicelib.identifiers import RoleArn, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ORIGIN: Final = re.compile(
    r"https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?", re.ASCII
)
_LOOPBACK: Final = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}", re.ASCII)
_T = TypeVar("_T")
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(Exception):
    """The environment can't be used; the message lists everything that is wrong with it, not only the first thing."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings can't be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = tuple(problems)


ASYMMETRIC_ALGORITHMS: Final = (
    "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA",
)  # fmt: skip
"""What may sign a token. No HMAC: with a shared secret, whoever can verify a token can also make one."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is asked of a bearer token. Issuers differ in the claims that they use, so the claims are settings."""

    issuer: str
    audience: str
    audience_claim: str = "aud"
    """Cognito's access tokens have no `aud`: there it is `client_id`."""
    tenant_claim: str = "tenant"
    scopes_claim: str = "scope"
    """A string with spaces, or a list. Entra: `scp` or `roles`."""
    scope_prefix: str = ""
    """Taken off each scope; Cognito's resource servers and Entra put one before it."""
    algorithms: tuple[str, ...] = ("ES256", "RS256")
    jwks_url: str | None = None
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's decisions. Each field names its environment variable."""

    region: str
    """AWS_REGION, which Lambda sets: where the service's table is and where it calls STS."""
    table_name: str
    """TABLE_NAME: the DynamoDB table."""
    service_role: RoleArn
    """SERVICE_ROLE_ARN: the role that this service runs as, which customers' trust policies name."""
    tokens: TokenRules
    """JWT_*: who issues the bearer tokens, and which claims say what."""
    allowed_origin: str | None = None
    """ALLOWED_ORIGIN: the one web origin that may call the API from a browser; none by default."""
    connection_cache_seconds: int = 10
    """CONNECTION_CACHE_SECONDS: how long another process's change to a connection may go unseen here; at most 60."""
    verification_settle_seconds: int = 7
    """VERIFICATION_SETTLE_SECONDS: how long one verification waits for IAM to make a change known; at most 20."""
    reverify_hours: int = 6
    """REVERIFY_HOURS: how often each role is verified anew without being asked; 0 for never, at most 168."""
    stream_max_seconds: int = 600
    """STREAM_MAX_SECONDS: the longest a streamed answer may take; at most 890, as Lambda and API Gateway end at 900."""
    log_level: str = "INFO"
    """LOG_LEVEL: DEBUG, INFO, WARNING or ERROR."""
    proxy_url: str | None = None
    """PROXY_URL: an HTTP proxy on the way to AWS and to other providers' own hosts, for which the environment's proxy
    variables are not obeyed."""
    openai_chat_models: tuple[str, ...] = ()
    """OPENAI_CHAT_MODELS: names, with * for any part, in place of our list of OpenAI's standard chat models."""
    local_addresses: Mapping[str, str] = field(default_factory=dict)
    """LOCAL_ADDRESSES: other companies' hosts led to local fakes (`host=http://127.0.0.1:port`); never on Lambda."""
    aws_endpoint: str | None = None
    """Base address of a local AWS. It has no environment variable: a deployed service talks to AWS alone."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raises `SettingsError` with one list of all that is wrong."""
        source = _Source(os.environ if environ is None else environ)
        region = source.required("AWS_REGION", _region)
        table_name = source.required("TABLE_NAME", _table_name)
        service_role = source.required("SERVICE_ROLE_ARN", _service_role)
        allowed_origin = source.optional("ALLOWED_ORIGIN", _origin)
        cache_seconds = source.optional("CONNECTION_CACHE_SECONDS", _whole_number(0, 60))
        settle_seconds = source.optional("VERIFICATION_SETTLE_SECONDS", _whole_number(0, 20))
        reverify_hours = source.optional("REVERIFY_HOURS", _whole_number(0, 168))
        stream_seconds = source.optional("STREAM_MAX_SECONDS", _whole_number(1, 890))
        log_level = source.optional("LOG_LEVEL", _log_level)
        proxy_url = source.optional("PROXY_URL", _proxy_url)
        chat_models = source.optional("OPENAI_CHAT_MODELS", _model_patterns)
        local_addresses = source.optional("LOCAL_ADDRESSES", _local_addresses)
        tokens = _token_rules(source)
        if local_addresses and source.optional("AWS_LAMBDA_FUNCTION_NAME", str):
            # Keys that tenants bring would be sent in clear to whatever listens there.
            source.problems.append("LOCAL_ADDRESSES is for a sandbox; a deployed service does not take it.")
        if source.problems or region is None or table_name is None or service_role is None:
            raise SettingsError(source.problems)
        return cls(
            region=region,
            table_name=table_name,
            service_role=service_role,
            tokens=tokens,
            allowed_origin=allowed_origin,
            connection_cache_seconds=10 if cache_seconds is None else cache_seconds,
            verification_settle_seconds=7 if settle_seconds is None else settle_seconds,
            reverify_hours=6 if reverify_hours is None else reverify_hours,
            stream_max_seconds=600 if stream_seconds is None else stream_seconds,
            log_level=log_level or "INFO",
            proxy_url=proxy_url,
            openai_chat_models=chat_models or (),
            local_addresses=local_addresses or {},
        )


def _token_rules(source: _Source) -> TokenRules:
    issuer = source.required("JWT_ISSUER", str)
    audience = source.required("JWT_AUDIENCE", str)
    jwks_url = source.optional("JWT_JWKS_URL", _jwks_url)
    public_key = source.optional("JWT_PUBLIC_KEY", _pem)
    if (jwks_url is None) == (public_key is None):
        source.problems.append("Set one of JWT_JWKS_URL and JWT_PUBLIC_KEY: where the keys are that sign the tokens.")
    algorithms = source.optional("JWT_ALGORITHMS", _algorithms)
    rules = TokenRules(issuer or "", audience or "", jwks_url=jwks_url, public_key=public_key)
    return replace(
        rules,
        audience_claim=source.optional("JWT_AUDIENCE_CLAIM", str) or rules.audience_claim,
        tenant_claim=source.optional("JWT_TENANT_CLAIM", str) or rules.tenant_claim,
        scopes_claim=source.optional("JWT_SCOPES_CLAIM", str) or rules.scopes_claim,
        scope_prefix=source.optional("JWT_SCOPE_PREFIX", str) or rules.scope_prefix,
        algorithms=algorithms or rules.algorithms,
    )


def _region(text: str) -> str:
    partition_of(text)
    return text


def _service_role(text: str) -> RoleArn:
    return RoleArn.parse(text, param="SERVICE_ROLE_ARN")


def _table_name(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{3,255}", text, re.ASCII):
        raise ValueError("a DynamoDB table's name has 3 to 255 letters, digits and ._- characters.")
    return text


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError("give one web origin such as https://app.example.com, without a path; * is not taken.")
    return text


def _jwks_url(text: str) -> str:
    if not text.startswith("https://"):
        raise ValueError("the address of the issuer's keys must begin with https://.")
    return text


def _proxy_url(text: str) -> str:
    if not re.fullmatch(r"https?://([^\s/@]+@)?[A-Za-z0-9.-]+:[0-9]{1,5}/?", text):
        raise ValueError("give the proxy's address with its port, such as http://proxy.example.com:3128.")
    return text


def _model_patterns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(re.fullmatch(r"[\w.:*-]{1,100}", name, re.ASCII) for name in names):
        raise ValueError("give names of models with commas between them; * stands for any part of a name.")
    return names


def _local_addresses(text: str) -> dict[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    for host, _, address in pairs:
        if not re.fullmatch(r"[a-z0-9.-]+", host, re.ASCII) or not _LOOPBACK.fullmatch(address):
            raise ValueError("give host=http://127.0.0.1:port, with commas between several.")
    return {host: address for host, _, address in pairs}


def _pem(text: str) -> str:
    # Environment variables can't hold line breaks everywhere, so \n is taken for one.
    pem = text.replace("\\n", "\n")
    if "-----BEGIN PUBLIC KEY-----" not in pem:
        raise ValueError("give a public key in PEM form (-----BEGIN PUBLIC KEY-----).")
    return pem


def _algorithms(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in ASYMMETRIC_ALGORITHMS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(ASYMMETRIC_ALGORITHMS)}.")
    return names


def _log_level(text: str) -> str:
    if text not in _LEVELS:
        raise ValueError(f"give one of {', '.join(_LEVELS)}.")
    return text


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}.")
        return int(text)

    return parse


class _Source:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def required(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        if not self._environ.get(name):
            self.problems.append(f"{name} is not set.")
            return None
        return self.optional(name, parse)

    def optional(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        text = self._environ.get(name)
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, ServiceError) as error:
            self.problems.append(f"{name}: {error}")
            return None
