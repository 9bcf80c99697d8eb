"""The door of the local AWS: who is nobody, whose signature is wrong, and what no header can change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import AccessKey
from moto.sts.models import AssumedRole

from sandbox.aws.callers import CALLERS, find_role
from tests.sandbox.conftest import Keys, refusal

if TYPE_CHECKING:
    from tests.sandbox.conftest import Aws

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "sts": ("POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "iam": ("POST", "/", FORM, b"Action=ListRoles&Version=2010-05-08"),
    "dynamodb": ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}"),
    "bedrock": ("GET", "/foundation-models", {}, b""),
    "bedrock-runtime": ("POST", "/model/amazon.nova-lite-v1:0/count-tokens", {}, b"{}"),
}
CALLS: dict[str, Any] = {
    "sts": lambda client: client.get_caller_identity(),
    "iam": lambda client: client.list_roles(),
    "dynamodb": lambda client: client.list_tables(),
    "bedrock": lambda client: client.list_foundation_models(),
    "bedrock-runtime": lambda client: client.converse(
        modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "x"}]}]
    ),
}
UNKNOWN = {"sts": "InvalidClientTokenId", "iam": "InvalidClientTokenId"}
WRONG = {"sts": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch"}
EXPIRED = {"sts": "ExpiredToken", "iam": "ExpiredToken"}
POOL = urllib3.PoolManager(retries=False)


def status(service: str) -> int:
    """Return the status of a refusal at the door: 400 at DynamoDB, 403 elsewhere."""
    return 400 if service == "dynamodb" else 403


def send(
    aws: Aws,
    service: str,
    *,
    scope: str | None = None,
    region: str = "us-east-1",
    minutes: int = 0,
    headers: dict[str, str] | None = None,
    unsigned: dict[str, str] | None = None,
    date: str | None = None,
) -> tuple[int, str, str]:
    """Send a request signed as told; return status, error code and the body. `unsigned` is added after signing."""
    method, path, own, body = REQUESTS[service]
    request = AWSRequest(method, aws.url + path, data=body, headers={**own, **(headers or {})})
    at = f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}"
    request.context["timestamp"] = date + at[8:] if date else at
    request.headers["X-Amz-Date"] = at
    keys = Credentials(aws.customer.access_key_id, aws.customer.secret_access_key)
    name = scope or ("bedrock" if service == "bedrock-runtime" else service)
    signer = SigV4Auth(keys, name, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
        f"Signature={signer.signature(text, request)}"
    )
    return exchange(
        aws, method, path, body, {**dict(request.headers), "Authorization": authorization, **(unsigned or {})}
    )


def exchange(aws: Aws, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
    """Send octets as they are; return status, error code and the body."""
    answer = POOL.request(method, aws.url + path, body=body, headers=headers)
    text = answer.data.decode()
    if text.startswith("<"):
        return answer.status, text.partition("<Code>")[2].partition("<")[0], text
    code = answer.headers.get("x-amzn-errortype") or json.loads(text).get("__type", "")
    return answer.status, code.split(":")[0].rpartition("#")[2], text


@pytest.mark.parametrize("service", CALLS)
def test_who_has_no_valid_key_is_refused_in_the_services_words(aws: Aws, service: str) -> None:
    """Unknown keys, wrong secrets and a user's key with a token get the code and status of this service."""
    secret = aws.customer.secret_access_key
    unknown = aws.client(service, Keys("AKIAIOSFODNN7EXAMPLE", secret))
    wrong = aws.client(service, Keys(aws.customer.access_key_id, "wrong"))
    token = aws.client(service, Keys(aws.customer.access_key_id, secret, "a-token"))

    assert refusal(lambda: CALLS[service](unknown)) == (
        status(service),
        UNKNOWN.get(service, "UnrecognizedClientException"),
        "The security token included in the request is invalid.",
    )
    assert refusal(lambda: CALLS[service](token)) == refusal(lambda: CALLS[service](unknown))
    assert refusal(lambda: CALLS[service](wrong))[:2] == (
        status(service),
        WRONG.get(service, "InvalidSignatureException"),
    )


@pytest.mark.parametrize("service", CALLS)
def test_an_expired_session_is_told_so(aws: Aws, service: str) -> None:
    """A session past its end gets this service's code for that, with the right token and signature."""
    role = find_role(aws.service_role)
    assert role is not None
    key = AccessKey(None, "ASIA", "111122223333")  # type: ignore[abstract]  # moto does so too
    issued = AssumedRole("111122223333", "us-east-1", key, "old", role.arn, "", -1, "")
    CALLERS.remember(issued, role, ())
    client = aws.client(service, Keys(issued.access_key_id, issued.secret_access_key, issued.session_token))

    assert refusal(lambda: CALLS[service](client)) == (
        status(service),
        EXPIRED.get(service, "ExpiredTokenException"),
        "The security token included in the request is expired",
    )


@pytest.mark.parametrize("service", CALLS)
def test_a_session_needs_its_own_token(aws: Aws, service: str) -> None:
    """A session's key without its token, or with another's, is nobody's."""
    for token in (None, aws.assume(aws.service_role, by=aws.operator).session_token):
        client = aws.client(service, Keys(*aws.service[:2], token))
        assert refusal(CALLS[service], client=client)[1] == UNKNOWN.get(service, "UnrecognizedClientException")


@pytest.mark.parametrize("service", REQUESTS)
@pytest.mark.parametrize(
    ("how", "says"),
    [
        pytest.param({"minutes": -6}, "Signature expired: ", id="six minutes ago"),
        pytest.param({"minutes": 6}, "Signature not yet current: ", id="in six minutes"),
        pytest.param({"date": "20200101"}, "Date in Credential scope does not match YYYYMMDD", id="scope of 2020"),
        pytest.param({"scope": "s3"}, "Credential should be scoped to correct service: '", id="another service"),
        pytest.param({"unsigned": {"X-Amz-Meta": "1"}}, "The request signature we calculated", id="unsigned header"),
        pytest.param({"unsigned": {"X-Amz-Date": "20200101T000000Z"}}, "Date in Credential scope", id="changed date"),
        pytest.param(
            {"headers": {"X-Amz-Content-Sha256": "0" * 64}}, "The request signature we calculated", id="other hash"
        ),
    ],
)
def test_a_signature_is_for_one_request_at_one_time(aws: Aws, service: str, how: dict[str, Any], says: str) -> None:
    """Time, service, body and every X-Amz header are bound by the signature."""
    seen, code, body = send(aws, service, **how)

    assert (seen, code) == (status(service), WRONG.get(service, "InvalidSignatureException"))
    assert says in body.replace("&#39;", "'")


@pytest.mark.parametrize("service", ["sts", "iam", "dynamodb"])
@pytest.mark.parametrize("region", ["xx-nowhere-9", "cn-north-1", "us-gov-west-1"])
def test_a_region_must_be_one_of_this_partition(aws: Aws, service: str, region: str) -> None:
    """A region that AWS does not have, or has in another partition, is no scope for a key of this one."""
    seen, code, body = send(aws, service, region=region)

    assert (seen, code) == (status(service), WRONG.get(service, "InvalidSignatureException"))
    assert "Credential should be scoped to a valid region" in body


@pytest.mark.parametrize("service", REQUESTS)
def test_five_minutes_of_skew_are_allowed(aws: Aws, service: str) -> None:
    """Clocks differ a little; a request signed four minutes ago, or in four minutes' time, passes the door."""
    assert WRONG.get(service, "InvalidSignatureException") not in {
        send(aws, service, minutes=-4)[1],
        send(aws, service, minutes=4)[1],
    }


@pytest.mark.parametrize("service", REQUESTS)
def test_without_a_signature_nothing_is_answered(aws: Aws, service: str) -> None:
    """No Authorization header, or one that can't be read, is refused in the service's protocol."""
    method, path, own, body = REQUESTS[service]
    end = "" if service in WRONG else "Exception"

    assert exchange(aws, method, path, body, own)[:2] == (status(service), f"MissingAuthenticationToken{end}")
    for text in ("foo", "AWS AKIAIOSFODNN7EXAMPLE:c2ln", "AWS4-HMAC-SHA256 Credential=a/b/c", "Bearer key"):
        refused = exchange(aws, method, path, body, {**own, "Authorization": text})
        assert refused[:2] == (status(service), f"IncompleteSignature{end}")


def test_a_changed_body_or_query_is_noticed(aws: Aws) -> None:
    """What was signed is compared with the octets that arrived."""
    dynamodb, bedrock = aws.client("dynamodb", aws.customer, "us-west-2"), aws.client("bedrock", None, "us-west-2")

    def change(request: Any, **_: Any) -> None:
        request.body = request.body and request.body.replace(b"signed", b"forged")
        request.url = request.url.replace("Amazon", "Meta")

    for client in (dynamodb, bedrock):
        client.meta.events.register("before-send.*.*", change)
    try:
        assert refusal(lambda: dynamodb.describe_table(TableName="signed"))[1] == "InvalidSignatureException"
        assert refusal(lambda: bedrock.list_foundation_models(byProvider="Amazon"))[1] == "InvalidSignatureException"
    finally:
        for client in (dynamodb, bedrock):
            client.meta.events.unregister("before-send.*.*", change)


def test_no_header_moves_a_caller_into_another_account_or_region(aws: Aws) -> None:
    """The account is the key's, the region the signature's: moto takes them from headers that anybody can send."""
    headers = {"X-Moto-Account-Id": "444455556666", "User-Agent": "boto3 region/eu-west-1"}
    iam = aws.client("iam", aws.stranger, "eu-central-1")

    def add(request: Any, **_: Any) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    iam.meta.events.register("before-sign.*.*", add)
    arns = [user["Arn"] for user in iam.list_users()["Users"]]
    assert arns
    assert {arn.split(":")[4] for arn in arns} == {"111122223333"}

    dynamodb = aws.client("dynamodb", aws.customer, "ap-south-1")
    dynamodb.meta.events.register("before-sign.*.*", add)
    name = aws.name()
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert made["TableDescription"]["TableArn"] == f"arn:aws:dynamodb:ap-south-1:444455556666:table/{name}"


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        pytest.param("POST", "/moto-api/reset", {}, b"", id="moto's reset"),
        pytest.param("GET", "/moto-api/data.json", {}, b"", id="moto's state"),
        pytest.param("GET", "/latest/meta-data/", {}, b"", id="instance metadata"),
        pytest.param("GET", "/", {}, b"", id="S3"),
        pytest.param("POST", "/", {"X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}", id="SQS"),
        pytest.param("POST", "/", {"X-Amz-Target": "DynamoDBStreams_20120810.ListStreams"}, b"{}", id="streams"),
        pytest.param("POST", "/", FORM, b"Action=ListUsers&Version=2012-11-05", id="another query service"),
        pytest.param("GET", "/agents/", {}, b"", id="Bedrock agents"),
    ],
)
def test_nothing_else_of_motos_is_open(aws: Aws, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    """Five services are there; whatever else moto has, its own switches above all, is not."""
    for authorization in ({}, {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request"}):
        answered = exchange(aws, method, path, body, {**headers, **authorization})
        assert answered[:2] == (501, "NotImplementedException")


@pytest.mark.parametrize(
    ("service", "path", "headers", "body", "code"),
    [
        ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{", "SerializationException"),
        ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"[" * 9999, "SerializationException"),
        ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"\xff", "SerializationException"),
        ("sts", "/", FORM, b"Version=\xff", "MalformedInput"),
    ],
)
def test_a_body_that_cant_be_read_is_an_error_of_awss(
    aws: Aws, service: str, path: str, headers: dict[str, str], body: bytes, code: str
) -> None:
    """Broken bodies get an answer in the service's protocol, not a page of HTML."""
    assert exchange(aws, "POST", path, body, headers)[:2] == (400, code), service


def test_a_key_made_inactive_and_the_key_of_a_user_gone_are_unknown(aws: Aws) -> None:
    """Both are refused as if they had never been."""
    iam, name = aws.client("iam"), aws.name()
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    sts = aws.client("sts", Keys(made["AccessKeyId"], made["SecretAccessKey"]))
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::444455556666:user/{name}"

    iam.update_access_key(UserName=name, AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert refusal(sts.get_caller_identity)[:2] == (403, "InvalidClientTokenId")
    iam.update_access_key(UserName=name, AccessKeyId=made["AccessKeyId"], Status="Active")
    iam.delete_user(UserName=name)
    assert refusal(sts.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_the_address_is_the_loopback(aws: Aws) -> None:
    """Nobody else on the network can reach it."""
    assert urlsplit(aws.url).hostname == "127.0.0.1"
