"""The switches of the local AWS: what is recorded, and what is made to fail."""

from __future__ import annotations

import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.exceptions import ConnectionClosedError

from sandbox.aws.switches import FAULTS, Fault
from tests.sandbox.conftest import Keys, refusal, trust

if TYPE_CHECKING:
    from tests.sandbox.conftest import Aws

POOL = urllib3.PoolManager(retries=False)
ADMINISTRATOR = "arn:aws:iam::444455556666:user/administrator"


def switch(aws: Aws, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Use a switch; a body of bytes is sent as it is."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    answer = POOL.request(method, f"{aws.url}/_sandbox/{path}", body=data)
    return answer.status, json.loads(answer.data) if answer.data else None


def fault(aws: Aws, service: str, operation: str, kind: str, **more: object) -> None:
    """Set a fault."""
    body = {"service": service, "operation": operation, "kind": kind, **more}
    status, rows = switch(aws, "POST", "faults", body)
    assert (status, [{name: row[name] for name in body} for row in rows][-1]) == (201, body)


def test_every_call_is_recorded_with_who_made_it_and_how_it_ended(aws: Aws) -> None:
    """Answered, refused, failed by a fault and cut calls of all five services, in their order."""
    switch(aws, "DELETE", "calls")
    started = datetime.now(UTC)
    aws.client("sts").get_caller_identity()
    refusal(aws.client("iam", aws.service).list_roles)
    refusal(aws.client("dynamodb", Keys("AKIAIOSFODNN7EXAMPLE", "x")).list_tables)
    aws.client("bedrock", aws.other_customer).list_foundation_models()
    conversation = {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
    fault(aws, "bedrock-runtime", "Converse", "error", code="ModelTimeoutException")
    refusal(lambda: aws.client("bedrock-runtime").converse(**conversation))
    fault(aws, "sts", "*", "cut")
    with pytest.raises(ConnectionClosedError):
        aws.client("sts").get_caller_identity()

    status, calls = switch(aws, "GET", "calls")
    times = [datetime.fromisoformat(call.pop("at")) for call in calls]
    service = "arn:aws:sts::111122223333:assumed-role/rolecall-local/tests"
    other = "arn:aws:iam::777788889999:user/administrator"
    assert status == 200
    assert [tuple(call.values()) for call in calls] == [
        ("sts", "GetCallerIdentity", "444455556666", ADMINISTRATOR, 200),
        ("iam", "ListRoles", "111122223333", service, 403),
        ("dynamodb", "ListTables", None, None, 400),
        ("bedrock", "ListFoundationModels", "777788889999", other, 200),
        ("bedrock-runtime", "Converse", "444455556666", ADMINISTRATOR, 408),
        ("sts", "GetCallerIdentity", "444455556666", ADMINISTRATOR, 0),
    ]
    assert list(calls[0]) == ["service", "operation", "account", "principal", "status"]
    assert [at.utcoffset() for at in times] == [UTC.utcoffset(None)] * 6
    assert sorted(times) == times
    assert abs((times[0] - started).total_seconds()) < 5


def test_what_is_recorded_can_be_forgotten(aws: Aws) -> None:
    """DELETE empties the record, and using the switches is not recorded."""
    aws.client("sts").get_caller_identity()

    assert switch(aws, "DELETE", "calls") == (204, None)
    assert switch(aws, "GET", "calls") == (200, [])


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sts", "Throttling", 400),
        ("sts", "ExpiredToken", 403),
        ("sts", "RegionDisabledException", 403),
        ("sts", "PackedPolicyTooLarge", 400),
        ("sts", "ServiceUnavailable", 503),
        ("sts", "InternalFailure", 500),
        ("iam", "NoSuchEntity", 404),
        ("iam", "LimitExceeded", 409),
        ("dynamodb", "ThrottlingException", 400),
        ("dynamodb", "ProvisionedThroughputExceededException", 400),
        ("dynamodb", "ResourceNotFoundException", 400),
        ("dynamodb", "ConditionalCheckFailedException", 400),
        ("dynamodb", "InternalServerError", 500),
        ("bedrock", "ThrottlingException", 429),
        ("bedrock", "AccessDeniedException", 403),
        ("bedrock", "ResourceNotFoundException", 404),
        ("bedrock", "ServiceUnavailableException", 503),
        ("bedrock", "ExpiredTokenException", 403),
        ("bedrock", "InternalServerException", 500),
    ],
)
def test_an_error_comes_with_its_own_status_and_as_often_as_asked(
    aws: Aws, service: str, code: str, status: int
) -> None:
    """The code is what boto3 sees, in each protocol; after that the service answers as ever."""
    operation, name = {
        "sts": ("GetCallerIdentity", "get_caller_identity"),
        "iam": ("ListRoles", "list_roles"),
        "dynamodb": ("ListTables", "list_tables"),
        "bedrock": ("ListFoundationModels", "list_foundation_models"),
    }[service]
    call = getattr(aws.client(service), name)
    fault(aws, service, operation, "error", code=code, times=2)

    seen = [refusal(call), refusal(call)]
    assert [row[:2] for row in seen] == [(status, code)] * 2
    assert len(seen[0][2]) > 10
    assert call()


def test_a_fault_concerns_its_operation_alone_and_lasts_until_cleared_if_so_asked(aws: Aws) -> None:
    """`times` null has no end; `*` is every operation; DELETE ends all."""
    fault(aws, "iam", "ListRoles", "error", code="Throttling", times=None)
    iam = aws.client("iam")

    assert iam.list_users()
    assert [refusal(iam.list_roles)[1] for _ in range(3)] == ["Throttling"] * 3
    fault(aws, "*", "*", "error", code="ServiceUnavailable", times=None)
    assert refusal(aws.client("sts").get_caller_identity)[:2] == (503, "ServiceUnavailable")
    assert refusal(aws.client("bedrock").list_foundation_models)[:2] == (503, "ServiceUnavailable")
    assert switch(aws, "DELETE", "faults") == (204, None)
    assert switch(aws, "GET", "faults") == (200, [])
    assert iam.list_roles()


def test_a_cut_connection_is_reset(aws: Aws) -> None:
    """The client's socket gets RST, not an orderly end."""
    fault(aws, "sts", "GetCallerIdentity", "cut")
    raw: list[bytes] = []
    sts = aws.client("sts", aws.other_customer, "eu-west-1")

    def keep(request: Any, **_: Any) -> None:
        head = f"POST / HTTP/1.1\r\nHost: {urlsplit(aws.url).netloc}\r\nContent-Length: {len(request.body)}\r\n"
        lines = (f"{name}: {_text(value)}\r\n" for name, value in request.headers.items() if name != "Content-Length")
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        raw.append((head + "".join(lines) + "\r\n").encode() + body)

    sts.meta.events.register("before-send.sts.*", keep)
    with pytest.raises(ConnectionClosedError):
        sts.get_caller_identity()

    fault(aws, "sts", "GetCallerIdentity", "cut")
    with socket.create_connection(("127.0.0.1", int(urlsplit(aws.url).port or 0)), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        connection.sendall(raw[0])
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_a_slow_answer_is_slow_and_holds_up_nobody_else(aws: Aws) -> None:
    """The answer waits for the seconds named; DynamoDB, where one runs at a time, goes on for others."""
    fault(aws, "dynamodb", "ListTables", "slow", seconds=4)
    first, second = aws.client("dynamodb"), aws.client("dynamodb", aws.other_customer)

    def timed(client: Any) -> float:
        started = time.monotonic()
        client.list_tables()
        return time.monotonic() - started

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(timed, first)
        while FAULTS.rows():
            time.sleep(0.01)
        assert timed(second) < 3
        assert slow.result() >= 4


def test_a_change_can_be_hidden_for_some_calls(aws: Aws) -> None:
    """AssumeRole judges by the trust policy before the last change; a role just made is not seen at all."""
    role = aws.role(trust())
    fault(aws, "sts", "AssumeRole", "not_yet", times=2)
    assert [aws.lets_in(role) for _ in range(3)] == [False, False, True]

    name = role.rpartition("/")[2]
    document = json.dumps(trust(condition={"StringEquals": {"sts:ExternalId": "agreed"}}))
    aws.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=document)
    fault(aws, "iam", "UpdateAssumeRolePolicy", "not_yet")
    assert [aws.lets_in(role) for _ in range(2)] == [True, False]


def test_a_change_can_be_hidden_for_some_time(aws: Aws) -> None:
    """For so many seconds every AssumeRole is behind; then the change is there, and the fault gone."""
    role = aws.role(trust())
    fault(aws, "sts", "*", "not_yet", seconds=4)

    assert [aws.lets_in(role) for _ in range(3)] == [False, False, False]
    time.sleep(4)
    assert aws.lets_in(role)
    assert switch(aws, "GET", "faults") == (200, [])


STREAM: dict[str, Any] = {"service": "bedrock-runtime", "operation": "ConverseStream"}


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "exception_frame", "code": "throttlingException"},
        {"kind": "early_end"},
        {"kind": "half_frame", "after_events": 0},
        {"kind": "silence", "seconds": 3},
        {"kind": "cut", "after_events": 2},
        {"kind": "slow", "after_events": 1, "seconds": 0.1},
    ],
    ids=lambda more: more["kind"],
)
def test_a_fault_in_a_stream_waits_for_the_stream(aws: Aws, more: dict[str, Any]) -> None:
    """It is not played before the answer; the stream takes it with all that it was given, once."""
    fault(aws, **STREAM, **more)

    assert FAULTS.take("bedrock-runtime", "ConverseStream") is None
    assert FAULTS.take_stream("bedrock-runtime", "Converse") is None
    taken = FAULTS.take_stream("bedrock-runtime", "ConverseStream")
    assert taken == Fault(**STREAM, **{**more, "times": 0})
    assert FAULTS.take_stream("bedrock-runtime", "ConverseStream") is None


CUT = {"service": "sts", "operation": "*", "kind": "cut"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be a JSON object"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        ({}, "service is required"),
        ({"service": "sts", "operation": "*"}, "kind is required"),
        ({**CUT, "service": "s3"}, "service must be one of"),
        ({**CUT, "operation": "Assumerole"}, "sts has no operation Assumerole"),
        ({**CUT, "operation": "PutItem"}, "sts has no operation PutItem"),
        ({**CUT, "kind": "explode"}, "kind must be one of"),
        ({**CUT, "kind": "error"}, "needs a code"),
        ({**CUT, "kind": "error", "code": "a\r\nb"}, "code must be"),
        ({**CUT, "kind": "error", "code": 5}, "code must be"),
        ({**CUT, "times": 0}, "times must be a whole number from 1"),
        ({**CUT, "times": -1}, "times must be a whole number from 1"),
        ({**CUT, "times": True}, "times must be a whole number from 1"),
        ({**CUT, "times": 1.5}, "times must be a whole number from 1"),
        ({**CUT, "after_events": 1}, "A fault in a stream is for bedrock-runtime"),
        ({**STREAM, "kind": "error", "code": "Throttling", "after_events": 1}, "leave out after_events"),
        ({**STREAM, "kind": "cut", "after_events": -1}, "after_events must be a whole number from 0"),
        ({**CUT, "kind": "slow", "seconds": 601}, "seconds must be a number from 0 to 600"),
        (b'{"service":"sts","operation":"*","kind":"slow","seconds":NaN}', "seconds must be a number"),
        ({**CUT, "kind": "slow", "seconds": "1"}, "seconds must be a number"),
        ({**CUT, "kind": "silence"}, "A fault in a stream is for bedrock-runtime"),
        ({**CUT, "service": "bedrock", "kind": "early_end", "operation": "Converse"}, "A fault in a stream"),
        ({**CUT, "kind": "not_yet", "operation": "GetCallerIdentity"}, "A fault of kind not_yet is for sts or iam"),
        ({**CUT, "kind": "not_yet", "service": "bedrock"}, "A fault of kind not_yet is for sts or iam"),
        ({**CUT, "why": "x"}, "There is no field why"),
    ],
)
def test_a_fault_that_could_never_be_played_is_not_set(aws: Aws, body: object, says: str) -> None:
    """A misspelt fault is refused with a sentence instead of being kept and forgotten."""
    status, answer = switch(aws, "POST", "faults", body)

    assert status == 400
    assert says in answer["message"]
    assert switch(aws, "GET", "faults") == (200, [])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "other", 404), ("POST", "calls", 405), ("PUT", "faults", 405)]
)
def test_there_are_two_switches(aws: Aws, method: str, path: str, status: int) -> None:
    """Anything else under /_sandbox/ is answered with a sentence."""
    seen, answer = switch(aws, method, path)

    assert seen == status
    assert answer["message"]
