"""Bearer tokens: who gets in, and each classic way in that stays shut."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.routes.auth import Authenticator, Caller, require_scope
from chalicelib.settings import TokenRules
from tests.routes.issuer import CLAIMS, NOW, ec_key, pem, raw, rsa_key, token

RULES = TokenRules("https://login.example.com/", "rolecall", public_key=pem(ec_key()), algorithms=("ES256",))


def _at(seconds: float = 0) -> datetime:
    return datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)


def _authenticate(text: str, rules: TokenRules = RULES, seconds: float = 0) -> Caller:
    return Authenticator(rules, clock=lambda: _at(seconds)).authenticate([f"Bearer {text}"])


def _code(text: str, rules: TokenRules = RULES, seconds: float = 0) -> str:
    with pytest.raises(ServiceError) as refused:
        _authenticate(text, rules, seconds)
    assert text[:40] not in refused.value.message
    return refused.value.code


def test_a_good_token_names_its_caller() -> None:
    """Tenant, subject, scopes and end come from the claims."""
    assert _authenticate(token()) == Caller(
        "acme", "person-1", frozenset({"connections:read", "models:invoke"}), _at(600)
    )


def _hmac_token(secret: str) -> str:
    unsigned = raw({"alg": "HS256", "typ": "JWT"}, CLAIMS).rpartition(".")[0]
    digest = hmac.new(secret.encode(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _tampered() -> str:
    head, _, signature = token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "tenant": "globex"}).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}.{signature}"


ATTACKS = [
    pytest.param(lambda: raw({"alg": "none"}, CLAIMS), id="alg none"),
    pytest.param(lambda: raw({"alg": "None"}, CLAIMS), id="alg None"),
    pytest.param(lambda: raw({"alg": "nOnE"}, CLAIMS), id="alg nOnE"),
    pytest.param(lambda: raw({"alg": ""}, CLAIMS), id="an empty alg"),
    pytest.param(lambda: raw({}, CLAIMS), id="no alg"),
    pytest.param(lambda: raw({"alg": ["ES256"]}, CLAIMS), id="a list for alg"),
    pytest.param(lambda: raw({"alg": {"a": 1}}, CLAIMS), id="an object for alg"),
    pytest.param(lambda: _hmac_token(pem(ec_key())), id="the public key as a shared secret"),
    pytest.param(lambda: token(key=rsa_key(), algorithm="RS256"), id="an algorithm that is not allowed"),
    pytest.param(lambda: token(key=ec_key("two")), id="somebody else's key"),
    pytest.param(_tampered, id="a changed payload"),
    pytest.param(lambda: raw({"alg": "ES256"}, CLAIMS, b"\0" * 64), id="a signature of zeros"),
    pytest.param(lambda: raw({"alg": "ES256"}, CLAIMS, b""), id="no signature"),
    pytest.param(lambda: token().rpartition(".")[0] + ".", id="a signature cut off"),
    pytest.param(
        lambda: token(jwk={"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}, key=ec_key("two")), id="its own jwk"
    ),
    pytest.param(lambda: token(jku="https://evil.example.com/keys", key=ec_key("two")), id="its own jku"),
    pytest.param(lambda: token(x5u="https://evil.example.com/cert", key=ec_key("two")), id="its own x5u"),
    pytest.param(lambda: token(crit=["exp"], exp=1), id="an extension marked critical"),
    pytest.param(lambda: token(b64=False, crit=["b64"]), id="an unencoded payload"),
    pytest.param(lambda: token({"iss": "https://evil.example.com/"}), id="another issuer"),
    pytest.param(lambda: token({"iss": None}), id="no issuer"),
    pytest.param(lambda: token({"aud": "another-service"}), id="another audience"),
    pytest.param(lambda: token({"aud": None}), id="no audience"),
    pytest.param(lambda: token({"aud": ["a", "b"]}), id="a list of other audiences"),
    pytest.param(lambda: token({"aud": [["rolecall"]]}), id="a list within a list"),
    pytest.param(lambda: token({"aud": {"rolecall": 1}}), id="an object for an audience"),
    pytest.param(lambda: token({"exp": None}), id="no end"),
    pytest.param(lambda: token({"exp": True}), id="a boolean for an end"),
    pytest.param(
        lambda: raw({"alg": "ES256"}, json.dumps(CLAIMS).replace(str(NOW + 600), "1e400")), id="an endless end"
    ),
    pytest.param(lambda: token({"sub": None}), id="no subject"),
    pytest.param(lambda: "a.b", id="two parts"),
    pytest.param(lambda: "a.b.c.d.e", id="five parts, as encrypted tokens have"),
    pytest.param(lambda: "ü.ü.ü", id="letters beyond ASCII"),
    pytest.param(lambda: "..", id="nothing but dots"),
    pytest.param(lambda: raw({"alg": "ES256"}, "[]"), id="a list for claims"),
    pytest.param(lambda: token() + "\n", id="a line break behind it"),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_classic_attack_is_an_invalid_token(attack: Any) -> None:
    """What is not the issuer's, not for us, or not whole is refused, and nothing of it is repeated."""
    assert _code(attack()) == "invalid_token"


def test_an_end_that_is_a_text_is_no_end() -> None:
    """A claim of the wrong type is not guessed at."""
    import jwt

    claims = {**CLAIMS, "exp": str(NOW + 600)}
    try:
        text = jwt.encode(claims, ec_key(), algorithm="ES256")
    except TypeError:
        pytest.skip("this PyJWT does not even write such a token")
    assert _code(text) == "invalid_token"


@pytest.mark.parametrize(
    ("claims", "seconds", "code"),
    [
        pytest.param({}, 631, "token_expired", id="past its end and our leeway"),
        pytest.param({"nbf": NOW + 31}, 0, "token_not_yet_valid", id="before its beginning"),
        pytest.param({"iat": NOW + 3600}, 0, "token_not_yet_valid", id="issued in the future"),
    ],
)
def test_a_token_counts_in_its_time_alone(claims: dict[str, Any], seconds: float, code: str) -> None:
    """The clock that is passed in decides, with half a minute for clocks that differ."""
    assert _code(token(claims), seconds=seconds) == code


def test_clocks_may_differ_by_half_a_minute() -> None:
    """Just past its end or just before its beginning, a token still counts."""
    assert _authenticate(token(), seconds=629).tenant == "acme"
    assert _authenticate(token({"nbf": NOW + 29})).tenant == "acme"


def test_a_token_that_was_seen_before_still_ends() -> None:
    """What is remembered of a verified token does not outlive it."""
    now = [_at()]
    authenticator = Authenticator(RULES, clock=lambda: now[0])
    header = [f"Bearer {token({'exp': NOW + 20})}"]
    assert authenticator.authenticate(header).tenant == "acme"
    now[0] = _at(51)

    with pytest.raises(ServiceError) as refused:
        authenticator.authenticate(header)
    assert refused.value.code == "token_expired"


@pytest.mark.parametrize(
    "tenant",
    [None, "", " ", "a b", "a\n", "ü", 5, True, ["acme"], {"id": "acme"}, "x" * 129],
    ids=lambda tenant: repr(tenant)[:20],
)
def test_a_token_must_name_a_tenant(tenant: Any) -> None:
    """The tenant becomes part of a key, so it is one visible ASCII word or the token is of no use."""
    assert _code(token({"tenant": tenant})) == "tenant_missing"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([], "missing_token", id="no header"),
        pytest.param([""], "missing_token", id="an empty header"),
        pytest.param(["Basic dXNlcjpwYXNz"], "missing_token", id="another scheme"),
        pytest.param(["Bearer"], "invalid_token", id="no token"),
        pytest.param(["Bearer a b"], "invalid_token", id="two words"),
        pytest.param([f"Bearer {'a' * 9000}"], "token_too_large", id="nine thousand characters"),
        pytest.param(["Bearer a.b.c", "Bearer a.b.c"], "several_authorization_headers", id="two headers"),
    ],
)
def test_the_header_holds_one_bearer_token(headers: list[str], code: str) -> None:
    """Anything but one header with one bearer token is refused before it is parsed."""
    with pytest.raises(ServiceError) as refused:
        Authenticator(RULES, clock=_at).authenticate(headers)
    assert refused.value.code == code


def test_the_scheme_has_no_case() -> None:
    """RFC 6750: the scheme's name is compared without case."""
    assert Authenticator(RULES, clock=_at).authenticate([f"bearer {token()}"]).tenant == "acme"


ISSUERS = [
    pytest.param(
        replace(RULES, audience_claim="client_id", tenant_claim="custom:tenant", scope_prefix="rolecall/"),
        {"aud": None, "client_id": "rolecall", "custom:tenant": "acme", "token_use": "access"}
        | {"scope": "rolecall/connections:read openid"},
        frozenset({"connections:read"}),
        id="Cognito's access token",
    ),
    pytest.param(
        replace(RULES, tenant_claim="tid", scopes_claim="scp"),
        {"tid": "acme", "scp": "connections:read models:invoke", "scope": None, "ver": "2.0"},
        frozenset({"connections:read", "models:invoke"}),
        id="Entra's token of a person",
    ),
    pytest.param(
        replace(RULES, tenant_claim="tid", scopes_claim="roles"),
        {"tid": "acme", "roles": ["connections:read"], "scope": None, "sub": None, "azp": "app-1"},
        frozenset({"connections:read"}),
        id="Entra's token of a program",
    ),
    pytest.param(
        replace(RULES, tenant_claim="https://example.com/tenant"),
        {"aud": ["rolecall", "https://example.com/userinfo"], "https://example.com/tenant": "acme"},
        frozenset({"connections:read", "models:invoke"}),
        id="Auth0's token",
    ),
]


@pytest.mark.parametrize(("rules", "claims", "scopes"), ISSUERS)
def test_issuers_differ_by_settings(rules: TokenRules, claims: dict[str, Any], scopes: frozenset[str]) -> None:
    """Each issuer's own claims are read by its settings, without code."""
    caller = _authenticate(token(claims), rules)

    assert (caller.tenant, caller.scopes) == ("acme", scopes)


@pytest.mark.parametrize("scope", [None, 5, {"connections:read": True}, [5, None]], ids=repr)
def test_scopes_of_another_form_are_none(scope: Any) -> None:
    """What is neither a text nor a list of texts grants nothing."""
    assert _authenticate(token({"scope": scope})).scopes == frozenset()


def test_a_scope_without_the_prefix_is_another_services() -> None:
    """With a prefix set, the bare name is not ours."""
    rules = replace(RULES, scope_prefix="rolecall/")

    assert _authenticate(token({"scope": "connections:read rolecall/operator"}), rules).scopes == frozenset(
        {"operator"}
    )


def test_a_missing_scope_is_forbidden() -> None:
    """The refusal names the scope to ask for."""
    with pytest.raises(ServiceError, match="operator") as refused:
        require_scope(_authenticate(token()), "operator")
    assert refused.value.code == "insufficient_scope"


def test_a_short_rsa_key_is_refused_and_a_long_one_is_not() -> None:
    """Keys under 2,048 bits can be broken."""
    rules = replace(RULES, algorithms=("RS256",))
    assert _authenticate(token(key=rsa_key(), algorithm="RS256"), replace(rules, public_key=pem(rsa_key()))).tenant

    short = raw({"alg": "RS256"}, CLAIMS, b"x" * 128)
    assert _code(short, replace(rules, public_key=pem(rsa_key(1024)))) == "invalid_token"


def test_nothing_of_a_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No level writes any part of a token, whatever is wrong with it."""
    caplog.set_level(logging.DEBUG)
    texts = [token(), _tampered(), raw({"alg": "none", "kid": "canary"}, {**CLAIMS, "sub": "canary"})]
    for text in texts:
        with suppress(ServiceError):
            _authenticate(text)

    assert "canary" not in caplog.text
    assert all(part not in caplog.text for text in texts for part in text.split(".") if len(part) > 10)
