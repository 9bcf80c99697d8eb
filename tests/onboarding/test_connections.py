"""Connections over HTTP: made once, listed by pages, documents to download, and an audit record of every change."""

from __future__ import annotations

import itertools
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.onboarding.registry import Actor, NewConnection, Registry
from chalicelib.onboarding.table import Table
from tests.far_customer import Api

if TYPE_CHECKING:
    from sandbox.world import World

_numbers = itertools.count()
BODY = {"name": "Acme", "region": "us-east-1"}


@pytest.fixture
def tenant() -> str:
    """Name a tenant that no other test has."""
    return f"connections-{next(_numbers)}"


@pytest.fixture
def api(world: World, tenant: str) -> Api:
    """Give its API."""
    return Api(world.gateway.url, world.issuer.token(tenant))


def _table(world: World, pk: str) -> list[dict[str, Any]]:
    found = world.services.dynamodb.query(
        TableName=world.settings.table_name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )
    return list(found["Items"])


def test_a_new_connection_is_pending_with_an_id_of_our_form(api: Api) -> None:
    """What is answered is the whole connection, and the same when it is asked for again."""
    answer = api.post("/v1/connections", {**BODY, "name": "  Ünï 日本  ", "account_id": "4444-5555-6666"})
    connection = answer.json

    assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
    assert re.fullmatch(r"rolecall-[a-z2-7]{32}", connection["external_id"])
    assert re.fullmatch(r"conn-[a-z2-7]{20}", connection["id"])
    assert connection["expected_role_arn"] == (
        f"arn:aws:iam::444455556666:role/RolecallAccess-{connection['id'].removeprefix('conn-')}"
    )
    assert {name: connection[name] for name in ("name", "status", "usable", "version", "account_id", "region")} == {
        "name": "Ünï 日本",
        "status": "pending",
        "usable": False,
        "version": 1,
        "account_id": "444455556666",
        "region": "us-east-1",
    }
    assert api.get(f"/v1/connections/{connection['id']}").json == connection


def test_a_change_and_its_event_are_written_together(world: World, api: Api) -> None:
    """The connection, its external ID's reservation and its first event exist, or none of them does."""
    connection = api.post("/v1/connections", BODY).json
    [reservation] = _table(world, f"EXTERNAL_ID#{connection['external_id']}")
    [event] = _table(world, f"CONNECTION#{connection['id']}")

    assert reservation["connection_id"]["S"] == connection["id"]
    assert (event["type"]["S"], event["actor"]["S"], event["source_ip"]["S"]) == (
        "connection_created",
        "administrator",
        "127.0.0.1",
    )
    assert json.loads(event["before"]["S"]) is None
    assert json.loads(event["after"]["S"])["status"] == "pending"


def test_pages_follow_each_other_without_gap_or_repetition(api: Api) -> None:
    """Every connection is on exactly one page; the cursor tells nothing and is of no use to another tenant."""
    made = {api.post("/v1/connections", BODY).json["id"] for _ in range(7)}
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = api.get(f"/v1/connections?limit=2{cursor}").json
        seen += [connection["id"] for connection in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert sorted(seen) == sorted(made)
    assert len(seen) == 7


def test_the_same_request_sent_twice_makes_one_connection(world: World, api: Api) -> None:
    """With an Idempotency-Key, a repeated request is answered with what the first one made."""
    headers = {"Idempotency-Key": "order-1"}
    first = api.call("POST", "/v1/connections", BODY, headers=headers)
    again = api.call("POST", "/v1/connections", BODY, headers=headers)
    other = api.call("POST", "/v1/connections", {**BODY, "name": "Other"}, headers=headers)
    neighbor = Api(world.gateway.url, world.issuer.token("connections-neighbor"))

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert (other.status, other.error["code"]) == (409, "idempotency_key_reused")
    assert neighbor.call("POST", "/v1/connections", BODY, headers=headers).json["id"] != first.json["id"]


def test_the_same_request_sent_at_once_makes_one_connection(api: Api) -> None:
    """Eight copies in flight together end in one connection and eight equal answers."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: api.call("POST", "/v1/connections", BODY, headers={"Idempotency-Key": "at-once"}), range(8)
            )
        )

    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(api.get("/v1/connections").json["data"]) == 1


def test_an_idempotency_key_counts_for_a_day(world: World, tenant: str) -> None:
    """Longer than any client tries again. DynamoDB deletes what has expired days late, so its time is looked at."""
    now = world.services.clock()
    table = Table(lambda: world.services.dynamodb, world.settings.table_name)
    registry = Registry(table, clock=lambda: now, random_bytes=world.services.random_bytes)
    new, actor = NewConnection("x", "us-east-1", None, None, None), Actor("somebody", "127.0.0.1")
    first = registry.create(tenant, new, actor, "order-1")
    now += timedelta(hours=24, seconds=-2)
    again = registry.create(tenant, new, actor, "order-1")
    now += timedelta(seconds=2)
    later = registry.create(tenant, new, actor, "order-1")

    assert again.id == first.id
    assert later.id != first.id


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
def test_an_idempotency_key_is_one_visible_word(api: Api, key: str) -> None:
    """What can't be a key is refused instead of being taken for one."""
    answer = api.call("POST", "/v1/connections", BODY, headers={"Idempotency-Key": key.encode().decode("latin-1")})

    assert (answer.status, answer.error["param"]) == (400, "Idempotency-Key")


def test_documents_come_together_and_one_by_one(api: Api) -> None:
    """Each file is the same text both ways, and is offered as a download under its own name."""
    connection = api.post("/v1/connections", BODY).json
    documents = api.get(f"/v1/connections/{connection['id']}/documents").json

    assert set(documents["files"]) == {
        "trust-policy.json",
        "permissions-policy.json",
        "customer-role.cfn.yaml",
        "customer-role.tf",
        "create-role.sh",
    }
    assert json.loads(documents["files"]["trust-policy.json"]) == documents["trust_policy"]
    assert documents["external_id"] == connection["external_id"]
    for name, text in documents["files"].items():
        one = api.get(f"/v1/connections/{connection['id']}/documents/{name}")
        assert one.text == text
        assert one.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert one.headers["X-Content-Type-Options"] == "nosniff"


def test_a_name_that_tries_to_leave_its_place_is_in_no_document(api: Api) -> None:
    """What a customer calls a connection appears in its row alone, as the text that it is."""
    name = '"; rm -rf / #${file("x")}<script>&param_ExternalId=evil!Ref'
    connection = api.post("/v1/connections", {**BODY, "name": name}).json

    assert connection["name"] == name
    assert "evil" not in api.get(f"/v1/connections/{connection['id']}/documents").text


def test_an_external_id_is_never_taken_over(world: World, api: Api) -> None:
    """Whatever spelling and place, a write that names one is refused and writes nothing."""
    for extra in ({"external_id": "x"}, {"externalId": "x"}, {"\uff45xternal_id": "x"}, {"a": {"EXTERNAL-ID": 1}}):
        refused = api.post("/v1/connections", {**BODY, **extra})
        assert (refused.status, refused.error["code"]) == (400, "external_id_not_settable")
    by_query = api.post("/v1/connections?external_id=x", BODY)
    by_header = api.call("POST", "/v1/connections", BODY, headers={"Rolecall-External-Id": "x"})

    assert [answer.error["code"] for answer in (by_query, by_header)] == ["external_id_not_settable"] * 2
    assert api.get("/v1/connections").json["data"] == []


def test_an_external_id_is_not_given_out_twice(world: World, tenant: str) -> None:
    """Not even by a random source that repeats itself: three tries, then nothing is stored and nobody is told one."""
    table = Table(lambda: world.services.dynamodb, world.settings.table_name)
    registry = Registry(table, clock=world.services.clock, random_bytes=bytes)
    new = NewConnection("x", "us-east-1", None, None, None)
    made = registry.create(tenant, new, Actor("somebody", "127.0.0.1"))
    with pytest.raises(ServiceError) as refused:
        registry.create(f"{tenant}-other", new, Actor("somebody", "127.0.0.1"))

    assert refused.value.code == "storage_unavailable"
    assert registry.page(f"{tenant}-other") == ([], None)
    assert [one.id for one in registry.page(tenant)[0]] == [made.id]


def test_a_pending_connection_expires(world: World, api: Api, tenant: str) -> None:
    """48 hours after it was made, an ID that was never verified is of no use."""
    connection = api.post("/v1/connections", BODY).json
    world.services.dynamodb.update_item(
        TableName=world.settings.table_name,
        Key={"pk": {"S": f"TENANT#{tenant}"}, "sk": {"S": f"CONNECTION#{connection['id']}"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000+00:00"}},
    )

    assert api.get(f"/v1/connections/{connection['id']}").json["status"] == "expired"
    refused = api.post(
        f"/v1/connections/{connection['id']}/verification", {"role_arn": "arn:aws:iam::444455556666:role/x"}
    )
    assert (refused.status, refused.error["code"]) == (409, "connection_expired")


def test_one_tenant_is_not_a_part_of_another(world: World) -> None:
    """Tenants whose names look like keys of the table stay apart."""
    names = ["a", "a#RATE", "TENANT#a", "a%23RATE", "a/b", "../a"]
    apis = {name: Api(world.gateway.url, world.issuer.token(name)) for name in names}
    made = {name: api.post("/v1/connections", {**BODY, "name": name}).json["id"] for name, api in apis.items()}

    for name, api in apis.items():
        assert [connection["id"] for connection in api.get("/v1/connections").json["data"]] == [made[name]]
