"""Bearer tokens: who gets in, and each classic way in that stays shut."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.routes.auth import Authenticator, Caller, require_scope
from tests.routes.issuer import (
    CLAIMS,
    NOW,
    RULES,
    at,
    authenticate,
    ec_key,
    pem,
    raw,
    refusal,
    rsa_key,
    signed,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Callable

UNREADABLE = "It can't be read as a JSON Web Token."
ALGORITHM = "Its signature algorithm is not one that this service takes."
FORGED = "Its signature is not the issuer's."
CLAIMS_UNREADABLE = "Its claims can't be read, or one is there twice."
ISSUER = "It is from another issuer."
AUDIENCE = "It is for another audience."


def test_a_good_token_names_its_caller() -> None:
    """Tenant, subject, scopes and end come from the claims."""
    scopes = frozenset({"connections:read", "models:invoke"})

    assert authenticate(token()) == Caller("acme", "person-1", scopes, at(600))


def test_a_token_signed_by_hand_is_as_good() -> None:
    """The tables of attacks rest on it: what they change is all that is wrong with their tokens."""
    assert authenticate(signed(CLAIMS)) == authenticate(token())


def _hmac_token(secret: str) -> str:
    unsigned = raw({"alg": "HS256", "typ": "JWT"}, CLAIMS).rpartition(".")[0]
    digest = hmac.new(secret.encode(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _changed_payload() -> str:
    head, _, signature = token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "tenant": "globex"}).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}.{signature}"


ATTACKS: dict[str, tuple[Callable[[], str], str]] = {
    "alg none": (lambda: raw({"alg": "none"}, CLAIMS), ALGORITHM),
    "alg None": (lambda: raw({"alg": "None"}, CLAIMS), ALGORITHM),
    "alg NONE": (lambda: raw({"alg": "NONE"}, CLAIMS), ALGORITHM),
    "alg nOnE": (lambda: raw({"alg": "nOnE"}, CLAIMS), ALGORITHM),
    "alg none, and nothing behind the last dot": (lambda: raw({"alg": "none"}, CLAIMS, b""), UNREADABLE),
    "an empty alg": (lambda: raw({"alg": ""}, CLAIMS), ALGORITHM),
    "no alg": (lambda: raw({}, CLAIMS), ALGORITHM),
    "a list for alg": (lambda: raw({"alg": ["ES256"]}, CLAIMS), ALGORITHM),
    "an object for alg": (lambda: raw({"alg": {"a": 1}}, CLAIMS), ALGORITHM),
    "alg in other case": (lambda: signed(CLAIMS, alg="es256"), ALGORITHM),
    "the public key as a shared secret": (lambda: _hmac_token(pem(ec_key())), ALGORITHM),
    "an algorithm that is not allowed": (lambda: token(key=rsa_key(), algorithm="RS256"), ALGORITHM),
    "somebody else's key": (lambda: token(key=ec_key("two")), FORGED),
    "a changed payload": (_changed_payload, FORGED),
    "a signature of zeros": (lambda: raw({"alg": "ES256"}, CLAIMS, b"\0" * 64), FORGED),
    "a signature in DER": (lambda: raw({"alg": "ES256"}, CLAIMS, b"\x30\x06\x02\x01\x01\x02\x01\x01"), FORGED),
    "an empty signature": (lambda: token().rpartition(".")[0] + ".", UNREADABLE),
    "no signature": (lambda: token().rpartition(".")[0], UNREADABLE),
    "its own jwk": (lambda: signed(CLAIMS, ec_key("two"), jwk={"kty": "EC"}), FORGED),
    "its own jku": (lambda: signed(CLAIMS, ec_key("two"), jku="https://evil.example.com/keys"), FORGED),
    "its own x5u": (lambda: signed(CLAIMS, ec_key("two"), x5u="https://evil.example.com/cert"), FORGED),
    "its own x5c": (lambda: signed(CLAIMS, ec_key("two"), x5c=["MIIB"]), FORGED),
    "another issuer": (lambda: token({"iss": "https://evil.example.com/"}), ISSUER),
    "the issuer without its last slash": (lambda: token({"iss": "https://login.example.com"}), ISSUER),
    "no issuer": (lambda: token({"iss": None}), ISSUER),
    "a list of issuers": (lambda: signed({**CLAIMS, "iss": [CLAIMS["iss"]]}), ISSUER),
    "another audience": (lambda: token({"aud": "another-service"}), AUDIENCE),
    "no audience": (lambda: token({"aud": None}), AUDIENCE),
    "audiences in one text": (lambda: token({"aud": "rolecall another-service"}), AUDIENCE),
    "a list of other audiences": (lambda: token({"aud": ["a", "b"]}), AUDIENCE),
    "a list within a list": (lambda: token({"aud": [["rolecall"]]}), AUDIENCE),
    "an object for an audience": (lambda: token({"aud": {"rolecall": 1}}), AUDIENCE),
    "a tenant twice": (lambda: signed(json.dumps(CLAIMS)[:-1] + ', "tenant": "globex"}'), CLAIMS_UNREADABLE),
    "claims that are no JSON": (lambda: signed("tenant=acme"), CLAIMS_UNREADABLE),
    "a list for claims": (lambda: signed("[]"), "It has no claims."),
    "a number for a key id": (lambda: signed(CLAIMS, kid=5), UNREADABLE),
    "two parts": (lambda: "a.b", UNREADABLE),
    "five parts, as encrypted tokens have": (lambda: "a.b.c.d.e", UNREADABLE),
    "letters beyond ASCII": (lambda: "ü.ü.ü", UNREADABLE),
    "nothing but dots": (lambda: "..", UNREADABLE),
    "a line break behind it": (lambda: token() + "\n", UNREADABLE),
}


@pytest.mark.parametrize(("attack", "why"), ATTACKS.values(), ids=ATTACKS)
def test_every_classic_attack_is_an_invalid_token(attack: Callable[[], str], why: str) -> None:
    """What is not the issuer's, not for us, or not whole is refused for that reason, and nothing of it is repeated."""
    assert refusal(attack()) == ("invalid_token", f"The token is not accepted. {why}")


def test_nesting_that_no_parser_takes_is_no_error_of_ours() -> None:
    """Anyone can send such a header, without a key; how deep is too deep differs between versions of Python."""
    nested = "[" * 2900 + "]" * 2900
    header = base64.urlsafe_b64encode(f'{{"alg":"ES256","a":{nested}}}'.encode()).rstrip(b"=").decode()

    assert refusal(f"{header}.e30.eA")[0] == "invalid_token"
    assert refusal(signed(f'{{"a":{nested}}}'))[0] == "invalid_token"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"crit": ["exp"], "exp": 1}, id="an extension marked critical"),
        pytest.param({"crit": []}, id="an empty list of them"),
        pytest.param({"b64": False, "crit": ["b64"]}, id="an unencoded payload"),
        pytest.param({"b64": False}, id="an unencoded payload, not marked critical"),
        pytest.param({"b64": True, "crit": ["b64"]}, id="an encoded payload, marked critical"),
    ],
)
def test_no_extension_of_the_signature_is_taken(header: dict[str, Any]) -> None:
    """RFC 7515 section 4.1.11: who does not know an extension refuses. PyJWT knows `b64`, and we do not want it."""
    assert refusal(signed(CLAIMS, **header))[0] == "invalid_token"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([], "missing_token", id="no header"),
        pytest.param([""], "missing_token", id="an empty header"),
        pytest.param(["Basic dXNlcjpwYXNz"], "missing_token", id="another scheme"),
        pytest.param(["Bearer"], "invalid_token", id="no token"),
        pytest.param(["Bearer a b"], "invalid_token", id="two words"),
        pytest.param(["Bearer a.b.c, Bearer a.b.c"], "invalid_token", id="two tokens in one header"),
        pytest.param([f"Bearer {'a' * 9000}"], "token_too_large", id="nine thousand characters"),
        pytest.param(["Bearer a.b.c", "Bearer a.b.c"], "several_authorization_headers", id="two headers"),
        pytest.param(["Bearer a.b.c", ""], "several_authorization_headers", id="two headers, one of them empty"),
    ],
)
def test_the_header_holds_one_bearer_token(headers: list[str], code: str) -> None:
    """Anything but one header with one bearer token is refused before it is parsed."""
    with pytest.raises(ServiceError) as refused:
        Authenticator(RULES, clock=at).authenticate(headers)
    assert refused.value.code == code


def test_two_good_tokens_in_two_headers_are_refused() -> None:
    """Which of them counts would depend on the reader, even when each is good."""
    with pytest.raises(ServiceError) as refused:
        Authenticator(RULES, clock=at).authenticate([f"Bearer {token()}", f"Bearer {token()}"])
    assert refused.value.code == "several_authorization_headers"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_no_case(scheme: str) -> None:
    """RFC 9110 section 11.1: the scheme's name is compared without case."""
    assert Authenticator(RULES, clock=at).authenticate([f"{scheme} {token()}"]).tenant == "acme"


def test_a_missing_scope_is_forbidden() -> None:
    """The refusal names the scope to ask for; a scope that is there is let through."""
    caller = authenticate(token())
    require_scope(caller, "connections:read")
    with pytest.raises(ServiceError, match="operator") as refused:
        require_scope(caller, "operator")
    assert refused.value.code == "insufficient_scope"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"algorithms": ("ES256", "HS256")}, id="a shared secret"),
        pytest.param({"algorithms": ("none",)}, id="no signature"),
        pytest.param({"algorithms": ()}, id="no algorithm"),
        pytest.param({"public_key": None}, id="no source of keys"),
        pytest.param({"jwks_url": "https://login.example.com/keys"}, id="two sources of keys"),
    ],
)
def test_rules_that_let_in_forgers_are_refused_at_once(change: dict[str, Any]) -> None:
    """A service with such rules does not start."""
    with pytest.raises(ValueError, match="tokens are"):
        Authenticator(replace(RULES, **change), clock=at)


def test_a_token_that_was_seen_before_still_ends() -> None:
    """What is remembered of a verified token does not outlive it."""
    now = [at()]
    authenticator = Authenticator(RULES, clock=lambda: now[0])
    header = [f"Bearer {token({'exp': NOW + 20})}"]
    assert authenticator.authenticate(header).tenant == "acme"
    now[0] = at(51)

    with pytest.raises(ServiceError) as refused:
        authenticator.authenticate(header)
    assert refused.value.code == "token_expired"


def test_a_remembered_token_is_not_another_one() -> None:
    """A token with the same head and claims and another signature is verified for itself."""
    authenticator = Authenticator(RULES, clock=at)
    good = token()
    authenticator.authenticate([f"Bearer {good}"])
    forged = good.rpartition(".")[0] + "." + token(key=ec_key("two")).rpartition(".")[2]

    with pytest.raises(ServiceError) as refused:
        authenticator.authenticate([f"Bearer {forged}"])
    assert refused.value.code == "invalid_token"


def test_nothing_of_a_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No level writes any part of a token, whatever is wrong with it."""
    caplog.set_level(logging.DEBUG)
    texts = [
        token({"sub": "canary"}),
        _changed_payload(),
        signed({**CLAIMS, "sub": "canary"}, alg="none", kid="canary"),
    ]
    for text in texts:
        with suppress(ServiceError):
            authenticate(text)

    assert "canary" not in caplog.text
    assert not [part for text in texts for part in text.split(".") if part in caplog.text]
