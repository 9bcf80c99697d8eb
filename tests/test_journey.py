"""The main job, end to end over real HTTP: plain boto3 is the customer, the openai client is the app."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.far_customer import Api, Customer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import World

_numbers = itertools.count()


@pytest.fixture
def tenant() -> str:
    """Name a tenant that no other test has."""
    return f"tenant-{next(_numbers)}-journey"


@pytest.fixture
def api(world: World, tenant: str) -> Api:
    """Give the administrator's API of a tenant."""
    return Api(world.gateway.url, world.issuer.token(tenant))


@pytest.fixture
def customer(world: World) -> Customer:
    """Give the customer's administrator."""
    keys = world.accounts.customer
    return Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)


@pytest.fixture
def app(world: World, tenant: str) -> Iterator[openai.OpenAI]:
    """Give the openai client as an app of the tenant would make it."""
    with openai.OpenAI(base_url=f"{world.gateway.url}/v1", api_key=world.issuer.token(tenant), max_retries=0) as client:
        yield client


def _connect(api: Api, customer: Customer, **more: object) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Create a connection and the role from its documents; return connection, documents and the role's ARN."""
    body = {"name": "Acme", "region": "us-east-1", "account_id": customer.account, **more}
    connection = api.post("/v1/connections", body).json
    documents = api.get(f"/v1/connections/{connection['id']}/documents").json
    role_arn = customer.create_role(
        connection["expected_role_arn"].rpartition("/")[2],
        documents["files"]["trust-policy.json"],
        documents["files"]["permissions-policy.json"],
    )
    return connection, documents, role_arn


def _verify(api: Api, connection: dict[str, Any], role_arn: str, **more: object) -> dict[str, Any]:
    answer = api.post(f"/v1/connections/{connection['id']}/verification", {"role_arn": role_arn, **more})
    assert answer.status == 200, answer.text
    report: dict[str, Any] = answer.json
    return report


def _outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in report["checks"]}


ALL_AS_EXPECTED = {
    "assume_with_external_id": "passed",
    "refused_without_external_id": "refused",
    "refused_with_similar_external_id": "refused",
    "refused_with_foreign_external_id": "refused",
    "refused_with_other_case": "refused",
    "list_models": "passed",
    "invoke_model": "passed",
}


def test_a_role_made_from_the_documents_becomes_active_and_is_used(
    api: Api, customer: Customer, app: openai.OpenAI
) -> None:
    """Connect, create the role, verify, list the models, call one: nothing else is needed."""
    connection, _, role_arn = _connect(api, customer)
    assert (connection["status"], connection["expected_role_arn"]) == ("pending", role_arn)

    report = _verify(api, connection, role_arn)
    assert _outcomes(report) == ALL_AS_EXPECTED
    assert (report["verdict"], report["status"], report["usable"], report["findings"]) == (
        "verified",
        "active",
        True,
        [],
    )
    assert api.get(f"/v1/connections/{connection['id']}/verification").json == report

    shown = api.get(f"/v1/connections/{connection['id']}").json
    assert (shown["status"], shown["role_arn"], shown["usable"]) == ("active", role_arn, True)
    assert "expires_at" not in shown

    models = [model.id for model in app.models.list()]
    assert len(models) > 10
    answer = app.chat.completions.create(
        model=models[0], messages=[{"role": "user", "content": "Say something about orchards."}], max_tokens=300
    )
    assert answer.choices[0].finish_reason == "stop"
    assert "orchards" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


Mistake = "Callable[[dict[str, Any], str], dict[str, Any]]"


def _with_condition(condition: Callable[[str], dict[str, Any]]) -> Callable[[dict[str, Any], str], dict[str, Any]]:
    def change(policy: dict[str, Any], external_id: str) -> dict[str, Any]:
        [statement] = policy["Statement"]
        principal = statement["Condition"]["StringEquals"]["aws:PrincipalArn"]
        merged = {"StringEquals": {"aws:PrincipalArn": principal}}
        for operator, keys in condition(external_id).items():
            merged.setdefault(operator, {}).update(keys)
        return {**policy, "Statement": [{**statement, "Condition": merged}]}

    return change


def _second_open_statement(policy: dict[str, Any], _: str) -> dict[str, Any]:
    [statement] = policy["Statement"]
    bare = {name: value for name, value in statement.items() if name not in {"Condition", "Sid"}}
    return {**policy, "Statement": [statement, bare]}


NONE, SIMILAR, FOREIGN, CASE = (
    "refused_without_external_id",
    "refused_with_similar_external_id",
    "refused_with_foreign_external_id",
    "refused_with_other_case",
)


@pytest.mark.parametrize(
    ("mistake", "let_in"),
    [
        pytest.param(_with_condition(lambda _: {}), [NONE, SIMILAR, FOREIGN, CASE], id="no condition on the ID"),
        pytest.param(
            _with_condition(lambda x: {"StringEqualsIfExists": {"sts:ExternalId": x}}),
            [NONE],
            id="StringEqualsIfExists",
        ),
        pytest.param(
            _with_condition(lambda x: {"ForAllValues:StringEquals": {"sts:ExternalId": [x]}}), [NONE], id="ForAllValues"
        ),
        pytest.param(
            _with_condition(lambda _: {"StringLike": {"sts:ExternalId": "*"}}),
            [SIMILAR, FOREIGN, CASE],
            id="StringLike *",
        ),
        pytest.param(
            _with_condition(lambda _: {"StringLike": {"sts:ExternalId": "rolecall-*"}}),
            [SIMILAR],
            id="a prefix pattern",
        ),
        pytest.param(
            _with_condition(lambda x: {"StringLike": {"sts:ExternalId": x[:11] + "*"}}),
            [SIMILAR],
            id="a pattern of how this very ID begins",
        ),
        pytest.param(
            # With a letter before it: two digits at the end are the same in capitals.
            _with_condition(lambda x: {"StringLike": {"sts:ExternalId": "r*" + x[-2:]}}),
            [SIMILAR],
            id="a pattern of how it ends",
        ),
        pytest.param(
            _with_condition(lambda x: {"StringEqualsIgnoreCase": {"sts:ExternalId": x}}), [CASE], id="case ignored"
        ),
        pytest.param(
            _with_condition(lambda _: {"Null": {"sts:ExternalId": "false"}}), [SIMILAR, FOREIGN, CASE], id="Null alone"
        ),
        pytest.param(_second_open_statement, [NONE, SIMILAR, FOREIGN, CASE], id="a second, open statement"),
    ],
)
def test_an_open_role_stays_out_and_the_report_says_how_it_is_open(
    api: Api, customer: Customer, mistake: Callable[[dict[str, Any], str], dict[str, Any]], let_in: list[str]
) -> None:
    """Each trust policy that compares the ID wrongly is found by exactly the probes that it lets in."""
    connection, documents, role_arn = _connect(api, customer)
    customer.replace_trust_policy(role_arn, mistake(documents["trust_policy"], connection["external_id"]))

    report = _verify(api, connection, role_arn)

    assert (report["verdict"], report["status"], report["usable"]) == ("refused", "pending", False)
    not_run = dict.fromkeys(("list_models", "invoke_model"), "skipped")
    expected = ALL_AS_EXPECTED | not_run | dict.fromkeys(let_in, "passed")
    assert _outcomes(report) == expected
    assert [finding["code"] for finding in report["findings"]] == ["external_id_not_enforced"]
    assert report["findings"][0]["evidence"]["let_in"] == ", ".join(let_in)
    assert report["findings"][0]["whose_fix"] == "customer"

    customer.replace_trust_policy(role_arn, documents["files"]["trust-policy.json"])
    assert _verify(api, connection, role_arn)["status"] == "active"


def test_a_role_that_refuses_us_says_what_to_look_at(api: Api, customer: Customer) -> None:
    """STS gives one sentence for every cause; the finding names them all, and nothing more is tried."""
    connection, _, _ = _connect(api, customer)

    report = _verify(api, connection, f"arn:aws:iam::{customer.account}:role/NoSuchRole")

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    assert _outcomes(report)["list_models"] == _outcomes(report)["invoke_model"] == "skipped"
    [finding] = report["findings"]
    assert (finding["code"], finding["whose_fix"]) == ("assume_role_denied", "customer")
    assert connection["external_id"] in finding["fix"]
    assert finding["evidence"]["aws_code"] == "AccessDenied"
    assert report["retry_after"] > 0


def test_the_verification_comes_as_events(api: Api, customer: Customer) -> None:
    """With Accept: text/event-stream each check is an event, and the report is the last one."""
    connection, _, role_arn = _connect(api, customer)

    answer = api.call(
        "POST",
        f"/v1/connections/{connection['id']}/verification",
        {"role_arn": role_arn},
        headers={"Accept": "text/event-stream"},
    )

    events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
    kinds = [kind.removeprefix("event: ") for kind, _ in events]
    data = [json.loads(line.removeprefix("data: ")) for _, line in events]
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert kinds == ["check"] * 7 + ["report"]
    assert {check["id"]: check["outcome"] for check in data[:-1]} == ALL_AS_EXPECTED
    assert data[-1] == api.get(f"/v1/connections/{connection['id']}/verification").json


def test_another_tenant_sees_nothing_of_a_connection(world: World, api: Api, customer: Customer) -> None:
    """Another tenant's connection answers exactly like one that does not exist."""
    connection, _, role_arn = _connect(api, customer)
    stranger = Api(world.gateway.url, world.issuer.token("somebody-else"))
    unknown = "conn-" + "a" * 20

    for method, path, body in [
        ("GET", "", None),
        ("GET", "/documents", None),
        ("GET", "/documents/trust-policy.json", None),
        ("GET", "/verification", None),
        ("POST", "/verification", {"role_arn": role_arn}),
    ]:
        theirs = stranger.call(method, f"/v1/connections/{connection['id']}{path}", body)
        nobodys = stranger.call(method, f"/v1/connections/{unknown}{path}", body)
        assert (theirs.status, theirs.error["code"]) == (404, "connection_not_found")
        assert {**theirs.error, "request_id": ""} == {**nobodys.error, "request_id": ""}
    assert stranger.get("/v1/connections").json == {"data": [], "next_cursor": None}


def test_another_tenant_cannot_use_a_verified_role(world: World, api: Api, customer: Customer) -> None:
    """Who registers a stranger's verified role gets its refusal: their connection has another external ID."""
    connection, _, role_arn = _connect(api, customer)
    assert _verify(api, connection, role_arn)["status"] == "active"
    thief = Api(world.gateway.url, world.issuer.token("thief"))
    theirs = thief.post("/v1/connections", {"name": "mine now", "region": "us-east-1"}).json

    report = _verify(thief, theirs, role_arn)

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    assert [finding["code"] for finding in report["findings"]] == ["assume_role_denied"]
    assert connection["external_id"] not in json.dumps(report)


def test_the_model_scope_bounds_listing_and_chat(api: Api, customer: Customer, app: openai.OpenAI) -> None:
    """A connection for one model lists that model alone, and refuses every other one at once."""
    connection, _, role_arn = _connect(api, customer, models=["amazon.nova-lite-v1:0"])
    assert _verify(api, connection, role_arn)["usable"]

    assert [model.id for model in app.models.list()] == ["bedrock/amazon.nova-lite-v1:0"]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        app.chat.completions.create(model="amazon.nova-pro-v1:0", messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "model_not_in_scope"
