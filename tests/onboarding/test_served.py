"""Which connection a call is made with, and how long what is known of it may be old."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.identifiers import RoleArn
from chalicelib.onboarding.connection import Connection, Status
from chalicelib.onboarding.registry import Actor, NewConnection, Registry
from chalicelib.onboarding.served import ServedConnections
from chalicelib.onboarding.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.onboarding.items import Item
    from sandbox.world import World

_numbers = itertools.count()
SECONDS = 10
ACTOR = Actor("somebody", "127.0.0.1")
ROLE = RoleArn("aws", "444455556666", "/", "RolecallAccess")


class WatchedTable(Table):
    """The table, with something to be done after an item was read and before it is handed over."""

    after_reading: Callable[[], None] = staticmethod(lambda: None)

    def get(self, key: Item) -> Mapping[str, Any] | None:
        """Return an item, a moment old."""
        item = super().get(key)
        self.after_reading()
        return item


class Process:
    """One process of the service, with a clock that tests move; another one has the same table."""

    def __init__(self, world: World, seconds: int = SECONDS) -> None:
        self.now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self.table = WatchedTable(lambda: world.services.dynamodb, world.settings.table_name)
        self.registry = Registry(self.table, clock=lambda: self.now, random_bytes=world.services.random_bytes)
        self.served = ServedConnections(self.registry, lambda: self.now, seconds)
        self.tenant = f"served-{next(_numbers)}"

    def active(self) -> Connection:
        """Make a connection that is served."""
        made = self.registry.create(self.tenant, NewConnection("x", "us-east-1", None, None, None), ACTOR)
        return self.changed(made, status=Status.ACTIVE, role_arn=ROLE)

    def changed(self, before: Connection, **changes: Any) -> Connection:
        """Change a connection as another process would: nobody here is told."""
        return self.registry.save(before, replace(before, **changes), "test", ACTOR)

    def refusal(self, connection_id: str | None) -> str:
        """Return the code of the refusal to serve."""
        with pytest.raises(ServiceError) as refused:
            self.served.choose(self.tenant, connection_id)
        return refused.value.code


@pytest.mark.parametrize("named", [True, False], ids=["named", "the only one"])
def test_what_another_process_changed_counts_within_seconds(world: World, named: bool) -> None:
    """SECURITY.md promises that no deleted connection is served for longer."""
    process = Process(world)
    connection = process.active()
    connection_id = str(connection.id) if named else None
    assert process.served.choose(process.tenant, connection_id).connection.version == connection.version
    process.changed(connection, status=Status.REVOKED)

    process.now += timedelta(seconds=SECONDS, microseconds=-1)
    assert process.served.choose(process.tenant, connection_id).connection.version == connection.version
    process.now += timedelta(microseconds=1)
    assert process.refusal(connection_id) == ("connection_not_found" if named else "connection_required")


def test_without_such_seconds_every_call_reads(world: World) -> None:
    """Whoever sets none has each change count at once, everywhere."""
    process = Process(world, seconds=0)
    connection = process.active()
    process.served.choose(process.tenant, str(connection.id))
    process.changed(connection, status=Status.REVOKED)

    assert process.refusal(str(connection.id)) == "connection_not_found"


def test_a_change_of_this_process_counts_at_once_and_for_this_tenant_alone(world: World) -> None:
    """Nobody else's call is made to read again by it."""
    process = Process(world)
    connection = process.active()
    process.served.choose(process.tenant, str(connection.id))
    changed = process.changed(connection, name="y")
    process.served.forget("somebody-else")
    assert process.served.choose(process.tenant, str(connection.id)).connection.version == connection.version
    process.served.forget(process.tenant)

    assert process.served.choose(process.tenant, str(connection.id)).connection == changed


def test_what_was_read_before_a_change_is_not_kept_after_it(world: World) -> None:
    """A slow read that ends after a change would bring the old connection back for seconds."""
    process = Process(world)
    connection = process.active()

    def change() -> None:
        process.table.after_reading = lambda: None
        process.changed(connection, status=Status.REVOKED)
        process.served.forget(process.tenant)

    process.table.after_reading = change
    process.served.choose(process.tenant, str(connection.id))

    assert process.refusal(str(connection.id)) == "connection_not_found"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"status": Status.DEGRADED, "open_to_strangers": True}, "connection_not_active", id="open"),
        pytest.param({"status": Status.REVOKED}, "connection_not_found", id="deleted"),
    ],
)
def test_a_connection_that_may_not_be_used_is_named_in_vain(world: World, changes: dict[str, Any], code: str) -> None:
    """It has a role, and that role is called by nobody."""
    process = Process(world)
    connection = process.changed(process.active(), **changes)

    assert process.refusal(str(connection.id)) == code
    assert process.refusal(None) == "connection_required"


def test_one_of_several_must_be_named(world: World) -> None:
    """None is guessed at; those that are not served leave no doubt."""
    process = Process(world)
    first, second = process.active(), process.active()
    assert process.refusal(None) == "connection_ambiguous"
    process.changed(second, status=Status.REVOKED)

    assert process.served.choose(process.tenant, None).connection == first


def test_another_tenants_connection_is_one_that_never_was(world: World) -> None:
    """By its id as by none."""
    process, other = Process(world), Process(world)
    connection = other.active()

    assert process.refusal(str(connection.id)) == "connection_not_found"
    assert process.refusal(None) == "connection_required"
