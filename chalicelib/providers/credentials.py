"""Credentials that arrive with a request: their parts, parsed once into values that show nothing of themselves.

Every refusal is made here, before any connection is opened. No message repeats what was sent: whoever mixes fields up
has put a secret into each of them sooner or later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pydantic import SecretStr

from chalicelib.errors import ServiceError
from chalicelib.identifiers import parse_region
from chalicelib.identifiers.providers import parse_provider
from chalicelib.providers.endpoint import AzureEndpoint
from chalicelib.providers.lookalikes import looks_like

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_KEY: Final = 512
_LONGEST_TOKEN: Final = 8192
"""Session tokens, and short-term Bedrock keys, which hold one."""
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_ACCESS_KEY_ID: Final = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,124}", re.ASCII)
"""STS API reference, Credentials: 16 to 128 characters; only these two kinds sign."""
_LEAST_SECRET: Final = 16
_AWS_PARTS: Final = ("access_key_id", "secret_access_key", "session_token")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of OpenAI, Anthropic or Google."""

    provider: Literal["openai", "anthropic", "google"]
    key: SecretStr


@dataclass(frozen=True, slots=True)
class AzureKey:
    """A key of a customer's Azure resource, and where that is."""

    key: SecretStr
    endpoint: AzureEndpoint
    provider: Literal["azure"] = "azure"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """An access key of a user, or with a session token one of a session."""

    access_key_id: SecretStr
    secret_access_key: SecretStr
    session_token: SecretStr | None
    region: str
    provider: Literal["bedrock"] = "bedrock"


@dataclass(frozen=True, slots=True)
class BedrockKey:
    """A Bedrock API key, which is sent as a bearer token."""

    key: SecretStr
    region: str
    provider: Literal["bedrock"] = "bedrock"


Credential = ApiKey | AzureKey | AwsKeys | BedrockKey


@dataclass(frozen=True, slots=True)
class Parts:
    """What was sent, part by part; None for what was not. `names` says what the caller calls each of them."""

    names: Mapping[str, str]
    key: SecretStr | None = None
    endpoint: SecretStr | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    region: SecretStr | None = None

    def sent(self, *parts: str) -> list[str]:
        """Return which of these parts were sent."""
        return [part for part in parts if getattr(self, part) is not None]

    def require(self, provider: str, *parts: str) -> None:
        """Raise `provider_key_incomplete` unless all of these were sent."""
        missing = [part for part in parts if getattr(self, part) is None]
        if missing:
            raise ServiceError(
                "provider_key_incomplete",
                f"A credential of {provider} needs {self.names[missing[0]]} as well.",
                param=self.names[missing[0]],
                fix=f"Send {' and '.join(self.names[part] for part in parts)}.",
            )

    def refuse(self, provider: str, *parts: str) -> None:
        """Raise `provider_mismatch` when one of these was sent."""
        for part in self.sent(*parts):
            raise ServiceError(
                "provider_mismatch",
                f"{self.names[part]} is no part of a credential of {provider}.",
                param=self.names[part],
                fix=f"Leave {self.names[part]} out, or name the provider that it is for.",
            )


def parse_credential(name: str, parts: Parts, *, partition: str) -> Credential:
    """Return the credential for the provider of this name; `partition` is the service's own, in AWS.

    Raises `ServiceError` for anything that it can't be.
    """
    provider = parse_provider(name, param=parts.names["provider"])
    if provider == "bedrock":
        return _of_aws(parts, partition)
    parts.refuse(provider, *_AWS_PARTS, "region")
    if provider == "azure":
        parts.require(provider, "key", "endpoint")
        key = _key(parts, provider)
        endpoint = AzureEndpoint.parse(_text(parts, "endpoint"), param=parts.names["endpoint"])
        return AzureKey(key, endpoint)
    parts.refuse(provider, "endpoint")
    parts.require(provider, "key")
    return ApiKey(provider, _key(parts, provider))


def _of_aws(parts: Parts, partition: str) -> Credential:
    parts.refuse("bedrock", "endpoint")
    if parts.key is not None and parts.sent(*_AWS_PARTS):
        raise ServiceError(
            "two_credentials",
            "A Bedrock API key and AWS access keys were sent together.",
            param=parts.names["key"],
            fix="Send one of the two.",
        )
    if parts.key is not None:
        parts.require("bedrock", "key", "region")
        return BedrockKey(_key(parts, "bedrock", longest=_LONGEST_TOKEN), _region(parts, partition))
    parts.require("bedrock", "access_key_id", "secret_access_key", "region")
    access_key_id = _visible(parts, "access_key_id", longest=128)
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise _malformed(parts, "access_key_id", "An AWS access key id begins with AKIA or ASIA.")
    secret = _visible(parts, "secret_access_key", longest=_LONGEST_KEY)
    if len(secret) < _LEAST_SECRET or _ACCESS_KEY_ID.fullmatch(secret):
        raise _malformed(parts, "secret_access_key", "This is no secret access key: those have 40 characters.")
    token = None if parts.session_token is None else _visible(parts, "session_token", longest=_LONGEST_TOKEN)
    if (token is None) == access_key_id.startswith("ASIA"):
        # Sent to AWS, either would come back as one more sentence about an invalid token.
        raise ServiceError(
            "provider_key_incomplete",
            "A key that begins with ASIA is a session's and needs its session token; one with AKIA has none.",
            param=parts.names["session_token"],
            fix="Send all that was issued together, and nothing else.",
        )
    return AwsKeys(
        SecretStr(access_key_id),
        SecretStr(secret),
        None if token is None else SecretStr(token),
        _region(parts, partition),
    )


def _key(parts: Parts, provider: str, longest: int = _LONGEST_KEY) -> SecretStr:
    key = _visible(parts, "key", longest=longest)
    found = looks_like(key)
    if found is not None and found[0] != provider:
        raise ServiceError(
            "provider_mismatch",
            f"This looks like {found[1]}, and the provider named is {provider}. It was not sent anywhere.",
            param=parts.names["key"],
            fix=f"Give a key of {provider}, or name the provider that this key is of.",
        )
    return SecretStr(key)


def _region(parts: Parts, partition: str) -> str:
    try:
        return parse_region(_text(parts, "region"), partition)
    except ServiceError as error:
        message = "There is no such AWS region." if error.code == "unknown_region" else error.message
        raise ServiceError(error.code, message, param=parts.names["region"], fix=error.fix) from None


def _visible(parts: Parts, part: str, *, longest: int) -> str:
    """Return a part without white space around it; inside it there is none, and nothing but ASCII."""
    text = _text(parts, part)
    if not text:
        raise _malformed(parts, part, "It is empty.")
    if len(text) > longest:
        raise _malformed(parts, part, f"It has more than {longest} characters.")
    if not _VISIBLE.fullmatch(text):
        # A line break would end the header that the key is sent in, and begin another.
        raise _malformed(parts, part, "It holds white space, a line break or a character that no key has.")
    return text


def _text(parts: Parts, part: str) -> str:
    value: SecretStr = getattr(parts, part)
    return value.get_secret_value().strip(" \t\r\n")


def _malformed(parts: Parts, part: str, why: str) -> ServiceError:
    return ServiceError(
        "malformed_provider_key",
        f"{parts.names[part]} can't be used. {why}",
        param=parts.names[part],
        fix="Copy it again, whole and alone.",
    )
