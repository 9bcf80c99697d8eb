"""An issuer's key server, a clock that tests move, and the service's side of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.routes.auth import Authenticator
from chalicelib.settings import TokenRules
from tests.routes.issuer import Clock, KeyServer, ec_key, jwk

if TYPE_CHECKING:
    from collections.abc import Iterator


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
