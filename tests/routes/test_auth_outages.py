"""When the issuer's keys are fetched: for minutes never, in a storm once, and what is done when they can't be had."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.routes.issuer import NOW, KeyServer, ask, at_once, code, ec_key, jwk, refused, token

if TYPE_CHECKING:
    from chalicelib.routes.auth import Authenticator
    from tests.routes.issuer import Clock


def test_an_unknown_key_id_asks_the_issuer_once_a_minute(
    authenticator: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Made-up key ids do not make this service hammer the issuer; a new key is found after a minute at most."""
    ask(authenticator, kid="one")
    for number in range(20):
        assert code(authenticator, kid=f"made-up-{number}") == "invalid_token"
    assert server.fetches == 1

    server.keys.append(jwk(ec_key("two"), "two"))
    clock.now += timedelta(seconds=61)
    assert ask(authenticator, kid="two", key=ec_key("two")).tenant == "acme"
    assert server.fetches == 2


def test_keys_are_kept_for_ten_minutes(authenticator: Authenticator, server: KeyServer, clock: Clock) -> None:
    """A key that the issuer took back is gone after that."""
    ask(authenticator, kid="one")
    server.keys = [jwk(ec_key("two"), "two")]
    clock.now += timedelta(minutes=9)
    assert ask(authenticator, kid="one", claims={"exp": NOW + 7200}).tenant == "acme"
    clock.now += timedelta(minutes=2)

    assert code(authenticator, kid="one", claims={"exp": NOW + 7201}) == "invalid_token"


FAULTS = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"body": b"<html>"}, id="no JSON"),
    pytest.param({"body": b"[]"}, id="a list"),
    pytest.param({"body": b'{"keys": 5}'}, id="no list of keys"),
    pytest.param({"body": b"[" * 100_000}, id="a hundred thousand brackets"),
    pytest.param({"body": b'{"keys": []}' + b" " * 300_000}, id="300 kB"),
    pytest.param({"body": gzip.compress(b'{"keys": []}'), "headers": {"Content-Encoding": "gzip"}}, id="packed"),
    pytest.param({"body": b""}, id="nothing"),
    pytest.param({"body": b"\xff\xff"}, id="no UTF-8"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_keys_that_cannot_be_had_are_no_fault_of_the_token(
    authenticator: Authenticator, server: KeyServer, fault: dict[str, Any]
) -> None:
    """With no key to look in, the answer is 503 and not 401: clients would throw good tokens away."""
    for name, value in fault.items():
        setattr(server, name, value)

    assert code(authenticator, kid="one") == "keys_unavailable"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_keys_come_from_the_address_that_is_set(authenticator: Authenticator, server: KeyServer, status: int) -> None:
    """A redirect is not followed: it could lead to a place without TLS, or into the service's own network."""
    elsewhere = KeyServer(server.keys)
    server.status, server.headers = status, {"Location": elsewhere.url}
    try:
        assert code(authenticator, kid="one") == "keys_unavailable"
        assert elsewhere.fetches == 0
    finally:
        elsewhere.stop()


def test_an_outage_of_the_issuer_is_none_of_ours(authenticator: Authenticator, server: KeyServer, clock: Clock) -> None:
    """Keys that are there go on being used for a day."""
    ask(authenticator, kid="one")
    server.status = 500
    clock.now += timedelta(hours=23)
    assert ask(authenticator, kid="one", claims={"exp": NOW + 90_000}).tenant == "acme"
    clock.now += timedelta(hours=2)

    # More than once: a refusal must not make the old keys good again for those who come after it.
    refusals = [code(authenticator, kid="one", claims={"exp": NOW + 100_000 + number}) for number in range(3)]
    assert refusals == ["keys_unavailable"] * 3
    server.status = 200
    clock.now += timedelta(seconds=6)
    assert ask(authenticator, kid="one", claims={"exp": NOW + 100_000}).tenant == "acme"


def test_a_cold_start_under_load_fetches_once(authenticator: Authenticator, server: KeyServer) -> None:
    """Twenty callers of a process without keys wait for one fetch."""
    server.seconds = 0.1

    assert at_once(authenticator, kid="one") == {"acme"}
    assert server.fetches == 1


def test_a_cold_start_without_an_issuer_asks_once(
    authenticator: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Callers must not queue up for one failure each; after five seconds the issuer is asked again."""
    server.seconds, server.status = 0.1, 500

    assert at_once(authenticator, kid="one") == {"keys_unavailable"}
    assert server.fetches == 1
    server.status = 200
    clock.now += timedelta(seconds=5)
    assert ask(authenticator, kid="one").tenant == "acme"


def test_nobody_is_refused_while_the_new_keys_come(
    authenticator: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """When the issuer changes its key, all tokens of the new one are good, whoever of their callers fetches it."""
    ask(authenticator, kid="one")
    server.keys, server.seconds = [jwk(ec_key("two"), "two")], 0.1
    clock.now += timedelta(minutes=2)

    assert at_once(authenticator, kid="two", key=ec_key("two")) == {"acme"}
    assert server.fetches == 2


def test_nobody_waits_for_keys_that_are_renewed(authenticator: Authenticator, server: KeyServer, clock: Clock) -> None:
    """While one caller renews the keys, the others go on with those that there are."""
    ask(authenticator, kid="one")
    server.go_on.clear()
    clock.now += timedelta(minutes=11)
    renewing = threading.Thread(target=ask, args=(authenticator,), kwargs={"kid": "one", "claims": {"exp": NOW + 7200}})
    renewing.start()
    while server.fetches < 2:
        time.sleep(0.01)

    assert ask(authenticator, kid="one", claims={"exp": NOW + 7201}).tenant == "acme"
    assert renewing.is_alive()
    server.go_on.set()
    renewing.join()


@pytest.mark.parametrize(
    ("cache_control", "kept"),
    [
        pytest.param("public, max-age=120", 120, id="two minutes"),
        pytest.param("Max-Age=120", 120, id="in capitals"),
        pytest.param("max-age=0", 60, id="nothing, which is a minute"),
        pytest.param("max-age=86400", 600, id="a day, which is ten minutes"),
        pytest.param("max-age=soon", 600, id="not a number"),
        pytest.param("s-maxage=60", 600, id="what is meant for shared caches"),
    ],
)
def test_the_issuer_says_how_long_its_keys_are_kept(
    authenticator: Authenticator, server: KeyServer, clock: Clock, cache_control: str, kept: int
) -> None:
    """Within a minute, so that it is not hammered, and ten, so that a key that was taken back is gone."""
    server.headers = {"Cache-Control": cache_control}
    ask(authenticator, kid="one")
    clock.now += timedelta(seconds=kept - 1)
    ask(authenticator, kid="one", claims={"jti": "a", "exp": NOW + 7200})
    assert server.fetches == 1
    clock.now += timedelta(seconds=1)
    ask(authenticator, kid="one", claims={"jti": "b", "exp": NOW + 7200})
    assert server.fetches == 2


@pytest.mark.parametrize(
    "slow",
    [{"seconds": 60.0}, {"dripping": True}, {"dripping_head": True}],
    ids=["a silent issuer", "octet by octet", "a head octet by octet"],
)
def test_a_slow_issuer_holds_nobody_for_long(
    authenticator: Authenticator, server: KeyServer, slow: dict[str, Any]
) -> None:
    """A fetch has a few seconds, also when each of its octets comes in time."""
    for name, value in slow.items():
        setattr(server, name, value)

    began = time.monotonic()
    assert code(authenticator, kid="one") == "keys_unavailable"
    # Each of them would take forty seconds and more.
    assert time.monotonic() - began < 20


def test_an_issuer_that_is_down_is_503(authenticator: Authenticator, server: KeyServer) -> None:
    """A refused connection says nothing of the token."""
    server.stop()

    assert code(authenticator, kid="one") == "keys_unavailable"


def test_nothing_of_a_token_is_logged_when_keys_are_missing(
    authenticator: Authenticator, server: KeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The failed fetch is logged, the token that asked for it is not, nor its key id."""
    caplog.set_level(logging.DEBUG)
    server.status = 500
    text = token({"sub": "canary"}, kid="canary-kid")

    assert refused(authenticator, text) == "keys_unavailable"
    assert "the issuer's keys can't be fetched" in caplog.text
    assert not [part for part in (*text.split("."), "canary") if part in caplog.text]
