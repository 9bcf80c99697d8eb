"""The issuer's key set: chosen by key id, kept for minutes, never fetched in a storm, and missed without a 401."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.routes.auth import Authenticator, Caller
from chalicelib.routes.keys import KeySet
from chalicelib.settings import TokenRules
from tests.routes.issuer import NOW, KeyServer, ec_key, jwk, rsa_key, token

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that tests move."""

    now = datetime.fromtimestamp(NOW, UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """Give an issuer with one key."""
    running = KeyServer([jwk(ec_key(), "one")])
    yield running
    running.stop()


@pytest.fixture
def authenticator(server: KeyServer, clock: Clock) -> Authenticator:
    """Give the service's side of it."""
    rules = TokenRules(
        "https://login.example.com/", "rolecall", jwks_url=server.url, algorithms=("ES256", "RS256", "ES384")
    )
    return Authenticator(rules, clock=clock)


def _ask(authenticator: Authenticator, **more: Any) -> Caller:
    return authenticator.authenticate([f"Bearer {token(**more)}"])


def _code(authenticator: Authenticator, **more: Any) -> str:
    with pytest.raises(ServiceError) as refused:
        _ask(authenticator, **more)
    return refused.value.code


def test_the_key_id_chooses_the_key(authenticator: Authenticator, server: KeyServer) -> None:
    """Of several keys the one that the token names verifies it."""
    server.keys = [jwk(ec_key("two"), "two"), jwk(ec_key(), "one"), jwk(rsa_key(), "rsa")]

    assert _ask(authenticator, kid="one").tenant == "acme"
    assert _ask(authenticator, kid="rsa", key=rsa_key(), algorithm="RS256").tenant == "acme"
    assert _code(authenticator, kid="two") == "invalid_token"
    assert _code(authenticator, kid="rsa") == "invalid_token"
    assert server.fetches == 1


def test_without_a_key_id_there_must_be_one_fitting_key(authenticator: Authenticator, server: KeyServer) -> None:
    """One key that fits is the one; of two nobody guesses."""
    assert _ask(authenticator).tenant == "acme"
    other = KeySet(server.url, lambda: datetime.fromtimestamp(NOW, UTC))
    server.keys = [jwk(ec_key(), "one"), jwk(ec_key("two"), "two")]
    with pytest.raises(ServiceError):
        other.find(None, "ES256")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, id="a shared secret"),
        pytest.param(jwk(ec_key(), "one") | {"use": "enc"}, id="a key for encryption"),
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

    assert _code(authenticator, kid="one") == "invalid_token"


def test_an_unknown_key_id_asks_the_issuer_once_a_minute(
    authenticator: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Made-up key ids do not make this service hammer the issuer; a new key is found after a minute at most."""
    _ask(authenticator, kid="one")
    for number in range(20):
        assert _code(authenticator, kid=f"made-up-{number}") == "invalid_token"
    assert server.fetches == 1

    server.keys.append(jwk(ec_key("two"), "two"))
    clock.now += timedelta(seconds=61)
    assert _ask(authenticator, kid="two", key=ec_key("two")).tenant == "acme"
    assert server.fetches == 2


def test_keys_are_kept_for_ten_minutes(authenticator: Authenticator, server: KeyServer, clock: Clock) -> None:
    """A key that the issuer took back is gone after that."""
    _ask(authenticator, kid="one")
    server.keys = [jwk(ec_key("two"), "two")]
    clock.now += timedelta(minutes=9)
    assert _ask(authenticator, kid="one", claims={"exp": NOW + 7200}).tenant == "acme"
    clock.now += timedelta(minutes=2)

    assert _code(authenticator, kid="one", claims={"exp": NOW + 7201}) == "invalid_token"


FAULTS = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, id="a redirect"),
    pytest.param({"body": b"<html>"}, id="no JSON"),
    pytest.param({"body": b"[]"}, id="a list"),
    pytest.param({"body": b'{"keys": 5}'}, id="no list of keys"),
    pytest.param({"body": b"[" * 100_000}, id="a hundred thousand brackets"),
    pytest.param({"body": b" " * 300_000}, id="300 kB"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_keys_that_cannot_be_had_are_no_fault_of_the_token(
    authenticator: Authenticator, server: KeyServer, fault: dict[str, Any]
) -> None:
    """With no key to look in, the answer is 503 and not 401: clients would throw good tokens away."""
    for name, value in fault.items():
        setattr(server, name, value)

    assert _code(authenticator, kid="one") == "keys_unavailable"


def test_an_outage_of_the_issuer_is_none_of_ours(authenticator: Authenticator, server: KeyServer, clock: Clock) -> None:
    """Keys that are there go on being used for a day."""
    _ask(authenticator, kid="one")
    server.status = 500
    clock.now += timedelta(hours=23)
    assert _ask(authenticator, kid="one", claims={"exp": NOW + 90_000}).tenant == "acme"
    clock.now += timedelta(hours=2)

    assert _code(authenticator, kid="one", claims={"exp": NOW + 100_000}) == "keys_unavailable"


def test_a_cold_start_under_load_fetches_once(authenticator: Authenticator, server: KeyServer) -> None:
    """Twenty callers of a process without keys wait for one fetch."""
    server.seconds = 0.1
    barrier = threading.Barrier(20)

    def ask(number: int) -> str:
        barrier.wait()
        return _ask(authenticator, kid="one", claims={"sub": f"person-{number}"}).tenant

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {"acme"}
    assert server.fetches == 1


@pytest.mark.parametrize("url", ["http://login.example.com/keys", "ftp://x/", "http://127.0.0.1.evil.com/", ""])
def test_keys_come_over_tls(url: str, clock: Clock) -> None:
    """Whoever can change the keys on their way can sign tokens; the loopback alone needs no TLS."""
    with pytest.raises(ValueError, match="https"):
        KeySet(url, clock)
