"""Where a verification leaves a connection: each state with each outcome, without AWS or a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.identifiers import ConnectionId, ExternalId, RoleArn
from chalicelib.onboarding.connection import Connection, Routes, Status, Verdict, after_verification

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROLE = RoleArn("aws", "444455556666", "/", "RolecallAccess")
OTHER = replace(ROLE, name="Another")
OLD, NEW = ExternalId("rolecall-" + "a" * 32), ExternalId("rolecall-" + "b" * 32)
ROUTES: Routes = (("us.amazon.nova-pro-v1:0", ("arn:aws:bedrock:us-east-2::foundation-model/amazon.nova-pro-v1:0",)),)

PENDING = Connection(
    tenant="acme",
    id=ConnectionId("conn-" + "a" * 20),
    name="x",
    external_id=OLD,
    region="us-east-1",
    status=Status.PENDING,
    version=1,
    created_at=NOW,
    updated_at=NOW,
    expires_at=NOW + timedelta(hours=48),
)
ACTIVE = replace(
    PENDING,
    status=Status.ACTIVE,
    expires_at=None,
    role_arn=ROLE,
    account_id=ROLE.account_id,
    role_unique_id="AROAONE",
    verified_at=NOW - timedelta(hours=6),
    usable=True,
    profile_routes=ROUTES,
)
ROTATING = replace(ACTIVE, status=Status.ROTATING, pending_external_id=NEW)
RETIRING = replace(ACTIVE, status=Status.ROTATING, external_id=NEW, retiring_external_id=OLD)
OPEN = replace(ACTIVE, status=Status.DEGRADED, usable=False, open_to_strangers=True)
SHUT = replace(ACTIVE, status=Status.DEGRADED, usable=False)


def _after(before: Connection, verdict: Verdict, **outcome: Any) -> Connection:
    given: dict[str, Any] = {
        "role_arn": ROLE,
        "let_strangers_in": False,
        "usable": verdict is Verdict.VERIFIED,
        "role_unique_id": "AROATWO",
        "outgoing_refused": False,
        "profile_routes": (),
        **outcome,
    }
    return after_verification(before, given.pop("role_arn"), verdict, now=NOW, **given)


VERIFIED: dict[str, Any] = {
    "role_arn": ROLE,
    "candidate_role_arn": None,
    "account_id": "444455556666",
    "role_unique_id": "AROATWO",
    "verified_at": NOW,
    "expires_at": None,
    "usable": True,
    "open_to_strangers": False,
    "profile_routes": (),
}


@pytest.mark.parametrize(
    ("before", "outgoing_refused", "expected"),
    [
        pytest.param(PENDING, False, {"status": Status.ACTIVE, "external_id": OLD}, id="a pending one is active"),
        pytest.param(ACTIVE, False, {"status": Status.ACTIVE, "external_id": OLD}, id="an active one stays so"),
        pytest.param(OPEN, False, {"status": Status.ACTIVE, "external_id": OLD}, id="an open one was closed"),
        pytest.param(SHUT, False, {"status": Status.ACTIVE, "external_id": OLD}, id="a degraded one healed"),
        pytest.param(
            ROTATING,
            False,
            {
                "status": Status.ROTATING,
                "external_id": NEW,
                "pending_external_id": None,
                "retiring_external_id": OLD,
            },
            id="the new ID is in use, and the old one still taken",
        ),
        pytest.param(
            ROTATING,
            True,
            {"status": Status.ACTIVE, "external_id": NEW, "pending_external_id": None, "retiring_external_id": None},
            id="the new ID is in use, and the old one refused",
        ),
        pytest.param(
            RETIRING,
            False,
            {"status": Status.ROTATING, "external_id": NEW, "retiring_external_id": OLD},
            id="the old ID is still taken",
        ),
        pytest.param(
            RETIRING,
            True,
            {"status": Status.ACTIVE, "external_id": NEW, "retiring_external_id": None},
            id="the old ID is refused at last",
        ),
    ],
)
def test_a_role_that_passed_is_the_connections_role(
    before: Connection, outgoing_refused: bool, expected: dict[str, Any]
) -> None:
    """Whatever it was before; a rotation is complete once the old ID is refused, and not earlier."""
    after = _after(before, Verdict.VERIFIED, outgoing_refused=outgoing_refused)

    assert after == replace(before, **VERIFIED, **expected)


@pytest.mark.parametrize(
    ("before", "let_in", "expected"),
    [
        pytest.param(ACTIVE, False, {"status": Status.DEGRADED, "usable": False}, id="it refuses us"),
        pytest.param(
            ACTIVE, True, {"status": Status.DEGRADED, "usable": False, "open_to_strangers": True}, id="it is open"
        ),
        pytest.param(OPEN, False, {"usable": False}, id="it was open and refuses everyone: that closes nothing"),
        pytest.param(ROTATING, False, {}, id="it does not take the new ID yet"),
        pytest.param(
            ROTATING,
            True,
            {"status": Status.DEGRADED, "usable": False, "open_to_strangers": True},
            id="it does not take the new ID yet, and is open",
        ),
        pytest.param(RETIRING, False, {"status": Status.DEGRADED, "usable": False}, id="it refuses the ID in use"),
    ],
)
def test_a_role_in_use_that_failed_is_degraded(before: Connection, let_in: bool, expected: dict[str, Any]) -> None:
    """Unless all that it lacks is an ID which is not in use yet."""
    assert _after(before, Verdict.REFUSED, let_strangers_in=let_in) == replace(before, **expected)


@pytest.mark.parametrize("before", [ACTIVE, ROTATING, RETIRING, OPEN, SHUT], ids=lambda one: one.status.value)
def test_what_stayed_unclear_changes_nothing(before: Connection) -> None:
    """A throttled STS is no reason to stop serving a role, nor to begin."""
    assert _after(before, Verdict.INCONCLUSIVE) == before


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("before", [PENDING, ACTIVE, ROTATING], ids=lambda one: one.status.value)
def test_another_role_that_failed_is_a_candidate(before: Connection, verdict: Verdict) -> None:
    """The role that works stays, and whoever let strangers in was not it."""
    after = _after(before, verdict, role_arn=OTHER, let_strangers_in=True)

    assert after == replace(before, candidate_role_arn=OTHER)


def test_routes_that_could_not_be_listed_stay_as_they_are_known() -> None:
    """The permissions policy is narrowed to them: forgotten, it would widen."""
    assert _after(ACTIVE, Verdict.VERIFIED, profile_routes=None).profile_routes == ROUTES


def test_a_role_that_passed_and_cannot_be_used_is_active_and_not_usable() -> None:
    """Safe and usable are two things."""
    after = _after(PENDING, Verdict.VERIFIED, usable=False)

    assert (after.status, after.usable) == (Status.ACTIVE, False)


@pytest.mark.parametrize(
    ("connection", "served"),
    [
        pytest.param(PENDING, False, id="pending"),
        pytest.param(ACTIVE, True, id="active"),
        pytest.param(ROTATING, True, id="rotating"),
        pytest.param(SHUT, True, id="degraded: it may have healed"),
        pytest.param(OPEN, False, id="degraded and open"),
        pytest.param(replace(ACTIVE, status=Status.REVOKED), False, id="revoked"),
        pytest.param(replace(ACTIVE, status=Status.EXPIRED), False, id="expired"),
    ],
)
def test_only_a_role_that_is_not_open_is_called(connection: Connection, served: bool) -> None:
    """Of those that were verified once."""
    assert connection.served is served


@pytest.mark.parametrize(
    ("connection", "tested", "outgoing", "accepted"),
    [
        pytest.param(ACTIVE, OLD, None, (OLD,), id="active"),
        pytest.param(ROTATING, NEW, OLD, (OLD, NEW), id="the new one not in use yet"),
        pytest.param(RETIRING, NEW, OLD, (NEW,), id="the old one to be taken off"),
    ],
)
def test_which_external_id_is_what(
    connection: Connection, tested: ExternalId, outgoing: ExternalId | None, accepted: tuple[ExternalId, ...]
) -> None:
    """The one that a run tries, the one that must be refused in the end, and those that the documents name."""
    assert (connection.id_under_test, connection.outgoing_id, connection.accepted_ids) == (tested, outgoing, accepted)
    assert (connection.promoted().external_id, connection.promoted().pending_external_id) == (tested, None)


def test_a_pending_connection_expires_at_its_end_and_no_other_does() -> None:
    """At the very moment; what was verified once has no end."""
    assert PENDING.status_at(NOW + timedelta(hours=48) - timedelta(microseconds=1)) is Status.PENDING
    assert PENDING.status_at(NOW + timedelta(hours=48)) is Status.EXPIRED
    assert replace(PENDING, expires_at=None).status_at(NOW + timedelta(days=999)) is Status.PENDING
    assert replace(ACTIVE, expires_at=NOW).status_at(NOW) is Status.ACTIVE
