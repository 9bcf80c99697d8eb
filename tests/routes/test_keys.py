"""Which of the issuer's keys verifies a token: the one that is named, fits, and is the issuer's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.routes.keys import KeySet
from tests.routes.issuer import CLAIMS, KeyServer, ask, at, code, ec_key, jwk, raw, refused, rsa_key, token

if TYPE_CHECKING:
    from chalicelib.routes.auth import Authenticator
    from tests.routes.issuer import Clock


def test_the_key_id_chooses_the_key(authenticator: Authenticator, server: KeyServer) -> None:
    """Of several keys the one that the token names verifies it."""
    server.keys = [jwk(ec_key("two"), "two"), jwk(ec_key(), "one"), jwk(rsa_key(), "rsa")]

    assert ask(authenticator, kid="one").tenant == "acme"
    assert ask(authenticator, kid="rsa", key=rsa_key(), algorithm="RS256").tenant == "acme"
    assert code(authenticator, kid="two") == "invalid_token"
    assert code(authenticator, kid="rsa") == "invalid_token"
    assert server.fetches == 1


def test_without_a_key_id_there_must_be_one_fitting_key(authenticator: Authenticator, server: KeyServer) -> None:
    """One key that fits is the one, whatever else is in the set; of two nobody guesses."""
    others = [jwk(rsa_key(), "rsa"), jwk(ec_key(""), "other curve"), jwk(ec_key("two"), "two", alg="ES512")]
    server.keys = [*others, jwk(ec_key(), "one")]
    assert ask(authenticator).tenant == "acme"
    other = KeySet(server.url, at)
    server.keys = [jwk(ec_key(), "one"), jwk(ec_key("two"), "two")]
    with pytest.raises(ServiceError):
        other.find(None, "ES256")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, id="a shared secret"),
        pytest.param(jwk(ec_key(), "one") | {"use": "enc"}, id="a key for encryption"),
        pytest.param(jwk(ec_key(), "one") | {"key_ops": ["encrypt"]}, id="a key whose operations leave out verifying"),
        pytest.param(jwk(ec_key(), "one") | {"key_ops": "verify"}, id="a text for operations"),
        pytest.param(jwk(ec_key(), "one") | {"d": "AA"}, id="a private key"),
        pytest.param(jwk(rsa_key(), "one"), id="a key of another kind"),
        pytest.param(jwk(ec_key(), "one") | {"alg": "ES384"}, id="a key for another algorithm"),
        pytest.param(jwk(ec_key(), "one") | {"x": "AAAA"}, id="a point that is not on the curve"),
        pytest.param({"kty": "EC", "kid": "one"}, id="half a key"),
        pytest.param(jwk(ec_key(), "one") | {"crv": ["P-256"]}, id="a list for a curve"),
        pytest.param(jwk(ec_key(), "two"), id="a key of another id"),
        pytest.param(jwk(ec_key(""), "one"), id="a key on another curve"),
    ],
)
def test_a_key_that_does_not_fit_verifies_nothing(
    authenticator: Authenticator, server: KeyServer, key: dict[str, Any]
) -> None:
    """Kind, use, algorithm and curve must all fit the token's algorithm."""
    server.keys = [key]

    assert code(authenticator, kid="one") == "invalid_token"


def test_a_short_rsa_key_of_the_issuer_verifies_nothing(authenticator: Authenticator, server: KeyServer) -> None:
    """Keys under 2,048 bits can be broken, wherever they are published."""
    server.keys = [jwk(rsa_key(1024), "one")]
    text = raw({"alg": "RS256", "kid": "one"}, CLAIMS, b"x" * 128)

    assert refused(authenticator, text) == "invalid_token"


@pytest.mark.parametrize("kind", ["RSA", "oct"])
def test_what_is_published_is_no_shared_secret(authenticator: Authenticator, server: KeyServer, kind: str) -> None:
    """Key confusion: neither the text of a public key nor an `oct` key in the set signs an HMAC token."""
    published = jwk(rsa_key(), "one") if kind == "RSA" else {"kty": "oct", "kid": "one", "k": "c2VjcmV0"}
    secret = json.dumps(published).encode() if kind == "RSA" else b"secret"
    server.keys = [published]
    unsigned = raw({"alg": "HS256", "kid": "one"}, CLAIMS).rpartition(".")[0]
    digest = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()

    assert refused(authenticator, f"{unsigned}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}") == (
        "invalid_token"
    )
    assert server.fetches == 0


def test_a_key_that_the_token_brings_is_not_asked_for(authenticator: Authenticator, server: KeyServer) -> None:
    """`jku` and `jwk` in a header name the attacker's keys: neither is fetched nor used."""
    evil = KeyServer([jwk(ec_key("two"), "two")])
    try:
        text = token(key=ec_key("two"), kid="two", jku=evil.url, jwk=evil.keys[0])
        assert refused(authenticator, text) == "invalid_token"
        assert evil.fetches == 0
    finally:
        evil.stop()


@pytest.mark.parametrize("operations", [None, ["verify"], ["sign", "verify"]], ids=repr)
def test_a_key_may_say_that_it_verifies(
    authenticator: Authenticator, server: KeyServer, operations: list[str] | None
) -> None:
    """RFC 7517 section 4.3: `key_ops` is optional."""
    server.keys = [jwk(ec_key(), "one") | ({"key_ops": operations} if operations else {})]

    assert ask(authenticator, kid="one").tenant == "acme"


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/keys",
        "ftp://x/",
        "file:///etc/passwd",
        "http://127.0.0.1.evil.com/",
        "http://127.0.0.1:80@evil.com/",
        "http://localhost.evil.com/",
        "",
    ],
)
def test_keys_come_over_tls(url: str, clock: Clock) -> None:
    """Whoever can change the keys on their way can sign tokens; the loopback alone needs no TLS."""
    with pytest.raises(ValueError, match="https"):
        KeySet(url, clock)
