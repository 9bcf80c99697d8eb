"""Who asks: bearer tokens, verified in process.

The token chooses nothing: which algorithms are taken is a rule of ours, which key is the issuer's. Sources: RFC 8725
(best practices for JWT), OpenID Connect Core, and the token formats of Cognito, Entra and Auth0.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import ServiceError
from chalicelib.routes.keys import FixedKey, KeySet
from chalicelib.variables import ASYMMETRIC_ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chalicelib.settings import TokenRules

LEEWAY: Final = timedelta(seconds=30)
"""How far the issuer's clock may be from ours."""
_LONGEST: Final = 8192
_LONGEST_SUBJECT: Final = 256
"""Issuers keep to 255 (OpenID Connect Core, section 2)."""
_TENANT: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REMEMBERED: Final = 1024
_REMEMBERED_FOR: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a token that holds: tenant, person or program, and what it may do."""

    tenant: str
    subject: str
    scopes: frozenset[str]
    expires_at: datetime


def require_scope(caller: Caller, scope: str) -> None:
    """Raise `insufficient_scope` unless the caller's token has the scope."""
    if scope not in caller.scopes:
        raise ServiceError(
            "insufficient_scope",
            f"The token lacks the scope {scope}.",
            fix=f"Ask for a token with the scope {scope}.",
        )


class Authenticator:
    """Turns Authorization headers into callers, by the operator's rules.

    Raises `ValueError` for rules that name no algorithm, one that is not asymmetric, or not exactly one source of keys.
    """

    def __init__(self, rules: TokenRules, *, clock: Callable[[], datetime]) -> None:
        if not rules.algorithms or not set(rules.algorithms) <= set(ASYMMETRIC_ALGORITHMS):
            raise ValueError(f"tokens are signed with some of {', '.join(ASYMMETRIC_ALGORITHMS)}")
        if (rules.jwks_url is None) == (rules.public_key is None):
            raise ValueError("tokens are verified by a public key or by a key set, one of the two")
        self._rules = rules
        self._clock = clock
        self._keys = FixedKey(rules.public_key) if rules.public_key else KeySet(rules.jwks_url or "", clock)
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[datetime, Caller]] = OrderedDict()

    def authenticate(self, authorization: Sequence[str]) -> Caller:
        """Return the caller of the only Authorization header. Raises `ServiceError`; no message repeats the token."""
        token = _bearer_token(authorization)
        # ES256 takes 0.1 ms to verify; the text itself is not kept.
        digest = hashlib.sha256(token.encode("ascii")).digest()
        now = self._clock()
        with self._lock:
            known = self._known.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        claims = self._verified_claims(token)
        caller = self._caller(claims, now)
        with self._lock:
            self._known[digest] = (min(now + _REMEMBERED_FOR, caller.expires_at), caller)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return caller

    def _verified_claims(self, token: str) -> Mapping[str, Any]:
        import jwt  # noqa: PLC0415  it loads cryptography, 53 ms that only a request with a token needs

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, RecursionError):
            raise _invalid("It can't be read as a JSON Web Token.") from None
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            raise _invalid("Its signature algorithm is not one that this service takes.")
        if "crit" in header or "b64" in header:
            raise _invalid("It uses extensions that this service does not know.")
        key = self._keys.find(header.get("kid"), algorithm)
        try:
            # The signature alone is PyJWT's: it would take the last of two claims of one name, and the real clock.
            payload: bytes = jwt.PyJWS(algorithms=[algorithm]).decode(token, key=key, algorithms=[algorithm])
        except jwt.InvalidSignatureError:
            raise _invalid("Its signature is not the issuer's.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _invalid("It can't be verified.") from None
        return _parse_claims(payload)

    def _caller(self, claims: Mapping[str, object], now: datetime) -> Caller:
        rules = self._rules
        if claims.get("iss") != rules.issuer:
            raise _invalid("It is from another issuer.")
        audience = claims.get(rules.audience_claim)
        if audience != rules.audience and not (isinstance(audience, list) and rules.audience in audience):
            raise _invalid("It is for another audience.")
        expires_at = _time(claims, "exp")
        if expires_at is None:
            raise _invalid("It has no end (exp).")
        if now - LEEWAY >= expires_at:
            raise ServiceError("token_expired", "The token has expired.", fix="Get a new token and try again.")
        for name in ("nbf", "iat"):
            at = _time(claims, name)
            if at is not None and now + LEEWAY < at:
                raise ServiceError("token_not_yet_valid", "The token is not valid yet.", fix="Check the clocks.")
        tenant = claims.get(rules.tenant_claim)
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise ServiceError(
                "tenant_missing",
                f"The token's claim {rules.tenant_claim} names no tenant: 1 to 128 visible ASCII characters.",
                fix="Have the issuer put the tenant into this claim.",
                whose_fix="operator",
            )
        return Caller(tenant, _subject(claims), self._scopes(claims), expires_at)

    def _scopes(self, claims: Mapping[str, object]) -> frozenset[str]:
        value = claims.get(self._rules.scopes_claim)
        names = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
        prefix = self._rules.scope_prefix
        kept = (name for name in names if isinstance(name, str) and name and name.startswith(prefix))
        return _set_of(tuple(name.removeprefix(prefix) for name in kept))


@lru_cache(maxsize=64)
def _set_of(names: tuple[str, ...]) -> frozenset[str]:
    """Return the scopes as a set: one for all tokens of a product instead of one for each that is held."""
    return frozenset(names)


def _bearer_token(authorization: Sequence[str]) -> str:
    if not authorization:
        raise ServiceError(
            "missing_token",
            "No bearer token was sent.",
            fix="Send Authorization: Bearer <token>.",
            param="Authorization",
        )
    if len(authorization) > 1:
        # Which one counts would depend on who reads them; a proxy and this service could disagree.
        raise ServiceError(
            "several_authorization_headers",
            "Several Authorization headers were sent.",
            param="Authorization",
            fix="Send exactly one.",
        )
    text = authorization[0].strip(" ")
    if len(text) > _LONGEST:
        raise ServiceError("token_too_large", f"The token has more than {_LONGEST} characters.", param="Authorization")
    kind, _, token = text.partition(" ")
    if kind.lower() != "bearer":
        raise ServiceError(
            "missing_token",
            "The Authorization header holds no bearer token.",
            fix="Send Authorization: Bearer <token>.",
            param="Authorization",
        )
    if not _TOKEN.fullmatch(token.strip(" ")):
        raise _invalid("It can't be read as a JSON Web Token.")
    return token.strip(" ")


def _invalid(why: str) -> ServiceError:
    return ServiceError(
        "invalid_token",
        f"The token is not accepted. {why}",
        fix="Get a new token and try again.",
        param="Authorization",
    )


def _parse_claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload.decode("utf-8"), object_pairs_hook=_names_once)
    except (ValueError, RecursionError):
        raise _invalid("Its claims can't be read, or one is there twice.") from None
    if not isinstance(claims, dict):
        raise _invalid("It has no claims.")
    return claims


def _names_once(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    # RFC 7519 section 4: of two claims of one name, who reads the first and who the last would see two tenants.
    claims = dict(pairs)
    if len(claims) != len(pairs):
        raise ValueError("a name is there twice")
    return claims


def _subject(claims: Mapping[str, object]) -> str:
    for name in ("sub", "client_id", "azp"):
        value = claims.get(name)
        if value is None:
            continue
        # It goes into the audit record and the logs: no line breaks, no half surrogates, and nothing cut off.
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_SUBJECT or not value.isprintable():
            raise _invalid(f"Its {name} is not a text of 1 to {_LONGEST_SUBJECT} printable characters.")
        return value
    raise _invalid("It names neither a subject nor a client.")


def _time(claims: Mapping[str, object], name: str) -> datetime | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(f"Its {name} is not a time.")
    try:
        # Endless, not a number, and beyond the year 9999 all end here.
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise _invalid(f"Its {name} is not a time.") from None
