"""The life of a connection: changes, rotation with overlap, deletion with proof, and no other move."""

from __future__ import annotations

import gc
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.identifiers import ConnectionId, ExternalId
from chalicelib.onboarding.connection import MOVES, Connection, Status
from chalicelib.onboarding.registry import Actor, Registry
from chalicelib.onboarding.table import Table
from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from sandbox.world import World

_numbers = itertools.count()
MODEL = "amazon.nova-lite-v1:0"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
ACTOR = Actor("somebody", "127.0.0.1")


class Living:
    """A connection that is active, its role, and both sides' hands on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant = f"life-{next(_numbers)}"
        self.api = Api(world.gateway.url, world.issuer.token(self.tenant))
        keys = world.accounts.customer
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.path = "/v1/connections/" + str(
            self.api.post("/v1/connections", {"name": "x", "region": "us-east-1"}).json["id"]
        )
        files = self.files()
        self.name = f"Life-{next(_numbers)}"
        self.role_arn = self.customer.create_role(
            self.name, files["trust-policy.json"], files["permissions-policy.json"]
        )
        assert self.verify()["status"] == "active"

    def shown(self) -> dict[str, Any]:
        connection: dict[str, Any] = self.api.get(self.path).json
        return connection

    def files(self) -> dict[str, str]:
        files: dict[str, str] = self.api.get(f"{self.path}/documents").json["files"]
        return files

    def verify(self) -> dict[str, Any]:
        answer = self.api.post(f"{self.path}/verification", {"role_arn": self.role_arn, "invoke": False})
        assert answer.status == 200, answer.text
        report: dict[str, Any] = answer.json
        return report

    def put_trust_policy(self) -> None:
        """Put the trust policy of the documents on the role, as the customer would."""
        self.customer.replace_trust_policy(self.role_arn, self.files()["trust-policy.json"])

    def chats(self) -> int:
        """Return the status of a chat through this connection."""
        return self.api.call(
            "POST", "/v1/chat/completions", CHAT, headers={"Rolecall-Connection": self.path.rpartition("/")[2]}
        ).status

    def patch(self, body: object, version: object = None) -> Any:
        headers = {"If-Match": f'"{self.shown()["version"] if version is None else version}"'}
        return self.api.call("PATCH", self.path, body, headers=headers)


@pytest.fixture
def living(world: World) -> Living:
    """Give an active connection."""
    return Living(world)


def _connection(status: Status) -> Connection:
    now = datetime.now(UTC)
    return Connection(
        tenant=f"moves-{next(_numbers)}",
        id=ConnectionId.generate(lambda size: next(_numbers).to_bytes(size, "little")),
        name="x",
        external_id=ExternalId.generate(lambda size: next(_numbers).to_bytes(size, "little")),
        region="us-east-1",
        status=status,
        version=1,
        created_at=now,
        updated_at=now,
        expires_at=None,
    )


@pytest.mark.parametrize("source", list(MOVES))
@pytest.mark.parametrize("target", list(Status))
def test_no_move_but_those_of_the_table_is_possible(world: World, source: Status, target: Status) -> None:
    """Whatever asks for another move, the registry writes nothing."""
    table = Table(lambda: world.services.dynamodb, world.settings.table_name)
    registry = Registry(table, clock=world.services.clock, random_bytes=world.services.random_bytes)
    before = _connection(source)
    from chalicelib.onboarding import items

    table.write([table.put(items.from_connection(before))])
    after = replace(before, status=target)
    if target in MOVES[source]:
        assert registry.save(before, after, "test", ACTOR).status is target
    else:
        with pytest.raises(ValueError, match="can't go from"):
            registry.save(before, after, "test", ACTOR)
        stored = registry.get(before.tenant, str(before.id))
        assert (stored.status, stored.version) == (source, 1)


def test_a_rotation_never_leaves_the_role_without_an_id_that_works(living: Living) -> None:
    """New ID beside the old, both in the documents; verified, it takes over; the old one refused, it is complete."""
    old = living.shown()["external_id"]
    started = living.api.post(f"{living.path}/rotation", {})
    new = started.json["pending_external_id"]
    assert (started.status, started.json["status"], started.json["external_id"]) == (200, "rotating", old)
    assert new != old
    assert living.chats() == 200
    assert {old, new} <= set(json.dumps(living.files()).replace("\\", "").replace('"', " ").replace(",", " ").split())

    report = living.verify()
    assert (report["verdict"], report["status"]) == ("refused", "rotating")
    assert living.chats() == 200

    living.put_trust_policy()
    report = living.verify()
    assert (report["verdict"], report["status"]) == ("verified", "rotating")
    assert [finding["code"] for finding in report["findings"]] == ["old_external_id_still_accepted"]
    shown = living.shown()
    assert (shown["external_id"], "pending_external_id" in shown) == (new, False)
    assert living.chats() == 200
    assert old not in json.dumps(living.files())

    living.put_trust_policy()
    report = living.verify()
    assert (report["verdict"], report["status"], report["findings"]) == ("verified", "active", [])
    assert living.chats() == 200
    types = [event["type"] for event in living.api.get(f"{living.path}/events").json["data"]]
    assert types[:4] == ["verification_verified", "verification_verified", "verification_refused", "rotation_started"]


def test_a_customer_who_replaces_the_id_at_once_is_done_at_once(living: Living) -> None:
    """With the new ID alone in the trust policy, one verification completes the rotation."""
    old = living.shown()["external_id"]
    new = living.api.post(f"{living.path}/rotation", {}).json["pending_external_id"]
    living.customer.replace_trust_policy(
        living.role_arn, living.files()["trust-policy.json"].replace(f'"{old}"', f'"{new}"')
    )

    report = living.verify()

    assert (report["verdict"], report["status"], living.shown()["external_id"]) == ("verified", "active", new)


def test_a_rotation_can_be_called_off_until_the_new_id_is_in_use(living: Living) -> None:
    """Called off, the old ID goes on; in use, the new one can't be called off; and a rotation is not started twice."""
    old = living.shown()["external_id"]
    first = living.api.post(f"{living.path}/rotation", {}).json["pending_external_id"]
    again = living.api.post(f"{living.path}/rotation", {})
    assert (again.status, again.error["code"]) == (409, "rotation_not_possible")
    off = living.api.call("DELETE", f"{living.path}/rotation")
    assert (off.status, off.json["status"], off.json["external_id"]) == (200, "active", old)
    nothing = living.api.call("DELETE", f"{living.path}/rotation")
    assert (nothing.status, nothing.error["code"]) == (409, "rotation_not_under_way")

    second = living.api.post(f"{living.path}/rotation", {}).json["pending_external_id"]
    assert second != first
    living.put_trust_policy()
    assert living.verify()["status"] == "rotating"
    late = living.api.call("DELETE", f"{living.path}/rotation")
    assert (late.status, late.error["code"]) == (409, "rotation_not_under_way")
    assert "in use already" in late.error["message"]


def test_an_external_id_is_reserved_for_ever(world: World, living: Living) -> None:
    """IDs that were replaced, called off or deleted stay in the table, so none is ever made again."""
    ids = [living.shown()["external_id"], living.api.post(f"{living.path}/rotation", {}).json["pending_external_id"]]
    living.api.call("DELETE", f"{living.path}/rotation")
    living.api.call("DELETE", living.path)

    for external_id in ids:
        key = {"pk": {"S": f"EXTERNAL_ID#{external_id}"}, "sk": {"S": "EXTERNAL_ID"}}
        item = world.services.dynamodb.get_item(TableName=world.settings.table_name, Key=key)["Item"]
        assert "ttl" not in item


def test_deletion_ends_every_use_at_once_and_is_proven(living: Living) -> None:
    """No chat after it; the steps to take the role away; and proof that the role refuses us, once it does."""
    early = living.api.post(f"{living.path}/removal", {})
    assert (early.status, early.error["code"]) == (409, "connection_not_revoked")
    assert living.chats() == 200

    deleted = living.api.call("DELETE", living.path)
    shown = deleted.json["connection"]
    assert (deleted.status, shown["status"], shown["usable"]) == (200, "revoked", False)
    assert living.name in " ".join(deleted.json["teardown"])
    assert living.chats() == 404
    assert living.api.call("DELETE", living.path).status == 200

    still = living.api.post(f"{living.path}/removal", {}).json
    assert (still["removed"], [finding["code"] for finding in still["findings"]]) == (False, ["role_still_admits_us"])
    iam = living.customer.client("iam")
    iam.delete_role_policy(RoleName=living.name, PolicyName="Rolecall")
    iam.delete_role(RoleName=living.name)
    assert living.api.post(f"{living.path}/removal", {}).json == {"removed": True, "findings": [], "retry_after": None}


def test_no_session_of_a_deleted_connection_stays_in_memory(living: Living) -> None:
    """Nobody could use it, as the next version has another key; it is dropped all the same, not kept for an hour."""
    connection = living.path.rpartition("/")[2]

    def held() -> int:
        # Whoever keeps sessions by connection: asked of the interpreter, since no part of the service shows them.
        return sum(_connection_of(one) == connection for one in gc.get_objects())

    assert living.api.get("/v1/models").status == 200
    assert held() > 0
    living.api.call("DELETE", living.path)
    gc.collect()

    assert held() == 0


def _connection_of(one: object) -> str | None:
    """Return the connection whose session an object holds, if it is one of the cache's."""
    is_entry = type(one).__module__ == "chalicelib.bedrock.sessions" and hasattr(one, "session")
    return str(getattr(one, "connection_id", "")) if is_entry and getattr(one, "session", None) is not None else None


def test_the_proof_of_a_removal_is_not_to_be_had_without_limit(world: World, living: Living) -> None:
    """It asks STS about a role as a verification does, so it counts as one: past the limit STS is not asked."""
    living.api.call("DELETE", living.path)
    now = datetime.now(UTC)
    for minute in (now, now + timedelta(minutes=1)):
        window = minute.replace(second=0, microsecond=0).isoformat()
        world.services.dynamodb.put_item(
            TableName=world.settings.table_name,
            Item={"pk": {"S": f"TENANT#{living.tenant}#RATE"}, "sk": {"S": f"VERIFY#{window}"}, "runs": {"N": "120"}},
        )
    before = world.aws.calls.count("sts")
    answer = living.api.post(f"{living.path}/removal", {})

    assert (answer.status, answer.error["code"]) == (429, "too_many_verifications")
    assert world.aws.calls.count("sts") == before


def test_an_unclear_answer_is_no_proof_of_removal(world: World, living: Living) -> None:
    """Throttled, nobody knows."""
    living.api.call("DELETE", living.path)
    world.aws.faults.add(
        {"service": "sts", "operation": "AssumeRole", "kind": "error", "code": "Throttling", "times": None}
    )
    try:
        answer = living.api.post(f"{living.path}/removal", {}).json
    finally:
        world.aws.faults.clear()

    assert (answer["removed"], answer["retry_after"]) == (None, 10)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/verification", {"role_arn": "arn:aws:iam::444455556666:role/x"}),
        ("POST", "/rotation", {}),
        ("DELETE", "/rotation", None),
        ("PATCH", "", {"name": "y"}),
        ("GET", "/documents", None),
        ("GET", "/documents/create-role.sh", None),
    ],
)
def test_nothing_can_be_done_with_a_deleted_connection(living: Living, method: str, path: str, body: object) -> None:
    """It can be looked at and its removal proven, and that is all."""
    living.api.call("DELETE", living.path)
    headers = {"If-Match": str(living.shown()["version"])}
    answer = living.api.call(method, living.path + path, body, headers=headers)

    assert (answer.status, answer.error["code"]) == (409, "connection_revoked")


def test_a_change_is_made_to_the_version_that_it_names(living: Living) -> None:
    """Without a version or with an old one nothing is changed."""
    missing = living.api.call("PATCH", living.path, {"name": "y"})
    assert (missing.status, missing.error["code"]) == (428, "if_match_required")
    changed = living.patch({"name": "y"})
    assert (changed.status, changed.json["name"], changed.json["version"]) == (200, "y", 3)
    assert changed.headers["ETag"] == '"3"'
    old = living.patch({"name": "z"}, version=2)
    assert (old.status, old.error["code"]) == (409, "connection_changed")
    assert living.shown()["name"] == "y"


def test_a_changed_scope_counts_at_once(living: Living) -> None:
    """In the process that made the change the next call obeys it; whether it is usable must be verified again."""
    assert living.chats() == 200
    changed = living.patch({"models": ["amazon.nova-micro-v1:0"]}).json
    assert (changed["models"], changed["usable"], changed["status"]) == (["amazon.nova-micro-v1:0"], False, "active")
    assert living.chats() == 403
    assert "models" not in living.patch({"models": None}).json
    assert living.chats() == 200
    assert living.patch({"name": "y"}).json["usable"] is False
    assert living.verify()["usable"] is True


BAD_CHANGES = [
    pytest.param({"external_id": "x"}, 400, "external_id_not_settable", id="an external ID"),
    pytest.param({"pending_external_id": "x"}, 400, "external_id_not_settable", id="a pending external ID"),
    pytest.param({"status": "active"}, 400, "unknown_field", id="a status"),
    pytest.param({"role_arn": "arn:aws:iam::444455556666:role/x"}, 400, "unknown_field", id="a role"),
    pytest.param({"account_id": "444455556666"}, 400, "unknown_field", id="an account"),
    pytest.param({"name": ""}, 400, "invalid_value", id="an empty name"),
    pytest.param({"region": "nowhere-1"}, 422, "unknown_region", id="no region"),
    pytest.param({"models": ["../x"]}, 422, "invalid_model_id", id="no model"),
    pytest.param(
        {"models": ["arn:aws:bedrock:us-east-1:777788889999:inference-profile/us.x.y"]},
        422,
        "invalid_model_id",
        id="another account's profile",
    ),
    pytest.param({"guardrail": {"identifier": "a b", "version": "1"}}, 422, "invalid_guardrail", id="no guardrail"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_CHANGES)
def test_a_change_that_makes_no_sense_changes_nothing(living: Living, body: object, status: int, code: str) -> None:
    """Each is refused by its code, and the version stays."""
    before = living.shown()
    answer = living.patch(body)

    assert (answer.status, answer.error["code"]) == (status, code)
    assert living.shown() == before


def test_a_role_made_anew_must_be_verified_anew(living: Living) -> None:
    """Deleted and created again under its name and policies, the role is another; calls stop until it was verified."""
    assert living.chats() == 200
    files = living.files()
    iam = living.customer.client("iam")
    iam.delete_role_policy(RoleName=living.name, PolicyName="Rolecall")
    iam.delete_role(RoleName=living.name)
    living.customer.create_role(living.name, files["trust-policy.json"], files["permissions-policy.json"])
    living.patch({"name": "forget the session"})

    refused = living.api.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (403, "role_identity_changed")
    assert living.verify()["verdict"] == "verified"
    assert living.chats() == 200


@pytest.mark.parametrize("body", [{}, {"name": "same"}, {"region": "us-east-1", "models": None}])
def test_what_changes_nothing_leaves_no_trace(living: Living, body: dict[str, Any]) -> None:
    """A form sent again as it is makes no version that others' changes would meet, and no line in the record."""
    assert living.patch({"name": "same"}).status == 200
    before, events = living.shown(), living.api.get(f"{living.path}/events").json["data"]
    answer = living.patch(body)

    assert (answer.status, answer.json) == (200, before)
    assert (living.shown(), living.api.get(f"{living.path}/events").json["data"]) == (before, events)
    assert living.patch(body, version=before["version"] - 1).error["code"] == "connection_changed"
