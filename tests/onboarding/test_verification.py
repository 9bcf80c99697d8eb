"""Verification against the sandbox: what counts as an answer, what is written, and what races come to."""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from chalicelib.onboarding.checks import CHECKS, Result, is_usable, verdict
from chalicelib.onboarding.connection import Verdict
from sandbox.aws.accounts import attach_to_service, detach_from_service
from tests.far_customer import Answer, Api, Customer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import World

_numbers = itertools.count()
NEGATIVE = [check.id for check in CHECKS if check.expected == "refused"]
GOOD = {check.id: check.expected for check in CHECKS}


@pytest.fixture
def api(world: World) -> Api:
    """Give the API of a tenant that no other test has."""
    return Api(world.gateway.url, world.issuer.token(f"verification-{next(_numbers)}"))


@pytest.fixture
def customer(world: World) -> Customer:
    """Give the customer's administrator."""
    keys = world.accounts.customer
    return Customer(world.aws.url, keys.account, keys.access_key_id, keys.secret_access_key)


class Onboarded:
    """A connection and a role made from its documents."""

    def __init__(self, api: Api, customer: Customer, **more: object) -> None:
        self.api = api
        body = {"name": "Acme", "region": "us-east-1", "account_id": customer.account, **more}
        self.connection = api.post("/v1/connections", body).json
        self.path = f"/v1/connections/{self.connection['id']}"
        self.documents = api.get(f"{self.path}/documents").json
        self.customer = customer
        self.role_arn = self.make_role(self.connection["expected_role_arn"].rpartition("/")[2])

    def make_role(self, name: str) -> str:
        files = self.documents["files"]
        return self.customer.create_role(name, files["trust-policy.json"], files["permissions-policy.json"])

    def verify(self, role_arn: str | None = None, **more: object) -> dict[str, Any]:
        answer = self.api.post(f"{self.path}/verification", {"role_arn": role_arn or self.role_arn, **more})
        assert answer.status == 200, answer.text
        report: dict[str, Any] = answer.json
        return report

    def shown(self) -> dict[str, Any]:
        connection: dict[str, Any] = self.api.get(self.path).json
        return connection


@pytest.fixture
def onboarded(api: Api, customer: Customer) -> Onboarded:
    """Give a connection whose role is right and not yet verified."""
    return Onboarded(api, customer)


def _outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in report["checks"]}


def _results(outcomes: dict[str, Any]) -> list[Result]:
    return [Result(check, outcomes[check.id]) for check in CHECKS if check.id in outcomes]


VERDICTS = [
    pytest.param(GOOD, Verdict.VERIFIED, True, id="all as they must be"),
    pytest.param({**GOOD, "list_models": "refused"}, Verdict.VERIFIED, False, id="safe, but listing is refused"),
    pytest.param({**GOOD, "invoke_model": "refused"}, Verdict.VERIFIED, False, id="safe, but invoking is refused"),
    pytest.param({**GOOD, "invoke_model": "skipped"}, Verdict.VERIFIED, True, id="invoking was left out"),
    pytest.param({**GOOD, "list_models": "inconclusive"}, Verdict.VERIFIED, False, id="listing stayed unclear"),
    pytest.param({**GOOD, "assume_with_external_id": "refused"}, Verdict.REFUSED, False, id="the right ID is refused"),
    pytest.param(
        {**GOOD, "assume_with_external_id": "inconclusive"}, Verdict.INCONCLUSIVE, False, id="the right ID is unclear"
    ),
    *[pytest.param({**GOOD, name: "passed"}, Verdict.REFUSED, False, id=f"let in: {name}") for name in NEGATIVE],
    *[
        pytest.param({**GOOD, name: "inconclusive"}, Verdict.INCONCLUSIVE, False, id=f"unclear: {name}")
        for name in NEGATIVE
    ],
    *[
        pytest.param({k: v for k, v in GOOD.items() if k != name}, Verdict.INCONCLUSIVE, False, id=f"not run: {name}")
        for name in ("assume_with_external_id", *NEGATIVE)
    ],
    pytest.param(
        {**GOOD, NEGATIVE[0]: "passed", NEGATIVE[1]: "inconclusive"},
        Verdict.REFUSED,
        False,
        id="an open door is an answer, whatever else is unclear",
    ),
    pytest.param({}, Verdict.INCONCLUSIVE, False, id="nothing was run"),
]


@pytest.mark.parametrize(("outcomes", "expected", "usable"), VERDICTS)
def test_only_five_plain_answers_verify(outcomes: dict[str, str], expected: Verdict, usable: bool) -> None:
    """Verified means: let in with the ID, and refused in all four other ways, in one run."""
    results = _results(outcomes)

    assert (verdict(results), is_usable(results)) == (expected, usable)


@pytest.mark.parametrize("code", ["Throttling", "ServiceUnavailable", "InternalFailure", "ExpiredToken"])
def test_an_unclear_answer_never_activates(world: World, onboarded: Onboarded, code: str) -> None:
    """Throttled, broken or expired probes prove nothing: the connection stays pending, and says when to try again."""
    world.aws.faults.add({"service": "sts", "operation": "AssumeRole", "kind": "error", "code": code, "times": None})

    report = onboarded.verify()

    assert (report["verdict"], report["status"], report["usable"]) == ("inconclusive", "pending", False)
    assert {_outcomes(report)[name] for name in ("assume_with_external_id", *NEGATIVE)} == {"inconclusive"}
    assert report["retry_after"] > 0
    assert all(finding["evidence"].get("aws_code") == code for finding in report["findings"])
    assert onboarded.shown()["status"] == "pending"

    world.aws.faults.clear()
    assert onboarded.verify()["status"] == "active"


def test_a_cut_connection_is_no_refusal(world: World, onboarded: Onboarded) -> None:
    """A probe whose connection dies is not counted as AWS having said no."""
    world.aws.faults.add({"service": "sts", "operation": "AssumeRole", "kind": "cut", "times": None})

    report = onboarded.verify()

    assert (report["verdict"], report["status"]) == ("inconclusive", "pending")
    assert {finding["code"] for finding in report["findings"]} <= {"upstream_unreachable", "upstream_timeout"}


def test_listing_denied_is_safe_and_not_usable(onboarded: Onboarded, customer: Customer) -> None:
    """A role that lets us in rightly and may do nothing is active, unusable, and says which permissions it lacks."""
    iam = customer.client("iam")
    iam.delete_role_policy(RoleName=onboarded.role_arn.rpartition("/")[2], PolicyName="Rolecall")

    report = onboarded.verify(invoke="amazon.nova-lite-v1:0")

    assert (report["verdict"], report["status"], report["usable"]) == ("verified", "active", False)
    assert _outcomes(report) == {**GOOD, "list_models": "refused", "invoke_model": "refused"}
    assert [finding["code"] for finding in report["findings"]] == ["list_models_denied", "invoke_model_denied"]
    assert all(finding["whose_fix"] == "customer" for finding in report["findings"])


def test_invoking_denied_alone(onboarded: Onboarded, customer: Customer) -> None:
    """With listing allowed and invoking not, the finding is about invoking."""
    listing = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["bedrock:List*", "bedrock:Get*"], "Resource": "*"}],
    }
    customer.client("iam").put_role_policy(
        RoleName=onboarded.role_arn.rpartition("/")[2], PolicyName="Rolecall", PolicyDocument=json.dumps(listing)
    )

    report = onboarded.verify()

    assert _outcomes(report) == {**GOOD, "invoke_model": "refused"}
    assert [finding["code"] for finding in report["findings"]] == ["invoke_model_denied"]


def test_a_throttled_model_is_named_as_such(world: World, onboarded: Onboarded) -> None:
    """A busy model is AWS's to mend, and the connection is active all the same."""
    world.aws.faults.add(
        {"service": "bedrock-runtime", "operation": "Converse", "kind": "error", "code": "ThrottlingException"}
        | {"times": None}
    )
    report = onboarded.verify()

    assert (report["verdict"], report["usable"]) == ("verified", False)
    [finding] = report["findings"]
    assert (finding["code"], finding["whose_fix"]) == ("rate_limit_exceeded", "aws")


def test_a_region_without_bedrock_is_told_as_such(api: Api, customer: Customer) -> None:
    """Nobody answers there; the finding says that it is the region's fault, and whose choice that was."""
    report = Onboarded(api, customer, region="ap-east-1").verify()

    assert (report["verdict"], report["usable"]) == ("verified", False)
    assert {(finding["code"], finding["whose_fix"]) for finding in report["findings"]} == {
        ("bedrock_not_in_region", "customer"),
        ("no_model_to_invoke", "customer"),
    }


def test_what_was_asked_of_aws(world: World, onboarded: Onboarded) -> None:
    """A run makes at most ten calls: five probes, one for excess rights, and none at Bedrock as ourselves."""
    world.aws.calls.clear()
    onboarded.verify()
    calls = world.aws.calls.rows()
    bedrock = [call for call in calls if call["service"].startswith("bedrock")]

    assert len([call for call in calls if call["operation"] == "AssumeRole"]) == 6
    assert len([call for call in calls if call["account"] != "111122223333" or call["service"] == "sts"]) <= 10
    assert {call["principal"].rpartition("/")[2] for call in bedrock} == {f"{onboarded.connection['id']}.verify"}


def test_invoking_can_be_left_out(world: World, onboarded: Onboarded) -> None:
    """`invoke: false` costs no token, and the report says that it was not run."""
    world.aws.calls.clear()
    report = onboarded.verify(invoke=False)

    assert (_outcomes(report)["invoke_model"], report["usable"]) == ("skipped", True)
    assert world.aws.calls.count("bedrock-runtime") == 0


def test_a_candidate_does_not_replace_a_role_that_works(onboarded: Onboarded) -> None:
    """A mistyped new role leaves the connection as it is; a right one takes over."""
    assert onboarded.verify()["status"] == "active"
    mistyped = onboarded.role_arn + "x"

    report = onboarded.verify(mistyped)
    assert (report["verdict"], report["status"], report["usable"]) == ("refused", "active", False)
    shown = onboarded.shown()
    assert (shown["status"], shown["role_arn"], shown["candidate_role_arn"], shown["usable"]) == (
        "active",
        onboarded.role_arn,
        mistyped,
        True,
    )

    better = onboarded.make_role(f"Better-{next(_numbers)}")
    assert onboarded.verify(better)["status"] == "active"
    shown = onboarded.shown()
    assert shown["role_arn"] == better
    assert "candidate_role_arn" not in shown


@pytest.mark.parametrize(
    "pattern",
    [lambda own: f"{own[:10]}*", lambda own: f"{own[:20]}?*", lambda own: f"*{own[-8:]}"],
    ids=["its first sign", "its first third", "its last signs"],
)
def test_a_pattern_that_our_own_id_fits_is_no_comparison(onboarded: Onboarded, pattern: Callable[[str], str]) -> None:
    """Other tenants' IDs fit it too, and whoever makes some dozen connections has one: so the probe's is alike."""
    own = str(onboarded.connection["external_id"])
    policy = json.loads(onboarded.documents["files"]["trust-policy.json"])
    condition = policy["Statement"][0]["Condition"]
    del condition["StringEquals"]["sts:ExternalId"]
    condition["StringLike"] = {"sts:ExternalId": pattern(own)}
    onboarded.customer.replace_trust_policy(onboarded.role_arn, policy)

    report = onboarded.verify()

    assert (report["verdict"], report["status"]) == ("refused", "pending")
    outcomes = {check["id"]: check["outcome"] for check in report["checks"]}
    assert outcomes["refused_with_similar_external_id"] == "passed"


def test_a_role_that_opens_later_is_refused_from_then_on(onboarded: Onboarded, api: Api) -> None:
    """The next verification finds it, the connection is degraded, and chats are refused."""
    onboarded.verify()
    open_policy = json.loads(onboarded.documents["files"]["trust-policy.json"])
    del open_policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    onboarded.customer.replace_trust_policy(onboarded.role_arn, open_policy)
    assert api.get("/v1/models").status == 200

    report = onboarded.verify()

    assert (report["verdict"], report["status"], report["usable"]) == ("refused", "degraded", False)
    refused = api.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (400, "connection_required")
    named = api.call("GET", "/v1/models", headers={"Rolecall-Connection": onboarded.connection["id"]})
    assert (named.status, named.error["code"]) == (403, "connection_not_active")
    assert "strangers" in named.error["message"]

    onboarded.customer.replace_trust_policy(onboarded.role_arn, onboarded.documents["files"]["trust-policy.json"])
    assert onboarded.verify()["status"] == "active"
    assert api.get("/v1/models").status == 200


def test_a_role_that_locks_us_out_is_still_tried(onboarded: Onboarded, api: Api) -> None:
    """A degraded role that can't be assumed may heal: calls are tried, and refused with STS's reason."""
    onboarded.verify()
    policy = json.loads(onboarded.documents["files"]["trust-policy.json"])
    policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] = "rolecall-of-another-time"
    onboarded.customer.replace_trust_policy(onboarded.role_arn, policy)

    assert onboarded.verify()["status"] == "degraded"
    refused = api.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (403, "assume_role_denied")
    assert refused.headers["X-Should-Retry"] == "false"


def test_one_run_at_a_time(world: World, onboarded: Onboarded) -> None:
    """Of ten runs at once one runs; the others are told to wait, at once, and nothing is half done."""
    # Long enough for the nine others to have come and gone, on a busy machine as well.
    world.aws.faults.add({"service": "bedrock", "operation": "ListFoundationModels", "kind": "slow", "seconds": 3})
    barrier = threading.Barrier(10)

    def run(_: int) -> tuple[int, str, str | None]:
        barrier.wait()
        answer = onboarded.api.post(f"{onboarded.path}/verification", {"role_arn": onboarded.role_arn, "invoke": False})
        code = answer.json["verdict"] if answer.status == 200 else answer.error["code"]
        return answer.status, code, answer.headers.get("Retry-After")

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(run, range(10)))

    assert answers == [(200, "verified", None)] + [(409, "verification_running", "5")] * 9
    assert (onboarded.shown()["version"], onboarded.shown()["status"]) == (2, "active")
    assert onboarded.verify()["verdict"] == "verified"


def test_a_run_that_was_killed_blocks_nobody_for_long(world: World, onboarded: Onboarded) -> None:
    """A lease ends by itself; what DynamoDB has not deleted yet counts as gone."""
    key = {"pk": {"S": f"CONNECTION#{onboarded.connection['id']}"}, "sk": {"S": "LEASE"}}
    for until, status in (("99999999999", 409), ("1000", 200)):
        world.services.dynamodb.put_item(
            TableName=world.settings.table_name, Item={**key, "ticket": {"S": "x"}, "until": {"N": until}}
        )
        answer = onboarded.api.post(f"{onboarded.path}/verification", {"role_arn": onboarded.role_arn, "invoke": False})
        assert answer.status == status


def test_a_lease_that_cant_be_given_back_takes_no_report_away(world: World, onboarded: Onboarded) -> None:
    """The run is done and stored by then; what is left of it is a minute in which the next one has to wait."""
    gone = {"service": "dynamodb", "operation": "DeleteItem", "kind": "error", "code": "InternalServerError"}
    world.aws.faults.add({**gone, "times": 20})
    report = onboarded.verify()
    again = onboarded.api.post(f"{onboarded.path}/verification", {"role_arn": onboarded.role_arn, "invoke": False})

    assert (report["verdict"], onboarded.shown()["status"]) == ("verified", "active")
    assert (again.status, again.error["code"]) == (409, "verification_running")


def test_a_tenant_cannot_verify_without_end(world: World, onboarded: Onboarded) -> None:
    """Past the limit of a minute the answer is 429 with the seconds to wait, and STS is not asked."""
    tenant = jwt.decode(onboarded.api.token or "", options={"verify_signature": False})["tenant"]
    now = datetime.now(UTC)
    for minute in (now, now + timedelta(minutes=1)):
        window = minute.replace(second=0, microsecond=0).isoformat()
        world.services.dynamodb.put_item(
            TableName=world.settings.table_name,
            Item={"pk": {"S": f"TENANT#{tenant}#RATE"}, "sk": {"S": f"VERIFY#{window}"}, "runs": {"N": "120"}},
        )
    before = world.aws.calls.count("sts")
    answer = onboarded.api.post(f"{onboarded.path}/verification", {"role_arn": onboarded.role_arn})

    assert (answer.status, answer.error["code"]) == (429, "too_many_verifications")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert world.aws.calls.count("sts") == before


def _overtaken(world: World, onboarded: Onboarded, **headers: str) -> Answer:
    """Return the answer to a run during which the connection was changed."""
    world.aws.faults.add({"service": "bedrock", "operation": "ListFoundationModels", "kind": "slow", "seconds": 3})
    world.aws.calls.clear()
    tenant = jwt.decode(onboarded.api.token or "", options={"verify_signature": False})["tenant"]
    body = {"role_arn": onboarded.role_arn, "invoke": False}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(onboarded.api.call, "POST", f"{onboarded.path}/verification", body, headers=headers)
        while not world.aws.calls.count("bedrock", "ListFoundationModels"):
            assert not slow.done()
            time.sleep(0.01)
        world.services.dynamodb.update_item(
            TableName=world.settings.table_name,
            Key={"pk": {"S": f"TENANT#{tenant}"}, "sk": {"S": f"CONNECTION#{onboarded.connection['id']}"}},
            UpdateExpression="ADD version :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        return slow.result()


def test_a_run_whose_connection_changed_writes_nothing(world: World, onboarded: Onboarded) -> None:
    """Whatever changed the connection while a run was under way is not overwritten by it."""
    overtaken = _overtaken(world, onboarded)

    assert (overtaken.status, overtaken.error["code"]) == (409, "connection_changed")
    assert (onboarded.shown()["status"], onboarded.shown()["version"]) == ("pending", 2)
    events = onboarded.api.get(f"{onboarded.path}/events").json["data"]
    assert [event["type"] for event in events] == ["connection_created"]


def test_events_that_have_begun_end_with_the_error(world: World, onboarded: Onboarded) -> None:
    """Once checks have been told there is no other status to give, so the error comes as the last event."""
    told = _overtaken(world, onboarded, Accept="text/event-stream")
    events = told.text.strip().split("\n\n")

    assert told.status == 200
    assert [event.partition("\n")[0] for event in events][-2:] == ["event: check", "event: error"]
    assert '"code": "connection_changed"' in events[-1]


def test_the_record_tells_what_happened(onboarded: Onboarded) -> None:
    """Newest first: who did what, from where, and the connection before and after; page by page."""
    onboarded.verify(onboarded.role_arn + "x")
    onboarded.verify()
    first = onboarded.api.get(f"{onboarded.path}/events?limit=2").json
    second = onboarded.api.get(f"{onboarded.path}/events?limit=2&cursor={first['next_cursor']}").json
    events = [*first["data"], *second["data"]]

    assert [event["type"] for event in events] == [
        "verification_verified",
        "verification_refused",
        "connection_created",
    ]
    assert {(event["actor"], event["source_ip"]) for event in events} == {("administrator", "127.0.0.1")}
    assert [event["after"]["status"] for event in events] == ["active", "pending", "pending"]
    assert events[0]["before"] == events[1]["after"]
    assert second["next_cursor"] is None


def test_a_stranger_in_our_own_account_is_not_let_in(world: World, onboarded: Onboarded) -> None:
    """The trust policy names one role of the account, so an administrator there does not get in with the ID."""
    sts = world.accounts.stranger.session("us-east-1").client("sts", endpoint_url=world.aws.url)
    with pytest.raises(Exception, match="AccessDenied"):
        sts.assume_role(
            RoleArn=onboarded.role_arn, RoleSessionName="stranger", ExternalId=onboarded.connection["external_id"]
        )


def test_the_session_may_do_nothing_but_bedrock(world: World, onboarded: Onboarded, customer: Customer) -> None:
    """A role with every permission gives us no more than the session policy leaves."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    customer.client("iam").put_role_policy(
        RoleName=onboarded.role_arn.rpartition("/")[2], PolicyName="all", PolicyDocument=json.dumps(everything)
    )
    onboarded.verify()
    from chalicelib.bedrock.sessions import assume
    from chalicelib.identifiers import RoleArn
    from chalicelib.onboarding.documents import session_policy

    registry_view = onboarded.connection
    role = RoleArn.parse(onboarded.role_arn)
    policy = session_policy(_as_connection(registry_view))
    session = assume(
        world.services.sts_clients,
        role,
        registry_view["external_id"],
        session_policy=policy,
        name="conn.test",
        seconds=900,
    )
    import boto3

    keys = session.credentials
    client = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=world.aws.url,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )
    with pytest.raises(Exception, match="no session policy allows the iam:ListRoles action"):
        client.list_roles()


def _as_connection(shown: dict[str, Any]) -> Any:
    from chalicelib.identifiers import ConnectionId, ExternalId
    from chalicelib.onboarding.connection import Connection, Status

    now = datetime.now(UTC)
    return Connection(
        tenant="x",
        id=ConnectionId(shown["id"]),
        name=shown["name"],
        external_id=ExternalId(shown["external_id"]),
        region=shown["region"],
        status=Status.PENDING,
        version=1,
        created_at=now,
        updated_at=now,
        expires_at=now,
        account_id=shown["account_id"],
    )


def test_a_denial_of_our_own_says_nothing_of_the_role(world: World, onboarded: Onboarded, customer: Customer) -> None:
    """Where the operator's policies let nobody go without the ID, an open role looks closed: unclear, never active."""
    open_to_us = onboarded.documents["trust_policy"]
    del open_to_us["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    customer.replace_trust_policy(onboarded.role_arn, open_to_us)
    own = {"StringNotEquals": {"sts:ExternalId": onboarded.connection["external_id"]}}
    deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*", "Condition": own}
    attach_to_service("our-own", {"Version": "2012-10-17", "Statement": [deny]})
    try:
        report = onboarded.verify()
    finally:
        detach_from_service("our-own")

    assert (report["verdict"], report["status"]) == ("inconclusive", "pending")
    assert {_outcomes(report)[name] for name in NEGATIVE} == {"inconclusive"}
    assert {finding["code"] for finding in report["findings"]} == {"operator_may_not_assume"}
