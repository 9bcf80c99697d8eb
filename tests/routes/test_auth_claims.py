"""What a verified token says: its time, tenant, subject and scopes, as issuers differ in saying it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.routes.issuer import CLAIMS, NOW, RULES, at, authenticate, ec_key, pem, raw, refusal, rsa_key, signed, token

if TYPE_CHECKING:
    from chalicelib.settings import TokenRules


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    [f'"{NOW + 600}"', "true", "false", "[]", "{}", "1e400", "-1e400", "NaN", "1e18", "-1e18", "1" + "0" * 400],
    ids=lambda value: value[:12],
)
def test_a_time_is_a_number_of_seconds(name: str, value: str) -> None:
    """A time of another type, or that no calendar holds, is not guessed at; nothing of the kind is a 500."""
    claims = json.dumps({**CLAIMS, name: "here"}).replace('"here"', value)

    assert refusal(signed(claims)) == ("invalid_token", f"The token is not accepted. Its {name} is not a time.")


def test_a_token_has_an_end() -> None:
    """A token that never ends could not be taken back."""
    expected = ("invalid_token", "The token is not accepted. It has no end (exp).")

    assert refusal(token({"exp": None})) == expected
    assert refusal(signed({**CLAIMS, "exp": None})) == expected


@pytest.mark.parametrize("end", [NOW + 0.5, 253_402_300_799], ids=["a part of a second", "the calendar's last second"])
def test_any_time_of_the_calendar_can_be_an_end(end: float) -> None:
    """Issuers may write parts of seconds (RFC 7519 section 2), or the last second for `never`."""
    assert authenticate(signed({**CLAIMS, "exp": end})).expires_at == at(end - NOW)


@pytest.mark.parametrize(
    ("claims", "seconds", "code"),
    [
        pytest.param({}, 630, "token_expired", id="past its end and our leeway"),
        pytest.param({"exp": 0}, 0, "token_expired", id="ended in 1970"),
        pytest.param({"nbf": NOW + 31}, 0, "token_not_yet_valid", id="before its beginning"),
        pytest.param({"iat": NOW + 31}, 0, "token_not_yet_valid", id="issued in the future"),
    ],
)
def test_a_token_counts_in_its_time_alone(claims: dict[str, Any], seconds: float, code: str) -> None:
    """The clock that is passed in decides, with half a minute for clocks that differ."""
    assert refusal(token(claims), seconds=seconds)[0] == code


@pytest.mark.parametrize(
    ("claims", "seconds"),
    [
        pytest.param({}, 629, id="just past its end"),
        pytest.param({"nbf": NOW + 30}, 0, id="just before its beginning"),
        pytest.param({"iat": NOW + 30}, 0, id="issued a moment from now"),
        pytest.param({"iat": None}, 0, id="without the time of issue"),
    ],
)
def test_clocks_may_differ_by_half_a_minute(claims: dict[str, Any], seconds: float) -> None:
    """Just past its end or just before its beginning, a token still counts."""
    assert authenticate(token(claims), seconds=seconds).tenant == "acme"


@pytest.mark.parametrize(
    "tenant",
    [None, "", " ", "a b", "a\n", "a\x00", "a\x7f", "ü", "\ud800", 5, True, ["acme"], {"id": "acme"}, "x" * 129],
    ids=lambda tenant: ascii(tenant)[:20],
)
def test_a_token_must_name_a_tenant(tenant: Any) -> None:
    """The tenant becomes part of a key, so it is one visible ASCII word or the token is of no use."""
    code, message = refusal(signed({**CLAIMS, "tenant": tenant}))

    assert (code, "claim tenant names no tenant" in message) == ("tenant_missing", True)


@pytest.mark.parametrize("tenant", ["x", "x" * 128, "!#/~", "00u1a2b3-c4d5"], ids=lambda tenant: tenant[:20])
def test_any_visible_ascii_word_is_a_tenant(tenant: str) -> None:
    """Issuers have their own forms of ids; none is preferred."""
    assert authenticate(token({"tenant": tenant})).tenant == tenant


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        pytest.param({"sub": "auth0|5f", "client_id": "app"}, "auth0|5f", id="a person"),
        pytest.param({"sub": None, "client_id": "app", "azp": "other"}, "app", id="a program"),
        pytest.param({"sub": None, "azp": "app"}, "app", id="a program of Entra's or Auth0's"),
        pytest.param({"sub": "Zoë Müller"}, "Zoë Müller", id="a name beyond ASCII"),
    ],
)
def test_the_subject_is_a_person_or_a_program(claims: dict[str, Any], subject: str) -> None:
    """Without `sub` the client that the token was given to acts for itself."""
    assert authenticate(token(claims)).subject == subject


@pytest.mark.parametrize(
    "subject", ["", 5, True, ["a"], "a\nb", "a\x00", "\ud800", "x" * 257], ids=lambda subject: ascii(subject)[:20]
)
def test_a_subject_can_be_written_down(subject: Any) -> None:
    """It stands in the audit record and in logs: half a character, a line break or a cut one would falsify them."""
    assert refusal(signed({**CLAIMS, "sub": subject, "client_id": "app"})) == (
        "invalid_token",
        "The token is not accepted. Its sub is not a text of 1 to 256 printable characters.",
    )


def test_somebody_must_have_the_token() -> None:
    """A token of nobody can't be held to account."""
    assert refusal(token({"sub": None}))[1] == "The token is not accepted. It names neither a subject nor a client."


COGNITO = replace(RULES, audience_claim="client_id", tenant_claim="custom:tenant", scope_prefix="rolecall/")
COGNITO_CLAIMS: dict[str, Any] = {
    "aud": None,
    "client_id": "rolecall",
    "custom:tenant": "acme",
    "token_use": "access",
    "scope": "rolecall/connections:read openid",
}
ISSUERS = [
    pytest.param(COGNITO, COGNITO_CLAIMS, {"connections:read"}, id="Cognito's access token"),
    pytest.param(
        replace(RULES, tenant_claim="tid", scopes_claim="scp"),
        {"tid": "acme", "scp": "connections:read models:invoke", "scope": None, "ver": "2.0"},
        {"connections:read", "models:invoke"},
        id="Entra's token of a person",
    ),
    pytest.param(
        replace(RULES, tenant_claim="tid", scopes_claim="roles"),
        {"tid": "acme", "roles": ["connections:read"], "scope": None, "sub": None, "azp": "app-1"},
        {"connections:read"},
        id="Entra's token of a program",
    ),
    pytest.param(
        replace(RULES, tenant_claim="https://example.com/tenant"),
        {"aud": ["rolecall", "https://example.com/userinfo"], "https://example.com/tenant": "acme", "tenant": None},
        {"connections:read", "models:invoke"},
        id="Auth0's token",
    ),
]


@pytest.mark.parametrize(("rules", "claims", "scopes"), ISSUERS)
def test_issuers_differ_by_settings(rules: TokenRules, claims: dict[str, Any], scopes: set[str]) -> None:
    """Each issuer's own claims are read by its settings, without code."""
    caller = authenticate(token(claims), rules)

    assert (caller.tenant, set(caller.scopes)) == ("acme", scopes)


def test_an_id_token_of_cognito_is_no_access_token() -> None:
    """It has the client in `aud` and no `client_id`: meant for the app, not for an API."""
    id_token = token({**COGNITO_CLAIMS, "client_id": None, "aud": "rolecall", "token_use": "id"})

    assert refusal(id_token, COGNITO)[1] == "The token is not accepted. It is for another audience."


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        pytest.param(None, set(), id="none"),
        pytest.param("", set(), id="an empty text"),
        pytest.param("  operator  models:invoke ", {"operator", "models:invoke"}, id="spaces around"),
        pytest.param("operator,models:invoke", {"operator,models:invoke"}, id="commas, which separate nothing"),
        pytest.param(["operator", 5, None, ["models:invoke"]], {"operator"}, id="a list with other things in it"),
        pytest.param({"operator": True}, set(), id="an object"),
        pytest.param(5, set(), id="a number"),
    ],
)
def test_scopes_are_a_text_or_a_list_of_texts(scope: Any, scopes: set[str]) -> None:
    """What has another form grants nothing."""
    assert authenticate(token({"scope": scope})).scopes == scopes


def test_a_scope_without_the_prefix_is_another_services() -> None:
    """With a prefix set, the bare name is not ours."""
    rules = replace(RULES, scope_prefix="rolecall/")

    assert authenticate(token({"scope": "connections:read rolecall/operator"}), rules).scopes == {"operator"}


KEY_MISMATCH = "The token is not accepted. Its algorithm does not fit the issuer's key, or the key is too short."
RSA_RULES = replace(RULES, algorithms=("RS256",), public_key=pem(rsa_key()))


def test_a_short_rsa_key_is_refused_and_a_long_one_is_not() -> None:
    """Keys under 2,048 bits can be broken."""
    short = raw({"alg": "RS256"}, CLAIMS, b"x" * 128)

    assert authenticate(token(key=rsa_key(), algorithm="RS256"), RSA_RULES).tenant == "acme"
    assert refusal(short, replace(RSA_RULES, public_key=pem(rsa_key(1024)))) == ("invalid_token", KEY_MISMATCH)


def test_the_key_lies_on_the_algorithms_own_curve() -> None:
    """RFC 7518 section 3.4: ES256 is P-256, whatever curve the key that is set lies on."""
    other_curve = replace(RULES, public_key=pem(ec_key("")))

    assert refusal(signed(CLAIMS, ec_key("")), other_curve) == ("invalid_token", KEY_MISMATCH)


def test_an_algorithm_needs_a_key_of_its_kind() -> None:
    """Two allowed algorithms of different kinds share no key."""
    both = replace(RULES, algorithms=("ES256", "RS256"))

    assert refusal(token(key=rsa_key(), algorithm="RS256"), both) == ("invalid_token", KEY_MISMATCH)


def test_a_public_key_that_cannot_be_read_is_the_operators_fault() -> None:
    """The token may be good: clients must not throw it away, as they do after 401."""
    broken = replace(RULES, public_key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")

    assert refusal(token(), broken)[0] == "keys_unavailable"
