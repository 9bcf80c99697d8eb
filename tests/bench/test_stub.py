"""The AWS that is measured against: boto3 takes its answers, and it takes no call that its sessions did not sign."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3
from botocore.exceptions import ClientError

from bench.aws import CHAT_MODEL, REGION, TABLE, RawBoto3, role_arn
from bench.service import chat_event, models_event

if TYPE_CHECKING:
    from bench.stage import Stage

QUESTION: list[Any] = [{"role": "user", "content": [{"text": "Hello"}]}]


def _session(stage: Stage, name: str) -> Any:
    sts = stage.address.session().client("sts", endpoint_url=stage.address.url)
    return sts.assume_role(
        RoleArn=role_arn(name), RoleSessionName="test", ExternalId="bench", Policy="{}", DurationSeconds=900
    )["Credentials"]


def _runtime(stage: Stage, key: str, token: str | None) -> Any:
    session = boto3.Session(key, "secret", token, region_name=REGION)
    return session.client("bedrock-runtime", endpoint_url=stage.address.url)


def test_boto3_reads_what_the_stub_answers(stage: Stage) -> None:
    """A chat, a stream with every checksum right, and both lists are answers that AWS's own SDK takes."""
    raw = RawBoto3(stage.address)
    raw.chat()
    raw.list_models()
    events = list(raw.events("bench.stream-200-v1:0"))

    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert texts == [f" word{number}" for number in range(200)]
    assert [next(iter(event)) for event in (events[0], *events[-3:])] == [
        "messageStart",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]


def test_a_paced_stream_has_the_events_of_one_without_pauses(stage: Stage) -> None:
    """Only the time between events differs."""
    raw = RawBoto3(stage.address)

    assert list(raw.events("bench.paced-3-1-v1:0")) == list(raw.events("bench.stream-3-v1:0"))


@pytest.mark.parametrize("path", ["/model/bench.chat-v1%3A0/converse", "/foundation-models", "/"])
def test_an_unsigned_call_is_refused(stage: Stage, path: str) -> None:
    """Whoever forgot to sign would look fast."""
    answer = urllib3.request("POST", stage.address.url + path, body=b'{"messages": []}', retries=False)

    assert answer.status == 403


@pytest.mark.parametrize("case", ["unknown key", "token of another session", "no token", "the service's own key"])
def test_bedrock_takes_sessions_of_roles_alone(stage: Stage, case: str) -> None:
    """The key must be one that AssumeRole gave, and the token must be that key's own."""
    given, other = _session(stage, "Plain-one"), _session(stage, "Plain-two")
    key, token = {
        "unknown key": ("ASIA0000000000000000", given["SessionToken"]),
        "token of another session": (given["AccessKeyId"], other["SessionToken"]),
        "no token": (given["AccessKeyId"], None),
        "the service's own key": (stage.address.access_key_id, None),
    }[case]

    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        _runtime(stage, key, token).converse(modelId=CHAT_MODEL, messages=QUESTION)
    assert _runtime(stage, given["AccessKeyId"], given["SessionToken"]).converse(modelId=CHAT_MODEL, messages=QUESTION)


def test_a_session_of_a_role_does_not_reach_the_services_table(stage: Stage) -> None:
    """STS and DynamoDB take the service's own key alone."""
    given = _session(stage, "Plain-three")
    session = boto3.Session(given["AccessKeyId"], "secret", given["SessionToken"], region_name=REGION)
    table = session.client("dynamodb", endpoint_url=stage.address.url)

    with pytest.raises(ClientError, match="invalid"):
        table.get_item(TableName=TABLE, Key={"pk": {"S": "x"}, "sk": {"S": "y"}})


def test_the_table_counts(stage: Stage) -> None:
    """A counter that is added to twice holds the sum, as the limits of tenants need."""
    table = stage.address.session().client("dynamodb", endpoint_url=stage.address.url)
    key: Any = {"pk": {"S": "TENANT#x#RATE"}, "sk": {"S": "chat"}}
    for amount in ("2", "3"):
        answer = table.update_item(
            TableName=TABLE,
            Key=key,
            UpdateExpression="SET #ttl = if_not_exists(#ttl, :ttl) ADD #used :amount",
            ExpressionAttributeNames={"#used": "used", "#ttl": "ttl"},
            ExpressionAttributeValues={":amount": {"N": amount}, ":ttl": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )

    assert answer["Attributes"]["used"] == {"N": "5"}
    assert table.get_item(TableName=TABLE, Key=key)["Item"]["used"] == {"N": "5"}


def test_the_names_of_roles_say_how_sts_behaves(stage: Stage) -> None:
    """A refusing role is refused in AWS's words; the first session of an ending one has five minutes left."""
    with pytest.raises(ClientError, match=r"AccessDenied.*not authorized to perform: sts:AssumeRole"):
        _session(stage, "Refusing-one")

    lives = [_session(stage, "Ending-one")["Expiration"] - datetime.now(UTC) for _ in range(2)]
    assert lives[0] < timedelta(minutes=6) < lives[1]


def test_the_service_runs_on_the_stub(stage: Stage) -> None:
    """The handler answers a chat, a stream and a list there, with the session of each tenant's own role."""
    service = stage.new_service()
    token = stage.token()
    stage.stub.calls(forget=True)
    service.chat(chat_event(token))
    service.list_models(models_event(token))
    lines = list(service.lines(chat_event(token, model="bench.stream-2-v1:0", stream=True)))
    counts = stage.stub.calls().counts

    assert '"content": " word1"' in lines[2]
    assert lines[-1] == "data: [DONE]\n\n"
    assert counts["AssumeRole"] == counts["Converse"] == counts["ConverseStream"] == 1
    assert "refused" not in counts


def test_a_refusal_of_sts_reaches_the_caller(stage: Stage) -> None:
    """What row 11 measures is the answer of a role that refuses us, and not some other error."""
    body = json.loads(stage.new_service().refusal(chat_event(stage.token("Refusing"))))

    assert "not authorized to perform: sts:AssumeRole" in body["error"]["message"]


def test_the_stub_sees_two_sessions_of_one_role_asked_for_at_once(stage: Stage) -> None:
    """Row 10 would otherwise pass whatever the service does."""
    stage.stub.calls(forget=True)
    threads = [threading.Thread(target=_session, args=(stage, "Late-one")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stage.stub.calls().most_assuming_at_once == 2
