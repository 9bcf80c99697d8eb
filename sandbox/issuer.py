"""The sandbox's token issuer: an ES256 key made at start, known to nobody else and gone with the process."""

from __future__ import annotations

import time
from typing import Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.settings import TokenRules

ISSUER: Final = "https://issuer.sandbox.invalid/"
AUDIENCE: Final = "rolecall"
ALL_SCOPES: Final = "connections:read connections:write models:invoke completions:invoke operator"


class Issuer:
    """Signs tokens as the operator's identity provider would."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def rules(self) -> TokenRules:
        """Return what the service must ask of a token to accept this issuer's."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return TokenRules(ISSUER, AUDIENCE, public_key=public.decode(), algorithms=("ES256",))

    def token(
        self, tenant: str, *, subject: str = "administrator", scopes: str = ALL_SCOPES, seconds: int = 12 * 3600
    ) -> str:
        """Return a token for a person of `tenant`, valid from now on for `seconds`."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "tenant": tenant,
            "scope": scopes,
            "iat": now,
            "exp": now + seconds,
        }
        return jwt.encode(claims, self._key, algorithm="ES256")
