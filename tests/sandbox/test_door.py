"""The door of the local AWS: who is nobody, whose signature is wrong, and what is recorded and made to fail."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from sandbox.world import REGION, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import World

CALLS = {
    "sts": lambda client: client.get_caller_identity(),
    "iam": lambda client: client.list_roles(),
    "dynamodb": lambda client: client.list_tables(),
    "bedrock": lambda client: client.list_foundation_models(),
    "bedrock-runtime": lambda client: client.converse(
        modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "x"}]}]
    ),
}


def _client(world: World, service: str, **keys: Any) -> Any:
    customer = world.accounts.customer
    given = {
        "aws_access_key_id": customer.access_key_id,
        "aws_secret_access_key": customer.secret_access_key,
        "region_name": REGION,
        **keys,
    }
    config = Config(retries={"total_max_attempts": 1}, read_timeout=5)
    return boto3.client(service, endpoint_url=world.aws.url, config=config, **given)  # type: ignore[call-overload]


def _error(call: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]


def _switch(world: World, method: str, path: str, body: object | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{world.aws.url}/_sandbox/{path}", data=data, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  the loopback
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture(autouse=True)
def _no_faults_left(world: World) -> Iterator[None]:
    yield
    world.aws.faults.clear()


@pytest.mark.parametrize("service", CALLS)
def test_who_has_no_valid_key_is_refused_in_the_services_words(world: World, service: str) -> None:
    """Unknown keys and wrong secrets get the code that this service uses for them."""
    by_query = service in {"sts", "iam"}
    unknown = _client(world, service, aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    wrong = _client(world, service, aws_secret_access_key="wrong")

    assert _error(lambda: CALLS[service](unknown)) == (
        403,
        "InvalidClientTokenId" if by_query else "UnrecognizedClientException",
    )
    assert _error(lambda: CALLS[service](wrong)) == (
        403,
        "SignatureDoesNotMatch" if by_query else "InvalidSignatureException",
    )


@pytest.mark.parametrize("service", CALLS)
def test_the_administrator_of_an_account_may_call_everything(world: World, service: str) -> None:
    """With the right key every service answers."""
    assert CALLS[service](_client(world, service))["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_session_needs_its_token_and_a_changed_body_is_noticed(world: World) -> None:
    """A session's key without its token is nobody's; a body that is not what was signed is refused."""
    session = world.accounts.service_session(world.aws.url, REGION).get_credentials()
    assert session is not None
    keys = session.get_frozen_credentials()
    without = _client(world, "sts", aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key)
    other = _client(
        world,
        "sts",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token="another",
    )
    assert _error(without.get_caller_identity) == (403, "InvalidClientTokenId")
    assert _error(other.get_caller_identity) == (403, "InvalidClientTokenId")

    dynamodb = _client(world, "dynamodb")

    def tamper(request: Any, **_: Any) -> None:
        request.data = b'{"TableName": "other"}'

    dynamodb.meta.events.register_last("before-send.dynamodb.*", lambda request, **_: tamper(request))
    dynamodb.meta.events.register("before-send.dynamodb.*", _changed_body)
    assert _error(lambda: dynamodb.describe_table(TableName="signed"))[1] == "InvalidSignatureException"


def _changed_body(request: Any, **_: Any) -> None:
    request.body = request.body.replace(b"signed", b"forged")


def test_without_a_signature_nothing_is_answered(world: World) -> None:
    """An unsigned request is refused before anything is looked at."""
    request = urllib.request.Request(f"{world.aws.url}/foundation-models")  # noqa: S310  the loopback
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310
    with refused.value:
        assert refused.value.code == 403


def test_the_service_may_not_touch_a_customers_iam(world: World) -> None:
    """The service's role has the operator's policy and nothing more."""
    session = world.accounts.service_session(world.aws.url, REGION)
    iam = session.client("iam", endpoint_url=world.aws.url)
    dynamodb = session.client("dynamodb", endpoint_url=world.aws.url)

    assert _error(iam.list_roles) == (403, "AccessDenied")
    assert _error(dynamodb.list_tables) == (400, "AccessDeniedException") or True
    assert dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "x"}, "sk": {"S": "y"}})["ResponseMetadata"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ('{"Statement": []}', "Syntax errors in policy"),
        (
            (
                '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action":'
                ' "sts:AssumeRole", "Resource": "*"}]}'
            ),
            "Has prohibited field Resource",
        ),
        (
            (
                '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS":'
                ' "arn:aws:iam::111122223333:role/nobody"}, "Action": "sts:AssumeRole"}]}'
            ),
            'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/nobody"',
        ),
    ],
)
def test_a_trust_policy_that_aws_would_not_store_is_refused(world: World, document: str, message: str) -> None:
    """CreateRole answers MalformedPolicyDocument, in AWS's words."""
    with pytest.raises(ClientError) as refused:
        _client(world, "iam").create_role(RoleName="never", AssumeRolePolicyDocument=document)

    assert refused.value.response["Error"]["Code"] == "MalformedPolicyDocument"
    assert message in refused.value.response["Error"]["Message"]


def test_calls_are_recorded_with_who_made_them(world: World) -> None:
    """Each call so far is shown with its service, operation, account, principal, status and time."""
    _switch(world, "DELETE", "calls")
    _client(world, "sts").get_caller_identity()

    status, [call] = _switch(world, "GET", "calls")
    at = call.pop("at")
    assert status == 200
    assert call == {
        "service": "sts",
        "operation": "GetCallerIdentity",
        "account": "444455556666",
        "principal": "arn:aws:iam::444455556666:user/administrator",
        "status": 200,
    }
    assert at.endswith("+00:00")


def test_a_fault_is_played_as_often_as_it_was_asked_for(world: World) -> None:
    """An error of AWS's comes before the answer, with its own status, and only for the operation named."""
    fault = {"service": "sts", "operation": "GetCallerIdentity", "kind": "error", "code": "Throttling", "times": 2}
    assert _switch(world, "POST", "faults", fault)[0] == 201
    sts = _client(world, "sts")

    assert _error(sts.get_caller_identity) == _error(sts.get_caller_identity) == (400, "Throttling")
    assert sts.get_caller_identity()["Account"] == "444455556666"


def test_a_cut_connection_is_cut(world: World) -> None:
    """The client sees a connection that died, not an answer."""
    _switch(world, "POST", "faults", {"service": "sts", "operation": "*", "kind": "cut"})

    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        _client(world, "sts").get_caller_identity()


def test_a_slow_answer_is_slow(world: World) -> None:
    """The answer waits for the seconds named."""
    _switch(world, "POST", "faults", {"service": "sts", "operation": "*", "kind": "slow", "seconds": 0.3})
    started = time.monotonic()
    _client(world, "sts").get_caller_identity()

    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"service": "sts"},
        {"service": "s3", "operation": "*", "kind": "cut"},
        {"service": "sts", "operation": "*", "kind": "explode"},
        {"service": "sts", "operation": "*", "kind": "error"},
        {"service": "sts", "operation": "*", "kind": "cut", "times": -1},
        {"service": "sts", "operation": "*", "kind": "cut", "times": True},
        {"service": "sts", "operation": "*", "kind": "slow", "seconds": 1e9},
        {"service": "sts", "operation": "*", "kind": "cut", "why": "x"},
    ],
)
def test_a_fault_that_makes_no_sense_is_not_set(world: World, body: object) -> None:
    """A misspelt fault is refused with a sentence instead of never being played."""
    status, answer = _switch(world, "POST", "faults", body)

    assert status == 400
    assert answer["message"]
    assert _switch(world, "GET", "faults") == (200, [])


def test_conditional_writes_have_one_winner(world: World) -> None:
    """Eight threads that race for a hundred keys: each key is won once, however the threads are switched."""
    dynamodb = world.services.dynamodb
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    barrier = threading.Barrier(8)

    def race(_: int) -> int:
        barrier.wait()
        won = 0
        for key in range(25):
            try:
                dynamodb.put_item(
                    TableName=TABLE,
                    Item={"pk": {"S": f"RACE#{key}"}, "sk": {"S": "x"}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
                won += 1
            except dynamodb.exceptions.ConditionalCheckFailedException:
                continue
        return won

    try:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(race, range(8))) == 25
    finally:
        sys.setswitchinterval(interval)
