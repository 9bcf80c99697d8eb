"""The wire: signatures equal to botocore's, nothing from the environment, bounded in tries, time and size."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import botocore.awsrequest
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from chalicelib.bedrock.failures import AwsError, Unreachable
from chalicelib.bedrock.regions import REGIONS
from chalicelib.bedrock.wire import (
    CONVERSE,
    LIST_FOUNDATION_MODELS,
    LIST_INFERENCE_PROFILES,
    Answer,
    Credentials,
    Wire,
    path_segment,
)
from tests.bedrock.far_side import FarSide, Step, error

ROOT = Path(__file__).parent.parent.parent
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "TOKEN/with+chars==")
BODY = {"messages": [{"role": "user", "content": [{"text": "häl日"}]}]}
MODELS = [
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "meta.llama3-70b-instruct-v1:0:8k",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20240620-v1:0",
    "arn:aws:bedrock:us-east-1:444455556666:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
    "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a1b2c3d4e5f6",
    "a+b%2Fc~d*e(f)'g!h@i,j;k=l&m?n#o[p]|q",
    "modèle-ä/日本:0 x",
    "a//b",
    "%",
    "tab\tx",
]

Start = Callable[..., FarSide]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start far sides, and stop them afterwards."""
    running: list[FarSide] = []

    def starter(*steps: Step) -> FarSide:
        running.append(FarSide(*steps))
        return running[-1]

    yield starter
    for far in running:
        far.stop()


def _call(far: FarSide, model: str = MODELS[0], seconds: float = 5.0) -> Answer:
    operation = replace(CONVERSE, seconds=seconds)
    return Wire(endpoint=far.url).call(CREDENTIALS, "us-east-1", operation, model=model, body=BODY)


def _botocore_url(region: str, endpoint: str, model: str) -> str:
    """Return the address that a boto3 client would send this call to."""
    untyped: Any = boto3
    client = untyped.client(
        "bedrock-runtime",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(parameter_validation=False, auth_scheme_preference="sigv4"),  # type: ignore[call-arg]  # the stubs lack it
    )
    seen: list[str] = []

    def grab(request: Any, **_: Any) -> Any:
        seen.append(request.url)
        answer: Any = botocore.awsrequest.AWSResponse(request.url, 200, {}, None)  # type: ignore[arg-type]
        answer._content = b"{}"
        return answer

    client.meta.events.register("before-send.bedrock-runtime.Converse", grab)
    client.converse(modelId=model, **BODY)
    return seen[0]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1"])
@pytest.mark.parametrize("model", MODELS)
def test_a_call_is_addressed_and_signed_as_botocore_does(start: Start, model: str, region: str) -> None:
    """Same address, same signature for the same time: botocore is the judge of SigV4."""
    far = start()
    Wire(endpoint=far.url).call(CREDENTIALS, region, CONVERSE, model=model, body=BODY)
    [sent] = far.requests

    assert far.url + sent["path"] == _botocore_url(region, far.url, model)
    again = AWSRequest("POST", far.url + sent["path"], data=sent["body"], headers={"Content-Type": "application/json"})
    again.headers["X-Amz-Date"] = sent["headers"]["X-Amz-Date"]
    again.headers["X-Amz-Security-Token"] = CREDENTIALS.token
    again.context["timestamp"] = sent["headers"]["X-Amz-Date"]
    judge = SigV4Auth(CREDENTIALS, "bedrock", region)  # type: ignore[arg-type]
    signature = judge.signature(judge.string_to_sign(again, judge.canonical_request(again)), again)
    assert sent["headers"]["Authorization"].endswith(f"Signature={signature}")
    assert f"/{region}/bedrock/aws4_request" in sent["headers"]["Authorization"]


def test_a_query_is_encoded_as_it_is_signed(start: Start) -> None:
    """A space is %20: a plus sign would sign otherwise than it is sent."""
    far = start()
    Wire(endpoint=far.url).call(
        CREDENTIALS, "us-east-1", LIST_INFERENCE_PROFILES, query={"nextToken": "a b+c/d=~", "maxResults": "5"}
    )

    assert far.requests[0]["path"] == "/inference-profiles?nextToken=a%20b%2Bc%2Fd%3D~&maxResults=5"


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_segment_that_climbs_is_no_segment(model: str) -> None:
    """urllib3 would make another path of it."""
    with pytest.raises(ValueError, match="model id"):
        path_segment(model)


def test_hosts_are_those_of_the_partition() -> None:
    """Without an endpoint the host follows from service, region and partition data."""
    wire = Wire()
    hosts = {
        (operation.service, region): wire._request(region, operation, model=None, query=None, body=None).url
        for operation in (LIST_FOUNDATION_MODELS, replace(CONVERSE, path="/x"))
        for region in ("us-east-1", "us-gov-west-1", "eusc-de-east-1")
    }

    assert hosts == {
        ("bedrock", "us-east-1"): "https://bedrock.us-east-1.amazonaws.com/foundation-models",
        ("bedrock", "us-gov-west-1"): "https://bedrock.us-gov-west-1.amazonaws.com/foundation-models",
        ("bedrock", "eusc-de-east-1"): "https://bedrock.eusc-de-east-1.amazonaws.eu/foundation-models",
        ("bedrock-runtime", "us-east-1"): "https://bedrock-runtime.us-east-1.amazonaws.com/x",
        ("bedrock-runtime", "us-gov-west-1"): "https://bedrock-runtime.us-gov-west-1.amazonaws.com/x",
        ("bedrock-runtime", "eusc-de-east-1"): "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu/x",
    }


def test_the_environment_reaches_no_call(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bearer tokens, endpoints, proxies and keys of the environment change neither address nor signature."""
    for name, text in {
        "AWS_BEARER_TOKEN_BEDROCK": "canary",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_BEDROCK": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "canary",
        "AWS_SECRET_ACCESS_KEY": "canary",
        "AWS_SESSION_TOKEN": "canary",
        "AWS_PROFILE": "canary",
        "AWS_REGION": "eu-west-3",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "SSL_CERT_FILE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "AWS_CA_BUNDLE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, text)
    far = start()

    assert _call(far).body == {"fine": True}
    assert far.requests[0]["headers"]["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "canary" not in str(far.requests)


def test_no_key_log_is_written(tmp_path: Path) -> None:
    """SSLKEYLOGFILE would hand every session's keys to whoever set it."""
    program = (
        "import os; os.environ['SSLKEYLOGFILE'] = os.sys.argv[1] if False else __import__('sys').argv[1]\n"
        "from chalicelib.bedrock.wire import _tls\n"
        "print(getattr(_tls(), 'keylog_filename', None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "keys")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None"


def test_a_redirect_is_not_followed(start: Start) -> None:
    """It would carry the session's token to another host."""
    other = start()
    far = start(Step(307, b"", {"Location": f"{other.url}/model/x/converse"}))

    with pytest.raises(AwsError) as refused:
        _call(far)
    assert (refused.value.status, other.requests) == (307, [])


RETRIED = [
    pytest.param(error(429, "ThrottlingException"), id="throttled"),
    pytest.param(error(500, "InternalServerException"), id="an internal error"),
    pytest.param(error(503, "ServiceUnavailableException"), id="unavailable"),
    pytest.param(Step(502, b"<html>"), id="a gateway's own page"),
    pytest.param(Step(kind="reset"), id="a reset connection"),
    pytest.param(Step(kind="cut"), id="a body cut short of its length"),
]


@pytest.mark.parametrize("step", RETRIED)
def test_what_may_pass_is_tried_once_more(start: Start, step: Step) -> None:
    """Two tries in all: the client has its own on top."""
    far = start(step)
    assert _call(far).body == {"fine": True}
    assert len(far.requests) == 2

    stubborn = start(*[step] * 5)
    with pytest.raises((AwsError, Unreachable)):
        _call(stubborn)
    assert len(stubborn.requests) == 2


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(error(400, "ValidationException"), id="invalid"),
        pytest.param(error(403, "AccessDeniedException"), id="denied"),
        pytest.param(error(403, "ExpiredTokenException"), id="expired"),
        pytest.param(error(404, "ResourceNotFoundException"), id="not found"),
        pytest.param(error(408, "ModelTimeoutException"), id="the model took too long"),
        pytest.param(error(424, "ModelErrorException"), id="the model failed"),
        pytest.param(error(429, "ThrottlingException", "Too many tokens per day"), id="the day's quota is used up"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(start: Start, step: Step) -> None:
    """A refusal is one call."""
    far = start(step, step)
    with pytest.raises(AwsError) as refused:
        _call(far)

    assert len(far.requests) == 1
    assert (refused.value.status, refused.value.request_id) == (step.status, "request-1")


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        (error(403, "AccessDeniedException", "why"), "AccessDeniedException", "why"),
        (Step(400, b'{"__type": "com.amazon.coral#Bad", "Message": "why"}'), "Bad", "why"),
        (Step(400, b'{"code": "Bad", "message": "why"}'), "Bad", "why"),
        (Step(403, b"not json"), "", ""),
        (Step(403, b"[]"), "", ""),
    ],
)
def test_an_errors_code_and_text_are_where_aws_puts_them(start: Start, step: Step, code: str, message: str) -> None:
    """Header or body, `message` or `Message`, with a name space or an address behind it."""
    with pytest.raises(AwsError) as refused:
        _call(start(step))

    assert (refused.value.code, refused.value.message) == (code, message)


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        pytest.param([Step(kind="hang", seconds=1.0)] * 2, "timeout", id="silence"),
        pytest.param([Step(kind="trickle", seconds=0.1)] * 2, "timeout", id="a trickle"),
        pytest.param([Step(kind="cut")] * 2, "cut", id="a cut body"),
        pytest.param(
            [Step(body=b'{"fine": tr', kind="until_close")] * 2, "cut", id="a body that ends with the connection"
        ),
        pytest.param([Step(body=b"[1]")] * 2, "cut", id="no object"),
        pytest.param([Step(body=b" " * (26 * 1024 * 1024))] * 2, "too_large", id="26 MB"),
    ],
)
def test_half_an_answer_is_none(start: Start, steps: list[Step], kind: str) -> None:
    """Botocore takes a cut body for an empty success; here it is a failure, within the time that the call has."""
    started = time.monotonic()
    with pytest.raises(Unreachable) as failed:
        _call(start(*steps), seconds=0.6)

    assert failed.value.kind == kind
    assert time.monotonic() - started < 3


def test_nobody_there_is_told_as_such() -> None:
    """A closed port and a name that does not resolve are two kinds of silence."""
    with pytest.raises(Unreachable) as closed:
        Wire(endpoint="http://127.0.0.1:1").call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)
    with pytest.raises(Unreachable) as unknown:
        Wire(endpoint="http://nobody.invalid").call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)

    assert (closed.value.kind, unknown.value.kind) == ("connect", "dns")


def test_connections_are_kept(start: Start) -> None:
    """A failed call leaves the pool as it was: the next one is answered."""
    far = start(Step(kind="cut"), Step(kind="cut"), error(403, "AccessDeniedException"))
    wire = Wire(endpoint=far.url)
    for _ in range(2):
        with pytest.raises((AwsError, Unreachable)):
            wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS)

    assert [wire.call(CREDENTIALS, "us-east-1", LIST_FOUNDATION_MODELS).body for _ in range(5)] == [{"fine": True}] * 5


def test_the_signer_logs_no_secret(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG botocore.auth would write the session token; it is held above that."""
    caplog.set_level(logging.DEBUG)
    _call(start())

    assert CREDENTIALS.token not in caplog.text
    assert CREDENTIALS.secret_key not in caplog.text


def test_the_regions_of_bedrock_are_botocores() -> None:
    """The list that explains a silent host is botocore's data; it is renewed with botocore."""
    session = boto3.Session()
    known = {
        region
        for name in session.get_available_partitions()
        for region in session.get_available_regions("bedrock", name)
    }

    assert known == REGIONS
