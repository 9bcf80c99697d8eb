"""Roles are verified again by themselves: what is found, when, and by whom the record says it was done."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import pytest
from chalice.test import Client

from chalicelib.onboarding.items import tenant_key
from chalicelib.onboarding.reverification import ONE_RUN_SECONDS, ONE_TENANT_SECONDS, Reverification
from chalicelib.routes import create_app
from chalicelib.services import Services
from tests.far_customer import Api, Customer
from tests.on_lambda import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.onboarding.items import Item
    from chalicelib.onboarding.registry import Registry
    from chalicelib.onboarding.verifier import Verifier
    from sandbox.world import World

_numbers = itertools.count()


class Active:
    """An active connection, and the scheduled function of the service that it is at."""

    def __init__(self, world: World, **more: object) -> None:
        keys = world.accounts.customer
        self.world = world
        self.tenant = f"again-{next(_numbers)}"
        self.customer = Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)
        self.api = Api(world.gateway.url, world.issuer.token(self.tenant))
        body = {"name": "Acme", "region": "us-east-1", "account_id": keys.account, **more}
        self.connection = self.api.post("/v1/connections", body).json
        self.path = f"/v1/connections/{self.connection['id']}"
        files = self.files()
        self.role_arn = self.customer.create_role(
            self.connection["expected_role_arn"].rpartition("/")[2],
            files["trust-policy.json"],
            files["permissions-policy.json"],
        )
        report = self.api.post(f"{self.path}/verification", {"role_arn": self.role_arn}).json
        assert report["status"] == "active", report

    def files(self) -> dict[str, str]:
        files: dict[str, str] = self.api.get(f"{self.path}/documents").json["files"]
        return files

    @property
    def item(self) -> dict[str, Any]:
        key = {"pk": {"S": f"TENANT#{self.tenant}"}, "sk": {"S": f"CONNECTION#{self.connection['id']}"}}
        dynamodb = self.world.services.dynamodb
        item: dict[str, Any] = dynamodb.get_item(TableName=self.world.settings.table_name, Key=key)["Item"]
        return item

    def becomes_due(self) -> None:
        self.world.services.dynamodb.update_item(
            TableName=self.world.settings.table_name,
            Key={name: self.item[name] for name in ("pk", "sk")},
            UpdateExpression="SET due_at = :long_ago",
            ExpressionAttributeValues={":long_ago": {"S": "2020-01-01T00:00:00.000+00:00"}},
        )

    def schedule(self, seconds: float = 900) -> dict[str, int]:
        """Wake the scheduled function, as EventBridge does."""
        handler = self.world.app.handler_map["reverify"]
        event = Client(self.world.app).events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
        tally: dict[str, int] = handler(event, Context(seconds))
        return tally

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.api.get(self.path).json
        return shown


@pytest.fixture
def active(world: World) -> Active:
    """Give an active connection."""
    return Active(world)


def test_what_is_not_due_is_left_alone(active: Active) -> None:
    """A connection verified a moment ago is due in about six hours."""
    before = active.shown()["version"]
    active.schedule()

    assert active.shown()["version"] == before
    due = datetime.fromisoformat(active.item["due_at"]["S"]) - datetime.now(UTC)
    assert timedelta(hours=5.3) < due < timedelta(hours=6.7)


def test_a_role_opened_since_is_found_and_not_served(active: Active) -> None:
    """The next scheduled run degrades it, and from then on calls are refused; the record says who looked."""
    policy = json.loads(active.files()["trust-policy.json"])
    del policy["Statement"][0]["Condition"]
    active.customer.replace_trust_policy(active.role_arn, policy)
    assert active.api.get("/v1/models").status == 200
    active.becomes_due()

    assert active.schedule() == {"verified": 0, "degraded": 1, "left": 0}

    assert active.shown()["status"] == "degraded"
    refused = active.api.call("GET", "/v1/models", headers={"Rolecall-Connection": active.connection["id"]})
    assert (refused.status, refused.error["code"]) == (403, "connection_not_active")
    event = active.api.get(f"{active.path}/events?limit=1").json["data"][0]
    assert (event["type"], event["actor"], event["source_ip"]) == ("verification_refused", "rolecall:schedule", "")
    assert "external_id_not_enforced" in active.api.get(f"{active.path}/verification").text


def test_a_role_that_was_open_stays_shut_out_until_a_whole_run_passes(active: Active) -> None:
    """A role that refuses everyone for a while proves nothing of strangers: open again, it must not be served by that.

    Whoever holds the role could otherwise have an open one served: open, shut for one run, open again.
    """
    open_to_all = json.loads(active.files()["trust-policy.json"])
    del open_to_all["Statement"][0]["Condition"]
    shut = json.loads(active.files()["trust-policy.json"])
    shut["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "rolecall-of-another-time"
    for policy in (open_to_all, shut):
        active.customer.replace_trust_policy(active.role_arn, policy)
        active.becomes_due()
        assert active.schedule()["degraded"] == 1
    active.customer.replace_trust_policy(active.role_arn, open_to_all)

    refused = active.api.call("GET", "/v1/models", headers={"Rolecall-Connection": active.connection["id"]})

    assert (refused.status, refused.error["code"]) == (403, "connection_not_active")
    active.customer.replace_trust_policy(active.role_arn, active.files()["trust-policy.json"])
    active.becomes_due()
    assert active.schedule()["verified"] == 1
    assert active.api.get("/v1/models").status == 200


def test_a_good_role_stays_active_and_is_due_again(active: Active) -> None:
    """A run that passes moves the time on; one wake later nothing is due."""
    active.becomes_due()

    assert active.schedule() == {"verified": 1, "degraded": 0, "left": 0}
    assert active.schedule() == {"verified": 0, "degraded": 0, "left": 0}
    assert active.shown()["status"] == "active"


def test_a_degraded_role_heals_by_itself(active: Active) -> None:
    """What was mended without anyone telling us is found by the next run."""
    policy = json.loads(active.files()["trust-policy.json"])
    policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "rolecall-of-another-time"
    active.customer.replace_trust_policy(active.role_arn, policy)
    active.becomes_due()
    assert active.schedule()["degraded"] == 1
    active.customer.replace_trust_policy(active.role_arn, active.files()["trust-policy.json"])
    active.becomes_due()

    assert active.schedule()["verified"] == 1
    assert active.shown()["status"] == "active"


def test_a_role_made_anew_waits_for_somebody_to_verify_it(active: Active) -> None:
    """The schedule would take any role of that name that was given the same documents; a person decides instead."""
    name, files = active.role_arn.rpartition("/")[2], active.files()
    iam = active.customer.client("iam")
    iam.delete_role_policy(RoleName=name, PolicyName="Rolecall")
    iam.delete_role(RoleName=name)
    active.customer.create_role(name, files["trust-policy.json"], files["permissions-policy.json"])
    active.becomes_due()

    assert active.schedule() == {"verified": 0, "degraded": 1, "left": 0}
    report = active.api.get(f"{active.path}/verification").json
    assert [finding["code"] for finding in report["findings"]] == ["role_identity_changed"]
    refused = active.api.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (403, "role_identity_changed")
    assert active.api.post(f"{active.path}/verification", {"role_arn": active.role_arn}).json["status"] == "active"
    assert active.api.get("/v1/models").status == 200


def test_without_time_nothing_is_begun(active: Active) -> None:
    """A run that Lambda would kill half-way is left for the next wake."""
    active.becomes_due()

    assert active.schedule(seconds=30) == {"verified": 0, "degraded": 0, "left": 1}
    assert active.schedule()["verified"] == 1


def test_a_deleted_connection_is_never_due(active: Active) -> None:
    """It leaves the index with its deletion."""
    active.api.call("DELETE", active.path)

    assert "due_at" not in active.item
    assert "due_shard" not in active.item


@pytest.mark.parametrize(
    ("name", "value"),
    [("models", {"L": [{"S": "not a model\x00"}]}), ("role_arn", {"S": "no ARN"}), ("status", {"S": "of tomorrow"})],
)
def test_one_connection_that_breaks_does_not_shield_the_next(
    world: World, active: Active, name: str, value: dict[str, Any]
) -> None:
    """An item that nobody can read any more is passed over, and the others get their turn."""
    other = Active(world)
    for one in (active, other):
        one.becomes_due()
    world.services.dynamodb.update_item(
        TableName=world.settings.table_name,
        Key={part: active.item[part] for part in ("pk", "sk")},
        UpdateExpression="SET #name = :odd",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":odd": value},
    )

    tally = active.schedule()

    assert (tally["verified"], tally["left"]) == (1, 1)
    world.services.dynamodb.delete_item(
        TableName=world.settings.table_name, Key={part: active.item[part] for part in ("pk", "sk")}
    )


class _Wake:
    """One wake with the time for so many runs of 20 s; `due` are tenants by shard. `run` returns whose turn it was."""

    def __init__(self, due: dict[int, list[str]], *, runs: int) -> None:
        self._due = due
        self._left = ONE_RUN_SECONDS + 20.0 * runs - 1
        self._turns: list[str] = []

    def run(self) -> list[str]:
        Reverification(cast("Registry", self), cast("Verifier", self)).run(lambda: self._left)
        return self._turns

    def due(self, shard: str) -> Iterator[Item]:
        for number, tenant in enumerate(self._due.get(int(shard.removeprefix("DUE#")), ())):
            yield {"pk": {"S": tenant_key(tenant)}, "sk": {"S": f"CONNECTION#conn-{number}"}}

    def if_due(self, key: Item) -> SimpleNamespace:
        return SimpleNamespace(tenant=unquote(cast("Any", key)["pk"]["S"].removeprefix("TENANT#")), role_arn="")

    def accept(self, connection: SimpleNamespace, *_: object, **__: object) -> SimpleNamespace:
        return connection

    def start(self, subject: SimpleNamespace, *_: object, **__: object) -> list[dict[str, str]]:
        self._turns.append(subject.tenant)
        self._left -= 20
        return [{"status": "active"}]


def test_a_full_shard_takes_no_turn_of_the_others() -> None:
    """One shard after the other, the first would have all the time that there is, at each wake."""
    turns = _Wake({0: ["a"] * 20, 7: ["b", "c"]}, runs=5).run()

    assert turns == ["a", "b", "a", "c", "a"]


def test_one_tenants_many_roles_take_no_turn_of_the_others() -> None:
    """Those that are due longest come first, up to a share of the wake; then others', and more when nobody is left."""
    busy = ONE_TENANT_SECONDS // 20
    turns = _Wake({3: ["many/roles"] * 40 + ["other", "third"]}, runs=busy + 4).run()

    assert turns == ["many/roles"] * busy + ["other", "third"] + ["many/roles"] * 2


def test_a_table_that_fails_once_shields_nobody(world: World, active: Active) -> None:
    """Whatever breaks a run that nobody foresaw, the run after it is done; the one that broke stays due."""
    other = Active(world)
    for one in (active, other):
        one.becomes_due()
    world.aws.faults.add(
        {"service": "dynamodb", "operation": "TransactWriteItems", "kind": "error", "code": "AccessDeniedException"}
    )
    first, second = active.schedule(), active.schedule()

    assert (first["verified"], first["left"]) == (1, 1)
    assert (second["verified"], second["left"]) == (1, 0)


def test_a_tenant_who_verifies_without_end_keeps_no_role_from_being_looked_at(world: World, active: Active) -> None:
    """The runs that a tenant may start in a minute are used up: the scheduled one is the service's own."""
    now = datetime.now(UTC)
    for minute in (now, now + timedelta(minutes=1)):
        window = minute.replace(second=0, microsecond=0).isoformat()
        world.services.dynamodb.put_item(
            TableName=world.settings.table_name,
            Item={"pk": {"S": f"TENANT#{active.tenant}#RATE"}, "sk": {"S": f"VERIFY#{window}"}, "runs": {"N": "120"}},
        )
    active.becomes_due()

    assert active.schedule()["verified"] == 1


def test_many_connections_that_fail_shield_nobody_after_them(world: World, active: Active) -> None:
    """However many of one tenant's stand first in line and can't be verified, the others get their turn."""
    active.becomes_due()
    table, item = world.settings.table_name, active.item
    copies = [{**item, "pk": {"S": "TENANT#crowd"}, "tenant": {"S": "crowd"}} for _ in range(120)]
    for number, copy in enumerate(copies):
        copy["sk"] = {"S": f"CONNECTION#{number}"}
        copy["id"] = {"S": f"conn-{number:020d}"}
        copy["due_at"] = {"S": "2019-01-01T00:00:00.000+00:00"}
        copy["models"] = {"L": [{"S": "not a model"}]}
        world.services.dynamodb.put_item(TableName=table, Item=copy)
    try:
        tally = active.schedule()
    finally:
        for copy in copies:
            world.services.dynamodb.delete_item(TableName=table, Key={"pk": copy["pk"], "sk": copy["sk"]})

    assert (tally["verified"], tally["left"]) == (1, 120)


def test_switched_off_means_never_due(world: World) -> None:
    """REVERIFY_HOURS=0 leaves no time behind."""
    settings = replace(world.settings, reverify_hours=0)
    session = world.accounts.service_session(world.aws.url, settings.region)
    client = Client(create_app(Services(settings, session=session)))
    active = Active(world)
    headers = {"Authorization": f"Bearer {active.api.token}", "Content-Type": "application/json"}
    body = json.dumps({"role_arn": active.role_arn}).encode()
    answer = client.http.post(f"{active.path}/verification", headers=headers, body=body)

    assert answer.status_code == 200
    assert "due_at" not in active.item


PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MODEL = PROFILE.removeprefix("us.")


def test_the_permissions_policy_is_narrowed_to_where_profiles_lead(world: World) -> None:
    """Before the first verification any region is allowed on the profile's way, afterwards those that AWS lists."""
    connection = Active(world, models=[PROFILE])
    fresh = connection.api.post(
        "/v1/connections",
        {"name": "New", "region": "us-east-1", "account_id": connection.customer.account, "models": [PROFILE]},
    ).json
    before = connection.api.get(f"/v1/connections/{fresh['id']}/documents").json["permissions_policy"]
    after = connection.api.get(f"{connection.path}/documents").json["permissions_policy"]

    assert _behind(before) == [f"arn:aws:bedrock:*::foundation-model/{MODEL}"]
    assert _behind(after) == [
        f"arn:aws:bedrock:{region}::foundation-model/{MODEL}" for region in ("us-east-1", "us-east-2", "us-west-2")
    ]
    assert connection.files() == connection.files()


def test_the_narrowed_policy_is_enough(world: World) -> None:
    """Pasted in place of the first one, it lets the same verification pass, and every region of the profile answer."""
    connection = Active(world, models=[PROFILE])
    connection.customer.client("iam").put_role_policy(
        RoleName=connection.role_arn.rpartition("/")[2],
        PolicyName="Rolecall",
        PolicyDocument=connection.files()["permissions-policy.json"],
    )
    report = connection.api.post(f"{connection.path}/verification", {"role_arn": connection.role_arn}).json

    assert (report["status"], report["usable"], report["findings"]) == ("active", True, [])
    [row] = connection.api.get(f"{connection.path}/models?probe=true").json["data"]
    assert (row["id"], row["available"]) == (PROFILE, True)


def test_another_region_forgets_where_profiles_lead(world: World) -> None:
    """What was listed in one region says nothing of another."""
    connection = Active(world, models=[PROFILE])
    etag = f'"{connection.shown()["version"]}"'
    changed = connection.api.call("PATCH", connection.path, {"region": "us-west-2"}, headers={"If-Match": etag})

    assert changed.status == 200
    policy = connection.api.get(f"{connection.path}/documents").json["permissions_policy"]
    assert _behind(policy) == [f"arn:aws:bedrock:*::foundation-model/{MODEL}"]


def _behind(policy: dict[str, Any]) -> list[str]:
    [statement] = [row for row in policy["Statement"] if row["Sid"] == "InvokeModelsBehindSystemProfiles"]
    resource = statement["Resource"]
    return resource if isinstance(resource, list) else [resource]
